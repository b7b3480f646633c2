"""Looks at what flows once a second, and leaves what was seen in a file.

`up` reads the file and runs this as a process of its own, because librdkafka may crash the one that reads from Kafka.
Where a broker answers a fetch of several partitions and some have no leader, librdkafka counts all of them and fills in
those that have one. What it then reads of the others is whatever was in that memory (its issue 5280, 2.16 has it).
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import KafkaException
from pydantic import TypeAdapter, ValidationError

from tradewind.connectors.health.watch import Glance, Watch
from tradewind.connectors.registry import RegistryError
from tradewind.connectors.settings import Settings
from tradewind.infra.status.names import known

EVERY_S = 1.0
COUNT_S = 0.5
"""Time to count in one look: under a load that takes longer, totals are late rather than the table."""


@dataclass(frozen=True, slots=True)
class Looked:
    """The last look."""

    glance: Glance | None
    """The last that succeeded; None where none did."""
    trouble: str | None
    """Why the last look failed; None where it did not."""


_FORM = TypeAdapter(Looked)


def look_file(data: Path) -> Path:
    """Return where the last look is."""
    return data / "workers" / "look" / "looked.json"


def read_look(data: Path) -> Looked | None:
    """Return the last look; None where there is none that can be read."""
    try:
        return _FORM.validate_json(look_file(data).read_bytes())
    except (OSError, ValidationError):
        return None


def look_on(data: Path, pause: Callable[[float], bool]) -> None:
    """Look until `pause`, which waits for some seconds, says that it is over."""
    settings, last = Settings(data=data), Looked(None, None)
    while True:
        try:
            with closing(Watch(settings, data, known(settings))) as watch:
                while True:
                    begun = time.monotonic()
                    try:
                        last = Looked(watch.look(COUNT_S, ages=False), None)
                    except (KafkaException, RegistryError) as error:  # shown, and tried again
                        last = Looked(last.glance, _said(error))
                    _write(data, last)
                    if pause(max(0.0, begun + EVERY_S - time.monotonic())):
                        return
        except sqlite3.Error as error:  # the disk is full, or its file is broken: what flows cannot be counted
            last = Looked(last.glance, _said(error))
            _write(data, last)
        if pause(EVERY_S):
            return


def _write(data: Path, looked: Looked) -> None:
    file = look_file(data)
    written = file.with_suffix(".tmp")
    with suppress(OSError):  # of a disk that is full, which the guard says: the next look is written again
        written.write_bytes(_FORM.dump_json(looked))
        written.replace(file)


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
