"""How events become rows of PostgreSQL: CSV for COPY."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC, datetime

import polars as pl

from tradewind.connectors.postgres.table import is_time
from tradewind.connectors.sinks.sink import PoisonBatch

MONEY = pl.Decimal(38, 10)
TIME_FORMAT = "%Y-%m-%d %H:%M:%S%.6f+00"
EARLIEST_US = int(datetime(1, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
LATEST_US = (
    int(datetime(9999, 12, 31, tzinfo=UTC).timestamp()) * 1_000_000
)  # years of four digits, which any client reads


def rows(frame: pl.DataFrame, columns: Sequence[str]) -> bytes:
    """Return the frame as CSV in the order of some columns: times to the µs, decimals exact, nulls empty.

    Raises `PoisonBatch` that names the first row whose time is no date of four digits.
    """
    buffer = io.BytesIO()
    chosen = frame.select(_column(frame, name) for name in columns)
    chosen.write_csv(buffer, include_header=False, datetime_format=TIME_FORMAT)
    return buffer.getvalue()


def _column(frame: pl.DataFrame, name: str) -> pl.Expr:
    kind, column = frame.schema[name], pl.col(name)
    if is_time(name):
        outside = (frame[name] < EARLIEST_US) | (frame[name] > LATEST_US)
        if outside.any():
            index = outside.fill_null(value=False).arg_max()
            assert index is not None
            raise PoisonBatch(f"{name} is {frame[name][index]} µs, which is no date of four digits", index)
        return column.cast(pl.Datetime("us"))
    if isinstance(kind, pl.Decimal):
        return column.cast(MONEY)
    if isinstance(kind, pl.List):
        return pl.concat_str(pl.lit("{"), column.cast(pl.List(pl.String)).list.join(","), pl.lit("}"))
    return column
