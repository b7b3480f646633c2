"""Questions by their meaning: which kept answer another question of the same tenant may have."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from cachetools import LRUCache, TTLCache

from tradewind.connectors.ai.cache.kept import asked_of
from tradewind.connectors.ai.cache.memory import SECONDS
from tradewind.processors.ai.meaning.gate import plain
from tradewind.processors.identity import derive_id
from tradewind.schemas.ai import AiCall

ENTRIES = 1_024
"""Of one tenant. An entry is two keys, and takes about 512 bytes: all tenants together take 32 MB at most."""
TENANTS = 64
"""Of whom questions are kept: those who asked last."""


class Meanings:
    """The keys of answers, by what was asked: at most `entries` of each of `tenants` tenants, each for `seconds`."""

    def __init__(
        self,
        entries: int = ENTRIES,
        tenants: int = TENANTS,
        seconds: float = SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._entries, self._seconds, self._clock = entries, seconds, clock
        self._tenants: LRUCache[str, TTLCache[str, str]] = LRUCache(tenants)

    def get(self, tenant_id: str, meaning: str) -> str | None:
        """Return the key of the answer to a question of this meaning; None if there is none."""
        tenant = self._tenants.get(tenant_id)
        return None if tenant is None else tenant.get(meaning)

    def put(self, tenant_id: str, meaning: str, key: str) -> None:
        """Keep the key of an answer; the tenant's least recently used ones give way."""
        tenant = self._tenants.get(tenant_id)
        if tenant is None:
            tenant = self._tenants[tenant_id] = TTLCache(self._entries, self._seconds, timer=self._clock)
        tenant[meaning] = key

    def __len__(self) -> int:
        return sum(len(tenant) for tenant in self._tenants.values())


def meaning_of(call: AiCall) -> str | None:
    """Return a digest of what a call asks: its tenant, the model, the plain form of its question, and all the rest.

    None if the answer may be found by an equal request alone: a request for vectors, one that does not end with a
    question, or a document.
    """
    body = json.loads(call.body)
    messages = body.get("messages")
    if call.kind == "EMBEDDING" or not messages or messages[-1]["role"] != "user":
        return None
    form = plain(messages[-1]["content"])
    if not form:
        return None
    messages[-1]["content"] = list(form)
    return derive_id(
        "AiMeaning", call.tenant_id, *asked_of(call), json.dumps(body, sort_keys=True, separators=(",", ":"))
    )
