"""Which models can be read and written by columns, and what the columns are.

A flat record has only strings, integers, doubles, booleans and enums, each of which may be null. Columns: `pl.String`
(enums too), `pl.Int64` (32-bit integers too, so that arithmetic on them does not overflow), `pl.Float64`,
`pl.Boolean`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import polars as pl

from tradewind.schemas.codec.avro_type import AvroType, EnumType, OptionalType, Plain, RecordType
from tradewind.schemas.event import Event

DTYPES: Final[Mapping[str, pl.DataType]] = {
    "string": pl.String(),
    "long": pl.Int64(),
    "int": pl.Int64(),
    "double": pl.Float64(),
    "boolean": pl.Boolean(),
}


def dtype(kind: AvroType) -> pl.DataType | None:
    """Return the column type of an Avro type, or None where it has none."""
    match kind:
        case OptionalType(of=OptionalType()):
            return None
        case OptionalType():
            return dtype(kind.of)
        case EnumType():
            return pl.String()
        case Plain(name):
            return DTYPES.get(name)
    return None


def frame_schema(record: RecordType) -> dict[str, pl.DataType] | None:
    """Return the columns of a flat record in its order, or None where the record is not flat."""
    columns = {}
    for field in record.fields:
        column = dtype(field.type)
        if column is None:
            return None
        columns[field.name] = column
    return columns


def frame_of(events: Iterable[Event], schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Return the frame of events that were decoded one by one."""
    rows: list[dict[str, Any]] = [event.to_dict() for event in events]
    return pl.DataFrame(rows, schema=dict(schema), orient="row")
