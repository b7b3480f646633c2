"""Avro's integers many at a time: decoding and encoding varints as 64-bit words.

Eight bytes of a varint are read as one little-endian word. Its length is the place of the first byte without the high
bit; the groups of seven bits are closed up in three steps, two by two. All arithmetic is on unsigned 64-bit integers,
so it is exact.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

Words: TypeAlias = npt.NDArray[np.uint64]
Longs: TypeAlias = npt.NDArray[np.int64]
Octets: TypeAlias = npt.NDArray[np.uint8]
Flags: TypeAlias = npt.NDArray[np.bool_]

WORD_BYTES: Final = 8
VARINT_BYTES: Final = 10
ONE: Final = np.uint64(1)
SEVEN: Final = np.uint64(7)
HIGH_BITS: Final = np.uint64(0x8080808080808080)
LOW_BITS: Final = np.uint64(0x7F7F7F7F7F7F7F7F)
_STEPS: Final = tuple(
    (np.uint64(keep), np.uint64(move), np.uint64(shift))
    for keep, move, shift in (
        (0x007F007F007F007F, 0x7F007F007F007F00, 1),
        (0x00003FFF00003FFF, 0x3FFF00003FFF0000, 2),
        (0x000000000FFFFFFF, 0x0FFFFFFF00000000, 4),
    )
)
_CONTINUED: Final = np.array([sum(0x80 << (8 * i) for i in range(n - 1)) for n in range(1, 10)], np.uint64)
"""The continuation bits of the first word of a varint of n + 1 bytes; of nine and more, all of its bytes go on."""
_THRESHOLDS: Final = np.array([1 << (7 * n) for n in range(1, VARINT_BYTES)], np.uint64)
"""The least numbers that take 2, 3, ... 10 bytes: whole, since a logarithm of a float errs near powers of two."""


def words_of(data: bytes | bytearray | Octets) -> Words:
    """View data as the words that begin at each of its bytes: word i holds bytes i to i + 7, unaligned."""
    return np.ndarray((len(data) - WORD_BYTES + 1,), "<u8", data, 0, (1,))


def zigzag(values: Longs) -> Words:
    """Map integers to unsigned ones: 0, -1, 1, -2, ... to 0, 1, 2, 3, ..."""
    return ((values << 1) ^ (values >> 63)).view(np.uint64)


def unzigzag(words: Words) -> Longs:
    """Undo `zigzag`."""
    return ((words >> ONE) ^ (~(words & ONE) + ONE)).view(np.int64)


def varint_lengths(words: Words) -> Longs:
    """Return how many bytes each unsigned integer takes: 1 to 10."""
    return np.searchsorted(_THRESHOLDS, words, side="right") + 1


def read_varints(octets: Octets, words: Words, positions: Longs) -> tuple[Words, Longs, Flags | None]:
    """Decode varints: (unsigned integers, lengths in bytes, which have more than 64 bits or None where none has)."""
    word = words[positions]
    stops = ~word & HIGH_BITS
    below = (stops & (~stops + ONE)) - ONE  # the bits below the first stop bit; all of them where no byte stops
    lengths = ((np.bitwise_count(below) + np.uint8(1)) >> 3).astype(np.int64)
    number = word & below & LOW_BITS
    for keep, move, shift in _STEPS:
        number = (number & keep) | ((number & move) >> shift)
    if stops.all():
        return number, lengths, None
    return _with_long_ones(octets, positions, number, lengths, np.flatnonzero(stops == 0))


def _with_long_ones(
    octets: Octets, positions: Longs, number: Words, lengths: Longs, rows: Longs
) -> tuple[Words, Longs, Flags]:
    """Complete the varints of nine and ten bytes."""
    ninth = octets[positions[rows] + 8].astype(np.uint64)
    tenth = octets[positions[rows] + 9].astype(np.uint64)
    ten = ninth >= 0x80
    number[rows] |= (ninth & np.uint64(0x7F)) << np.uint64(56)
    number[rows[ten]] |= tenth[ten] << np.uint64(63)
    lengths[rows] = np.where(ten, 10, 9)
    too_long = np.zeros(len(positions), np.bool_)
    too_long[rows] = ten & (tenth > 1)
    return number, lengths, too_long


def write_varints(out: Words, octets: Octets, positions: Longs, numbers: Words, lengths: Longs) -> None:
    """Write varints at positions of a buffer, given as words and as octets; overwrites up to 8 bytes after each."""
    spread = numbers & np.uint64((1 << 56) - 1)
    for keep, move, shift in reversed(_STEPS):
        spread = (spread & keep) | ((spread << shift) & move)
    out[positions] = spread | _CONTINUED[np.minimum(lengths, 9) - 1]
    rows = np.flatnonzero(lengths > WORD_BYTES)
    if rows.size:
        rest = numbers[rows] >> np.uint64(56)
        ten = lengths[rows] == VARINT_BYTES
        at = positions[rows] + WORD_BYTES
        octets[at] = (rest & np.uint64(0x7F)) | np.where(ten, np.uint64(0x80), np.uint64(0))
        octets[at[ten] + 1] = rest[ten] >> SEVEN
