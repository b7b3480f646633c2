"""Remembers the known cluster in PostgreSQL, in the schema of the namespace, where Kafka's loss cannot reach."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg

from tradewind.connectors.cluster.identity import Known
from tradewind.connectors.postgres.connection import LOST, Connection, connect
from tradewind.connectors.settings import Settings

T = TypeVar("T")


class KeptAway(RuntimeError):
    """PostgreSQL cannot be asked what was known: it is not configured, or does not answer."""


def on_postgres(settings: Settings, work: Callable[[Connection], Awaitable[T]], table: str, absent: T) -> T:
    """Do work on PostgreSQL; returns `absent` where the database or the table does not exist: nothing is known there.

    Raises `KeptAway` where PostgreSQL is not configured, does not answer or refuses.
    """
    if settings.postgres.url is None:
        raise KeptAway("no PostgreSQL is configured (TRADEWIND_POSTGRES__URL)")

    async def done() -> T:
        try:
            connection = await connect(settings)
        except asyncpg.InvalidCatalogNameError:
            return absent
        try:
            if await connection.fetchval("SELECT to_regclass($1::text)", table) is None:
                return absent
            async with connection.transaction():
                return await work(connection)
        finally:
            await connection.close()

    try:
        return asyncio.run(done())
    except (*LOST, asyncpg.PostgresError) as error:
        raise KeptAway(
            f"PostgreSQL at {settings.postgres.url} does not answer ({error or type(error).__name__})"
        ) from error


def known_by_postgres(settings: Settings) -> Known:
    """Return what was accepted last; raises `KeptAway`."""

    async def work(connection: Connection) -> Known:
        cluster_id = await connection.fetchval("SELECT cluster_id FROM known_cluster")
        rows = await connection.fetch("SELECT topic, topic_id FROM known_topics")
        return Known(cluster_id, {row["topic"]: row["topic_id"] for row in rows})

    return on_postgres(settings, work, "known_cluster", Known())


def keep_in_postgres(settings: Settings, known: Known) -> None:
    """Replace what was known; raises `KeptAway`."""

    async def work(connection: Connection) -> None:
        await connection.execute("DELETE FROM known_cluster")
        if known.cluster_id is not None:
            await connection.execute("INSERT INTO known_cluster (cluster_id) VALUES ($1)", known.cluster_id)
        topics, ids = list(known.topics), list(known.topics.values())
        await connection.execute("DELETE FROM known_topics WHERE topic <> ALL ($1::text[])", topics)
        await connection.execute(
            "INSERT INTO known_topics (topic, topic_id) SELECT * FROM unnest($1::text[], $2::text[]) "
            "ON CONFLICT (topic) DO UPDATE SET topic_id = excluded.topic_id, noted_at = now() "
            "WHERE known_topics.topic_id <> excluded.topic_id",
            topics,
            ids,
        )

    on_postgres(settings, work, "known_cluster", None)
