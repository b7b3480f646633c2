"""Keys that PostgreSQL keeps under a seal: those of one tenant, and those of all.

The caller asks for a key before each call, and goes by an answer for a few seconds. So a key that was changed or
removed is out of use soon, without a restart.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from tradewind.connectors.ai.keys.sealing import BrokenSeal, Master, Sealed
from tradewind.connectors.postgres.connection import LOST, Connection, connect
from tradewind.connectors.settings import Settings

log = logging.getLogger(__name__)
EVERYONE = ""
"""Stands for all tenants in the table."""
KEPT_S = 5.0
"""How long an answer holds: how soon a change is noticed."""
STALE_S = 900.0
"""How long it holds if PostgreSQL does not answer: nobody can change a key then, and a restart takes minutes."""
MOST_KEPT = 10_000
"""Answers, of some hundred bytes each."""
ANSWER_S = 5.0
"""For PostgreSQL to answer: it takes a millisecond when it is well."""
PAUSE_S = 1.0
"""After a question without an answer: calls that wait for their keys are told at once, instead of one by one."""
SHORTEST, LONGEST = 8, 4_096
"""Characters of a key. A shorter one could not be hidden in texts, for it may stand there by chance."""
SILENT = (*LOST, asyncpg.PostgresError)
"""What a connection raises if PostgreSQL does not answer, or not as it should."""
FIND = """
SELECT tenant_id, key_id, master_id, nonce, box FROM ai_keys
WHERE tenant_id IN ($1, '') AND lower(key_id) = lower($2) ORDER BY tenant_id DESC LIMIT 1
"""
ADD = """
INSERT INTO ai_keys (tenant_id, key_id, master_id, nonce, box) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (tenant_id, lower(key_id)) DO UPDATE
SET key_id = excluded.key_id, master_id = excluded.master_id, nonce = excluded.nonce, box = excluded.box,
    stored_at = now()
"""
REMOVE = "DELETE FROM ai_keys WHERE tenant_id = $1 AND lower(key_id) = lower($2) RETURNING key_id"
LIST = "SELECT tenant_id, key_id, master_id, nonce, box, stored_at FROM ai_keys ORDER BY tenant_id, lower(key_id)"


class KeyRefused(LookupError):
    """A stored key cannot be used; the message says whose it is, and why."""


class StoreSilent(RuntimeError):
    """PostgreSQL does not tell the keys; the message says why."""


class UnfitKey(ValueError):
    """A text that is no key; the message says why, and nothing of it."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored key, without the key."""

    tenant_id: str | None
    """None for all tenants."""
    key_id: str
    stored_at: datetime
    flaw: str | None
    """Why it cannot be used."""


@dataclass(frozen=True, slots=True)
class _Row:
    tenant_id: str
    key_id: str
    sealed: Sealed


class KeyStore:
    """The table of keys, and the master key that opens them. One connection; it is opened when it is needed."""

    def __init__(self, settings: Settings, master: Master, clock: Callable[[], float] = time.monotonic) -> None:
        """Know where the table is."""
        self._settings, self._master, self._clock = settings, master, clock
        self._connection: Connection | None = None
        self._asking = asyncio.Lock()
        self._silent: tuple[float, str] | None = None
        self._kept: OrderedDict[tuple[str, str], tuple[float, _Row | None]] = OrderedDict()

    async def key(self, tenant_id: str, key_id: str) -> str | None:
        """Return the key of an id: the tenant's own, or that of all; None if there is none.

        Raises `KeyRefused`, and `StoreSilent` if PostgreSQL has not answered for long.
        """
        row = await self._row(tenant_id, key_id)
        if row is None:
            return None
        try:
            return self._master.opened(row.sealed, row.tenant_id, row.key_id)
        except BrokenSeal as broken:
            raise KeyRefused(f"the stored key {row.key_id} of {_whose(row.tenant_id)} is refused: {broken}") from None

    async def add(self, tenant_id: str | None, key_id: str, key: str) -> None:
        """Store a key, or another one in its place. Raises `UnfitKey` and `StoreSilent`."""
        if not SHORTEST <= len(key) <= LONGEST or not key.isascii() or any(not 33 <= ord(one) <= 126 for one in key):
            raise UnfitKey(
                f"a key has {SHORTEST} to {LONGEST:,} characters of ASCII, without spaces: nothing is stored"
            )
        sealed = self._master.seal(key, tenant_id or EVERYONE, key_id)
        await self._ask("execute", ADD, tenant_id or EVERYONE, key_id, sealed.master_id, sealed.nonce, sealed.box)

    async def remove(self, tenant_id: str | None, key_id: str) -> bool:
        """Remove a key; return whether there was one. Raises `StoreSilent`."""
        return bool(await self._ask("fetch", REMOVE, tenant_id or EVERYONE, key_id))

    async def stored(self) -> list[Stored]:
        """Return all keys, without the keys. Raises `StoreSilent`."""
        return [
            Stored(row["tenant_id"] or None, row["key_id"], row["stored_at"], self._flaw(_row_of(row)))
            for row in await self._ask("fetch", LIST)
        ]

    async def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    def _flaw(self, row: _Row) -> str | None:
        try:
            self._master.opened(row.sealed, row.tenant_id, row.key_id)
        except BrokenSeal as broken:
            return str(broken)
        return None

    async def _row(self, tenant_id: str, key_id: str) -> _Row | None:
        at = tenant_id, key_id.lower()
        async with self._asking:
            then, row = self._kept.get(at, (None, None))
            age_s = None if then is None else self._clock() - then
            if age_s is not None and age_s < KEPT_S:
                return row
            try:
                found = await self._asked("fetch", FIND, tenant_id, key_id)
            except StoreSilent as silent:
                if age_s is None or age_s > STALE_S:
                    raise
                log.warning("%s: the key %s of %s is used as it was %.0f s ago", silent, key_id, tenant_id, age_s)
                return row
            row = _row_of(found[0]) if found else None
            self._kept[at] = self._clock(), row
            self._kept.move_to_end(at)
            if len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
            return row

    async def _ask(self, how: str, statement: str, *values: object) -> list[asyncpg.Record]:
        async with self._asking:
            return await self._asked(how, statement, *values)

    async def _asked(self, how: str, statement: str, *values: object) -> list[asyncpg.Record]:
        """Ask, once more by a new connection if the old one has died."""
        if self._silent is not None and self._clock() - self._silent[0] < PAUSE_S:
            raise StoreSilent(self._silent[1])
        for is_last in (self._connection is None, True):
            try:
                async with asyncio.timeout(ANSWER_S):
                    if self._connection is None or self._connection.is_closed():
                        self._connection = await connect(self._settings)
                    found: list[asyncpg.Record] = await getattr(self._connection, how)(statement, *values)
            except SILENT as error:
                await self.close()
                if is_last:
                    said = f"PostgreSQL does not tell the keys: {type(error).__name__}: {error}".rstrip(": ")
                    self._silent = self._clock(), said
                    raise StoreSilent(said) from None
            else:
                self._silent = None
                return found
        raise AssertionError


def _row_of(record: asyncpg.Record) -> _Row:
    sealed = Sealed(record["master_id"], bytes(record["nonce"]), bytes(record["box"]))
    return _Row(record["tenant_id"], record["key_id"], sealed)


def _whose(tenant_id: str) -> str:
    return f"tenant {tenant_id}" if tenant_id else "all tenants"
