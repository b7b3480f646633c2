"""Where the services of one stack live: their data folder, their ports, their Java."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

from tradewind.connectors.settings import DiskSettings
from tradewind.infra.services.java.runtime import WARM, Java
from tradewind.infra.services.ports import Ports


@dataclass(frozen=True, slots=True)
class Place:
    """What the services of a stack have in common."""

    data: Path
    ports: Ports
    java: Java = WARM
    closing: threading.Event = field(default_factory=threading.Event)
    """Set when the stack is being stopped: who still waits for a service gives up."""
    brokers: int = 1
    """How many nodes Kafka has."""
    accept_cluster: bool = False
    """Whether Kafka starts though its files are not those of the cluster that the folder knew."""
    disk: DiskSettings = field(default_factory=DiskSettings)
    """How much room the disk must have."""

    @property
    def run(self) -> Path:
        """The folder with the records of processes."""
        return self.data / "run"

    def log(self, name: str) -> Path:
        """Return where a server's log is."""
        return self.data / "logs" / f"{name}.log"

    def folder(self, name: str) -> Path:
        """Return a service's own folder, closed to other users; creates it."""
        folder = self.data / name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder
