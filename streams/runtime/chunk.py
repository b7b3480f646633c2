"""A chunk: whole records of one partition, as they were fetched, and where the partition goes on after them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tradewind.streams.runtime.lease import Lease, TopicPartition

CHUNK_RECORDS = 5_000  # some 1.5 MB of Python objects for ticks; larger fetches are delivered in parts


class Record(Protocol):
    """A record as aiokafka's parser yields it."""

    @property
    def offset(self) -> int:
        """Where it lies in its partition."""

    @property
    def timestamp(self) -> int:
        """When the origin of its chain came in, ms since 1970."""

    @property
    def key(self) -> bytes | None:
        """None where it has none."""

    @property
    def value(self) -> bytes | None:
        """None for a tombstone."""

    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]:
        """Name and value of each."""


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Records of one partition, in order; none where only markers of transactions, or aborted records, were passed."""

    source: TopicPartition
    lease: Lease
    epoch: int
    """Counts the rewinds of a worker: chunks of an earlier epoch are dropped wherever they turn up."""
    start: int
    """The position before the records; equals `next` of the chunk before."""
    records: Sequence[Record]
    next: int
    """The position after the records, past markers: what is committed once they are processed."""
    fetched_s: float = field(default_factory=time.monotonic)
    """When it was fetched, on the monotonic clock."""
