"""PostgreSQL as the gateway asks it: connections that open with the first question, and one answer while it is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg

from tradewind.connectors.gateway.problems import Problem
from tradewind.connectors.postgres.connection import LOST, Pool, pool
from tradewind.connectors.settings import Settings

STATEMENT_S: Final = 3.0
"""Each statement finds its rows by an index: milliseconds."""
AWAY: Final = (
    *LOST,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
)
"""What a server raises that is away, starts, stops or has no connection left. Anything else is a bug of ours."""


class Database:
    """A pool of connections. For one event loop."""

    def __init__(self, settings: Settings, connections: int, remedy: str) -> None:
        """Open `connections` at most; `remedy` says what to do while PostgreSQL is away."""
        self._settings, self._connections, self._remedy = settings, connections, remedy
        self._pool: Pool | None = None
        self._opening = asyncio.Lock()

    async def close(self) -> None:
        """Close the connections."""
        if self._pool is not None:
            self._pool.terminate()

    @asynccontextmanager
    async def pool(self) -> AsyncIterator[Pool]:
        """Lend the pool; raises `Problem` (503) where PostgreSQL does not answer."""
        try:
            yield await self._opened()
        except AWAY as error:
            raise Problem(
                503,
                "STORE_AWAY",
                f"PostgreSQL does not answer: {type(error).__name__}",
                self._remedy,
                headers={"Retry-After": "2"},
            ) from error

    async def _opened(self) -> Pool:
        if self._pool is None:
            async with self._opening:
                if self._pool is None:
                    self._pool = await pool(self._settings, self._connections, STATEMENT_S)
        return self._pool
