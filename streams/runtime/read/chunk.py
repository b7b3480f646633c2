"""A chunk: fetched records of one partition, and the position after them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

from tradewind.streams.runtime.lease import Lease, TopicPartition
from tradewind.streams.runtime.read.records import Records

CHUNK_RECORDS = 20_000  # some 3 MB of ticks; larger fetches are delivered in parts


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Records of one partition, in order. It has none if only transaction markers or aborted records were passed."""

    source: TopicPartition
    lease: Lease
    epoch: int
    """Counts the rewinds of a worker. Chunks of earlier epochs are dropped."""
    start: int
    """The position before the records; equals `next` of the chunk before."""
    records: Records
    next: int
    """The position after the records and markers. It is committed once the records are processed."""
    fetched_s: float = field(default_factory=time.monotonic)
    """When it was fetched, on the monotonic clock."""

    def split(self, count: int) -> tuple[Chunk, Chunk]:
        """Return the chunk's first records, at least one and not all, and the rest."""
        border = int(self.records.offsets[count - 1]) + 1
        return replace(self, records=self.records[:count], next=border), replace(
            self, start=border, records=self.records[count:]
        )
