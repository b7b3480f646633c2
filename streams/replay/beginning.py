"""Where a task's verification begins: at its first entry, or at a snapshot, and where all inputs are still there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tradewind.schemas.codec import Codec, UndecodableRecord
from tradewind.schemas.runtime import JournalEntry, StateSnapshot
from tradewind.streams.replay.reading import PartitionReader

START = -1
"""The beginning of a task that began from nothing, where others have the number of a snapshot."""


class JournalDamaged(Exception):
    """A record of the journal is no entry; verification says so, and where."""

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(f"offset {offset}: {reason}")
        self.offset = offset
        self.reason = reason


def journaled(reader: PartitionReader, codec: Codec, end: int) -> Iterator[tuple[int, JournalEntry | StateSnapshot]]:
    """Yield (offset, entry or part of a snapshot) up to an offset; raises `JournalDamaged`."""
    for record in reader.upto(end):
        try:
            event = codec.decode(record.value or b"")
        except UndecodableRecord as error:
            raise JournalDamaged(record.offset, error.reason) from error
        if not isinstance(event, JournalEntry | StateSnapshot):
            raise JournalDamaged(record.offset, f"it is a {type(event).__name__}")
        yield record.offset, event


@dataclass(slots=True)
class _Snapshot:
    offset: int
    """Of its first part in the journal."""
    missing: set[int]


@dataclass(slots=True)
class Contents:
    """What a journal's partition holds, without the entries themselves."""

    first: int | None = None
    """Number of the first entry that is there."""
    first_offset: int = 0
    last: int = -1
    from_nothing: bool = False
    """Whether the first entry is the one with which the task began."""
    incomplete: int = -1
    """Number of the last entry some of whose inputs are gone."""
    gone: str = ""
    """Which of them."""
    format: str = ""
    """What this version writes state in."""
    other_format: str = ""
    """What else entries were written in, the last of them; empty where none was."""
    last_of_other: int = -1
    """Number of the last entry in another format than this version's."""
    _snapshots: dict[int, _Snapshot] = field(default_factory=dict)

    def add(self, offset: int, event: JournalEntry | StateSnapshot, lowest: Mapping[str, int]) -> None:
        """Take in the next record; `lowest` are the first offsets that the inputs still have, by topic."""
        if isinstance(event, StateSnapshot):
            known = self._snapshots.setdefault(event.sequence, _Snapshot(offset, set(range(event.parts))))
            known.missing.discard(event.part)
            return
        if event.sequence == 0 and self.first is not None:  # somebody deleted the state, to process all again
            snapshots = {0: self._snapshots[0]} if 0 in self._snapshots else {}
            self.first, self.incomplete, self._snapshots = None, -1, snapshots
            self.other_format, self.last_of_other = "", -1
        if self.first is None:
            self.first, self.first_offset = event.sequence, offset
            started = {str(each["topic"]) for each in event.starts}
            self.from_nothing = event.sequence == 0 and started >= lowest.keys()
        self.last = event.sequence
        if event.format and event.format != self.format:
            self.other_format, self.last_of_other = event.format, event.sequence
        ranges: Sequence[Mapping[str, Any]] = event.ranges
        for each in ranges:
            topic, first = str(each["topic"]), int(each["first"])
            if int(each["count"]) and first < lowest.get(topic, 0):
                self.incomplete = event.sequence
                self.gone = f"{topic} begins at offset {lowest[topic]}, and the entry read it from {first}"

    def beginnings(self) -> dict[int, int]:
        """Return where a verification can begin: number of the first entry that is run -> offset in the journal."""
        found = {sequence: known.offset for sequence, known in self._snapshots.items() if not known.missing}
        if self.from_nothing and 0 not in found:
            found[0] = self.first_offset
        return {sequence: found[sequence] for sequence in sorted(found) if sequence > self.incomplete}

    def begins_with_snapshot(self, sequence: int) -> bool:
        """Whether there is a snapshot of the state before an entry."""
        return sequence in self._snapshots and not self._snapshots[sequence].missing


def choose(contents: Contents, wanted: int | None) -> int | None:
    """Return the entry to begin with: the last possible one up to `wanted`, else the first; None where none is."""
    possible = list(contents.beginnings())
    if wanted is None:
        return possible[0] if possible else None
    upto = [sequence for sequence in possible if sequence <= wanted]
    return upto[-1] if upto else (possible[0] if possible else None)
