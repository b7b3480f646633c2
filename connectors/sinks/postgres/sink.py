"""The PostgreSQL sink: the events of the domains that it is given; rows and offset in one transaction.

The offset's row is updated first, and only under the epoch that this process claimed: so a process that lost the
partition without noticing writes nothing, and two that write at once wait for each other.
"""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import ClassVar, Literal

import asyncpg

from tradewind.connectors.kafka.topic_ids import as_printed, topic_ids
from tradewind.connectors.postgres.connection import LOST, Connection, connect
from tradewind.connectors.postgres.domains import DOMAINS
from tradewind.connectors.postgres.table import Domain, EventTable
from tradewind.connectors.settings import Settings
from tradewind.connectors.sinks.postgres.rows import rows
from tradewind.connectors.sinks.sink import Batch, Claim, Origin, OwnerFenced, PoisonBatch, Sink, StoreUnavailable

log = logging.getLogger(__name__)

KNOWN = "INSERT INTO sink_positions (topic, partition, epoch) VALUES ($1, $2, 0) ON CONFLICT DO NOTHING"
LAST = "SELECT topic_id, next_offset FROM sink_positions WHERE topic = $1 AND partition = $2 FOR UPDATE"
CLAIM = """
UPDATE sink_positions SET topic_id = coalesce($3, topic_id), next_offset = $4, epoch = epoch + 1, claimed_at = now()
WHERE topic = $1 AND partition = $2 RETURNING next_offset, epoch
"""
ADVANCE = """
UPDATE sink_positions SET next_offset = $4, written_at = now() WHERE topic = $1 AND partition = $2 AND epoch = $3
"""
ADVANCED = "UPDATE 1"
COPY_CHUNK = 512 * 1024  # bytes sent at once
CLOSE_S = 1.0  # a server that is gone does not hold up the stop
STATE_CLASS = slice(2)  # of an SQLSTATE
BAD_DATA = {"22", "23", "54"}  # data exception, integrity constraint violation, limit exceeded: a record is to blame
NOT_NOW = {
    "08",
    "25",
    "40",
    "53",
    "55",
    "57",
    "58",
}  # connection, transaction, rollback, resources, locks, operator, system
COPY_LINE = re.compile(r"^COPY \S+, line (\d+)", re.MULTILINE)


class PostgresSink(Sink):
    """Writes the events of each table of some domains. It keeps its positions itself."""

    name = "postgres"
    form: ClassVar[Literal["rows", "columns"]] = "columns"

    def __init__(self, settings: Settings, domains: Sequence[Domain] = DOMAINS) -> None:
        self._settings = settings
        self._tables = {table.topic.name: table for domain in domains for table in domain.tables}
        self.topics = tuple(table.topic for table in self._tables.values())
        self._connection: Connection | None = None
        self._ids: dict[str, str] = {}

    async def open(self) -> None:
        """Connect, and see that the tables are there."""
        connection = await self._connected()
        if await connection.fetchval("SELECT to_regclass('sink_positions')") is None:
            raise RuntimeError("PostgreSQL has no table sink_positions: run `tradewind prepare`")

    async def claim(self, origins: Sequence[Origin]) -> Mapping[Origin, Claim]:
        """Raise the epoch of partitions, which fences their last owner, and return where to go on."""
        ids = topic_ids(self._settings, (topic for topic, _ in origins))
        self._ids.update(ids)
        claims: dict[Origin, Claim] = {}

        async def work(connection: Connection) -> None:
            for topic, partition in sorted(
                origins
            ):  # always in this order, so that two claims never wait for each other
                await connection.execute(KNOWN, topic, partition)
                last = await connection.fetchrow(LAST, topic, partition)
                assert last is not None
                known = _continued(last, topic, ids.get(topic))
                row = await connection.fetchrow(CLAIM, topic, partition, ids.get(topic), known)
                assert row is not None
                claims[topic, partition] = Claim(row["next_offset"], row["epoch"])

        await self._transaction(work)
        return claims

    async def write(self, batch: Batch) -> None:
        """Write the rows of a batch and its position, or neither."""
        table = self._tables[batch.topic.name]
        csv = rows(batch.frame, table.columns) if len(batch) else b""

        async def copy(connection: Connection) -> None:
            await self._advance(connection, batch)
            if csv:
                await _copy(connection, table.name, table, csv)
                await self._also(connection, table, batch)

        async def merge(connection: Connection) -> None:
            await self._advance(connection, batch)
            staged = f"staged_{table.name}"
            await connection.execute(
                f"CREATE TEMP TABLE IF NOT EXISTS {staged} (LIKE {table.name}) ON COMMIT DELETE ROWS"
            )
            await _copy(connection, staged, table, csv)
            await connection.execute(table.merge(staged))
            await self._also(connection, table, batch)

        if table.version is not None and csv:
            await self._transaction(merge)
            return
        try:
            await self._transaction(copy)
        except (
            asyncpg.UniqueViolationError
        ):  # some rows are there already, which only a duplicate on the topic explains
            await self._transaction(merge)

    async def close(self) -> None:
        """Disconnect, from a server that no longer answers too: nothing is unsaid between two transactions."""
        if self._connection is not None:
            with suppress(*LOST):
                await self._connection.close(timeout=CLOSE_S)

    async def _advance(self, connection: Connection, batch: Batch) -> None:
        done = await connection.execute(ADVANCE, batch.topic.name, batch.partition, batch.epoch, batch.next_offset)
        if done != ADVANCED:
            raise OwnerFenced(
                f"{batch.topic.name}/{batch.partition} was claimed by another process after epoch {batch.epoch}"
            )

    async def _also(self, connection: Connection, table: EventTable, batch: Batch) -> None:
        if table.also is not None:
            await table.also(connection, batch, as_printed(self._ids.get(batch.topic.name)))

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await connect(self._settings)
        return self._connection

    async def _transaction(self, work: Callable[[Connection], Awaitable[None]]) -> None:
        """Do work in a transaction; a connection that failed is left, for nobody knows what state it is in."""
        try:
            connection = await self._connected()
            async with connection.transaction():
                await work(connection)
        except asyncpg.UniqueViolationError:
            raise
        except asyncpg.PostgresError as error:
            raise _next_step(error) from error
        except LOST as error:
            if self._connection is not None:
                self._connection.terminate()
                self._connection = None
            raise StoreUnavailable(f"PostgreSQL: {error or type(error).__name__}") from error


def _continued(last: asyncpg.Record, topic: str, topic_id: str | None) -> int | None:
    """Return the offset to go on with; None where the topic is another one by now than that which was written from."""
    known: int | None = last["next_offset"]
    if topic_id is None or last["topic_id"] in (None, topic_id):
        return known
    log.error(
        "topic %s was recreated since the sink wrote it up to offset %s: the sink reads the new topic from its start",
        topic,
        known,
    )
    return None


async def _copy(connection: Connection, into: str, table: EventTable, csv: bytes) -> None:
    async def chunks() -> AsyncIterator[bytes]:  # asyncpg would read a file in other threads
        for start in range(0, len(csv), COPY_CHUNK):
            yield csv[start : start + COPY_CHUNK]

    await connection.copy_to_table(into, source=chunks(), columns=list(table.columns), format="csv")


def _next_step(error: asyncpg.PostgresError) -> Exception:
    """Return what happens next: the batch is poison, the store is not there for now, or the error as it is."""
    state = (error.sqlstate or "")[STATE_CLASS]
    if state in BAD_DATA:
        line = COPY_LINE.search(getattr(error, "context", None) or "")
        return PoisonBatch(f"{error.sqlstate}: {error}", int(line[1]) - 1 if line else None)
    if state in NOT_NOW:
        return StoreUnavailable(f"PostgreSQL: {error.sqlstate}: {error}")
    return error
