"""Keys of providers, by their ids: events carry ids alone, and only the caller sees a key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from pydantic import SecretStr

from tradewind.connectors.ai.keys.sealing import Master
from tradewind.connectors.ai.keys.store import KeyStore
from tradewind.connectors.settings import PREFIX, Settings

HIDDEN = "***"
SHORTEST_KEY = 8
"""Characters: a shorter text may stand in an answer by chance, so that hiding it would garble the answer."""


class NoKey(LookupError):
    """There is no key of an id; the message says where to put one."""


class Store(Protocol):
    """Keys that can change while the caller runs."""

    async def key(self, tenant_id: str, key_id: str) -> str | None:
        """Return the key of an id for a tenant, or None."""
        ...

    async def close(self) -> None:
        """Close the connection."""
        ...


class Keys:
    """The keys that this process can use: those of the store go before those of the settings."""

    def __init__(self, keys: Mapping[str, SecretStr], store: Store | None = None) -> None:
        self._keys = {id_.lower(): key for id_, key in keys.items()}
        self._store = store

    async def key(self, tenant_id: str, key_id: str) -> str:
        """Return the key of an id for a tenant. Ids differ in more than case, as names of variables do.

        Raises `NoKey`, `KeyRefused` and `StoreSilent`.
        """
        if self._store is not None and (stored := await self._store.key(tenant_id, key_id)) is not None:
            return stored
        if (found := self._keys.get(key_id.lower())) is None:
            raise NoKey(
                f"the caller has no key {key_id!r}: add it by ./dev ai keys add {key_id}, or set "
                f"{PREFIX}AI__KEYS__{key_id.upper()} and start the caller again"
            )
        return found.get_secret_value()

    async def close(self) -> None:
        """Close the store."""
        if self._store is not None:
            await self._store.close()


def keys_of(settings: Settings) -> Keys:
    """Return the keys of a process: with those in PostgreSQL, if it has the master key and knows the server."""
    master = settings.ai.master_key
    if master is None or settings.postgres.url is None:
        return Keys(settings.ai.keys)
    return Keys(settings.ai.keys, KeyStore(settings, Master(master)))


def hidden(text: str, key: str | None) -> str:
    """Return a text without the key: some providers repeat it in their errors."""
    return text if key is None or len(key) < SHORTEST_KEY else text.replace(key, HIDDEN)
