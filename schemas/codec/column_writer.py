"""Encode the rows of a frame, column by column.

First the size of every field of every row is computed, which places them all; then each field is written over all
rows at once, as words of eight bytes. A word may reach over the end of its field: the next field of the row is
written later, over it, and behind each row there is a gap for the last one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from tradewind.schemas.codec.avro_type import AvroType, EnumType, OptionalType, Plain, RecordType
from tradewind.schemas.codec.errors import EncodeError
from tradewind.schemas.codec.flat import frame_schema
from tradewind.schemas.codec.row_writer import not_written
from tradewind.schemas.codec.wire import FRAME_BYTES, INT_MAX, INT_MIN, frame
from tradewind.schemas.codec.words import (
    WORD_BYTES,
    Flags,
    Longs,
    Octets,
    Words,
    varint_lengths,
    words_of,
    write_varints,
    zigzag,
)

GAP: Final = 2 * WORD_BYTES  # a varint of ten bytes is two words


@dataclass(frozen=True, slots=True)
class Page:
    """The bytes that rows are written to."""

    octets: Octets
    words: Words
    """The same bytes, as the word that begins at each."""


Put: TypeAlias = Callable[[Page, Longs], None]
"""Writes a field of chosen rows at a position each."""
Sized: TypeAlias = tuple[Longs, Put]
"""(bytes that the field takes in each row, what writes it)."""
Size: TypeAlias = Callable[[pl.Series, str], Sized]
"""(column without nulls, field) -> sizes and writer; raises `EncodeError`."""


@dataclass(frozen=True, slots=True)
class ColumnWriter:
    """Encodes frames as records of one schema."""

    name: str
    fields: Sequence[tuple[str, Size, int | None]]
    """(name, kind, the byte of null's branch where it may be null)."""
    schema: dict[str, pl.DataType]

    def is_exact(self, rows: pl.DataFrame) -> bool:
        """Tell whether a frame has every column, in the very type of its field."""
        found = rows.schema
        return all(found.get(name) == kind for name, kind in self.schema.items())

    def encode(self, rows: pl.DataFrame, schema_id: int) -> list[bytes]:
        """Return each row as a framed record; raises `EncodeError`."""
        if not rows.height:
            return []
        sized = [self._sized(rows, *field) for field in self.fields]
        sizes = sum((size for size, _ in sized), np.full(rows.height, FRAME_BYTES, np.int64))
        ends = np.cumsum(sizes + GAP) - GAP
        starts = ends - sizes
        data = bytearray(int(ends[-1]) + GAP)
        page = Page(np.frombuffer(data, np.uint8), words_of(data))
        page.words[starts] = np.uint64(int.from_bytes(frame(schema_id), "little"))
        at = starts + FRAME_BYTES
        for size, put in sized:
            put(page, at)
            at = at + size
        written = bytes(data)
        return [written[first:last] for first, last in zip(starts.tolist(), ends.tolist(), strict=True)]

    def _sized(self, rows: pl.DataFrame, field: str, size: Size, null: int | None) -> Sized:
        where = f"{self.name}.{field}"
        column = self._column(rows, field, where)
        if not column.has_nulls():
            sizes, put = size(column, where)
            return (sizes, put) if null is None else _present(sizes, put, 2 - null)
        if null is None:
            row = int(column.is_null().arg_max() or 0)
            raise EncodeError(f"{where}: row {row} is null, and the field cannot be")
        return _some(column, size, null, where)

    def _column(self, rows: pl.DataFrame, field: str, where: str) -> pl.Series:
        if field not in rows.columns:
            raise EncodeError(f"{where}: the frame has no such column; it has {', '.join(rows.columns)}")
        column, wanted = rows[field], self.schema[field]
        if column.dtype == wanted:
            return column
        if column.dtype in (pl.Categorical, pl.Enum, pl.Null) or (wanted == pl.Int64() and column.dtype.is_integer()):
            try:
                return column.cast(wanted)
            except pl.exceptions.InvalidOperationError as error:
                raise EncodeError(f"{where}: {error}") from error
        raise EncodeError(f"{where}: a column of {column.dtype}, where {wanted} is wanted")


def column_writer(record: RecordType) -> ColumnWriter | None:
    """Return what encodes frames as such records, or None where the record is not flat."""
    schema = frame_schema(record)
    if schema is None:
        return None
    fields: list[tuple[str, Size, int | None]] = []
    for field in record.fields:
        if isinstance(field.type, OptionalType):
            fields.append((field.name, _kind(field.type.of), 2 * field.type.null_branch))
        else:
            fields.append((field.name, _kind(field.type), None))
    return ColumnWriter(record.name, fields, schema)


def _kind(kind: AvroType) -> Size:
    match kind:
        case Plain("string"):
            return size_strings
        case Plain("long"):
            return size_longs
        case Plain("int"):
            return size_ints
        case Plain("double"):
            return size_doubles
        case Plain("boolean"):
            return size_booleans
        case EnumType():
            return _enum_size(kind)
    raise AssertionError(f"{kind} is not flat")


def _present(sizes: Longs, put: Put, branch: int) -> Sized:
    def put_both(page: Page, at: Longs) -> None:
        page.octets[at] = branch
        put(page, at + 1)

    return sizes + 1, put_both


def _some(column: pl.Series, size: Size, null: int, where: str) -> Sized:
    """Size a column with nulls: those that are not null are sized and written alone."""
    valid = column.is_not_null().to_numpy()
    rows = np.flatnonzero(valid)
    some, put = size(column.drop_nulls(), where)
    sizes = np.ones(len(valid), np.int64)
    sizes[rows] += some

    def put_all(page: Page, at: Longs) -> None:
        page.octets[at] = np.where(valid, np.uint8(2 - null), np.uint8(null))
        put(page, at[rows] + 1)

    return sizes, put_all


def size_longs(column: pl.Series, where: str) -> Sized:
    """Size integers of 64 bits."""
    del where
    return _varints(column.to_numpy())


def size_ints(column: pl.Series, where: str) -> Sized:
    """Size integers of 32 bits."""
    values = column.to_numpy()
    bad = (values < INT_MIN) | (values > INT_MAX)
    _refuse(bad, column, where, "not an integer of 32 bits")
    return _varints(values)


def _varints(values: Longs) -> Sized:
    numbers = zigzag(values)
    lengths = varint_lengths(numbers)
    return lengths, lambda page, at: write_varints(page.words, page.octets, at, numbers, lengths)


def size_doubles(column: pl.Series, where: str) -> Sized:
    """Size doubles, whatever they are: NaN too."""
    del where
    words = column.to_numpy().view(np.uint64)

    def put(page: Page, at: Longs) -> None:
        page.words[at] = words

    return np.full(len(words), WORD_BYTES, np.int64), put


def size_booleans(column: pl.Series, where: str) -> Sized:
    """Size truths."""
    del where
    octets = column.to_numpy().astype(np.uint8)

    def put(page: Page, at: Longs) -> None:
        page.octets[at] = octets

    return np.ones(len(octets), np.int64), put


def _enum_size(kind: EnumType) -> Size:
    index = {symbol: place for place, symbol in enumerate(kind.symbols) if symbol in kind.written}

    def size(column: pl.Series, where: str) -> Sized:
        places = column.replace_strict(index, default=-1, return_dtype=pl.Int64).to_numpy()
        bad = places < 0
        if bad.any():
            _refuse(bad, column, where, not_written(kind, column[int(np.argmax(bad))]))
        return _varints(places)

    return size


def size_strings(column: pl.Series, where: str) -> Sized:
    """Size texts: their length, then their UTF-8."""
    del where
    sizes = column.str.len_bytes().to_numpy().astype(np.int64)
    texts = np.frombuffer(column.str.join("").item().encode(), np.uint8)
    numbers = zigzag(sizes)
    lengths = varint_lengths(numbers)

    def put(page: Page, at: Longs) -> None:
        write_varints(page.words, page.octets, at, numbers, lengths)
        _put_texts(page, at + lengths, texts, sizes)

    return lengths + sizes, put


def _put_texts(page: Page, at: Longs, texts: Octets, sizes: Longs) -> None:
    """Copy texts, which stand one behind the other, to a position each."""
    begins = np.cumsum(sizes) - sizes
    places: npt.NDArray[np.int64] = np.repeat(at - begins, sizes) + np.arange(len(texts))
    page.octets[places] = texts


def _refuse(bad: Flags, column: pl.Series, where: str, reason: str) -> None:
    if bad.any():
        row = int(np.argmax(bad))
        raise EncodeError(f"{where}: row {row} is {column[row]!r}: {reason}")
