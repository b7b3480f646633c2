"""AI providers as a kind of call: which adapter, which key, and the attempt of each call."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import entry_points
from typing import cast

from tradewind.connectors.ai.adapter import Adapter
from tradewind.connectors.ai.answer import Answer, attempt_of, unsent_attempt
from tradewind.connectors.ai.cache.cache import AnswerCache
from tradewind.connectors.ai.deltas.writer import DeltaWriter
from tradewind.connectors.ai.keys.keys import Keys, NoKey, hidden
from tradewind.connectors.ai.keys.store import KeyRefused, StoreSilent
from tradewind.connectors.ai.over_http import compatible_adapter, gemini_adapter, ollama_adapter
from tradewind.connectors.ai.packages import anthropic_adapter, openai_adapter
from tradewind.connectors.ai.paper import Paper
from tradewind.connectors.ai.recording import FromRecording
from tradewind.connectors.calls.call import Unsent
from tradewind.connectors.calls.kind import Sending, Terms
from tradewind.connectors.clock.wall import clock_us
from tradewind.schemas.ai import AiAttempt, AiCall
from tradewind.schemas.event import Event
from tradewind.topics import AI_ATTEMPTS, AI_CALLS

log = logging.getLogger(__name__)
ENTRY_POINTS = "tradewind.ai.providers"
"""Group of the entry points that name adapters of other packages: a class, or a function, that returns an `Adapter`."""
OURS: Mapping[str, Callable[[], Adapter]] = {
    "paper": Paper,
    "recording": FromRecording,
    "openai": openai_adapter,
    "anthropic": anthropic_adapter,
    "openai-compatible": compatible_adapter,
    "gemini": gemini_adapter,
    "ollama": ollama_adapter,
}


def adapter_names() -> frozenset[str]:
    """Return the names of the adapters that there are here: ours, and those of installed packages."""
    return frozenset({*OURS, *(point.name for point in entry_points(group=ENTRY_POINTS))})


class AiCalls:
    """Performs calls to AI providers."""

    name = "ai"
    calls = AI_CALLS
    attempts = AI_ATTEMPTS

    def __init__(
        self,
        keys: Keys,
        adapters: Mapping[str, Callable[[], Adapter]] | None = None,
        deltas: DeltaWriter | None = None,
        cache: AnswerCache | None = None,
    ) -> None:
        """Know these adapters, and those of installed packages; each is made when a call first needs it.

        Without `deltas`, answers come whole at their end. Without a `cache`, answers are kept in this process alone.
        """
        self._deltas = deltas
        adapters = OURS if adapters is None else adapters
        installed = {point.name: point for point in entry_points(group=ENTRY_POINTS)}
        self._makers = {**{name: point.load for name, point in installed.items() if name not in adapters}, **adapters}
        self._installed = installed.keys() - adapters.keys()
        self._keys = keys
        self.cache = cache or AnswerCache()
        self._adapters: dict[str, Adapter] = {}
        self._opening = asyncio.Lock()

    def terms(self, call: Event) -> Terms:
        """Return the terms of a call."""
        asked = cast("AiCall", call)
        key = f"{asked.provider} {asked.key_id or ''}"
        return Terms(asked.tenant_id, asked.not_before, asked.deadline, key, asked.concurrent)

    def outcome(self, attempt: Event) -> str:
        """Return the outcome of an attempt."""
        return cast("AiAttempt", attempt).outcome

    def unsent(self, call: Event, why: Unsent, now_us: int) -> Event:
        """Return the attempt that says why there was none."""
        return unsent_attempt(cast("AiCall", call), why, now_us)

    async def perform(self, call: Event, sending: Sending) -> Event:
        """Ask the provider once, or nobody if the cache has the answer; whatever happens is an outcome."""
        asked = cast("AiCall", call)
        telling = None if self._deltas is None else self._deltas.begin(asked)
        if telling is not None:
            sending.text = telling.text
        found = await self.cache.answer(asked, sending, self._asked)
        if telling is not None:
            if found.source != "PROVIDER" and found.answer.outcome == "OK":
                telling.text(found.answer.text)  # all at once
            telling.end(found.answer)
        took_us = found.took_us if sending.sent or found.source != "PROVIDER" else 0
        return attempt_of(
            asked,
            found.answer,
            clock_us(),
            took_us,
            source=found.source,
            source_call_id=found.source_call_id,
            semantic=found.semantic,
        )

    async def open(self) -> None:
        """Have nothing to open: adapters are made when they are needed."""

    async def close(self) -> None:
        """Close the connections of all adapters, to the keys, and of the cache."""
        await self.cache.close()
        await self._keys.close()
        for adapter in self._adapters.values():
            await adapter.close()
        if self._deltas is not None:
            await self._deltas.close()

    async def _asked(self, call: AiCall, sending: Sending) -> tuple[Answer, int]:
        """Return the answer, and how many µs it took."""
        try:
            key = None if call.key_id is None else await self._key(call)
        except (NoKey, KeyRefused) as error:
            return Answer("BAD_KEY", str(error)), 0
        except StoreSilent as error:
            return Answer("ERROR", str(error)), 0
        begun = time.monotonic()
        try:
            adapter = await self._adapter(call.adapter)
            begun = time.monotonic()
            answer = await self._in_time(adapter, call, key, sending)
        except Exception as error:  # noqa: BLE001 - whatever an adapter raises is the outcome of one call
            # Without the traceback, whose variables and messages may hold the key.
            said = hidden(f"{type(error).__name__}: {error}", key)
            log.error("call %s: the adapter %s has a bug: %s", call.call_id, call.adapter, said)  # noqa: TRY400
            answer = Answer("BROKEN" if sending.sent else "UNREACHABLE", f"the adapter {call.adapter} failed: {said}")
        took_us = round((time.monotonic() - begun) * 1_000_000)
        return without_key(answer, key), took_us

    async def _key(self, call: AiCall) -> str:
        """Return the key of a call; its deadline holds."""
        left_s = (call.deadline - clock_us()) / 1_000_000
        try:
            async with asyncio.timeout(max(0.0, left_s)):
                return await self._keys.key(call.tenant_id, call.key_id or "")
        except TimeoutError:
            raise StoreSilent(f"PostgreSQL did not tell the key {call.key_id} before the deadline") from None

    async def _in_time(self, adapter: Adapter, call: AiCall, key: str | None, sending: Sending) -> Answer:
        """Ask; the total time-out and the deadline hold, whatever the adapter does."""
        left_ms = min(call.total_timeout_ms, (call.deadline - clock_us()) // 1_000)
        try:
            async with asyncio.timeout(max(0, left_ms) / 1_000):
                return await adapter.ask(call, key, sending)
        except TimeoutError:
            return Answer("TIMED_OUT", f"no whole answer within {left_ms / 1_000:.1f} s", timeout="TOTAL")

    async def _adapter(self, name: str) -> Adapter:
        async with self._opening:
            if name not in self._adapters:
                if (make := self._makers.get(name)) is None:
                    known = ", ".join(sorted(self._makers))
                    raise UnknownAdapter(f"there is no adapter {name!r}; adapters are: {known}")
                made = make()
                adapter = cast("Callable[[], Adapter]", made)() if name in self._installed else made
                await adapter.open()
                self._adapters[name] = adapter
            return self._adapters[name]


def without_key(answer: Answer, key: str | None) -> Answer:
    """Return an answer without the key, wherever the provider has repeated it."""
    if key is None:
        return answer

    def clean(text: str | None) -> str | None:
        return None if text is None else hidden(text, key)

    return replace(
        answer,
        error=clean(answer.error),
        text=hidden(answer.text, key),
        tool_calls=tuple({name: hidden(part, key) for name, part in call.items()} for call in answer.tool_calls),
        model=clean(answer.model),
        request_id=clean(answer.request_id),
    )


class UnknownAdapter(LookupError):
    """No adapter has this name; the message lists those there are."""
