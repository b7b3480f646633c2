"""Whether the disks of a data folder have room, and may be written to.

No service may be started on a full disk. After a kill, Kafka reads its logs again and writes a snapshot for each. If a
write fails, Kafka takes the segment for corrupt and truncates its log to 0 bytes (docs/adr/0017-disk.md).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from tradewind.infra.services.embedded import names
from tradewind.infra.services.kafka_logs.copies import disposable
from tradewind.infra.services.service import DiskFull

if TYPE_CHECKING:
    from tradewind.connectors.settings import DiskSettings, Settings
    from tradewind.connectors.telemetry.health import Health

MB = 1_000_000
PART_OF_DISK = 100
"""The limit is a hundredth of the disk, within the two bounds below."""
LEAST_BYTES = 16 * MB
"""A stop in order writes some MB: PostgreSQL's checkpoint, and what agents and sinks have in hand."""
MOST_BYTES = 256 * MB
"""A feed at full speed writes 60 MB a second, and `up` stops it within 3 s."""
WARNING_TIMES = 4
"""A warning comes when four times the limit is left."""
LEAST_FILES, MOST_FILES = 200, 1_000
"""Kafka makes some files for each partition when it stops: about 200 with the topics that `up` makes."""
FOLDERS = ("workers", "logs", "run")
"""Beside those of services, folders in a data folder that a person may have put on another disk by a link."""


class Level(Enum):
    """How much room there is."""

    ROOM = "room"
    LOW = "low"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Room:
    """What a file system has."""

    bytes_free: int
    bytes_total: int
    files_free: int
    files_total: int
    """Files that it may hold; 0 where it does not limit them."""
    writable: bool = True


@dataclass(frozen=True, slots=True)
class Limits:
    """Below `stop` nothing may run; below `warning` Tradewind warns."""

    stop_bytes: int
    warning_bytes: int
    stop_files: int
    warning_files: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """How much room a disk has, in words that say what to do where it is too little."""

    level: Level
    folder: Path
    bytes_free: int
    message: str
    limits: Limits


def existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that is there."""
    return next(part for part in (folder, *folder.parents) if part.exists())


def room(folder: Path) -> Room:
    """Ask the file system that holds a folder, or will hold it. Raises `OSError`."""
    place = existing(folder)
    found = os.statvfs(place)
    return Room(
        found.f_bavail * found.f_frsize,
        found.f_blocks * found.f_frsize,
        found.f_favail,
        found.f_files,
        writable=not found.f_flag & os.ST_RDONLY,
    )


def limits(of: Room, settings: DiskSettings) -> Limits:
    """Return the limits for a file system, in proportion to its size where the settings name none."""
    stop = settings.stop_bytes
    if stop is None:
        stop = min(MOST_BYTES, max(LEAST_BYTES, of.bytes_total // PART_OF_DISK))
    warning = settings.warning_bytes
    if warning is None:
        warning = WARNING_TIMES * stop
    files = min(MOST_FILES, max(LEAST_FILES, of.files_total // PART_OF_DISK)) if of.files_total else 0
    return Limits(stop, max(stop, warning), files, WARNING_TIMES * files)


def judge(folder: Path, of: Room, bounds: Limits, reserved: int = 0) -> Verdict:
    """Say how much room a disk has. `reserved` is how much a start has yet to reserve, bytes."""
    need = bounds.stop_bytes + reserved
    free, files = f"{of.bytes_free / MB:,.0f} MB are free on the disk of {folder}", f"{of.files_free:,} more files fit"
    if not of.writable:
        level, message = Level.FULL, f"the disk of {folder} is mounted read-only: make it writable (see `dmesg`)"
    elif of.bytes_free < need:
        enough = 2 * bounds.stop_bytes / MB  # a start takes a reserve, as large as what must stay free
        level, message = Level.FULL, f"{free}, and Tradewind needs {enough:,.0f} MB: free some, then ./dev up"
    elif of.files_total and of.files_free < bounds.stop_files:
        level = Level.FULL
        message = f"{files} on the disk of {folder}, and Tradewind needs {bounds.stop_files:,}: delete some files there"
    elif of.bytes_free < bounds.warning_bytes:
        level = Level.LOW
        message = f"{free}: free some. `up` stops everything at {bounds.stop_bytes / MB:,.0f} MB"
    elif of.files_total and of.files_free < bounds.warning_files:
        level = Level.LOW
        message = f"{files} on the disk of {folder}: delete some. `up` stops everything at {bounds.stop_files:,}"
    else:
        level, message = Level.ROOM, free
    return Verdict(level, folder, of.bytes_free, message, bounds)


def disks(data: Path) -> list[Path]:
    """Return one folder for each file system that the data folder uses: itself, and what links lead to.

    One that cannot be looked at is left out.
    """
    return list(_found(data)[0].values())


def _found(data: Path) -> tuple[dict[int, Path], list[Verdict]]:
    """Return device -> folder, and what to say of folders that cannot be looked at, such as on a stale NFS mount."""
    found: dict[int, Path] = {}
    unseen = []
    for folder in (data, *(data / name for name in (*names(), *FOLDERS))):
        try:
            if folder == data or folder.exists():
                found.setdefault(existing(folder).stat().st_dev, folder)
        except OSError as error:
            message = f"the disk of {folder} is not watched, for it cannot be looked at ({error.strerror}): mend that"
            unseen.append(Verdict(Level.LOW, folder, 0, message, Limits(0, 0, 0, 0)))
    return found, unseen


def look(data: Path, settings: DiskSettings, *, starting: bool = False, copies: bool = False) -> Verdict:
    """Return the worst verdict on the disks of a data folder.

    With `starting`, the reserve of a start counts; with `copies`, the room that Kafka's start frees.
    """
    found, unseen = _found(data)
    given = _given_back(data) if copies else (0, 0)
    seen = (
        _verdict(folder, settings, starting=starting, given=given[1] if device == given[0] else 0)
        for device, folder in found.items()
    )
    return worst([*seen, *unseen])


def _given_back(data: Path) -> tuple[int, int]:
    """Return a device, and the bytes of copies of Kafka's logs there that its next start removes."""
    kafka = data / "kafka"
    try:
        return kafka.stat().st_dev, sum(disposable(node / "data") for node in kafka.iterdir() if node.is_dir())
    except OSError:  # not there yet, or it changes meanwhile: then nothing is given back
        return 0, 0


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict with the least room."""
    return max(verdicts, key=lambda one: list(Level).index(one.level))


def _verdict(folder: Path, settings: DiskSettings, *, starting: bool, given: int) -> Verdict:
    try:
        found = room(folder)
    except OSError as error:
        message = f"the disk of {folder} does not answer ({error.strerror}): see `dmesg`"
        return Verdict(Level.FULL, folder, 0, message, Limits(0, 0, 0, 0))
    bounds = limits(found, settings)
    found = replace(found, bytes_free=found.bytes_free + given)
    return judge(folder, found, bounds, bounds.stop_bytes - held(folder) if starting else 0)


def held(folder: Path) -> int:
    """Return how much the reserve of a disk holds, bytes."""
    return sum(part.stat().st_blocks * 512 for part in reserve(folder).glob("*"))


def reserve(folder: Path) -> Path:
    """Return the folder of a disk's reserve."""
    return folder / "reserve"


def refuse_full(data: Path, settings: DiskSettings, *, starting: bool = False) -> None:
    """Raise `DiskFull` where a service must not be started: nothing has been written then.

    Copies of Kafka's logs are room: its start removes them, or puts them back. They would refuse each start else.
    """
    verdict = look(data, settings, starting=starting, copies=True)
    if verdict.level is Level.FULL:
        raise DiskFull(f"nothing is started: {verdict.message}")


def tell_disk(health: Health, settings: Settings) -> None:
    """Have `/ready` of a process tell of the data folder's disk while it is low or full, where Kafka lies on it.

    The process does its work meanwhile, and stays ready: `up` stops it before the disk is full.
    """
    from tradewind.connectors.cluster.file import is_embedded  # noqa: PLC0415 - `up` and `doctor` need no clients

    def told() -> list[dict[str, object]]:
        if not is_embedded(settings):
            return []
        verdict = look(settings.data, settings.disk)
        return [] if verdict.level is Level.ROOM else [{"level": verdict.level.value, "message": verdict.message}]

    health.add_details("disk", told)
