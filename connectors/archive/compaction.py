"""Make few large files of many small ones, and lose nothing, wherever it is killed.

The files of a partition and a day that follow one another become one:

1. read the files, each with its digest compared;
2. write their records to a draft, and read that back;
3. compare its count and digest with those of the files;
4. give the draft its name, under the lock of the topic;
5. remove the files.

Killed before 4, a draft is left, which the next compaction removes. Killed after it, files are left whose offsets are
all in the new one: readers leave them out, and the next compaction compares their records again before it removes them.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from tradewind.connectors.archive.errors import ArchiveBusy, DamagedFile
from tradewind.connectors.archive.files import Facts, encoded, facts_of, locked, publish, read, sync, write_draft
from tradewind.connectors.archive.names import HIDDEN, ArchiveFile, Listing, listed
from tradewind.connectors.archive.records import digest_of

MOST_BYTES = 128 * 1024**2
"""Of keys and values in one file: a reader holds one file at a time."""
LOCK = f"{HIDDEN}compaction"


@dataclass(frozen=True, slots=True)
class Compacted:
    """Files that became one."""

    into: ArchiveFile
    of: int
    """How many there were."""
    records: int
    bytes_before: int
    bytes_after: int


def compact(
    folder: Path, topics: Sequence[str], upto_day: str, note: Callable[[Compacted], None], most_bytes: int = MOST_BYTES
) -> None:
    """Compact the days before `upto_day`; `note` is called with each file that was made, or that was left behind.

    Raises `ArchiveBusy`, `DamagedFile`, `OverlappingFiles` and `OSError`; what was compacted until then stays.
    """
    with _alone(folder):
        for topic in topics:
            for draft in (folder / topic).glob(f"{HIDDEN}merged-*"):
                draft.unlink(missing_ok=True)
            for listing in listed(folder, topic).values():
                for into, parts in _left(listing):
                    note(_replaced(into, parts, digest_of([read(into)]).count))
            for listing in listed(folder, topic).values():
                for parts in groups(listing, upto_day, most_bytes):
                    note(_merged(parts))


def groups(listing: Listing, upto_day: str, most_bytes: int) -> Iterator[list[ArchiveFile]]:
    """Yield two files or more at a time that can become one: of one day, without a hole between them."""
    group: list[ArchiveFile] = []
    size, position = 0, -1
    for file in listing.files:
        if file.day >= upto_day:
            continue
        facts = facts_of(file)
        joins = group and group[-1].day == file.day and facts.begin <= position and size + facts.bytes <= most_bytes
        if not joins:
            if len(group) > 1:
                yield group
            group, size = [], 0
        group.append(file)
        size, position = size + facts.bytes, facts.next
    if len(group) > 1:
        yield group


def _merged(parts: Sequence[ArchiveFile]) -> Compacted:
    """Write one file of several, and remove those."""
    first, last = parts[0], parts[-1]
    facts = [facts_of(part) for part in parts]
    frame = pl.concat([read(part) for part in parts], rechunk=True)
    found = digest_of([frame])
    into = ArchiveFile(first.folder, first.topic, first.day, first.partition, first.first, last.last)
    written = Facts(
        topic=into.topic,
        partition=into.partition,
        begin=facts[0].begin,
        next=facts[-1].next,
        count=found.count,
        digest=found.hex(),
        bytes=sum(one.bytes for one in facts),
        topic_id=facts[-1].topic_id,
        schemas=_together([one.schemas for one in facts], into),
    )
    draft = into.merged_draft
    write_draft(draft, encoded(frame, written))
    with locked(into.folder, into.topic):
        publish(draft, into)
    return _replaced(into, parts, written.count)


def _replaced(into: ArchiveFile, parts: Sequence[ArchiveFile], records: int) -> Compacted:
    """Compare the records of files with those of the one that replaces them, then remove the files."""
    frame = read(into)  # compares the digest that is written with what the disk has
    before = 0
    for part in parts:
        inside = frame.filter(pl.col("offset").is_between(part.first, part.last))
        kept, there = digest_of([read(part)]), digest_of([inside])
        if (kept.count, kept.hex()) != (there.count, there.hex()):
            raise DamagedFile(
                f"{part} holds {kept.count:,} records, and {into} holds {there.count:,} others of these offsets; "
                "nothing was removed. Run ./dev archive verify, and move the wrong one out of the archive"
            )
        before += part.path.stat().st_size
    with locked(into.folder, into.topic):
        for part in parts:
            part.path.unlink(missing_ok=True)
        sync(into.path.parent)
    return Compacted(into, len(parts), records, before, into.path.stat().st_size)


def _left(listing: Listing) -> list[tuple[ArchiveFile, list[ArchiveFile]]]:
    """Return the files that a killed compaction left, by those that hold all their records."""
    found: dict[ArchiveFile, list[ArchiveFile]] = {}
    for part, into in listing.within:
        found.setdefault(into, []).append(part)
    return list(found.items())


def _together(schemas: Sequence[Mapping[str, str]], into: ArchiveFile) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in schemas:
        for number, text in one.items():
            if found.setdefault(number, text) != text:
                raise DamagedFile(
                    f"schema {number} has two meanings in the files of {into}: they are of two registries"
                )
    return found


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with (folder / LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ArchiveBusy(f"another compaction of {folder} runs: wait until it has ended") from None
        yield
