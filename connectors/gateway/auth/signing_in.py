"""How somebody shows who they are: by a one-time link, or by name and password, and then by a second factor.

Every attempt is counted before it is looked at, takes the same work whether or not there is such a user, and leaves an
audit event. No password, and no name that nobody has, is in any event, error or log.
"""

from __future__ import annotations

from typing import Final

import asyncpg

from tradewind.connectors.gateway.auth import second_factor, tries
from tradewind.connectors.gateway.auth.audits import NOBODY, Actor, keep_change, keep_refusal, unknown
from tradewind.connectors.gateway.auth.origin import Origin
from tradewind.connectors.gateway.auth.passwords import Passwords, refuse_weak
from tradewind.connectors.gateway.auth.roles import Who
from tradewind.connectors.gateway.auth.second_factor import Enrolment, SecondFactors
from tradewind.connectors.gateway.auth.store import (
    Session,
    Store,
    begin,
    end_sessions,
    find_link,
    not_a_person,
    use_up,
    user_of,
)
from tradewind.connectors.gateway.problems import Problem
from tradewind.connectors.postgres.connection import Connection

LOGIN: Final = "POST auth/login"
SETTING: Final = "POST auth/password"
FACTOR: Final = "POST auth/totp"
LIVING: Final = "SELECT * FROM users WHERE user_id = $1 AND disabled_at IS NULL FOR UPDATE"
OF_SESSION: Final = """
SELECT u.* FROM users u JOIN sessions s USING (user_id)
WHERE s.session_id = $1 AND user_id = $2 AND s.ended_at IS NULL AND u.disabled_at IS NULL FOR UPDATE OF u
"""


class SigningIn:
    """Logins of one process. For one event loop."""

    def __init__(self, store: Store, passwords: Passwords, factors: SecondFactors) -> None:
        self._store, self._passwords, self._factors = store, passwords, factors

    def close(self) -> None:
        """End the thread of passwords."""
        self._passwords.close()

    async def by_link(self, link: str, code: str | None, origin: Origin) -> Session:
        """Begin a session by a link, which is used up. Raises `Problem`.

        A good link is good also while its address is in a pause: so a flood keeps nobody out. Over a network, whoever
        has a second factor gives its code as well, and the link stays until then.
        """
        async with self._store.connection() as connection:
            async with connection.transaction():
                user_id = await find_link(connection, link)
                row = None if user_id is None else await connection.fetchrow(LIVING, user_id)
                refused: Problem | None = None
                if row is not None and origin.remote and row["totp"] is not None:
                    refused = await self._counted(connection, row, code)
                if row is not None and refused is None and await use_up(connection, link):
                    return await self._begun(connection, row, origin, "by a link")
            if row is not None and refused is not None:
                await _keep_refusal(connection, _actor(row, NOBODY, origin), refused)
                raise refused
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

    async def by_password(self, name: str, password: str, code: str | None, origin: Origin) -> Session:
        """Begin a session by name and password, and the code of whoever has a second factor. Raises `Problem`."""
        async with self._store.connection() as connection:
            async with connection.transaction():
                of_address = await tries.take(connection, "address", origin.network)
                of_account = await tries.take(connection, "account", name)
            row = await connection.fetchrow("SELECT * FROM users WHERE name = $1", name)
        kept = None if row is None or row["disabled_at"] is not None else row["password_hash"]
        right = await self._passwords.verify(kept, password)
        refused = Problem(
            401,
            "WRONG_LOGIN",
            "there is no such user, or the password is another",
            "correct it, or sign in by a link of ./dev users link",
        )
        async with self._store.connection() as connection:
            async with connection.transaction():
                held = None if row is None or not right else await connection.fetchrow(LIVING, row["user_id"])
                if held is not None and held["password_hash"] == kept:  # no other one since it was verified
                    wrong = None if held["totp"] is None else await self._wrong_code(connection, held, code)
                    if wrong is None or wrong.code == "CODE_WANTED":  # all that was given is right
                        await tries.give_back(connection, of_address)
                        await tries.give_back(connection, of_account)
                    if wrong is None:
                        await tries.forget(connection, "account", name)
                        return await self._begun(connection, held, origin, "by a password")
                    refused = wrong
            actor = unknown(origin.address) if row is None else _actor(row, NOBODY, origin)
            await _keep_refusal(connection, actor, refused)
        raise refused

    async def set_password(self, who: Who, old: str | None, new: str, origin: Origin) -> None:
        """Give the user of a session a password; whoever has one already says it. Ends the user's other sessions.

        Raises `Problem`.
        """
        async with self._store.connection() as connection:
            row = await _person(connection, who)
            refuse_weak(new, row["name"])
            kept = row["password_hash"]
            if kept is not None:
                await tries.take(connection, "account", row["name"])
        actor = _actor(row, who.session_id, origin)
        if kept is not None:
            await self._require_old(row["name"], kept, old, actor)
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
            detail = f"{'set' if kept is None else 'changed'} the password; {ended} other sessions have ended"
            await keep_change(connection, actor, SETTING, subject=changed, detail=detail, tenant_id=who.tenant_id)

    async def begin_factor(self, who: Who) -> Enrolment:
        """Give the user of a session what an app makes codes by; it counts once `confirm_factor` has one.

        Raises `Problem`.
        """
        async with self._store.connection() as connection, connection.transaction():
            row = await _person(connection, who)
            _require(row, there=False)
            return await self._factors.begin(connection, row)

    async def confirm_factor(self, who: Who, code: str, origin: Origin) -> list[str]:
        """Take the second factor that was begun, and return its recovery codes. Raises `Problem`."""
        async with self._store.connection() as connection, connection.transaction():
            row = await _person(connection, who)
            _require(row, there=False)
            codes = await self._factors.confirm(connection, row, code)
            if codes is None:
                raise _wrong_code()
            await _keep_factor(connection, row, who, origin, "a second factor is wanted from now on")
            return codes

    async def remove_factor(self, who: Who, code: str, origin: Origin) -> None:
        """Remove the second factor of a session's user, by one of its codes. Raises `Problem`."""
        async with self._store.connection() as connection:
            async with connection.transaction():
                row = await _person(connection, who)
                _require(row, there=True)
                refused = await self._counted(connection, row, code)
                if refused is None:
                    await second_factor.remove(connection, row["user_id"])
                    await _keep_factor(connection, row, who, origin, "the second factor is removed")
                    return
            await keep_refusal(connection, _actor(row, who.session_id, origin), FACTOR, refused)
        raise refused

    async def _counted(self, connection: Connection, row: asyncpg.Record, code: str | None) -> Problem | None:
        """Return what is wrong with a code, whose try counts for the account. Raises `Problem` (429) in a pause."""
        if code is not None:
            await tries.take(connection, "account", row["name"])
        wrong = await self._wrong_code(connection, row, code)
        if wrong is None:
            await tries.forget(connection, "account", row["name"])
        return wrong

    async def _wrong_code(self, connection: Connection, row: asyncpg.Record, code: str | None) -> Problem | None:
        """Return what is wrong with the code of a second factor; a right one is used up."""
        if code is None:
            return Problem(
                401,
                "CODE_WANTED",
                "this user signs in with a second factor",
                "send the same with a code of the app, or a recovery code, as `code`",
                pointer="#/code",
            )
        return None if await self._factors.use(connection, row, code) else _wrong_code()

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

    async def _begun(self, connection: Connection, row: asyncpg.Record, origin: Origin, how: str) -> Session:
        session = await begin(connection, user_of(row), origin)
        with_code = " and a second factor" if row["totp"] is not None and (origin.remote or how != "by a link") else ""
        await keep_change(
            connection,
            _actor(row, session.session_id, origin),
            LOGIN,
            subject=row["name"],
            detail=f"signed in {how}{with_code}",
            tenant_id=row["tenant_id"],
        )
        return session


async def _person(connection: Connection, who: Who) -> asyncpg.Record:
    """Return the user of a session, locked within a transaction. Raises `Problem` (403) for a key of a machine."""
    row = await connection.fetchrow(OF_SESSION, who.session_id, who.user_id)
    if row is None:
        raise not_a_person()
    return row


def _require(row: asyncpg.Record, *, there: bool) -> None:
    if (row["totp"] is not None) == there:
        return
    if there:
        raise Problem(409, "NO_SECOND_FACTOR", "there is no second factor to remove", "begin one: send no code")
    raise Problem(
        409, "HAS_SECOND_FACTOR", "there is a second factor already", "remove it first, with a code and `remove`"
    )


async def _keep_factor(connection: Connection, row: asyncpg.Record, who: Who, origin: Origin, detail: str) -> None:
    actor = _actor(row, who.session_id, origin)
    await keep_change(connection, actor, FACTOR, subject=row["name"], detail=detail, tenant_id=row["tenant_id"])


async def _keep_refusal(connection: Connection, actor: Actor, refused: Problem) -> None:
    """Keep the event of a refused login. A login whose code is still to come is none."""
    if refused.code != "CODE_WANTED":
        await keep_refusal(connection, actor, LOGIN, refused)


def _wrong_code() -> Problem:
    return Problem(
        403,
        "WRONG_CODE",
        "this code is another, has expired, or was used before",
        "wait for the next code of the app, or give a recovery code",
        pointer="#/code",
    )


def _actor(row: asyncpg.Record, session_id: str, origin: Origin) -> Actor:
    return Actor(row["user_id"], row["role"], row["tenant_id"], session_id, origin.address)
