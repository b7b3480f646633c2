"""Remove the oldest files of an archive. The newest file of each partition stays, because its name is the position."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tradewind.connectors.archive.files import locked, sync
from tradewind.connectors.archive.names import ArchiveFile, listed, topics


def prunable(folder: Path, names: Sequence[str]) -> list[ArchiveFile]:
    """Return the files that may go, the oldest first. Raises `OverlappingFiles`."""
    dated: list[tuple[str, ArchiveFile]] = []
    for name in names:
        for listing in listed(folder, name).values():
            reached = ""
            for file in listing.files[:-1]:
                reached = max(reached, file.day)  # a file goes after those before it, whatever its day
                dated.append((reached, file))
    return [file for _, file in sorted(dated, key=lambda one: (one[0], one[1].topic, one[1].partition, one[1].first))]


def before(folder: Path, names: Sequence[str], day: str) -> list[ArchiveFile]:
    """Return the files of the days before `day` that may go: of each partition, an unbroken run from its first on."""
    staying: set[tuple[str, int]] = set()
    found = []
    for file in sorted(prunable(folder, names), key=lambda one: (one.topic, one.partition, one.first)):
        if file.day >= day:
            staying.add((file.topic, file.partition))
        elif (file.topic, file.partition) not in staying:
            found.append(file)
    return found


def remove(files: Sequence[ArchiveFile]) -> None:
    """Remove files, in the order given, and folders of days that are empty then."""
    for file in files:
        with locked(file.folder, file.topic):
            file.path.unlink(missing_ok=True)
            sync(file.path.parent)
            if not any(file.path.parent.iterdir()):
                file.path.parent.rmdir()


def beyond(folder: Path, names: Sequence[str], most_bytes: int) -> list[ArchiveFile]:
    """Return the oldest files that have to go until the others take `most_bytes` or less, as far as they may go."""
    excess = sum(path.stat().st_size for name in names for path in (folder / name).glob("*/*.parquet")) - most_bytes
    found: list[ArchiveFile] = []
    for file in prunable(folder, names) if excess > 0 else ():
        if excess <= 0:
            break
        excess -= file.path.stat().st_size
        found.append(file)
    return found


def prune_to(folder: Path, most_bytes: int) -> list[ArchiveFile]:
    """Remove the oldest files until the others take `most_bytes` or less; return those that were removed."""
    found = beyond(folder, topics(folder), most_bytes)
    remove(found)
    return found
