"""What PostgreSQL has of the topics that are balanced: rows, and the positions that stand for them, in one snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tradewind.connectors.postgres.connection import Connection
from tradewind.topics import DECISIONS, FILLS, ORDER_EVENTS, ORDER_REQUESTS, Topic

TABLES: Final[dict[str, Topic]] = {
    "order_requests": ORDER_REQUESTS,
    "decisions": DECISIONS,
    "order_events": ORDER_EVENTS,
    "fills": FILLS,
}
"""Tables that have a row for each event of a topic, from causes to effects."""
COUNTED: Final = {table: f"SELECT count(*) FROM {table}" for table in TABLES}  # noqa: S608 - ours
FOUND: Final = {table: f"SELECT event_id FROM {table} WHERE event_id = ANY($1)" for table in TABLES}  # noqa: S608
CHUNK: Final = 10_000
"""Ids that are asked for at once: 20 ms of PostgreSQL."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Rows of each table, and how far each partition of Kafka had been written when they were counted."""

    rows: dict[str, int]
    written: dict[tuple[str, int], int]
    """(topic, partition) -> the offset that the sink goes on with."""


async def snapshot(connection: Connection) -> Snapshot:
    """Count rows beside the positions of the sink; raises `asyncpg.PostgresError`, or `OSError`."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        found = await connection.fetch("SELECT topic, partition, next_offset FROM sink_positions")
        rows = {table: int(await connection.fetchval(COUNTED[table])) for table in TABLES}
    return Snapshot(rows, {(row["topic"], row["partition"]): row["next_offset"] or 0 for row in found})


async def missing(connection: Connection, table: str, ids: Sequence[str]) -> list[str]:
    """Return the event ids of which a table has no row, in their order; raises as `snapshot`."""
    lacking: list[str] = []
    for first in range(0, len(ids), CHUNK):
        asked = ids[first : first + CHUNK]
        rows = await connection.fetch(FOUND[table], list(asked))
        found = {row["event_id"] for row in rows}
        lacking += [one for one in asked if one not in found]
    return lacking
