"""How events become rows of PostgreSQL: the table of each topic, and the rows as CSV for COPY."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from tradewind.connectors.sinks.sink import PoisonBatch
from tradewind.topics import DECISIONS, FILLS, ORDER_EVENTS, ORDER_REQUESTS, POSITIONS

MONEY = pl.Decimal(38, 10)
TIMES = ("ts_event", "ts_ingest", "quote_ts", "expire_ts")
TIME_FORMAT = "%Y-%m-%d %H:%M:%S%.6f+00"
EARLIEST_US = int(datetime(1, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
LATEST_US = (
    int(datetime(9999, 12, 31, tzinfo=UTC).timestamp()) * 1_000_000
)  # years of four digits, which any client reads
ENVELOPE = ("event_id", "tenant_id", "ts_event", "ts_ingest", "correlation_id", "causation_id")
INSTRUMENT = ("account_id", "symbol", "venue")
ORDER = (
    *("order_id", *INSTRUMENT, "side", "order_type", "quantity", "limit_price", "time_in_force", "expire_ts"),
    *("strategy", "signal_id", "quote_bid", "quote_ask", "quote_ts"),
)


@dataclass(frozen=True, slots=True)
class EventTable:
    """A table with the events of one topic. Columns are named like the fields of the event."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...] = ("event_id",)
    version: str | None = None
    """The column by which a row replaces the one before of the same key; None where rows never change."""

    def merge(self, staged: str) -> str:
        """Return the statement that takes over another table's rows: those that are not here, and newer versions."""
        names, key = ", ".join(self.columns), ", ".join(self.key)
        if self.version is None:
            return f"INSERT INTO {self.name} ({names}) SELECT {names} FROM {staged} ON CONFLICT DO NOTHING"  # noqa: S608
        changed = ", ".join(f"{name} = excluded.{name}" for name in self.columns if name not in self.key)
        return (  # the names are ours
            f"INSERT INTO {self.name} ({names}) SELECT DISTINCT ON ({key}) {names} FROM {staged} "  # noqa: S608
            f"ORDER BY {key}, {self.version} DESC ON CONFLICT ({key}) DO UPDATE SET {changed} "
            f"WHERE excluded.{self.version} > {self.name}.{self.version}"
        )


TABLES: dict[str, EventTable] = {
    ORDER_REQUESTS.name: EventTable("order_requests", (*ENVELOPE, *ORDER)),
    DECISIONS.name: EventTable("decisions", (*ENVELOPE, "outcome", "codes", "reason", *ORDER)),
    ORDER_EVENTS.name: EventTable(
        "order_events", (*ENVELOPE, "order_id", *INSTRUMENT, "sequence", "status", "filled_quantity", "reason")
    ),
    FILLS.name: EventTable(
        "fills",
        (*ENVELOPE, "order_id", *INSTRUMENT, "side", "quantity", "price", "liquidity", "quote_seq", "strategy"),
    ),
    POSITIONS.name: EventTable(
        "positions",
        (
            *("tenant_id", *INSTRUMENT, "version"),
            *("event_id", "ts_event", "ts_ingest", "correlation_id", "causation_id"),
            *("quantity", "average_price", "realised_pnl", "unrealised_pnl", "mark_price", "fills"),
        ),
        key=("tenant_id", "account_id", "symbol", "venue"),
        version="version",
    ),
}
"""Name of the topic -> its table."""


def rows(frame: pl.DataFrame, table: EventTable) -> bytes:
    """Return the frame as CSV in the order of the table's columns: times to the µs, decimals exact, nulls empty.

    Raises `PoisonBatch` that names the first row whose time is no date of four digits.
    """
    buffer = io.BytesIO()
    chosen = frame.select(_column(frame, name) for name in table.columns)
    chosen.write_csv(buffer, include_header=False, datetime_format=TIME_FORMAT)
    return buffer.getvalue()


def _column(frame: pl.DataFrame, name: str) -> pl.Expr:
    kind, column = frame.schema[name], pl.col(name)
    if name in TIMES:
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
