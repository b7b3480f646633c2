"""Keys of machines: secrets that programs send as tokens. PostgreSQL has their hashes, and each process reads them.

A key belongs to a user, and acts for the user with the user's role or a lesser one. It ends with its date, with its
user, by command, or where the user's role no longer reaches its own.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from tradewind.connectors.gateway.auth.roles import Role, Who
from tradewind.connectors.gateway.problems import Problem
from tradewind.connectors.postgres.connection import Connection

PREFIX: Final = "tw_"
"""How keys begin, so that people and scanners of secrets know them."""
SECRET_BYTES: Final = 32
MOST: Final = 2_000
"""Keys that live at once: each process reads all of them each second."""
MOST_DAYS: Final = 365
FORGOTTEN_S: Final = 600
"""How long keys are good while PostgreSQL does not say which live, as access tokens are."""
REACHES: Final[Mapping[Role, frozenset[Role]]] = {
    "operator": frozenset({"operator"}),
    "owner": frozenset({"owner", "trader", "analyst", "viewer", "auditor"}),
    "trader": frozenset({"trader", "analyst", "viewer"}),
    "analyst": frozenset({"analyst", "viewer"}),
    "viewer": frozenset({"viewer"}),
    "auditor": frozenset({"auditor"}),
    "enrolling": frozenset(),
}
"""Role of a user -> roles that the user's keys may have."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made; its text is told once."""

    key_id: str
    text: str


class MachineKeys:
    """The keys that live, as they were read last; for one thread."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._known: dict[bytes, Who] = {}
        self._read_s = 0.0

    def take(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Know these keys, and no others: rows of `living`."""
        self._known = {
            row["hash"]: Who(
                row["user_id"], row["key_role"], row["tenant_id"], row["key_id"], int(row["expires_at"].timestamp())
            )
            for row in rows
            if row["key_role"] in REACHES.get(row["role"], ())
        }
        self._read_s = self._clock()

    def verify(self, token: str) -> Who:
        """Return whose key it is; raises `Problem` (401)."""
        now = self._clock()
        who = self._known.get(_hash(token))
        if now - self._read_s > FORGOTTEN_S:
            raise _refused("nobody can say which keys are good: PostgreSQL does not answer", "try again later")
        if who is None or who.expires_s <= now:
            raise _refused("this key has ended, or never was one", "make another by ./dev users key NAME")
        return who


async def living(connection: Connection) -> list[Mapping[str, Any]]:
    """Return the keys that live."""
    rows = await connection.fetch(
        "SELECT k.key_id, k.hash, k.role AS key_role, k.expires_at, u.user_id, u.role, u.tenant_id "
        "FROM machine_keys k JOIN users u USING (user_id) "
        "WHERE k.ended_at IS NULL AND k.expires_at > now() AND u.disabled_at IS NULL LIMIT $1",
        MOST,
    )
    return [dict(row) for row in rows]


async def add(connection: Connection, user_id: str, role: Role | None, days: int, label: str) -> NewKey:
    """Make a key of a user, with the user's role or a lesser one. Raises `Problem`."""
    own: Role = await connection.fetchval("SELECT role FROM users WHERE user_id = $1", user_id)
    wanted = role or own
    if wanted not in REACHES[own]:
        raise Problem(
            409, "ROLE_TOO_HIGH", f"a key of {own} cannot be {wanted}", f"choose {' or '.join(sorted(REACHES[own]))}"
        )
    alive = "SELECT count(*) FROM machine_keys WHERE ended_at IS NULL AND expires_at > now()"
    if await connection.fetchval(alive) >= MOST:
        raise Problem(409, "TOO_MANY_KEYS", f"{MOST} keys live already", "end some by ./dev users revoke ID")
    key_id, secret = secrets.token_hex(4), secrets.token_urlsafe(SECRET_BYTES)
    text = f"{PREFIX}{key_id}_{secret}"
    await connection.execute(
        "INSERT INTO machine_keys (key_id, user_id, hash, role, label, expires_at) "
        "VALUES ($1, $2, $3, $4, $5, now() + $6)",
        *(key_id, user_id, _hash(text), wanted, label, timedelta(days=days)),
    )
    return NewKey(key_id, text)


async def listed(connection: Connection, tenant_id: str | None) -> list[dict[str, Any]]:
    """Return all keys of a tenant, or of all, the newest first; never a hash."""
    rows = await connection.fetch(
        "SELECT k.key_id, u.name AS user_name, u.tenant_id, k.role, k.label, k.created_at, k.expires_at, k.ended_at, "
        "k.ended_at IS NULL AND k.expires_at > now() AND u.disabled_at IS NULL AS lives "
        "FROM machine_keys k JOIN users u USING (user_id) WHERE $1::text IS NULL OR u.tenant_id = $1 "
        "ORDER BY k.created_at DESC, k.key_id LIMIT $2",
        tenant_id,
        MOST,
    )
    return [{name: _told(value) for name, value in row.items()} for row in rows]


async def revoke(connection: Connection, key_id: str) -> Mapping[str, Any]:
    """End a key; returns name and tenant of its user. Raises `Problem` (404) where there is none that lives."""
    found = await connection.fetchrow(
        "UPDATE machine_keys k SET ended_at = now() FROM users u WHERE key_id = $1 AND ended_at IS NULL "
        "AND u.user_id = k.user_id RETURNING u.name, u.tenant_id",
        key_id,
    )
    if found is None:
        raise Problem(404, "UNKNOWN_KEY", f"no key {key_id} lives", "./dev users keys lists them")
    return dict(found)


def _told(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="replace")).digest()


def _refused(detail: str, remedy: str) -> Problem:
    return Problem(
        401,
        "KEY_INVALID",
        detail,
        remedy,
        pointer="header: Authorization",
        headers={"WWW-Authenticate": "Bearer"},
    )
