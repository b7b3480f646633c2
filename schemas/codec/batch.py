"""The records of one batch, joined, and a cursor into each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from tradewind.schemas.codec.errors import MisalignedRecords
from tradewind.schemas.codec.wire import FRAME_BYTES, frame
from tradewind.schemas.codec.words import WORD_BYTES, Flags, Longs, Octets, Words, words_of

FRAME_BITS: Final = np.uint64((1 << (8 * FRAME_BYTES)) - 1)
BATCH_BYTES_LIMIT: Final = 2**31 - 1  # Arrow's string views hold offsets of 31 bits


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


def join(values: Sequence[bytes], schema_id: int, fields: int) -> Cursors:
    """Join framed records of a schema with so many fields; raises `MisalignedRecords` where a frame is another.

    The cursors stand behind the frames.
    """
    # Bounds are checked at strings and at the end; in between, a field passes and reads two words at most.
    slack = bytes((fields + 1) * 2 * WORD_BYTES)
    data = b"".join([*values, slack])
    if len(data) > BATCH_BYTES_LIMIT:
        raise MisalignedRecords(f"a batch of {len(data)} bytes; the most is {BATCH_BYTES_LIMIT}: decode fewer at once")
    count = len(values)
    lengths = np.fromiter(map(len, values), np.int64, count)
    ends = np.cumsum(lengths)
    starts = ends - lengths
    cursors = Cursors(data, np.frombuffer(data, np.uint8), words_of(data), np.arange(count), ends, starts)
    expected = np.uint64(int.from_bytes(frame(schema_id), "little"))
    other = (cursors.words[starts] & FRAME_BITS) != expected
    cursors.refuse(other | (lengths < FRAME_BYTES), "frame", f"not of schema {schema_id}")
    return cursors.moved(FRAME_BYTES)
