"""The tables of QuestDB: how events lie in them, their definitions, and which partitions go when one is too large."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

import polars as pl

from tradewind.connectors.settings import Settings
from tradewind.connectors.sinks.line_protocol import Field, Kind, Layout
from tradewind.processors.batch import Columns
from tradewind.schemas.event import Event
from tradewind.schemas.market import Bar, Tick, Trade

WIDTH: dict[Kind, int] = {"long": 8, "double": 8, "time": 8, "string": 48}  # a varchar: 16, and some 32 of text
SYMBOL_WIDTH = 4
COLUMN_TYPE: dict[Kind, str] = {"long": "LONG", "double": "DOUBLE", "time": "TIMESTAMP", "string": "VARCHAR"}
INGESTED = "ts_ingest"
NAME_LENGTH = {"HOUR": len("2026-01-01T00"), "DAY": len("2026-01-01")}
"""Of a partition's name. What late rows have split off of it has a longer one: `2026-01-01T001549-990001`."""


class TableDiffers(RuntimeError):
    """A table, or a measurement, is not what the sink writes to."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table for the events of one model. The designated timestamp is `timestamp`: the event's `layout.time`."""

    name: str
    layout: Layout
    keys: tuple[str, ...]
    """What tells one event from another beside `timestamp`: an event that arrives again replaces itself."""
    partition_by: Literal["HOUR", "DAY"]

    def named(self, settings: Settings) -> str:
        """Return the table's name; the namespace's dot is no part of a table's name."""
        return settings.physical(self.name).replace(".", "_")

    def prepared(self, data: Columns) -> pl.DataFrame:
        """Return a batch with the table's columns: lean events have `ts_ingest` in the record, not in the value."""
        if INGESTED in data.frame.columns or all(field.name != INGESTED for field in self.layout.fields):
            return data.frame
        return data.frame.with_columns(pl.Series(INGESTED, data.ts_ingest))

    def columns(self) -> dict[str, str]:
        """Return name -> type of every column."""
        fields = {field.name: COLUMN_TYPE[field.kind] for field in self.layout.fields}
        return {"timestamp": "TIMESTAMP", **dict.fromkeys(self.layout.tags, "SYMBOL"), **fields}

    @property
    def row_bytes(self) -> int:
        """Bytes that a row takes, about."""
        return WIDTH["time"] + SYMBOL_WIDTH * len(self.layout.tags) + sum(WIDTH[one.kind] for one in self.layout.fields)

    def whole(self, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return rows of `table_partitions`, in order of time, with the parts of a split one as one.

        Dropping a part drops them all.
        """
        length = NAME_LENGTH[self.partition_by]
        found = []
        for name, same in groupby(rows, lambda row: row["name"][:length]):
            parts = list(same)
            found.append(
                {
                    "name": name,
                    # The open partition has room for millions of rows in advance, which is not yet taken.
                    "size": sum(min(part["diskSize"], part["numRows"] * self.row_bytes) for part in parts),
                    "active": any(part["active"] for part in parts),
                    "minTimestamp": parts[0]["minTimestamp"],
                    "maxTimestamp": parts[-1]["maxTimestamp"],
                }
            )
        return found

    def definition(self, name: str) -> str:
        """Return the statement that creates the table."""
        columns = ", ".join(f"{column} {kind}" for column, kind in self.columns().items())
        keys = ", ".join(("timestamp", *self.keys))
        return (
            f"CREATE TABLE IF NOT EXISTS '{name}' ({columns}) TIMESTAMP(timestamp) PARTITION BY {self.partition_by} "
            f"WAL DEDUP UPSERT KEYS({keys})"
        )

    def differences(self, found: Sequence[Mapping[str, Any]]) -> list[str]:
        """Return how a table (rows of `table_columns`) differs from what is written here."""
        by_name = {row["column"]: row for row in found}
        differs = []
        for name, kind in self.columns().items():
            row = by_name.get(name)
            if row is None:
                differs.append(f"column {name} is missing")
            elif row["type"] != kind:
                differs.append(f"column {name} is {row['type']}, expected {kind}")
        keys = {row["column"] for row in found if row["upsertKey"]}
        if keys != {"timestamp", *self.keys}:
            differs.append(
                f"the deduplication keys are ({', '.join(sorted(keys))}), expected timestamp and {self.keys}"
            )
        return differs


def _doubles(*names: str) -> tuple[Field, ...]:
    return tuple(Field(name, "double") for name in names)


TABLES: dict[type[Event], Table] = {
    Tick: Table(
        name="ticks",
        layout=Layout(
            tags=("symbol", "venue"),
            fields=(
                Field("seq", "long"),
                *_doubles("bid", "ask"),
                Field("bid_size", "double", nullable=True),
                Field("ask_size", "double", nullable=True),
                Field(INGESTED, "time"),
            ),
            time="ts_event",
        ),
        keys=("symbol", "venue", "seq"),
        partition_by="HOUR",
    ),
    Trade: Table(
        name="trades",
        layout=Layout(
            tags=("symbol", "venue", "aggressor"),
            fields=(
                Field("seq", "long"),
                *_doubles("price", "size"),
                Field("trade_id", "string"),
                Field(INGESTED, "time"),
            ),
            time="ts_event",
        ),
        keys=("symbol", "venue", "seq"),
        partition_by="HOUR",
    ),
    Bar: Table(
        name="bars",
        layout=Layout(
            tags=("symbol", "venue"),
            fields=(
                Field("interval_s", "long"),
                Field("revision", "long"),
                Field("ts_end", "time"),
                *_doubles(
                    *(f"{side}_{what}" for side in ("mid", "bid", "ask") for what in ("open", "high", "low", "close"))
                ),
                *_doubles("spread_mean"),
                Field("count", "long"),
                *_doubles("volume"),
                Field("quote_ts", "time"),
                Field("ts_event", "time"),
                Field("event_id", "string"),
                Field(INGESTED, "time"),
            ),
            time="ts_start",
        ),
        keys=("symbol", "venue", "interval_s", "revision"),
        partition_by="DAY",
    ),
}
"""A bar lies at its start; its revisions lie side by side, and the largest is the one that counts."""


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition of a table on disk."""

    name: str
    size: int
    """Bytes."""
    written_us: int
    """When its newest row came into Tradewind."""
    active: bool
    """Whether it is the latest by event time, which QuestDB keeps open and cannot drop."""


def to_drop(partitions: Iterable[Partition], retention_bytes: int) -> list[Partition]:
    """Return what to drop so that the rest fits: what was written to least recently, whatever the time of its events.

    By event time a replayed file of 2014 would lose its rows first, while it is being written, beside live data that
    has lain there for months. By the time of writing a table keeps what a topic keeps: the newest that fits.
    """
    partitions = list(partitions)
    excess = sum(partition.size for partition in partitions) - retention_bytes
    dropped = []
    for partition in sorted(partitions, key=lambda one: (one.written_us, one.name)):
        if excess <= 0:
            break
        if not partition.active:
            dropped.append(partition)
            excess -= partition.size
    return dropped
