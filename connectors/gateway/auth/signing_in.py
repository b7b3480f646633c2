"""How somebody shows who they are: by a one-time link, or by name and password.

Every attempt is counted before it is looked at, takes the same work whether or not there is such a user, and leaves an
audit event. No password, and no name that nobody has, is in any event, error or log.
"""

from __future__ import annotations

from typing import Final

from tradewind.connectors.gateway.auth import tries
from tradewind.connectors.gateway.auth.audits import NOBODY, Actor, keep_change, keep_refusal, unknown
from tradewind.connectors.gateway.auth.origin import Origin
from tradewind.connectors.gateway.auth.passwords import Passwords, refuse_weak
from tradewind.connectors.gateway.auth.roles import Who
from tradewind.connectors.gateway.auth.store import (
    Session,
    Store,
    User,
    begin,
    end_sessions,
    living_user,
    use_up,
    user_of,
)
from tradewind.connectors.gateway.problems import Problem
from tradewind.connectors.postgres.connection import Connection

LOGIN: Final = "POST auth/login"
SETTING: Final = "POST auth/password"


class SigningIn:
    """Logins of one process. For one event loop."""

    def __init__(self, store: Store, passwords: Passwords) -> None:
        self._store, self._passwords = store, passwords

    def close(self) -> None:
        """End the thread of passwords."""
        self._passwords.close()

    async def by_link(self, code: str, origin: Origin) -> Session:
        """Begin a session by a link, which is used up. Raises `Problem`.

        A good link is good also while its address is in a pause: so a flood keeps nobody out.
        """
        async with self._store.connection() as connection:
            async with connection.transaction():
                user = await use_up(connection, code)
                if user is not None:
                    return await self._begun(connection, user, origin, "by a link")
            await tries.take(connection, "address", origin.network)
            refused = Problem(
                401,
                "LINK_INVALID",
                "this link was used before, has expired, or never was one",
                "make another by ./dev users link",
                pointer="#/link",
            )
            await keep_refusal(connection, unknown(origin.address), LOGIN, refused)
        raise refused

    async def by_password(self, name: str, password: str, origin: Origin) -> Session:
        """Begin a session by name and password. Raises `Problem`."""
        async with self._store.connection() as connection:
            async with connection.transaction():
                of_address = await tries.take(connection, "address", origin.network)
                await tries.take(connection, "account", name)
            row = await connection.fetchrow("SELECT * FROM users WHERE name = $1", name)
        kept = None if row is None or row["disabled_at"] is not None else row["password_hash"]
        right = await self._passwords.verify(kept, password)
        async with self._store.connection() as connection:
            if right and row is not None:
                async with connection.transaction():
                    user = await _unchanged(connection, row["user_id"], kept)
                    if user is not None:
                        await tries.give_back(connection, of_address)
                        await tries.forget(connection, "account", name)
                        return await self._begun(connection, user, origin, "by a password")
            refused = Problem(
                401,
                "WRONG_LOGIN",
                "there is no such user, or the password is another",
                "correct it, or sign in by a link of ./dev users link",
            )
            actor = unknown(origin.address) if row is None else _actor(user_of(row), NOBODY, origin)
            await keep_refusal(connection, actor, LOGIN, refused)
        raise refused

    async def set_password(self, who: Who, old: str | None, new: str, origin: Origin) -> None:
        """Give the user of a session a password; whoever has one already says it. Ends the user's other sessions.

        Raises `Problem`.
        """
        async with self._store.connection() as connection:
            row = await connection.fetchrow(
                "SELECT u.* FROM users u JOIN sessions s USING (user_id) WHERE s.session_id = $1 AND user_id = $2 "
                "AND s.ended_at IS NULL AND u.disabled_at IS NULL",
                *(who.session_id, who.user_id),
            )
            if row is None:
                raise Problem(403, "NOT_A_PERSON", "a key of a machine has no password", "sign in, and change it there")
            refuse_weak(new, row["name"])
            kept = row["password_hash"]
            if kept is not None:
                await tries.take(connection, "account", row["name"])
        if kept is not None:
            await self._require_old(row["name"], kept, old, _actor(user_of(row), who.session_id, origin))
        made = await self._passwords.hashed(new)
        async with self._store.connection() as connection, connection.transaction():
            changed = await connection.fetchval(
                "UPDATE users SET password_hash = $2 WHERE user_id = $1 AND disabled_at IS NULL "
                "AND password_hash IS NOT DISTINCT FROM $3 RETURNING name",
                *(who.user_id, made, kept),
            )
            if changed is None:
                raise Problem(409, "CHANGED_MEANWHILE", "the user was changed meanwhile", "look again, and repeat it")
            await tries.forget(connection, "account", changed)
            await connection.execute("DELETE FROM login_links WHERE user_id = $1", who.user_id)
            ended = await end_sessions(connection, who.user_id, "the password was changed", who.session_id)
            actor = _actor(user_of(row), who.session_id, origin)
            detail = f"{'set' if kept is None else 'changed'} the password; {ended} other sessions have ended"
            await keep_change(connection, actor, SETTING, subject=changed, detail=detail, tenant_id=who.tenant_id)

    async def _require_old(self, name: str, kept: str, old: str | None, actor: Actor) -> None:
        if old is not None and await self._passwords.verify(kept, old):
            return
        refused = Problem(
            403,
            "WRONG_PASSWORD",
            "this is not the password that the user has",
            f"correct it, or have it reset: ./dev users reset {name}",
            pointer="#/old",
        )
        async with self._store.connection() as connection:
            await keep_refusal(connection, actor, SETTING, refused)
        raise refused

    async def _begun(self, connection: Connection, user: User, origin: Origin, how: str) -> Session:
        session = await begin(connection, user, origin.address)
        actor = _actor(user, session.session_id, origin)
        await keep_change(
            connection, actor, LOGIN, subject=user.name, detail=f"signed in {how}", tenant_id=user.tenant_id
        )
        return session


async def _unchanged(connection: Connection, user_id: str, kept: str | None) -> User | None:
    """Return a user whose password is still the one that was verified, and hold it so until the session has begun."""
    found = await connection.fetchval(
        "SELECT user_id FROM users WHERE user_id = $1 AND password_hash = $2 FOR UPDATE", user_id, kept
    )
    return None if found is None else await living_user(connection, found)


def _actor(user: User, session_id: str, origin: Origin) -> Actor:
    return Actor(user.user_id, user.role, user.tenant_id, session_id, origin.address)
