"""A connection to PostgreSQL, in the schema of the namespace."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import asyncpg

from tradewind.connectors.settings import ServiceNotConfigured, Settings

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
CONNECT_S = 5.0  # a server on the same network answers in milliseconds
STATEMENT_S = 30.0  # a batch takes 0.2 s; what takes longer waits for a lock or a disk, and is tried again
IDLE_IN_TRANSACTION_MS = 10_000  # a process that was stopped in a transaction lets go of its partitions after it
LOST: Final = (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What asyncpg raises where the connection is lost, and not by the server's answer.

The last one comes while the server's farewell has been read and the end of the connection has not. Only a new
connection helps.
"""


def schema_of(settings: Settings) -> str:
    """Return the schema of a namespace's tables: `public` where there is no namespace, for psql shows that first."""
    return settings.namespace.rstrip(".") or "public"


async def connect(settings: Settings) -> Connection:
    """Connect; raises `OSError` or `asyncpg.PostgresError`."""
    url, options = _options(settings, STATEMENT_S)
    return await asyncpg.connect(url, **options)


def pool(settings: Settings, size: int, statement_s: float) -> Pool:
    """Return connections for many to share, `size` at most, which are made as they are needed: `await` it to begin.

    No statement may take longer than `statement_s`.
    """
    url, options = _options(settings, statement_s)
    return asyncpg.create_pool(url, min_size=0, max_size=size, **options)


def _options(settings: Settings, statement_s: float) -> tuple[str, dict[str, Any]]:
    postgres = settings.postgres
    if postgres.url is None:
        raise ServiceNotConfigured("no PostgreSQL is known: start one with `./dev up`, or set TRADEWIND_POSTGRES__URL")
    return postgres.url, {
        "user": postgres.user,
        "password": None if postgres.password is None else postgres.password.get_secret_value(),
        "timeout": CONNECT_S,
        "command_timeout": statement_s,
        "server_settings": {
            "search_path": f'"{schema_of(settings)}"',
            "application_name": "tradewind",
            "timezone": "UTC",
            "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_MS),
        },
    }
