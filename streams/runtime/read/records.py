"""Records of one partition as columns: where keys and values lie in what was fetched, and no object for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar, overload

import numpy as np

from tradewind.schemas.codec import Joined
from tradewind.schemas.codec.words import Longs

Headers = Sequence[tuple[str, bytes | None]]
T = TypeVar("T")


class Record(Protocol):
    """A record on its own."""

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


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A record as it is on the log."""

    offset: int
    timestamp: int
    """ms since 1970."""
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


@dataclass(frozen=True, slots=True, eq=False)
class Records(Sequence[Record]):
    """n records, in the order of their partition. A part shares the bytes of the whole."""

    offsets: Longs
    """(n,)"""
    timestamps: Longs
    """(n,) ms since 1970."""
    keys: Joined
    values: Joined
    headers: Sequence[Headers] | None = None
    """Of each; None where no record has any."""
    given: Sequence[Record] | None = None
    """The records themselves, where they say more than a log does."""

    @classmethod
    def of(cls, records: Sequence[Record], *, keep: bool = False) -> Records:
        """Return records that are there one by one; with `keep`, these are what the columns' rows are."""
        count = len(records)
        texts = Joined.of([*(record.key for record in records), *(record.value for record in records)])
        headers = tuple(record.headers for record in records)
        return cls(
            np.fromiter((record.offset for record in records), np.int64, count),
            np.fromiter((record.timestamp for record in records), np.int64, count),
            texts[:count],
            texts[count:],
            headers if any(headers) else None,
            records if keep else None,
        )

    def __len__(self) -> int:
        return len(self.offsets)

    @property
    def total_bytes(self) -> int:
        """How many bytes keys and values take."""
        return self.keys.total_bytes + self.values.total_bytes

    @overload
    def __getitem__(self, at: int) -> Record: ...
    @overload
    def __getitem__(self, at: slice) -> Records: ...
    def __getitem__(self, at: int | slice) -> Record | Records:
        if isinstance(at, slice):
            return self._select(at)
        if self.given is not None:
            return self.given[at]
        headers = () if self.headers is None else self.headers[at]
        return LogRecord(int(self.offsets[at]), int(self.timestamps[at]), self.keys[at], self.values[at], headers)

    def __iter__(self) -> Iterator[Record]:
        return map(self.__getitem__, range(len(self)))

    def without(self, places: Sequence[int]) -> Records:
        """Return all records but those at some places."""
        return self._select(np.delete(np.arange(len(self)), places))

    def _select(self, rows: slice | Longs) -> Records:
        def of(each: Sequence[T] | None) -> Sequence[T] | None:
            if each is None:
                return None
            return each[rows] if isinstance(rows, slice) else [each[at] for at in rows.tolist()]

        keys, values = self.keys.take(rows), self.values.take(rows)
        return Records(self.offsets[rows], self.timestamps[rows], keys, values, of(self.headers), of(self.given))
