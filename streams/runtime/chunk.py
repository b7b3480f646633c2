"""A chunk: whole records of one partition, as they were fetched, and where the partition goes on after them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

from tradewind.streams.runtime.lease import Lease, TopicPartition
from tradewind.streams.runtime.records import Records

CHUNK_RECORDS = 20_000  # some 3 MB of ticks; larger fetches are delivered in parts


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Records of one partition, in order; none where only markers of transactions, or aborted records, were passed."""

    source: TopicPartition
    lease: Lease
    epoch: int
    """Counts the rewinds of a worker: chunks of an earlier epoch are dropped wherever they turn up."""
    start: int
    """The position before the records; equals `next` of the chunk before."""
    records: Records
    next: int
    """The position after the records, past markers: what is committed once they are processed."""
    fetched_s: float = field(default_factory=time.monotonic)
    """When it was fetched, on the monotonic clock."""

    def split(self, count: int) -> tuple[Chunk, Chunk]:
        """Return the chunk's first records, more than none and not all, and the rest."""
        border = int(self.records.offsets[count - 1]) + 1
        return replace(self, records=self.records[:count], next=border), replace(
            self, start=border, records=self.records[count:]
        )
