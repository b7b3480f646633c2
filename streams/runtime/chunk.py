"""A chunk: whole records of one partition, as they were fetched, and where the partition goes on after them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Protocol

import numpy as np
import numpy.typing as npt

from tradewind.streams.runtime.lease import Lease, TopicPartition

Longs = npt.NDArray[np.int64]
Headers = Sequence[tuple[str, bytes | None]]
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
    def headers(self) -> Headers:
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


@dataclass(frozen=True, slots=True, eq=False)
class RecordColumns:
    """Records attribute by attribute: taken out of them once, for decoding and for the journal's digests."""

    records: Sequence[Record]
    """n records."""
    offsets: Longs
    """(n,)"""
    timestamps: Longs
    """(n,) ms since 1970."""
    keys: tuple[bytes | None, ...]
    values: tuple[bytes | None, ...]
    headers: tuple[Headers, ...]

    def __len__(self) -> int:
        return len(self.values)

    def part(self, start: int, stop: int) -> RecordColumns:
        """Return records [start, stop)."""
        if (start, stop) == (0, len(self)):
            return self
        at = slice(start, stop)
        return RecordColumns(
            self.records[at], self.offsets[at], self.timestamps[at], self.keys[at], self.values[at], self.headers[at]
        )


_attributes = attrgetter("offset", "timestamp", "key", "value", "headers")


def columns_of(records: Sequence[Record]) -> RecordColumns:
    """Return records attribute by attribute."""
    if not records:
        return RecordColumns((), np.empty(0, np.int64), np.empty(0, np.int64), (), (), ())
    offsets, timestamps, keys, values, headers = zip(*map(_attributes, records), strict=True)
    count = len(values)
    return RecordColumns(
        records, np.fromiter(offsets, np.int64, count), np.fromiter(timestamps, np.int64, count), keys, values, headers
    )
