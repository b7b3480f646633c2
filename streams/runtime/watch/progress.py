"""How far a restore is: a value that the restoring thread replaces whole, so that any other thread may read it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Self

from tradewind.connectors.watchdogs.words import named
from tradewind.streams.runtime.lease import TopicPartition


@dataclass(frozen=True, slots=True)
class Progress:
    """The restores of one worker: all of them together, and the current one."""

    topic: str
    """The changelog, by its name on the cluster."""
    records: int = 0
    """Read by all restores so far; where this stands still, the current one does."""
    read: int = 0
    """Read by the current one."""
    most: int | None = None
    """What it may read: its end offsets less the first ones, so that markers and what was compacted away count too.
    None until the ends are known."""
    unread: tuple[int, ...] = ()
    """The partitions that are not yet read to their ends, ascending."""
    awaits: str = ""
    """What it waits for, in words."""

    def begun(self, partitions: Collection[int]) -> Self:
        """Return the progress of a restore that begins."""
        return replace(self, read=0, most=None, unread=tuple(sorted(partitions)), awaits="")

    def waiting(self, awaits: str) -> Self:
        """Return the progress of a restore that waits for something else now."""
        return replace(self, awaits=awaits)

    def advanced(self, records: int, unread: Collection[int]) -> Self:
        """Return the progress after some more records."""
        return replace(self, records=self.records + records, read=self.read + records, unread=tuple(sorted(unread)))

    @property
    def sources(self) -> tuple[TopicPartition, ...]:
        """The partitions of the changelog that are not yet read to their ends."""
        return tuple((self.topic, partition) for partition in self.unread)

    def __str__(self) -> str:
        """Say it in words."""
        count = "" if self.most is None else f", {self.read:,} of at most {self.most:,} records read"
        to_go = f", to be read: {named(self.sources)}" if self.unread else ""
        return f"waits for {self.awaits}{count}{to_go}"
