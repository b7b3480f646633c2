"""Events with decimals as columns: the codec's own are of flat records, which orders, fills and positions are not.

Uses the codec's readers, which keep each record within its own bounds, and adds decimals. Records with arrays are
decoded row by row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import nanoarrow as na
import numpy as np
import polars as pl

from tradewind.schemas.codec.avro_type import (
    ArrayType,
    AvroType,
    DecimalType,
    EnumType,
    OptionalType,
    Plain,
    RecordType,
)
from tradewind.schemas.codec.batch import Cursors
from tradewind.schemas.codec.catalog import NEWEST
from tradewind.schemas.codec.column_reader import (
    Build,
    ColumnReader,
    Raw,
    Read,
    Step,
    number_series,
    read_booleans,
    read_doubles,
    read_ints,
    read_longs,
)
from tradewind.schemas.codec.flat import DTYPES, frame_of
from tradewind.schemas.codec.strings import bitmap, read_strings, string_series
from tradewind.schemas.codec.wire import DECIMAL_DIGITS
from tradewind.schemas.codec.words import WORD_BYTES, Flags, Longs
from tradewind.schemas.event import Event

LIMIT: Final = 10**DECIMAL_DIGITS
WORD_BITS: Final = 8 * WORD_BYTES
WORD_MASK: Final = (1 << WORD_BITS) - 1
PLAIN: Final[Mapping[str, tuple[Read, Build]]] = {
    "string": (read_strings, string_series),
    "long": (read_longs, number_series),
    "int": (read_ints, number_series),
    "double": (read_doubles, number_series),
    "boolean": (read_booleans, number_series),
}


def frame_of_rows(model: type[Event], events: Sequence[Event]) -> pl.DataFrame:
    """Return events that were decoded one by one as a frame, whatever their fields are."""
    return frame_of(events, {field.name: _dtype(field.type) for field in NEWEST[model.SCHEMA].fields})


def money_reader(model: type[Event]) -> ColumnReader | None:
    """Return what decodes records of the newest schema of a model, or None where they hold more than it can read."""
    if model not in _readers:
        _readers[model] = _reader(NEWEST[model.SCHEMA])
    return _readers[model]


_readers: dict[type[Event], ColumnReader | None] = {}


def _reader(record: RecordType) -> ColumnReader | None:
    steps = [_step(record, field.name, field.type) for field in record.fields]
    known = [step for step in steps if step is not None]
    if len(known) < len(steps):
        return None
    return ColumnReader(known, {}, {field.name: _dtype(field.type) for field in record.fields})


def _dtype(kind: AvroType) -> pl.DataType:
    match kind:
        case DecimalType(scale):
            return pl.Decimal(DECIMAL_DIGITS, scale)
        case EnumType():
            return pl.String()
        case OptionalType(of):
            return _dtype(of)
        case ArrayType(items):
            return pl.List(_dtype(items))
        case RecordType(fields=fields):
            return pl.Struct({field.name: _dtype(field.type) for field in fields})
        case Plain("bytes"):
            return pl.Binary()
        case Plain(name):
            return DTYPES[name]
    raise TypeError(f"no column holds {kind}")


def _step(record: RecordType, name: str, kind: AvroType) -> Step | None:
    optional = isinstance(kind, OptionalType)
    found = _kind(kind.of if isinstance(kind, OptionalType) else kind)
    if found is None:
        return None
    null = 2 * kind.null_branch if isinstance(kind, OptionalType) and optional else None
    return Step(name, f"{record.name}.{name}", *found, null)


def _kind(kind: AvroType) -> tuple[Read, Build] | None:
    match kind:
        case Plain(name):
            return PLAIN.get(name)
        case EnumType(symbols):
            return _enum_read(len(symbols)), _enum_build(symbols)
        case DecimalType(scale):
            return read_decimals, _decimal_build(scale)
    return None


def _enum_read(count: int) -> Read:
    def read(cursors: Cursors, where: str) -> tuple[Longs, Longs]:
        indexes, passed = read_longs(cursors, where)
        cursors.refuse((indexes < 0) | (indexes >= count), where, "no index of the enum's symbols")
        return indexes, passed

    return read


def _enum_build(symbols: Sequence[str]) -> Build:
    words = pl.Series(symbols, dtype=pl.String)

    def build(name: str, where: str, raw: Raw, valid: Flags | None, cursors: Cursors) -> pl.Series:
        return words.gather(number_series(name, where, raw, valid, cursors)).alias(name)

    return build


def read_decimals(cursors: Cursors, where: str) -> tuple[Longs, Longs]:
    """Read a decimal's bytes at each cursor: ((n, 2) positions and sizes, bytes passed)."""
    raw, passed = read_strings(cursors, where)
    cursors.refuse(raw[:, 1] == 0, where, "a decimal of no bytes")
    return raw, passed


def _decimal_build(scale: int) -> Build:
    kind = na.c_schema(na.decimal128(DECIMAL_DIGITS, scale))

    def build(name: str, where: str, raw: Raw, valid: Flags | None, cursors: Cursors) -> pl.Series:
        values = unscaled(raw[:, 0], raw[:, 1], lambda bad: cursors.refuse(bad, where, "more than 38 digits"), cursors)
        return pl.Series(na.c_array_from_buffers(kind, len(values), [bitmap(valid), values])).alias(name)

    return build


def unscaled(starts: Longs, sizes: Longs, refuse: Callable[[Flags], None], cursors: Cursors) -> Longs:
    """Return (n, 2) integers of 128 bits, the low word first, from big-endian bytes in two's complement."""
    values = np.zeros((len(starts), 2), np.int64)
    short = (sizes > 0) & (sizes <= WORD_BYTES)
    shift = (WORD_BYTES - np.where(short, sizes, WORD_BYTES)) * WORD_BYTES
    values[:, 0] = np.where(short, cursors.words[starts].byteswap().view(np.int64) >> shift, 0)
    values[:, 1] = values[:, 0] >> (WORD_BITS - 1)
    for row in np.flatnonzero(sizes > WORD_BYTES).tolist():
        number = int.from_bytes(cursors.data[starts[row] : starts[row] + sizes[row]], "big", signed=True)
        if abs(number) >= LIMIT:
            refuse(np.arange(len(starts)) == row)
        values[row, 0] = np.uint64(number & WORD_MASK).view(np.int64)
        values[row, 1] = number >> WORD_BITS
    return values
