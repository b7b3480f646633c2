"""Which commands were asked and what they were answered, in PostgreSQL, so that any process answers a repeat alike."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Protocol

from tradewind.connectors.gateway.commands.asked import KEY_HEADER, Answer, Asked
from tradewind.connectors.gateway.database import AWAY, STATEMENT_S, Database
from tradewind.connectors.gateway.problems import Problem
from tradewind.connectors.kafka.json_events import EPOCH, MICROSECOND
from tradewind.connectors.postgres.connection import Connection, schema_of
from tradewind.connectors.settings import Settings

CONNECTIONS: Final = 8
"""A command holds one while Kafka writes."""
KEPT: Final = timedelta(days=30)
"""How long a key is known. A kill switch that holds keeps its key: it says who may lift it."""
WAIT_S: Final = 5.0
"""For another process that carries out the same command."""
LOOK_S: Final = 0.05
REMEDY: Final = f"ask again with the same {KEY_HEADER}, and see ./dev status"
PRUNE: Final = """
DELETE FROM commands c WHERE begun_at < $1
AND NOT EXISTS (SELECT FROM last_kill_switches k WHERE k.event_id = c.command_id)
"""
BEGIN: Final = """
INSERT INTO commands (command_id, tenant_id, user_id, route, digest, begun_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (command_id) DO NOTHING RETURNING command_id
"""
ANSWERED: Final = "UPDATE commands SET status = $2, answer = $3, answered_at = now() WHERE command_id = $1"
FORGET: Final = "DELETE FROM commands WHERE command_id = $1 AND status IS NULL"
log = logging.getLogger(__name__)


@dataclass(slots=True)
class Begun:
    """A command that this process alone may carry out now."""

    asked: Asked
    at_us: int
    """When it came in for the first time, µs: whoever carries it out makes the same event."""
    again: bool
    """Whether an earlier attempt may have carried it out."""
    answer: Answer | None = None
    """What an earlier attempt has answered."""
    forgotten: bool = False
    """Set where it was refused, so that its key is free again."""
    fresh: Answer | None = field(default=None, init=False)
    """Set to what it is answered now."""


class Keys(Protocol):
    """Who keeps the keys of commands."""

    def held(self, asked: Asked) -> AbstractAsyncContextManager[Begun]:
        """Let nobody else carry out a command meanwhile; keeps its answer at the end. Raises `Problem`."""

    async def close(self) -> None:
        """Close the connections."""


class Ledger:
    """The table `commands`. For one event loop."""

    def __init__(self, settings: Settings, now_us: Callable[[], int]) -> None:
        self._database = Database(settings, CONNECTIONS, REMEDY)
        self._schema, self._now_us = schema_of(settings), now_us

    async def close(self) -> None:
        """Close the connections."""
        await self._database.close()

    @asynccontextmanager
    async def held(self, asked: Asked) -> AsyncIterator[Begun]:
        """Let nobody else carry out a command meanwhile, and keep its answer at the end.

        Raises `Problem`: 422 if the key was used with another body, 503 while PostgreSQL is away or another process
        carries out the same command.
        """
        begun: Begun | None = None
        try:
            async with self._database.pool() as pool, pool.acquire(timeout=STATEMENT_S) as connection:
                await self._lock(connection, asked)  # type: ignore[arg-type] # a proxy of one
                try:
                    begun = await self._begin(connection, asked)  # type: ignore[arg-type]
                    try:
                        yield begun
                    finally:
                        await _keep(connection, begun)  # type: ignore[arg-type]
                finally:
                    await _unlock(connection)  # type: ignore[arg-type]
        except Problem as problem:
            if begun is None or begun.fresh is None:
                raise
            # It is carried out, and a repeat finds that on Kafka.
            log.warning("the answer to command %s is not kept: %s", asked.id, problem)

    async def _lock(self, connection: Connection, asked: Asked) -> None:
        """Take the command for this connection: PostgreSQL lets go of it if the process ends."""
        name = f"{self._schema} {asked.id}"
        for _ in range(round(WAIT_S / LOOK_S)):
            if await connection.fetchval("SELECT pg_try_advisory_lock(hashtextextended($1, 0))", name):
                return
            await asyncio.sleep(LOOK_S)
        raise in_doubt("the same command is being carried out")

    async def _begin(self, connection: Connection, asked: Asked) -> Begun:
        at_us, who = self._now_us(), asked.caller.who
        at = EPOCH + at_us * MICROSECOND
        await connection.execute(PRUNE, at - KEPT)
        values = (asked.id, who.tenant_id, who.user_id, asked.caller.action, asked.digest, at)
        if await connection.fetchval(BEGIN, *values) is not None:
            return Begun(asked, at_us, again=False)
        row = await connection.fetchrow("SELECT * FROM commands WHERE command_id = $1", asked.id)
        assert row is not None, "whoever removes it holds the lock"
        if row["digest"] != asked.digest:
            raise Problem(
                422,
                "KEY_REUSED",
                f"this {KEY_HEADER} belongs to another command of {row['begun_at']:%Y-%m-%d %H:%M:%S} UTC",
                "use a new key for another body; the same key repeats the same body",
                pointer=f"header: {KEY_HEADER}",
            )
        answer = None if row["status"] is None else Answer(row["status"], json.loads(row["answer"]))
        return Begun(asked, (row["begun_at"] - EPOCH) // MICROSECOND, again=True, answer=answer)


async def _keep(connection: Connection, begun: Begun) -> None:
    if begun.forgotten:
        await connection.execute(FORGET, begun.asked.id)
    elif begun.fresh is not None:
        body = json.dumps(begun.fresh.body, ensure_ascii=False)
        await connection.execute(ANSWERED, begun.asked.id, begun.fresh.status, body)


async def _unlock(connection: Connection) -> None:
    """Let go of the command, whether or not the connection still lives."""
    try:
        await connection.execute("SELECT pg_advisory_unlock_all()")
    except AWAY as error:
        log.warning("the lock of a command ends with its connection: %s", type(error).__name__)


def in_doubt(why: str) -> Problem:
    """Return the answer where nobody can tell yet whether a command is carried out."""
    return Problem(
        503,
        "UNKNOWN",
        f"it is not known whether the command is carried out: {why}",
        f"ask again with the same {KEY_HEADER}: it is carried out once",
        headers={"Retry-After": "1"},
    )
