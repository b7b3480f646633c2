"""Marks of a partition: which of 4,096 offsets are claimed, and which have an attempt. Pure values.

    floor                               floor + WINDOW
      │ 1 1 1 0 1 0 0 ...                     │
      │ claimed: somebody may have sent it    │
      │ done: it has an attempt, or is no call│

The floor is the lowest offset without an attempt. The committed offset of the group is the lowest one that is not
claimed, so that the group's lag counts what nobody has begun.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass

WINDOW = 4_096
"""Offsets from the floor that may be claimed. Two bitmaps of so many bits, in base64, fill a third of what a broker
takes as metadata (4,096 bytes). One call that takes a minute holds up the others after 68 calls a second."""
BITMAP_BYTES = WINDOW // 8
FLOOR_BYTES = 8
FORMAT = "c1:"


class MarksUnreadable(ValueError):
    """The metadata of a committed offset is none of ours; the message says what to do."""


def _ones(bits: int) -> int:
    """Return how many of the lowest bits are set without a gap."""
    return ((bits ^ (bits + 1)).bit_length()) - 1


@dataclass(frozen=True, slots=True)
class Marks:
    """Bit n of a bitmap stands for the offset `floor + n`."""

    floor: int
    claimed: int = 0
    done: int = 0

    @property
    def end(self) -> int:
        """The first offset beyond the window."""
        return self.floor + WINDOW

    @property
    def offset(self) -> int:
        """The lowest offset that is not claimed: what is committed."""
        return self.floor + _ones(self.claimed)

    def is_claimed(self, offset: int) -> bool:
        """Return whether somebody may have sent the call of an offset."""
        return offset < self.floor or bool(self.claimed >> (offset - self.floor) & 1)

    def is_done(self, offset: int) -> bool:
        """Return whether the call of an offset has an attempt, or the offset has no call."""
        return offset < self.floor or bool(self.done >> (offset - self.floor) & 1)

    def claim(self, offsets: Iterable[int]) -> Marks:
        """Return the marks with claims added. Each offset must lie within the window, and not be claimed before."""
        claimed = self.claimed
        for offset in offsets:
            assert self.floor <= offset < self.end, f"offset {offset} is outside the window from {self.floor}"
            assert not claimed >> (offset - self.floor) & 1, f"offset {offset} is claimed already"
            claimed |= 1 << (offset - self.floor)
        return Marks(self.floor, claimed, self.done)

    def finish(self, offsets: Iterable[int]) -> Marks:
        """Return the marks with attempts added, and the floor behind all that have one; offsets count as claimed."""
        bits = 0
        for offset in offsets:
            assert offset < self.end, f"offset {offset} is outside the window from {self.floor}"
            if offset >= self.floor:
                bits |= 1 << (offset - self.floor)
        done = self.done | bits
        passed = _ones(done)
        return Marks(self.floor + passed, (self.claimed | bits) >> passed, done >> passed)

    def encode(self) -> str:
        """Return the metadata: 1,379 characters, whatever the marks are."""
        parts = (
            self.floor.to_bytes(FLOOR_BYTES, "big"),
            self.claimed.to_bytes(BITMAP_BYTES, "big"),
            self.done.to_bytes(BITMAP_BYTES, "big"),
        )
        return FORMAT + base64.b64encode(b"".join(parts)).decode()


def marks_of(offset: int, metadata: str | None) -> Marks:
    """Return the marks of a committed offset; raises `MarksUnreadable`.

    An offset without metadata was set by a person's tool: all before it counts as done, and nothing after it.
    """
    if not metadata:
        return Marks(offset)
    try:
        if not metadata.startswith(FORMAT):
            raise ValueError(f"it does not begin with {FORMAT!r}")
        packed = base64.b64decode(metadata[len(FORMAT) :], validate=True)
        if len(packed) != FLOOR_BYTES + 2 * BITMAP_BYTES:
            raise ValueError(f"it holds {len(packed)} bytes")
        floor, claimed, done = (
            int.from_bytes(part, "big")
            for part in (packed[:FLOOR_BYTES], packed[FLOOR_BYTES:-BITMAP_BYTES], packed[-BITMAP_BYTES:])
        )
        marks = Marks(floor, claimed, done)
        if marks.offset != offset:
            raise ValueError(f"it belongs to the offset {marks.offset}")
    except (ValueError, binascii.Error) as error:
        raise MarksUnreadable(
            f"the metadata of the committed offset {offset} is no claim: {error}. If a person set the offset, set it "
            "again without metadata: the calls from it on will be sent"
        ) from error
    return marks
