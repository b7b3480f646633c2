"""Three faults of providers on Kafka: the agent, a caller and a local server, each request answered as it should be."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

from asking import key, price, provider, request, route
from calls.faults import FAULTS
from calls.provider import TEXT, Conversation, Fault, Provider
from processes.pipeline import Pipeline
from runtime.timings import SHORT

from tradewind.connectors.ai.asking import ask
from tradewind.connectors.ai.in_force import apply
from tradewind.connectors.calls.kept import claims_topic
from tradewind.connectors.clock.wall import clock_us
from tradewind.connectors.dead_letters.topic import letter_topic
from tradewind.connectors.kafka import publish
from tradewind.connectors.kafka.admin import ensure
from tradewind.connectors.registry import open_codec
from tradewind.connectors.settings import AiSettings, Settings
from tradewind.processors.tenancy.seed import commands_of
from tradewind.processors.tenancy.tenant import DEFAULT_TENANTS
from tradewind.schemas.ai import AiRequest, AiResponse
from tradewind.streams.agents import agents
from tradewind.streams.runtime import agent_topics
from tradewind.topics import AI_CALLS, TENANT_COMMANDS

CALLER, ROLES = "caller-ai", ("tenancy", "ai")
RETRY_AFTER_S = 2.0
SLACK_S = 20.0
"""Of a busy machine; the agent's own part is exact (`tests/faults/test_ai_fallbacks.py`)."""
CASES = {"busy": "429 with retry-after", "error": "500", "cut": "stream cut"}


class Once:
    """Fails a model's first request by a fault, and notes when each came."""

    def __init__(self) -> None:
        self.came: defaultdict[str, list[float]] = defaultdict(list)

    def fault(self, name: str) -> Fault:
        """Return the fault of a model."""
        seen = itertools.count()

        async def found(one: Conversation) -> None:
            self.came[one.asked.model].append(time.monotonic())
            await (FAULTS[CASES[name]][0](one) if next(seen) == 0 else one.answer())

        return found


def settings_of(url: str) -> list[Any]:
    """Return a provider with a model for each case, another one behind it, and a route for each case."""
    own = {"base_url": f"{url}/v1", "allow_private": True, "keys": (key("main"),)}
    places = [*(f"one/{name}" for name in CASES), "two/f"]
    return [
        replace(provider("one", *CASES, adapter="openai", **own), first_token_timeout_ms=30_000),
        replace(provider("two", "f", adapter="openai-compatible", **own), first_token_timeout_ms=30_000),
        *(route(f"one/{name}", "two/f", request_type=name) for name in CASES),
        *(price(place) for place in places),
    ]


def asked(number: int, name: str) -> AiRequest:
    """Return a request of a case, made now."""
    return replace(
        request(number, clock_us(), request_type=name, stream="SURE", deadline_ms=240_000), reply_key=f"test/{name}"
    )


async def test_a_request_is_answered_by_the_same_model_or_the_next_one(settings: Settings, tmp_path: Path) -> None:
    """Retry-After is waited for, an error is asked about again, and a broken answer is none."""
    settings = settings.model_copy(update={"ai": AiSettings(keys={"main": "sk-test"})})
    declared = [agents()[role].declare(settings) for role in ROLES]
    own = {topic for one in declared for topic in (*one.inputs, *one.outputs, *agent_topics(one))}
    await asyncio.to_thread(ensure, settings, [*own, letter_topic(CALLER), claims_topic(CALLER, AI_CALLS)])
    codec = await asyncio.to_thread(open_codec, settings)
    await asyncio.to_thread(publish, TENANT_COMMANDS, commands_of(DEFAULT_TENANTS, 1), settings)
    once, processes = Once(), Pipeline(settings, tmp_path, SHORT)
    async with Provider({name: once.fault(name) for name in CASES}) as server:
        await asyncio.to_thread(apply, settings_of(server.url), 0, settings)
        try:
            processes.start("ai", "worker", *ROLES, "--slot", "ai")
            processes.start("caller", "caller", "ai")
            answers = [
                asyncio.to_thread(ask, asked(number, name), settings, codec) for number, name in enumerate(CASES)
            ]
            found: dict[str, AiResponse] = dict(zip(CASES, await asyncio.gather(*answers), strict=True))
        finally:
            await asyncio.to_thread(processes.stop)
    told = {name: (one.status, one.text, one.provider, one.attempts) for name, one in found.items()}
    assert told == {
        "busy": ("ANSWERED", TEXT, "one", 2),
        "error": ("ANSWERED", TEXT, "one", 2),
        "cut": ("ANSWERED", TEXT, "two", 2),
    }
    first, second = once.came["busy"]
    assert RETRY_AFTER_S <= second - first < RETRY_AFTER_S + SLACK_S
    assert found["cut"].suspense > 0, "the provider may have counted what it had sent"
    assert {name: len(times) for name, times in once.came.items()} == {"busy": 2, "error": 2, "cut": 1}
