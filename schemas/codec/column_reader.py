"""Decode records column by column, each read within its own bounds.

Kafka gives every record's bytes, so a batch is decoded field by field over all records at once: one cursor a record,
which starts behind the record's own frame. The proof of alignment is that for every record each check holds: a cursor
only moves forward, no string ends past its record, and behind the last field the cursor stands exactly at the
record's end. So no record is decoded from another's bytes, however its lengths may lie, and every value is the one
that the row reader gives. Where a check fails, nothing is returned.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from tradewind.schemas.codec.avro_type import (
    NO_DEFAULT,
    AvroType,
    EnumType,
    Field,
    OptionalType,
    Plain,
    RecordType,
    default_value,
)
from tradewind.schemas.codec.batch import Cursors, Joined, join
from tradewind.schemas.codec.flat import frame_schema
from tradewind.schemas.codec.strings import read_strings, string_series
from tradewind.schemas.codec.wire import INT_MAX, INT_MIN
from tradewind.schemas.codec.words import WORD_BYTES, Flags, Longs, read_varints, unzigzag

Raw: TypeAlias = npt.NDArray[Any]
"""(n,) numbers, or (n, 2) positions and sizes of texts."""
Read: TypeAlias = Callable[[Cursors, str], tuple[Raw, Longs | int]]
"""(cursors, field) -> (values, bytes passed)."""
Build: TypeAlias = Callable[[str, str, Raw, Flags | None, Cursors], pl.Series]
"""(name, field, values, which are not null or None for all, cursors) -> column."""

BRANCH_BYTES: Final = 1  # of a union of two: 0 and 1, zigzag
TOO_LONG: Final = "an integer of more than 64 bits"


@dataclass(frozen=True, slots=True)
class Step:
    """How one field of the writer is read; `name` is None where the newest schema no longer has it."""

    name: str | None
    where: str
    read: Read
    build: Build
    null: int | None
    """The byte of null's branch, where the field may be null."""


@dataclass(frozen=True, slots=True)
class ColumnReader:
    """Decodes records of one writer's schema as the columns of the newest."""

    steps: Sequence[Step]
    absent: Mapping[str, Any]
    """Defaults of the fields that the writer did not write."""
    schema: Mapping[str, pl.DataType]

    def decode(self, values: Sequence[bytes] | Joined, schema_id: int) -> pl.DataFrame:
        """Decode framed records; raises `MisalignedRecords` where one is not what the schema says."""
        if not values:
            return pl.DataFrame(schema=dict(self.schema))
        cursors = join(values, schema_id, len(self.steps))
        columns: dict[str, pl.Series] = {}
        for step in self.steps:
            raw, valid, passed = _read(step, cursors)
            column = step.build(step.name or "", step.where, raw, valid, cursors)
            cursors = cursors.moved(passed)
            if step.name is not None:
                columns[step.name] = column
        cursors.refuse(cursors.at != cursors.ends, "end", "the record is shorter or longer than its fields")
        for name, default in self.absent.items():
            columns[name] = pl.Series(name, [default], self.schema[name]).new_from_index(0, len(values))
        return pl.DataFrame([columns[name] for name in self.schema])


def column_reader(writer: RecordType, newest: RecordType) -> ColumnReader | None:
    """Return what decodes the writer's records by columns, or None where they must be decoded row by row.

    That is so where the writer's or the newest record is not flat, or where a field that both have changed its type. An
    enum may have got other symbols: those that the newest does not know are its default.
    """
    schema = frame_schema(newest)
    if schema is None or frame_schema(writer) is None:
        return None
    targets = {field.name: field for field in newest.fields}
    steps = []
    for field in writer.fields:
        target = targets.pop(field.name, None)
        if target is not None and target.type != field.type and not _both_enums(field.type, target.type):
            return None
        steps.append(_step(writer, field, target))
    if any(field.default is NO_DEFAULT for field in targets.values()):
        return None
    absent = {name: default_value(field.type, field.default) for name, field in targets.items()}
    return ColumnReader(steps, absent, schema)


def _both_enums(writer: AvroType, reader: AvroType) -> bool:
    """Return whether all symbols of one enum can be read as another; both may be null, or neither."""
    if isinstance(writer, OptionalType) != isinstance(reader, OptionalType):
        return False
    written, read = _inner(writer), _inner(reader)
    return isinstance(written, EnumType) and isinstance(read, EnumType) and None not in written.read_as(read)


def _inner(kind: AvroType) -> AvroType:
    return kind.of if isinstance(kind, OptionalType) else kind


def _step(writer: RecordType, field: Field, target: Field | None) -> Step:
    null = None if not isinstance(field.type, OptionalType) else 2 * field.type.null_branch
    kind = _inner(field.type)
    read, build = _kind(kind, kind if target is None else _inner(target.type))
    return Step(None if target is None else field.name, f"{writer.name}.{field.name}", read, build, null)


def _kind(kind: AvroType, wanted: AvroType) -> tuple[Read, Build]:
    match kind:
        case Plain("string"):
            return read_strings, string_series
        case Plain("long"):
            return read_longs, number_series
        case Plain("int"):
            return read_ints, number_series
        case Plain("double"):
            return read_doubles, number_series
        case Plain("boolean"):
            return read_booleans, number_series
        case EnumType(symbols) if isinstance(wanted, EnumType):
            return _enum_read(len(symbols)), _enum_build(kind.read_as(wanted))
    raise AssertionError(f"{kind} is not flat")


def _read(step: Step, cursors: Cursors) -> tuple[Raw, Flags | None, Longs | int]:
    """Read a field: (values, which are not null or None for all, bytes passed)."""
    if step.null is None:
        raw, passed = step.read(cursors, step.where)
        return raw, None, passed
    branch = cursors.octets[cursors.at]
    cursors.refuse(branch & ~np.uint8(2) != 0, step.where, "no branch of the union")
    valid = branch != step.null
    inside = cursors.moved(BRANCH_BYTES)
    if valid.all():
        raw, passed = step.read(inside, step.where)
        return raw, None, passed + BRANCH_BYTES
    present = np.flatnonzero(valid)
    some, some_passed = step.read(inside.only(present), step.where)
    full = np.zeros((len(valid), *some.shape[1:]), some.dtype)
    full[present] = some
    total = np.full(len(valid), BRANCH_BYTES, np.int64)
    total[present] += some_passed
    return full, valid, total


def read_longs(cursors: Cursors, where: str) -> tuple[Longs, Longs]:
    """Read an integer of 64 bits at each cursor."""
    numbers, passed, too_long = read_varints(cursors.octets, cursors.words, cursors.at)
    if too_long is not None:
        cursors.refuse(too_long, where, TOO_LONG)
    return unzigzag(numbers), passed


def read_ints(cursors: Cursors, where: str) -> tuple[Longs, Longs]:
    """Read an integer of 32 bits at each cursor."""
    numbers, passed = read_longs(cursors, where)
    cursors.refuse((numbers < INT_MIN) | (numbers > INT_MAX), where, "no int of 32 bits")
    return numbers, passed


def read_doubles(cursors: Cursors, where: str) -> tuple[Raw, int]:
    """Read eight bytes at each cursor; any are a double."""
    del where
    return cursors.words[cursors.at].view(np.float64), WORD_BYTES


def read_booleans(cursors: Cursors, where: str) -> tuple[Flags, int]:
    """Read a byte at each cursor."""
    octets = cursors.octets[cursors.at]
    cursors.refuse(octets > 1, where, "no boolean")
    return octets == 1, 1


def _enum_read(count: int) -> Read:
    def read(cursors: Cursors, where: str) -> tuple[Longs, Longs]:
        indexes, passed = read_longs(cursors, where)
        cursors.refuse((indexes < 0) | (indexes >= count), where, "no index of the enum's symbols")
        return indexes, passed

    return read


def number_series(name: str, where: str, raw: Raw, valid: Flags | None, cursors: Cursors) -> pl.Series:
    """Return the column of numbers or truths; rows that are not valid are null."""
    del where, cursors
    column = pl.Series(name, raw)
    if valid is None:
        return column
    return column.scatter(np.flatnonzero(~valid), None)


def _enum_build(symbols: Sequence[str | None]) -> Build:
    words = pl.Series(symbols, dtype=pl.String)

    def build(name: str, where: str, raw: Raw, valid: Flags | None, cursors: Cursors) -> pl.Series:
        return words.gather(number_series(name, where, raw, valid, cursors)).alias(name)

    return build
