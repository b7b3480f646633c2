"""Users, one-time links and sessions in PostgreSQL. Links and refresh tokens are kept as hashes alone."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import asyncpg

from tradewind.connectors.gateway.auth import machine_keys
from tradewind.connectors.gateway.auth.audits import TERMINAL, keep_change, send
from tradewind.connectors.gateway.auth.machine_keys import NewKey
from tradewind.connectors.gateway.auth.origin import Origin
from tradewind.connectors.gateway.auth.roles import Role
from tradewind.connectors.gateway.database import STATEMENT_S, Database
from tradewind.connectors.gateway.problems import Problem, meant
from tradewind.connectors.postgres.connection import Connection
from tradewind.connectors.settings import Settings
from tradewind.schemas.tenancy import AuditEvent

LINK_S: Final = 3600
SESSION_S: Final = 30 * 24 * 3600
"""A session that nobody refreshes for so long ends."""
TWO_TABS_S: Final = 10
"""How long the refresh token before the last is still good: two tabs may refresh at once. Later use is theft."""
TOKEN_BYTES: Final = 32
CONNECTIONS: Final = 4
"""Logins and refreshes take milliseconds; reads of tables have a pool of their own."""
OPERATOR = "operator"
"""The user that the first link is for."""


@dataclass(frozen=True, slots=True)
class User:
    """A user, as a session needs it."""

    user_id: str
    name: str
    role: Role
    tenant_id: str | None
    has_password: bool = False
    has_second_factor: bool = False


@dataclass(frozen=True, slots=True)
class Session:
    """A session that has just begun or gone on."""

    session_id: str
    user: User
    refresh: bytes
    """The token that the next refresh needs; only its hash is kept."""
    remote: bool = False
    """Whether it was used over a network."""

    @property
    def must_enrol(self) -> bool:
        """Whether its user gets no further without a second factor."""
        return self.remote and not self.user.has_second_factor


class Store:
    """The tables of `access`. For one event loop."""

    def __init__(self, settings: Settings, two_tabs_s: float = TWO_TABS_S) -> None:
        self._two_tabs = timedelta(seconds=two_tabs_s)
        self._database = Database(settings, CONNECTIONS, "nothing was changed; try again, and see ./dev status")

    async def close(self) -> None:
        """Close the connections."""
        await self._database.close()

    async def ensure_operator(self) -> str:
        """Return the id of a user who may do everything; makes one where there is none."""
        async with self.connection() as connection:
            found = await connection.fetchval(
                "INSERT INTO users (user_id, name, role) VALUES ($1, $2, 'operator') "
                "ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING user_id",
                secrets.token_hex(8),
                OPERATOR,
            )
        return str(found)

    async def user_id(self, name: str) -> str:
        """Return the id of a user, the first operator's also before anybody has signed in; raises `Problem` (404)."""
        if name == OPERATOR:
            return await self.ensure_operator()
        async with self.connection() as connection:
            found = await connection.fetchval("SELECT user_id FROM users WHERE name = $1", name)
            if found is None:
                known = [
                    row["name"] for row in await connection.fetch("SELECT name FROM users ORDER BY name LIMIT 1000")
                ]
                hint = meant(name, known, "./dev users list shows them")
                raise Problem(404, "UNKNOWN_USER", f"there is no user {name}", hint)
        return str(found)

    async def name_of(self, user_id: str) -> str:
        """Return the name of a user, or the id where the user was removed. Raises `Problem` (503)."""
        async with self.connection() as connection:
            found = await connection.fetchval("SELECT name FROM users WHERE user_id = $1", user_id)
        return user_id if found is None else str(found)

    async def new_link(self, user_id: str) -> str:
        """Return the code of a link by which a user signs in once, within an hour."""
        async with self.connection() as connection:
            return await new_link(connection, user_id)

    async def refresh(self, token: bytes, successor: Callable[[bytes], bytes], *, remote: bool = False) -> Session:
        """Go on with a session: its token is used up, and its successor is what the next refresh needs.

        A session that was used over a network once (`remote`) is one of the network from then on.

        For some seconds the token before gets the same successor. After that its use ends the session: somebody has a
        copy. Raises `Problem`.
        """
        given = hash_of(token)
        async with self.connection() as connection, connection.transaction():
            row = await connection.fetchrow(
                "SELECT *, ended_at IS NULL AND expires_at > now() AS lives, "
                "now() - rotated_at < $2 AS recent FROM sessions "
                "WHERE refresh_hash = $1 OR previous_hash = $1 FOR UPDATE",
                given,
                self._two_tabs,
            )
            user = await living_user(connection, row["user_id"]) if row is not None and row["lives"] else None
            if row is None or user is None:
                raise _signed_out("there is no session of this cookie, or it has ended")
            following = successor(token)
            if row["refresh_hash"] == given or row["recent"]:
                remote = remote or row["remote"]
                await connection.execute(
                    "UPDATE sessions SET remote = $2 WHERE session_id = $1", row["session_id"], remote
                )
                if row["refresh_hash"] == given:
                    await connection.execute(
                        "UPDATE sessions SET refresh_hash = $2, previous_hash = $3, rotated_at = now(), "
                        "expires_at = now() + $4 WHERE session_id = $1",
                        *(row["session_id"], hash_of(following), given, timedelta(seconds=SESSION_S)),
                    )
                return Session(row["session_id"], user, following, remote)
            await _end(connection, row["session_id"], "its refresh token was used twice")
        raise _signed_out("the refresh token was used before, so the session has ended: somebody may have a copy of it")

    async def living_keys(self) -> list[Mapping[str, Any]]:
        """Return the machines' keys that live, as `MachineKeys` takes them."""
        async with self.connection() as connection:
            return await machine_keys.living(connection)

    async def add_key(self, name: str, role: Role | None, days: int, label: str) -> NewKey:
        """Make a key of a user; raises `Problem`."""
        user_id = await self.user_id(name)
        async with self.connection() as connection, connection.transaction():
            made = await machine_keys.add(connection, user_id, role, days, label)
            tenant_id = await connection.fetchval("SELECT tenant_id FROM users WHERE user_id = $1", user_id)
            detail = f"made key {made.key_id}, good for {days} days"
            await keep_change(connection, TERMINAL, "POST auth/keys", subject=name, detail=detail, tenant_id=tenant_id)
            return made

    async def keys(self, tenant_id: str | None) -> list[dict[str, Any]]:
        """Return the machines' keys of a tenant, or of all."""
        async with self.connection() as connection:
            return await machine_keys.listed(connection, tenant_id)

    async def revoke_key(self, key_id: str) -> None:
        """End a machine's key; raises `Problem` (404)."""
        async with self.connection() as connection, connection.transaction():
            row = await machine_keys.revoke(connection, key_id)
            await keep_change(
                connection,
                TERMINAL,
                "DELETE auth/keys/{id}",
                subject=row["name"],
                detail=f"ended key {key_id}",
                tenant_id=row["tenant_id"],
            )

    async def send_audits(self, write: Callable[[AuditEvent], Awaitable[None]]) -> int:
        """Send audit events that wait, oldest first, and return how many were sent. Raises `Problem`."""
        async with self.connection() as connection:
            return await send(connection, write)

    async def end(self, session_id: str, why: str) -> None:
        """End a session."""
        async with self.connection() as connection:
            await _end(connection, session_id, why)

    async def ended_within(self, seconds: float) -> list[str]:
        """Return the sessions that have ended in the last seconds."""
        async with self.connection() as connection:
            rows = await connection.fetch(
                "SELECT session_id FROM sessions WHERE ended_at > now() - $1::interval", timedelta(seconds=seconds)
            )
        return [row["session_id"] for row in rows]

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection; raises `Problem` (503) where PostgreSQL does not answer."""
        async with self._database.pool() as pool, pool.acquire(timeout=STATEMENT_S) as connection:
            yield connection  # type: ignore[misc] # a proxy of it


async def find_link(connection: Connection, code: str) -> str | None:
    """Return whose a link is; None where it is not good."""
    found = await connection.fetchval(
        "SELECT user_id FROM login_links WHERE hash = $1 AND expires_at > now()", hash_of(code.encode())
    )
    return None if found is None else str(found)


async def use_up(connection: Connection, code: str) -> bool:
    """Use up a link; returns whether nobody has meanwhile."""
    deleted = "DELETE FROM login_links WHERE hash = $1 AND expires_at > now() RETURNING user_id"
    return await connection.fetchval(deleted, hash_of(code.encode())) is not None


async def begin(connection: Connection, user: User, origin: Origin) -> Session:
    """Begin a session of a user who has shown to be that."""
    session_id, refresh = secrets.token_hex(8), secrets.token_bytes(TOKEN_BYTES)
    await connection.execute(
        "INSERT INTO sessions (session_id, user_id, refresh_hash, expires_at, address, remote, agent) "
        "VALUES ($1, $2, $3, now() + $4, $5, $6, $7)",
        *(session_id, user.user_id, hash_of(refresh), timedelta(seconds=SESSION_S)),
        *(origin.address, origin.remote, origin.agent),
    )
    return Session(session_id, user, refresh, origin.remote)


async def living_user(connection: Connection, user_id: str) -> User | None:
    """Return a user; None for one who is disabled."""
    row = await connection.fetchrow("SELECT * FROM users WHERE user_id = $1 AND disabled_at IS NULL", user_id)
    return None if row is None else user_of(row)


def user_of(row: asyncpg.Record) -> User:
    """Return the user of a row of `users`."""
    return User(
        row["user_id"],
        row["name"],
        row["role"],
        row["tenant_id"],
        row["password_hash"] is not None,
        row["totp"] is not None,
    )


def not_a_person() -> Problem:
    """Return the answer to a machine that does what takes a person."""
    return Problem(
        403, "NOT_A_PERSON", "a key of a machine may not do this", "sign in by a link or a password, and do it there"
    )


async def end_sessions(connection: Connection, user_id: str, why: str, but: str | None = None) -> int:
    """End a user's sessions, but for one; returns how many have ended."""
    ended = await connection.fetch(
        "UPDATE sessions SET ended_at = now(), ended_because = $2 "
        "WHERE user_id = $1 AND ended_at IS NULL AND session_id IS DISTINCT FROM $3 RETURNING session_id",
        *(user_id, why, but),
    )
    return len(ended)


async def new_link(connection: Connection, user_id: str) -> str:
    """Return the code of a link by which a user signs in once, within an hour."""
    code = secrets.token_urlsafe(TOKEN_BYTES)
    await connection.execute("DELETE FROM login_links WHERE expires_at < now()")
    await connection.execute(
        "INSERT INTO login_links VALUES ($1, $2, now() + $3)",
        *(hash_of(code.encode()), user_id, timedelta(seconds=LINK_S)),
    )
    return code


async def _end(connection: Connection, session_id: str, why: str) -> None:
    await connection.execute(
        "UPDATE sessions SET ended_at = now(), ended_because = $2 WHERE session_id = $1 AND ended_at IS NULL",
        session_id,
        why,
    )


def _signed_out(detail: str) -> Problem:
    return Problem(401, "SIGNED_OUT", detail, "sign in again")


def hash_of(token: bytes) -> bytes:
    """Return what is kept of a token or a link."""
    return hashlib.sha256(token).digest()
