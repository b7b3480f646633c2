"""One connection to a Valkey or Redis, for commands that are sent together and must never hold anybody up."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError

from tradewind.connectors.settings import RedisSettings, revealed

Command = Sequence[bytes | str | int]


class Link:
    """A connection that is made when it is needed, and closed by whatever goes wrong on it."""

    def __init__(self, settings: RedisSettings) -> None:
        """Take the address of the settings, which must name one."""
        assert settings.url is not None
        secret = revealed(settings.password)
        given = {} if secret is None else {"username": settings.user, "password": secret}
        pool = ConnectionPool.from_url(
            settings.url,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=None,  # `ask` has its own, and the package's would swallow the end of a task
            **given,
        )
        self._connection: AbstractConnection = pool.make_connection()  # type: ignore[no-untyped-call]

    async def ask(self, commands: Sequence[Command], within_s: float) -> list[Any]:
        """Send commands at once, and return their replies in order; a refused one has its `ResponseError`.

        Raises `OSError`, `TimeoutError` or `RedisError` if there is no server, or if it takes longer than `within_s`
        seconds. What became of the commands is then unknown.
        """
        connection = self._connection
        try:
            async with asyncio.timeout(within_s):
                await connection.connect_check_health(check_health=False)
                await connection.send_packed_command(connection.pack_commands(commands), check_health=False)
                return [await self._reply() for _ in commands]
        except BaseException:
            await connection.disconnect(nowait=True)
            raise

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.disconnect(nowait=True)

    async def _reply(self) -> Any:
        try:
            return await self._connection.read_response(disconnect_on_error=False)
        except ResponseError as error:
            return error


def tenant_key(namespace: str, tenant_id: str, *parts: str) -> str:
    """Return a key of a tenant: the tenant first, and written so that no other tenant's key can be equal."""
    return "/".join(quote(part, safe="") for part in (tenant_id, namespace or "-", *parts))
