"""The cache in front of the adapters: an answer that is kept, one that an equal call waits for, or a new one."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Literal

from tradewind.connectors.ai.answer import Answer
from tradewind.connectors.ai.cache.kept import Kept, kept_of, key_of
from tradewind.connectors.ai.cache.meanings import Meanings, meaning_of
from tradewind.connectors.ai.cache.memory import MemoryAnswers
from tradewind.connectors.ai.cache.shared import SharedAnswers
from tradewind.connectors.calls.kind import Sending
from tradewind.schemas.ai import AiCall

Source = Literal["PROVIDER", "CACHE", "COALESCED"]
Ask = Callable[[AiCall, Sending], Awaitable[tuple[Answer, int]]]
"""Asks the provider; returns the answer, and how many µs it took."""
Where = Literal["memory", "shared", "semantic", "coalesced", "missed"]


@dataclass(frozen=True, slots=True)
class Found:
    """What came of a call."""

    answer: Answer
    took_us: int
    source: Source = "PROVIDER"
    source_call_id: str | None = None
    """The call that the provider answered, where it was another one."""
    semantic: bool = False
    """Whether that call asked the same in other words."""


class AnswerCache:
    """Gives whole answers again to equal calls of the same tenant, and makes one call of those in flight."""

    def __init__(
        self,
        memory: MemoryAnswers | None = None,
        shared: SharedAnswers | None = None,
        meanings: Meanings | None = None,
    ) -> None:
        self.memory = memory or MemoryAnswers()
        self.meanings = meanings or Meanings()
        self.found: Counter[Where] = Counter()
        """Calls that might have had an answer from here, by where it was. For any thread."""
        self._shared = shared
        self._flying: dict[str, asyncio.Future[Found | None]] = {}

    async def answer(self, call: AiCall, sending: Sending, ask: Ask) -> Found:
        """Return the answer to a call. A probe tests the provider, so it gets no other answer."""
        if call.cache == "OFF" or call.probe:
            if call.cache_only:
                return Found(Answer("MISSED", "it may only be answered from the cache, and asks for none"), 0)
            return Found(*await ask(call, sending))
        key, begun = key_of(call), time.monotonic()
        if (kept := await self._kept(key, call)) is not None:
            return Found(kept.again(), _since(begun), "CACHE", kept.call_id)
        meaning = meaning_of(call) if call.cache == "SEMANTIC" else None
        if meaning is not None and (kept := self._alike(call, meaning)) is not None:
            return Found(kept.again(), _since(begun), "CACHE", kept.call_id, semantic=True)
        if call.cache_only:
            self.found["missed"] += 1
            return Found(Answer("MISSED", "no answer to an equal request is kept"), 0)
        flight = f"{key}/{call.key_id or ''}"  # what is wrong with one key is not wrong with another
        while (leader := self._flying.get(flight)) is not None:
            if (shared := await self._waited(leader, call, begun)) is not None:
                return shared
        self.found["missed"] += 1
        found = await self._asked(key, flight, call, sending, ask)
        if meaning is not None and (kept := self.memory.get(key)) is not None and not kept.answer.tool_calls:
            self.meanings.put(call.tenant_id, meaning, key)
        return found

    async def close(self) -> None:
        """Close the connections to what is shared."""
        if self._shared is not None:
            await self._shared.close()

    async def _kept(self, key: str, call: AiCall) -> Kept | None:
        if (kept := self.memory.get(key)) is not None:
            self.found["memory"] += 1
            return kept
        if self._shared is None or (kept := await self._shared.get(key, call)) is None:
            return None
        self.found["shared"] += 1
        self.memory.put(key, kept)
        return kept

    def _alike(self, call: AiCall, meaning: str) -> Kept | None:
        """Return the answer to a question that asks the same in other words."""
        key = self.meanings.get(call.tenant_id, meaning)
        if key is None or (kept := self.memory.get(key)) is None:
            return None
        self.found["semantic"] += 1
        return kept

    async def _waited(self, leader: asyncio.Future[Found | None], call: AiCall, begun: float) -> Found | None:
        """Return what an equal call in flight has come to; None if this call must see for itself."""
        left_s = min(call.total_timeout_ms / 1_000, call.deadline / 1_000_000 - time.time())
        try:
            async with asyncio.timeout(max(0.0, left_s)):
                found = await asyncio.shield(leader)
        except TimeoutError:
            late = Answer("TIMED_OUT", "the equal call that it waited for took too long", timeout="TOTAL")
            return Found(late, _since(begun), "COALESCED")
        if found is None or found.answer.outcome == "TIMED_OUT":  # it was given up, or its own time was over
            return None
        self.found["coalesced"] += 1
        answer = replace(found.answer, tokens=None, first_token_us=None, request_id=None)
        return Found(answer, _since(begun), "COALESCED", found.source_call_id)

    async def _asked(self, key: str, flight: str, call: AiCall, sending: Sending, ask: Ask) -> Found:
        """Ask the provider, for all equal calls that come meanwhile."""
        leader = self._flying[flight] = asyncio.get_running_loop().create_future()
        told: Found | None = None
        try:
            found = Found(*await ask(call, sending))
            told = replace(found, source_call_id=call.call_id)
        finally:
            del self._flying[flight]
            leader.set_result(told)
        if (kept := kept_of(call, found.answer)) is not None:
            self.memory.put(key, kept)
            if self._shared is not None:
                self._shared.put(key, kept)
        return found


def _since(begun: float) -> int:
    return round((time.monotonic() - begun) * 1_000_000)
