"""Names of files: `<topic>/<day>/<partition>-<first>-<last offset>.parquet`. A name is a position.

The newest file of a partition says where the sink goes on. The day (UTC) is that of the file's first record; a file
ends before a record of a later day. Names that begin with a dot are of files that are being written.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from tradewind.connectors.archive.errors import NotArchived, OverlappingFiles

NAME = re.compile(r"^(0|[1-9]\d{0,8})-(0|[1-9]\d{0,18})-(0|[1-9]\d{0,18})\.parquet$")
HIDDEN = "."


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """A file of an archive, as its path tells it."""

    folder: Path
    """Of the archive."""
    topic: str
    """Its name on the cluster."""
    day: str
    """YYYY-MM-DD, in UTC."""
    partition: int
    first: int
    """Offset of the first record."""
    last: int
    """Offset of the last record."""

    @property
    def name(self) -> str:
        """The path within the archive."""
        return f"{self.topic}/{self.day}/{self.partition}-{self.first}-{self.last}.parquet"

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self.folder / self.name

    @property
    def draft(self) -> Path:
        """Where the sink in this process writes it."""
        return self.folder / self.topic / f"{HIDDEN}{self.partition}-{self.first}-{self.last}.{os.getpid()}"

    @property
    def merged_draft(self) -> Path:
        """Where a compaction writes it."""
        return self.folder / self.topic / f"{HIDDEN}merged-{self.partition}-{self.first}-{self.last}"

    def __str__(self) -> str:
        return str(self.path)


@dataclass(slots=True)
class Listing:
    """The files of a partition."""

    files: list[ArchiveFile] = field(default_factory=list)
    """In the order of their offsets; none holds an offset of another."""
    within: list[tuple[ArchiveFile, ArchiveFile]] = field(default_factory=list)
    """(file, the one that holds all its offsets): a compaction that was killed left them."""

    @property
    def newest(self) -> ArchiveFile | None:
        """The file with the largest offsets."""
        return self.files[-1] if self.files else None


def topics(folder: Path) -> list[str]:
    """Return the topics of an archive, by their names on the cluster."""
    if not folder.is_dir():
        return []
    return sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith(HIDDEN))


def found(folder: Path, topic: str) -> Iterator[ArchiveFile]:
    """Yield the files of a topic, in no order. What else lies there is left out."""
    try:
        days = [entry.name for entry in os.scandir(folder / topic) if entry.is_dir() and _is_day(entry.name)]
    except FileNotFoundError:
        return
    for day in days:
        for entry in os.scandir(folder / topic / day):
            if (match := NAME.match(entry.name)) is not None and int(match[2]) <= int(match[3]):
                yield ArchiveFile(folder, topic, day, int(match[1]), int(match[2]), int(match[3]))


def strangers(folder: Path, topic: str) -> list[Path]:
    """Return what lies among the files of a topic and is none of them."""
    ours = {file.path for file in found(folder, topic)}
    inside = [path for day in (folder / topic).iterdir() if day.is_dir() for path in day.iterdir()]
    beside = [path for path in (folder / topic).iterdir() if not (path.is_dir() and _is_day(path.name))]
    return sorted(path for path in (*inside, *beside) if path not in ours and not path.name.startswith(HIDDEN))


def listed(folder: Path, topic: str) -> dict[int, Listing]:
    """Return the files of a topic by partition. Raises `OverlappingFiles`."""
    parts: defaultdict[int, list[ArchiveFile]] = defaultdict(list)
    for file in found(folder, topic):
        parts[file.partition].append(file)
    return {partition: arranged(parts[partition]) for partition in sorted(parts)}


def arranged(files: Sequence[ArchiveFile]) -> Listing:
    """Return files of a partition in order; raises `OverlappingFiles` if two hold only a part of each other."""
    listing = Listing()
    for file in sorted(files, key=lambda one: (one.first, -one.last, one.day)):
        before = listing.newest
        if before is None or file.first > before.last:
            listing.files.append(file)
        elif file.last <= before.last:
            listing.within.append((file, before))
        else:
            raise OverlappingFiles(
                f"{before} and {file} both hold the offsets {file.first} to {before.last} of {file.topic}: move one "
                "of them out of the archive, and run ./dev archive verify"
            )
    return listing


def newest(folder: Path, topic: str, partition: int) -> ArchiveFile | None:
    """Return the file of a partition with the largest last offset; None if there is none."""
    files = [file for file in found(folder, topic) if file.partition == partition]
    return max(files, key=lambda one: (one.last, -one.first), default=None)


def chosen(folder: Path, wanted: Sequence[str], namespace: str) -> list[str]:
    """Return topics of the archive that were named with or without the namespace; all if none was.

    Raises `NotArchived`.
    """
    there = topics(folder)
    if not wanted:
        return [name for name in there if name.startswith(namespace)]
    names = [name if name in there else namespace + name for name in wanted]
    missing = [name for name in names if name not in there]
    if missing:
        among = ", ".join(there) or "nothing: TRADEWIND_ARCHIVE__ENABLED=true has `up` write it"
        raise NotArchived(f"the archive {folder} has no topic {missing[0]}; it has {among}")
    return list(dict.fromkeys(names))


def _is_day(name: str) -> bool:
    try:
        return date.fromisoformat(name).isoformat() == name
    except ValueError:
        return False
