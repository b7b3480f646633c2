"""Looks at what flows once a second, beside the supervisor, which a Kafka that does not answer must not hold up."""

from __future__ import annotations

import sqlite3
import threading
import time
from pathlib import Path

from confluent_kafka import KafkaException

from tradewind.connectors.health.watch import Glance, Watch
from tradewind.connectors.registry import RegistryError
from tradewind.connectors.settings import Settings
from tradewind.infra.status.names import known

EVERY_S = 1.0
COUNT_S = 0.5
"""Time to count in one look: under a load that takes longer, totals are late rather than the table."""


class Watcher(threading.Thread):
    """Keeps the last look at what flows."""

    def __init__(self, settings: Settings, data: Path) -> None:
        super().__init__(name="watcher", daemon=True)
        self._settings, self._data = settings, data
        self._closing = threading.Event()
        self.glance: Glance | None = None
        self.trouble: str | None = None
        """Why the last look failed; None where it did not."""

    def run(self) -> None:
        """Look until closed."""
        try:
            watch = Watch(self._settings, self._data, known(self._settings))
        except sqlite3.Error as error:  # the disk is full, or its file is broken: what flows cannot be counted
            self.trouble = f"{type(error).__name__}: {error}"
            return
        try:
            while not self._closing.is_set():
                begun = time.monotonic()
                try:
                    self.glance = watch.look(COUNT_S, ages=False)
                    self.trouble = None
                except (KafkaException, RegistryError, sqlite3.Error) as error:  # shown, and tried again
                    self.trouble = f"{type(error).__name__}: {error}"
                self._closing.wait(max(0.0, begun + EVERY_S - time.monotonic()))
        finally:
            watch.close()

    def close(self) -> None:
        """Stop looking; returns after the look in progress."""
        self._closing.set()
        self.join()
