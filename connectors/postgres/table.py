"""What a domain says of its tables: which topic fills each one, and the migrations that create them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, fields
from hashlib import sha256
from typing import TypeAlias

from tradewind.connectors.postgres.connection import Connection
from tradewind.connectors.sinks.sink import Batch
from tradewind.topics import Topic

Also: TypeAlias = Callable[[Connection, Batch, str | None], Awaitable[None]]
"""(connection, batch, Kafka's id of the topic): writes in the transaction of the batch's rows."""


def is_time(column: str) -> bool:
    """Return whether a column is a time: by convention `ts_*` and `*_ts`. The events have µs."""
    return column.startswith("ts_") or column.endswith("_ts")


@dataclass(frozen=True, slots=True)
class EventTable:
    """A table with the events of one topic. It has a column for each field of the event, of the same name."""

    topic: Topic
    name: str
    key: tuple[str, ...] = ("event_id",)
    version: str | None = None
    """The column by which a row replaces the one before of the same key; None where rows never change."""
    also: Also | None = None
    """What a batch changes beside its rows."""
    omits: tuple[str, ...] = ()
    """Fields of the event that the table has no columns for."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The fields of the event, without those that the table omits."""
        named = (field.name for field in fields(self.topic.model))  # type: ignore[arg-type]
        return tuple(name for name in named if name not in self.omits)

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


@dataclass(frozen=True, slots=True)
class Migration:
    """One change of a domain's tables. It is never edited once a database has it: another migration follows it."""

    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text."""
        return sha256(self.sql.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Domain:
    """The tables of one domain. No table refers to a table of another domain, so that any domain can be left out."""

    name: str
    tables: tuple[EventTable, ...] = ()
    """Those that the sink fills; a migration may create others."""
    migrations: tuple[Migration, ...] = ()
    """In their order. The first is number 1; each keeps its number."""
