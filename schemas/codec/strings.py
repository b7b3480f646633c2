"""Strings many at a time, from Avro's bytes to a column.

Short texts, which symbols and venues are, become Arrow's string views: 16 bytes, the length and then the text itself,
up to 12 bytes (Arrow columnar format, "Variable-size Binary View Layout"); two words are read for each, and nothing
is copied. Where a text is longer, the column's texts are copied one behind the other, a word of each at a time.
"""

from __future__ import annotations

from typing import Final

import nanoarrow as na
import numpy as np
import numpy.typing as npt
import polars as pl

from tradewind.schemas.codec.batch import Cursors
from tradewind.schemas.codec.words import (
    HIGH_BITS,
    WORD_BYTES,
    Flags,
    Longs,
    Octets,
    Words,
    read_varints,
    unzigzag,
    words_of,
)

INLINE: Final = 12
PREFIX: Final = 4
WORD_WISE: Final = 256  # bytes: a column with a longer text is copied text by text
_VIEWS: Final = na.c_schema(na.string_view())
_TEXTS: Final = na.c_schema(na.large_string())
# Views of longer texts need a fourth buffer, and nanoarrow 0.9.0 corrupts memory when it is given one: never pass one.
_NO_SIZES: Final = np.empty(0, np.int64)  # of the buffers of longer texts, which these views have none of
_HALF: Final = np.uint64(32)
_HEAD: Final = np.array([(1 << 8 * min(size, PREFIX)) - 1 for size in range(INLINE + 1)], np.uint64)
"""Which bits of a text's first word a view holds beside the length, by the size of the text."""
_TAIL: Final = np.array([(1 << 8 * max(size - PREFIX, 0)) - 1 for size in range(INLINE + 1)], np.uint64)
"""Which bits of the word behind these."""


def read_strings(cursors: Cursors, where: str) -> tuple[Longs, Longs]:
    """Read a string at each cursor: ((n, 2) positions and sizes of the texts, bytes passed)."""
    sizes, passed = _read_sizes(cursors, where)
    texts = cursors.at + passed
    cursors.refuse((sizes < 0) | (sizes > cursors.ends - texts), where, "a length outside of the record")
    return np.stack((texts, sizes), axis=1), sizes + passed


def _read_sizes(cursors: Cursors, where: str) -> tuple[Longs, Longs]:
    first = cursors.octets[cursors.at]
    if not (first & 0x81).any():  # all of one byte, and none negative
        return (first >> 1).astype(np.int64), np.ones(len(first), np.int64)
    numbers, passed, too_long = read_varints(cursors.octets, cursors.words, cursors.at)
    if too_long is not None:
        cursors.refuse(too_long, where, "an integer of more than 64 bits")
    return unzigzag(numbers), passed


def string_series(name: str, where: str, raw: Longs, valid: Flags | None, cursors: Cursors) -> pl.Series:
    """Return the column of texts, null where not valid; raises `MisalignedRecords` where one is not UTF-8."""
    texts, sizes = raw[:, 0], raw[:, 1]
    if sizes.max() <= INLINE:
        array = _as_views(texts, sizes, valid, where, cursors)
    else:
        array = _as_texts(texts, sizes, valid, where, cursors)
    return pl.Series(array).alias(name)


def _as_views(texts: Longs, sizes: Longs, valid: Flags | None, where: str, cursors: Cursors) -> na.c_array.CArray:
    head = cursors.words[texts] & _HEAD[sizes]
    tail = cursors.words[texts + PREFIX] & _TAIL[sizes]
    strange = ((head | tail) & HIGH_BITS) != 0
    if strange.any():
        _refuse_what_is_not_utf8(texts, sizes, np.flatnonzero(strange), where, cursors)
    views = np.empty((len(texts), 2), np.uint64)
    views[:, 0] = sizes.view(np.uint64) | (head << _HALF)
    views[:, 1] = tail
    return na.c_array_from_buffers(_VIEWS, len(texts), [bitmap(valid), views, _NO_SIZES])


def _as_texts(texts: Longs, sizes: Longs, valid: Flags | None, where: str, cursors: Cursors) -> na.c_array.CArray:
    offsets = np.zeros(len(texts) + 1, np.int64)
    np.cumsum(sizes, out=offsets[1:])
    if sizes.max() > WORD_WISE:
        spans = zip(texts.tolist(), (texts + sizes).tolist(), strict=True)
        copied: bytes | Octets = b"".join([cursors.data[first:last] for first, last in spans])
        is_ascii = bytes(copied).isascii()
    else:
        copied = np.zeros(int(offsets[-1]) + WORD_BYTES, np.uint8)
        copy_words(cursors.words, texts, sizes, words_of(copied), offsets[:-1])
        copied = copied[: offsets[-1]]
        is_ascii = not (copied & 0x80).any()
    if not is_ascii:
        _refuse_what_is_not_utf8(texts, sizes, np.arange(len(texts)), where, cursors)
    return na.c_array_from_buffers(_TEXTS, len(texts), [bitmap(valid), offsets, copied])


def copy_words(source: Words, texts: Longs, sizes: Longs, target: Words, to: Longs) -> None:
    """Copy texts of a few words to places one behind the other, without gaps; the target is a word longer.

    A copied word may reach over the end of its text by up to seven bytes, which are the first of what follows: so the
    last words are copied first, and the first words last, in order.
    """
    for first in range((int(sizes.max()) - 1) // WORD_BYTES * WORD_BYTES, 0, -WORD_BYTES):
        rows = np.flatnonzero(sizes > first)
        target[to[rows] + first] = source[texts[rows] + first]
    target[to] = source[texts]


def _refuse_what_is_not_utf8(texts: Longs, sizes: Longs, rows: Longs, where: str, cursors: Cursors) -> None:
    for row in rows.tolist():
        try:
            cursors.data[texts[row] : texts[row] + sizes[row]].decode()
        except UnicodeDecodeError:
            cursors.refuse(np.arange(len(texts)) == row, where, "not UTF-8")


def bitmap(valid: Flags | None) -> npt.NDArray[np.uint8] | None:
    """Return Arrow's validity bitmap, None where all are valid."""
    return None if valid is None else np.packbits(valid, bitorder="little")
