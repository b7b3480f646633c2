"""Wrong passwords, counted in PostgreSQL for each account and each address: so pauses hold for all processes.

A name that nobody has is counted as one that somebody has. The table has hashes of names, because people type a
password where the name belongs.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias

from tradewind.connectors.gateway.problems import Problem
from tradewind.connectors.postgres.connection import Connection
from tradewind.processors.gateway.pauses import ACCOUNT, ADDRESS, Pauses

Kind: TypeAlias = Literal["account", "address"]
PAUSES: Final[Mapping[Kind, Pauses]] = {"account": ACCOUNT, "address": ADDRESS}
FORGOTTEN: Final = timedelta(days=1)
"""After so long without a wrong try, all tries are free again."""
MOST: Final = 100_000
"""Accounts and addresses that are counted: 10 MB. The oldest are forgotten first."""
PRUNE: Final = """
DELETE FROM login_tries WHERE ctid IN (
    SELECT ctid FROM login_tries WHERE last_at < now() - $1::interval
    OR last_at < (SELECT last_at FROM login_tries ORDER BY last_at DESC OFFSET $2 LIMIT 1)
    LIMIT 1000 FOR UPDATE SKIP LOCKED)
"""
FIND: Final = """
INSERT INTO login_tries AS kept (kind, key, tries, until, last_at) VALUES ($1, $2, 0, now(), now())
ON CONFLICT (kind, key) DO UPDATE SET last_at = kept.last_at
RETURNING tries, last_at < now() - $3::interval AS old, extract(epoch FROM until - clock_timestamp())::float8 AS wait_s
"""
COUNT: Final = """
UPDATE login_tries SET tries = $3, until = clock_timestamp() + $4::interval, last_at = clock_timestamp()
WHERE kind = $1 AND key = $2 RETURNING until
"""
GIVE_BACK: Final = """
UPDATE login_tries SET tries = greatest(0, tries - 1), until = CASE WHEN until = $3 THEN now() ELSE until END
WHERE kind = $1 AND key = $2
"""


@dataclass(frozen=True, slots=True)
class Try:
    """A try that was counted before anybody knows whether it is right: so tries at the same time count as well."""

    kind: Kind
    key: bytes
    until: datetime


async def take(connection: Connection, kind: Kind, name: str) -> Try:
    """Count a try of an account or an address. Raises `Problem` (429) in a pause, and then counts nothing."""
    key = _key(name)
    await connection.execute(PRUNE, FORGOTTEN, MOST)
    async with connection.transaction():
        row = await connection.fetchrow(FIND, kind, key, FORGOTTEN)
        assert row is not None, "it was just written"
        if row["wait_s"] > 0:
            raise _paused(row["wait_s"])
        tries = (0 if row["old"] else row["tries"]) + 1
        until = await connection.fetchval(COUNT, kind, key, tries, timedelta(seconds=PAUSES[kind].after(tries)))
    return Try(kind, key, until)


async def give_back(connection: Connection, one: Try) -> None:
    """Count a try no more: it was right. Other tries of the same name or address stay counted."""
    await connection.execute(GIVE_BACK, one.kind, one.key, one.until)


async def forget(connection: Connection, kind: Kind, name: str) -> None:
    """Make all tries free again."""
    await connection.execute("DELETE FROM login_tries WHERE kind = $1 AND key = $2", kind, _key(name))


def _key(name: str) -> bytes:
    return hashlib.sha256(name.encode(errors="replace")).digest()


def _paused(wait_s: float) -> Problem:
    seconds = math.ceil(wait_s)
    return Problem(
        429,
        "TOO_MANY_TRIES",
        "there were too many wrong tries for this name, or from this address",
        f"wait {seconds} s, or sign in by a link of ./dev users link",
        headers={"Retry-After": str(seconds)},
    )
