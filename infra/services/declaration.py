"""What an embedded service declares of itself, and what a stack asks of it."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from tradewind.connectors.settings import Settings
from tradewind.infra.services.place import Place
from tradewind.infra.services.process import Command, Server
from tradewind.infra.services.service import Running

ASK_S = 3.0
"""A service that does not answer in this time is of no use to a stream."""


class Service(ABC):
    """A service that a stack starts where the settings name no external one."""

    name: ClassVar[str]
    """Of its process, its log, and its folder in the data folder. `reset` removes the folder."""
    part: ClassVar[str]
    """The part of `Settings` that may name an external one, and that processes read an embedded one's address from."""
    address: ClassVar[str] = "url"
    """The field of that part which holds the address."""
    offsets: ClassVar[tuple[int, ...]]
    """Its ports, counted from the base port; no other service has them."""
    after: ClassVar[tuple[str, ...]] = ()
    """Embedded services that it needs: they start before it, and it starts again after one of them."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.servers: list[Server] = []
        """Its processes."""

    @property
    def listens(self) -> Sequence[int]:
        """The ports that it needs."""
        return [self.port(at) for at in range(len(self.offsets))]

    def port(self, number: int = 0) -> int:
        """Return one of its ports, by its place among `offsets`."""
        return self.place.ports.base + self.offsets[number]

    @abstractmethod
    def start(self) -> Running:
        """Start it, and return once it is ready; raises `ServiceError`."""

    @abstractmethod
    def endpoint(self) -> dict[str, Any]:
        """Return what the settings of every process are to hold in its part: address, user and password."""

    def run(self, command: Command, probe: Callable[[], str], begun: float, url: str) -> Running:
        """Start the service's one server, and return once `probe` returns a version; `begun` is monotonic, in seconds.

        Raises `ServiceError`.
        """
        server = Server(command, self.place.run, self.place.closing)
        self.servers = [server]
        pid = server.start()
        version = server.wait_ready(probe)
        return Running(self.name, url, pid, version, time.monotonic() - begun, command.log)

    def tend(self) -> None:
        """Keep its logs within bounds; called every few seconds."""
        for server in self.servers:
            server.tend()

    @classmethod
    @abstractmethod
    def ask(cls, settings: Settings) -> str:
        """Return the version of the one that the settings name, embedded or external.

        Answers or raises within little more than `ASK_S`: `OSError`, `ValueError`, or an error of the client.
        """

    @classmethod
    def called(cls, settings: Settings) -> str:  # noqa: ARG003 - most are what their settings are named for
        """Return the name of the product that the settings name, which may be another one than the embedded one."""
        return cls.name

    @classmethod
    def wanted(cls, settings: Settings) -> bool:  # noqa: ARG003 - most are wanted whatever the settings say
        """Return whether a stack starts one where the settings name none."""
        return True

    @classmethod
    def at(cls, settings: Settings) -> str | None:
        """Return the address that the settings name; None where they name none."""
        found: str | None = getattr(getattr(settings, cls.part), cls.address)
        return found
