"""The records of one batch, joined, and a cursor into each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast, overload

import numpy as np

from tradewind.schemas.codec.errors import MisalignedRecords
from tradewind.schemas.codec.wire import FRAME_BYTES, frame
from tradewind.schemas.codec.words import WORD_BYTES, Flags, Longs, Octets, Words, words_of

FRAME_BITS: Final = np.uint64((1 << (8 * FRAME_BYTES)) - 1)
BATCH_BYTES_LIMIT: Final = 2**31 - 1  # Arrow's string views hold offsets of 31 bits
SLACK_BYTES: Final = 1024  # enough for the words that are read behind the last value, of records of up to 63 fields
ABSENT: Final = -1
"""The size of a value that is not there."""


@dataclass(frozen=True, slots=True, eq=False)
class Joined(Sequence[bytes | None]):
    """n values that lie in one buffer, in any order; some may be absent."""

    data: bytes
    """With `SLACK_BYTES` behind the last value."""
    starts: Longs
    """(n,) where each begins."""
    sizes: Longs
    """(n,) bytes of each, or `ABSENT`."""

    @classmethod
    def of(cls, values: Sequence[bytes | None]) -> Joined:
        """Join values."""
        whole = cast("Sequence[bytes]", values)
        try:
            sizes = np.fromiter(map(len, whole), np.int64, len(whole))
        except TypeError:  # one of them is None; looking for it first takes longer than all that follows
            sizes = np.fromiter((ABSENT if value is None else len(value) for value in values), np.int64, len(values))
            whole = [value for value in values if value is not None]
        data = b"".join([*whole, bytes(SLACK_BYTES)])
        present = np.maximum(sizes, 0)
        return cls(data, np.cumsum(present) - present, sizes)

    def __len__(self) -> int:
        return len(self.sizes)

    @overload
    def __getitem__(self, at: int) -> bytes | None: ...
    @overload
    def __getitem__(self, at: slice) -> Joined: ...
    def __getitem__(self, at: int | slice) -> bytes | Joined | None:
        if isinstance(at, slice):
            return self.take(at)
        start, size = int(self.starts[at]), int(self.sizes[at])
        return None if size == ABSENT else self.data[start : start + size]

    @property
    def total_bytes(self) -> int:
        """How many bytes the values take that are there."""
        return int(self.sizes.sum()) - ABSENT * int(np.count_nonzero(self.sizes == ABSENT))

    def take(self, rows: slice | Longs) -> Joined:
        """Return some of the values; nothing is copied."""
        return Joined(self.data, self.starts[rows], self.sizes[rows])


@dataclass(frozen=True, slots=True)
class Cursors:
    """Positions in n records of a batch, at the same field of each."""

    data: bytes
    """The batch's records with their frames, one after the other."""
    octets: Octets
    """The same, as numbers."""
    words: Words
    """The same, as the word that begins at each byte."""
    rows: Longs
    """(n,) which records of the batch."""
    ends: Longs
    """(n,) where each ends."""
    at: Longs
    """(n,) where its cursor stands."""

    def moved(self, passed: Longs | int) -> Cursors:
        """Return the cursors so many bytes further."""
        return Cursors(self.data, self.octets, self.words, self.rows, self.ends, self.at + passed)

    def only(self, chosen: Longs) -> Cursors:
        """Return some of the cursors."""
        return Cursors(self.data, self.octets, self.words, self.rows[chosen], self.ends[chosen], self.at[chosen])

    def refuse(self, bad: Flags, where: str, reason: str) -> None:
        """Raise `MisalignedRecords` that names the first record that is bad, if there is one."""
        if bad.any():
            raise MisalignedRecords(f"record {self.rows[np.argmax(bad)]} of the batch: {where}: {reason}")


def join(values: Sequence[bytes] | Joined, schema_id: int, fields: int) -> Cursors:
    """Join framed records of a schema with so many fields; raises `MisalignedRecords` where a frame is another.

    The cursors stand behind the frames.
    """
    joined = values if isinstance(values, Joined) else Joined.of(values)
    # Bounds are checked at strings and at the end; in between, a field passes and reads two words at most.
    missing = (fields + 1) * 2 * WORD_BYTES - SLACK_BYTES
    data = joined.data if missing <= 0 else joined.data + bytes(missing)
    if len(data) > BATCH_BYTES_LIMIT:
        raise MisalignedRecords(f"a batch of {len(data)} bytes; the most is {BATCH_BYTES_LIMIT}: decode fewer at once")
    starts, sizes = joined.starts, joined.sizes
    cursors = Cursors(
        data, np.frombuffer(data, np.uint8), words_of(data), np.arange(len(sizes)), starts + sizes, starts
    )
    expected = np.uint64(int.from_bytes(frame(schema_id), "little"))
    other = (cursors.words[starts] & FRAME_BITS) != expected
    cursors.refuse(other | (sizes < FRAME_BYTES), "frame", f"not of schema {schema_id}")
    return cursors.moved(FRAME_BYTES)
