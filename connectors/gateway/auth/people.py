"""Users and their sessions: who there is, and what owners and operators change, each with its audit event.

An owner's scope is the tenant, an operator's is None. What is out of a scope does not exist in it.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any, Final

import asyncpg

from tradewind.connectors.gateway.auth import second_factor, tries
from tradewind.connectors.gateway.auth.audits import TERMINAL, Actor, keep_change
from tradewind.connectors.gateway.auth.store import OPERATOR, Store, end_sessions, new_link, not_a_person
from tradewind.connectors.gateway.problems import Problem, meant
from tradewind.connectors.postgres.connection import Connection
from tradewind.schemas.ranges import NAME_CHARACTERS

MOST: Final = 1_000
"""Users or sessions of a list."""
USERS: Final = """
SELECT u.user_id, name, role, tenant_id, created_at, disabled_at IS NOT NULL AS disabled,
    password_hash IS NOT NULL AS has_password, totp IS NOT NULL AS has_second_factor,
    (SELECT count(*) FROM sessions s WHERE s.user_id = u.user_id AND ended_at IS NULL AND expires_at > now())
        AS sessions,
    (SELECT max(rotated_at) FROM sessions s WHERE s.user_id = u.user_id) AS seen_at
FROM users u WHERE $1::text IS NULL OR tenant_id = $1 ORDER BY name LIMIT $2
"""
SESSIONS: Final = """
SELECT session_id, u.user_id, u.name AS user_name, u.role, u.tenant_id, s.created_at, s.rotated_at AS seen_at,
    s.expires_at, s.address, s.agent, s.remote
FROM sessions s JOIN users u USING (user_id)
WHERE s.ended_at IS NULL AND s.expires_at > now() AND u.disabled_at IS NULL
    AND ($1::text IS NULL OR u.tenant_id = $1) AND ($2::text IS NULL OR u.user_id = $2)
ORDER BY s.rotated_at DESC, s.session_id LIMIT $3
"""
END: Final = """
UPDATE sessions s SET ended_at = now(), ended_because = 'ended by ' || $4 FROM users u
WHERE s.session_id = $1 AND u.user_id = s.user_id AND s.ended_at IS NULL
    AND ($2::text IS NULL OR u.tenant_id = $2) AND ($3::text IS NULL OR u.user_id = $3)
RETURNING u.name, u.tenant_id
"""


class People:
    """Reads and changes users. For one event loop."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def users(self, scope: str | None) -> list[dict[str, Any]]:
        """Return users by name, with how they sign in and the number of their sessions."""
        async with self._store.connection() as connection:
            return [_told(row) for row in await connection.fetch(USERS, scope, MOST)]

    async def sessions(self, scope: str | None, user_id: str | None) -> list[dict[str, Any]]:
        """Return the sessions that live, of one user or of all in a scope; who was seen last comes first."""
        async with self._store.connection() as connection:
            return [_told(row) for row in await connection.fetch(SESSIONS, scope, user_id, MOST)]

    async def recovery_codes(self, user_id: str) -> int:
        """Return how many recovery codes a user has left."""
        async with self._store.connection() as connection:
            return int(await connection.fetchval("SELECT count(*) FROM recovery_codes WHERE user_id = $1", user_id))

    async def end_session(self, actor: Actor, session_id: str, scope: str | None, user_id: str | None) -> None:
        """End a session of one user, or of anybody in a scope. Raises `Problem` (404)."""
        async with self._store.connection() as connection, connection.transaction():
            await _require_person(connection, actor)
            row = await connection.fetchrow(END, session_id, scope, user_id, actor.user_id)
            if row is None:
                raise Problem(
                    404, "UNKNOWN_SESSION", "there is no such session, or it has ended", "look at the list again"
                )
            await keep_change(
                connection,
                actor,
                "DELETE auth/sessions/{id}",
                subject=row["name"],
                detail=f"ended the session {session_id}",
                tenant_id=row["tenant_id"],
            )

    async def add(self, actor: Actor, name: str, role: str, tenant_id: str | None, user_id: str | None = None) -> str:
        """Create a user, and return the code of a link for the first login.

        A repeat names the same `user_id`. Until the user has signed in, the repeat makes another link, and ends the
        first one. Raises `Problem`: 403, 422 for a name that events cannot have, and 409 for one that is taken.
        """
        for what, text in (("name", name), *([] if tenant_id is None else [("tenant", tenant_id)])):
            if not (text.isprintable() and 1 <= len(text) <= NAME_CHARACTERS):
                raise Problem(
                    422,
                    "INVALID",
                    f"a name has 1 to {NAME_CHARACTERS} characters that can be printed",
                    "choose another name",
                    pointer=f"#/{what}",
                )
        asked_id, user_id = user_id, user_id or secrets.token_hex(8)
        async with self._store.connection() as connection, connection.transaction():
            await _require_person(connection, actor)
            found = await connection.fetchval(
                "INSERT INTO users (user_id, name, role, tenant_id) VALUES ($1, $2, $3, $4) "
                "ON CONFLICT DO NOTHING RETURNING user_id",
                *(user_id, name, role, tenant_id),
            )
            if found is None:
                if asked_id is not None:
                    await _require_same(connection, asked_id, name, tenant_id)
                    await connection.execute("DELETE FROM login_links WHERE user_id = $1", asked_id)
                    detail = "asked again: made another link"
                    await keep_change(connection, actor, "POST users", subject=name, detail=detail, tenant_id=tenant_id)
                    return await new_link(connection, asked_id)
                raise _taken(name)
            after = {"role": role, "tenant": tenant_id}
            await keep_change(
                connection, actor, "POST users", subject=name, detail="created", tenant_id=tenant_id, after=after
            )
            return await new_link(connection, user_id)

    async def link(self, actor: Actor, name: str) -> str:
        """Return the code of a link by which a user signs in once. Raises `Problem` (404)."""
        if name == OPERATOR:
            await self._store.ensure_operator()
        async with self._store.connection() as connection, connection.transaction():
            row = await _held(connection, name, None, actor)
            await _keep(connection, actor, "link", row, detail="made a link that signs in once")
            return await new_link(connection, row["user_id"])

    async def set_role(self, actor: Actor, name: str, role: str, scope: str | None) -> None:
        """Give a user another role. Raises `Problem`: where it does not go with the user's tenant, or for oneself."""
        async with self._store.connection() as connection, connection.transaction():
            row = await _held(connection, name, scope, actor)
            if (row["tenant_id"] is None) != (role == "operator"):
                raise Problem(
                    409,
                    "ROLE_OF_ANOTHER_KIND",
                    f"{name} cannot be {role}: operators have no tenant, and all others have one",
                    "create another user by ./dev users add",
                )
            await connection.execute("UPDATE users SET role = $2 WHERE user_id = $1", row["user_id"], role)
            before, after = {"role": row["role"]}, {"role": role}
            await _keep(
                connection, actor, "role", row, detail=f"{row['role']} is now {role}", before=before, after=after
            )

    async def disable(self, actor: Actor, name: str, scope: str | None) -> int:
        """End a user's sessions, and let the user sign in no more; returns how many have ended. Raises `Problem`."""
        async with self._store.connection() as connection, connection.transaction():
            row = await _held(connection, name, scope, actor)
            await connection.execute(
                "UPDATE users SET disabled_at = coalesce(disabled_at, now()) WHERE user_id = $1", row["user_id"]
            )
            await connection.execute("DELETE FROM login_links WHERE user_id = $1", row["user_id"])
            ended = await end_sessions(connection, row["user_id"], "the user was disabled")
            before, after = {"disabled": row["disabled_at"] is not None}, {"disabled": True}
            await _keep(
                connection,
                actor,
                "disable",
                row,
                detail=f"disabled; {ended} sessions have ended",
                before=before,
                after=after,
            )
            return ended

    async def reset(self, actor: Actor, name: str, scope: str | None) -> str:
        """Take a user's password, second factor, links and sessions, and return the code of a link for a new start.

        A user who was disabled is enabled again. Raises `Problem`.
        """
        async with self._store.connection() as connection, connection.transaction():
            row = await _held(connection, name, scope, actor)
            await connection.execute(
                "UPDATE users SET password_hash = NULL, disabled_at = NULL WHERE user_id = $1", row["user_id"]
            )
            await second_factor.remove(connection, row["user_id"])
            await connection.execute("DELETE FROM login_links WHERE user_id = $1", row["user_id"])
            ended = await end_sessions(connection, row["user_id"], "the user was reset")
            await tries.forget(connection, "account", name)
            detail = f"reset: {ended} sessions have ended; password and second factor are gone"
            await _keep(connection, actor, "reset", row, detail=detail)
            return await new_link(connection, row["user_id"])


async def _require_person(connection: Connection, actor: Actor) -> None:
    """Raise `Problem` (403) unless it is somebody at a terminal, or in a session that lives, with the role of now."""
    if actor == TERMINAL:
        return
    role = await connection.fetchval(
        "SELECT role FROM users u JOIN sessions s USING (user_id) WHERE s.session_id = $1 AND user_id = $2 "
        "AND s.ended_at IS NULL AND u.disabled_at IS NULL",
        *(actor.session_id, actor.user_id),
    )
    if role is None:
        raise not_a_person()
    if role != actor.role:
        raise Problem(403, "ROLE_CHANGED", f"your role is {role} now", "get another token by POST /api/v1/auth/refresh")


async def _require_same(connection: Connection, user_id: str, name: str, tenant_id: str | None) -> None:
    """Raise `Problem` unless an earlier attempt has created this user, who has not signed in yet."""
    row = await connection.fetchrow(
        "SELECT *, EXISTS (SELECT FROM sessions s WHERE s.user_id = u.user_id) AS came FROM users u WHERE user_id = $1",
        user_id,
    )
    if row is None:
        raise _taken(name)
    if (row["name"], row["tenant_id"]) != (name, tenant_id):
        raise Problem(
            422,
            "KEY_REUSED",
            f"this Idempotency-Key has created the user {row['name']}",
            "use a new key for another user",
            pointer="header: Idempotency-Key",
        )
    if row["came"] or row["disabled_at"] is not None or row["password_hash"] is not None:
        raise Problem(
            409,
            "USER_EXISTS",
            f"{name} was created by this command, and has signed in or was disabled since",
            "reset the user to make another link",
            pointer="#/name",
        )


def _taken(name: str) -> Problem:
    remedy = "choose another name, or change that user's role"
    return Problem(409, "USER_EXISTS", f"there is a user {name}", remedy, pointer="#/name")


async def _held(connection: Connection, name: str, scope: str | None, actor: Actor) -> asyncpg.Record:
    """Return a user of a scope, locked. Raises `Problem`: 403, 404, and 409 for what nobody does to oneself."""
    await _require_person(connection, actor)
    row = await connection.fetchrow(
        "SELECT * FROM users WHERE name = $1 AND ($2::text IS NULL OR tenant_id = $2) FOR UPDATE", name, scope
    )
    if row is None:
        known = await connection.fetch(
            "SELECT name FROM users WHERE $1::text IS NULL OR tenant_id = $1 ORDER BY name LIMIT $2", scope, MOST
        )
        hint = meant(name, [one["name"] for one in known], "./dev users list shows them")
        raise Problem(404, "UNKNOWN_USER", f"there is no user {name}", hint)
    if row["user_id"] == actor.user_id:
        raise Problem(
            409, "YOURSELF", "nobody changes the own role, or takes the own login", "ask another owner or operator"
        )
    return row


async def _keep(
    connection: Connection,
    actor: Actor,
    what: str,
    row: asyncpg.Record,
    *,
    detail: str,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    await keep_change(
        connection,
        actor,
        f"POST users/{{name}}/{what}",
        subject=row["name"],
        detail=detail,
        tenant_id=row["tenant_id"],
        before=before,
        after=after,
    )


def _told(row: asyncpg.Record) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}
