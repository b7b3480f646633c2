"""Whole answers are given again to equal requests of the same tenant, and equal calls in flight are one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from asking import Asking
from calls.calling import call
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from redis.exceptions import ConnectionError as NoConnection

from tradewind.connectors.ai.answer import Answer, Tokens
from tradewind.connectors.ai.cache.cache import AnswerCache
from tradewind.connectors.ai.cache.kept import MOST_BYTES, Kept, kept_of, key_of, read
from tradewind.connectors.ai.cache.memory import MemoryAnswers
from tradewind.connectors.ai.cache.shared import PAUSE_S, ValkeyAnswers
from tradewind.connectors.ai.calls import AiCalls
from tradewind.connectors.ai.keys.keys import Keys
from tradewind.connectors.calls.kind import Sending
from tradewind.connectors.clock.wall import clock_us
from tradewind.connectors.settings import RedisSettings, Settings
from tradewind.schemas.ai import AiAttempt, AiBreakerState, AiCall, AiResponse
from tradewind.schemas.flaws import flaw_of

FINE = Answer("OK", text="calm", finish="STOP", tokens=Tokens(input=9, output=4), model="m-2026", request_id="r1")


class Provider:
    """An adapter that counts what it is asked, and answers when it is told to."""

    def __init__(self, answer: Answer = FINE) -> None:
        self.answer = answer
        self.asked: list[str] = []
        self.held = asyncio.Event()
        self.held.set()

    async def open(self) -> None:
        """Have nothing to open."""

    async def ask(self, call: AiCall, key: str | None, sending: Sending) -> Answer:
        """Count, wait, and answer."""
        sending.sent = True
        self.asked.append(call.call_id)
        await self.held.wait()
        return self.answer

    async def close(self) -> None:
        """Have nothing to close."""


def calls_by(provider: Provider, cache: AnswerCache | None = None) -> AiCalls:
    """Return the kind of call with one adapter."""
    return AiCalls(Keys({}), {"paper": lambda: provider}, cache=cache)


def equal(number: int, **changes: Any) -> AiCall:
    """Return a call that differs from others in its ids alone, unless told otherwise."""
    return call(number, **{"cache": "EXACT", "digest": "d" * 32, **changes})


async def performed(kind: AiCalls, of: AiCall) -> AiAttempt:
    """Return the attempt of a call."""
    found = await kind.perform(of, Sending())
    assert isinstance(found, AiAttempt)
    assert flaw_of(found) is None
    return found


async def test_an_equal_request_gets_the_answer_again_and_uses_no_tokens() -> None:
    """It says which call the provider answered."""
    provider = Provider()
    kind = calls_by(provider)
    first, again = await performed(kind, equal(1)), await performed(kind, equal(2))
    assert provider.asked == [equal(1).call_id]
    assert (first.source, first.source_call_id, first.counted, first.output_tokens) == ("PROVIDER", None, True, 4)
    assert (again.source, again.source_call_id, again.counted) == ("CACHE", equal(1).call_id, False)
    assert (again.outcome, again.text, again.model, again.output_tokens) == ("OK", "calm", "m-2026", 0)
    assert dict(kind.cache.found) == {"missed": 1, "memory": 1}


@pytest.mark.parametrize(
    "other",
    [
        {"digest": "e" * 32},
        {"tenant_id": "beta"},
        {"model": "paper-2"},
        {"provider": "other"},
        {"base_url": "https://other.example"},
        {"cache": "OFF"},
        {"probe": True},
    ],
    ids=str,
)
async def test_whoever_asks_otherwise_asks_the_provider(other: dict[str, Any]) -> None:
    """Another request, tenant or model; who wants no kept answer; and a probe, which tests the provider."""
    provider = Provider()
    kind = calls_by(provider)
    await performed(kind, equal(1))
    found = await performed(kind, equal(2, **other))
    assert (found.source, len(provider.asked)) == ("PROVIDER", 2)


@pytest.mark.parametrize(
    "answer",
    [
        replace(FINE, finish="LENGTH"),
        replace(FINE, text="x" * MOST_BYTES),
        Answer("TRUNCATED", "cut"),
        Answer("BUSY", "busy"),
    ],
    ids=["cut by max_tokens", "large", "truncated", "busy"],
)
async def test_only_whole_answers_are_kept(answer: Answer) -> None:
    """Nobody gets half an answer for a day."""
    provider = Provider(answer)
    kind = calls_by(provider)
    for number in (1, 2):
        assert (await performed(kind, equal(number))).source == "PROVIDER"
    assert len(provider.asked) == 2


async def test_an_answer_that_does_not_match_its_schema_is_not_kept() -> None:
    """The next one may match."""
    provider = Provider()
    kind = calls_by(provider)
    wanted = {"json_schema": {"type": "object"}}
    for number in (1, 2):
        await performed(kind, equal(number, body=wanted))
    provider.answer = replace(FINE, text="{}")
    for number in (3, 4):
        await performed(kind, equal(number, body=wanted))
    assert len(provider.asked) == 3


async def test_a_call_for_the_cache_alone_is_missed_or_answered() -> None:
    """It is never sent."""
    provider = Provider()
    kind = calls_by(provider)
    assert (await performed(kind, equal(1, cache_only=True))).outcome == "MISSED"
    assert (await performed(kind, equal(2, cache_only=True, cache="OFF"))).outcome == "MISSED"
    assert provider.asked == []
    await performed(kind, equal(3))
    assert (await performed(kind, equal(4, cache_only=True))).source == "CACHE"


async def test_equal_calls_in_flight_are_one() -> None:
    """All get its answer; only the first one is paid."""
    provider = Provider()
    kind = calls_by(provider)
    provider.held.clear()
    flights = [asyncio.create_task(performed(kind, equal(number))) for number in range(5)]
    await asyncio.sleep(0.01)
    provider.held.set()
    found = await asyncio.gather(*flights)
    assert len(provider.asked) == 1
    assert [attempt.source for attempt in found] == ["PROVIDER", *["COALESCED"] * 4]
    assert {attempt.text for attempt in found} == {"calm"}
    assert sum(attempt.output_tokens for attempt in found) == 4
    assert {attempt.source_call_id for attempt in found[1:]} == {equal(0).call_id}


async def test_a_failure_is_shared_but_not_that_of_another_key() -> None:
    """A key that is refused says nothing about another one."""
    provider = Provider(Answer("BAD_KEY", "refused"))
    keys = ("a", "a", "b")
    kind = AiCalls(Keys({key: SecretStr(key * 20) for key in keys}), {"paper": lambda: provider})
    provider.held.clear()
    flights = [asyncio.create_task(performed(kind, equal(at, key_id=key))) for at, key in enumerate(keys)]
    await asyncio.sleep(0.01)
    provider.held.set()
    found = await asyncio.gather(*flights)
    assert [(attempt.outcome, attempt.source) for attempt in found] == [
        ("BAD_KEY", "PROVIDER"),
        ("BAD_KEY", "COALESCED"),
        ("BAD_KEY", "PROVIDER"),
    ]


async def test_who_waits_goes_on_by_itself_if_the_first_one_is_given_up() -> None:
    """A caller that stops, or a first call with less time, takes nobody with it."""
    provider = Provider()
    kind = calls_by(provider)
    provider.held.clear()
    first = asyncio.create_task(performed(kind, equal(1)))
    second = asyncio.create_task(performed(kind, equal(2)))
    await asyncio.sleep(0.01)
    first.cancel()
    await asyncio.sleep(0.01)
    provider.held.set()
    assert (await second).source == "PROVIDER"
    assert provider.asked == [equal(1).call_id, equal(2).call_id]
    assert kind.cache._flying == {}
    provider.held.clear()
    hasty = asyncio.create_task(performed(kind, equal(3, digest="e" * 32, total_timeout_ms=20)))
    patient = asyncio.create_task(performed(kind, equal(4, digest="e" * 32)))
    assert (await hasty).outcome == "TIMED_OUT"
    provider.held.set()
    assert ((await patient).outcome, patient.result().source) == ("OK", "PROVIDER")


async def test_who_waits_keeps_its_own_time() -> None:
    """It ends at its deadline, though the call that it waits for goes on; and it owes nothing."""
    provider = Provider()
    kind = calls_by(provider)
    provider.held.clear()
    first = asyncio.create_task(performed(kind, equal(1)))
    await asyncio.sleep(0.01)
    late = await performed(kind, equal(2, deadline=clock_us() + 20_000))
    assert (late.outcome, late.timeout, late.source) == ("TIMED_OUT", "TOTAL", "COALESCED")
    provider.held.set()
    assert (await first).source == "PROVIDER"


async def test_a_kept_answer_is_shown_at_once() -> None:
    """To whoever wants it while it comes."""
    shown: list[str] = []

    class Deltas:
        def begin(self, call: AiCall) -> Any:
            return SimpleNamespace(text=shown.append, end=lambda _: None)

    kind = AiCalls(Keys({}), {"paper": Provider}, Deltas())  # type: ignore[arg-type]
    await performed(kind, equal(1))
    assert shown == []
    await performed(kind, equal(2, stream="LIVE"))
    assert shown == ["calm"]


def kept(size: int = 10) -> Kept:
    """Return an answer of some size."""
    found = kept_of(equal(1), replace(FINE, text="x" * size))
    assert found is not None
    return found


def test_memory_is_bounded_and_forgets() -> None:
    """The least recently used answers give way; each is kept for 15 minutes."""
    now = [0.0]
    memory = MemoryAnswers(most_bytes=20_000, seconds=900.0, clock=lambda: now[0])
    for number in range(100):
        memory.put(str(number), kept(1_000))
        memory.get("0")
        assert memory.bytes <= 20_000
    assert memory.get("0") is not None
    assert memory.get("1") is None
    assert 0 < memory.entries < 10
    memory.put("large", kept(30_000))
    assert memory.get("large") is None
    now[0] = 901.0
    assert memory.get("0") is None


class FakeRedis:
    """As much of Valkey as is used."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.expires: list[int] = []
        self.used, self.error = 1, None
        self.asked = 0

    async def get(self, key: str) -> bytes | None:
        """Return a value."""
        self.asked += 1
        if self.error is not None:
            raise self.error
        return self.values.get(key)

    async def set(self, key: str, value: bytes, ex: int) -> None:
        """Keep a value."""
        if self.error is not None:
            raise self.error
        self.values[key], self.expires = value, [*self.expires, ex]

    async def info(self, _: str) -> Mapping[str, int]:
        """Tell of the memory."""
        return {"used_memory": self.used, "maxmemory": 100}

    async def aclose(self) -> None:
        """Close."""


@pytest.fixture
def fake() -> FakeRedis:
    """Return a Valkey in memory."""
    return FakeRedis()


def valkey(fake: FakeRedis, clock: list[float] | None = None, **limits: int) -> ValkeyAnswers:
    """Return the shared answers of a process."""
    now = clock or [1_000.0]
    settings = Settings(_env_file=None, namespace="test.", redis=RedisSettings(url="redis://127.0.0.1:1"))
    found = ValkeyAnswers(settings, lambda: now[0], **limits)
    found._redis = fake
    return found


async def test_another_caller_finds_the_answer_in_valkey(fake: FakeRedis) -> None:
    """For 24 hours, under a key with the namespace and the tenant; then in its own memory."""
    one, two = Provider(), Provider()
    here, there = (calls_by(by, AnswerCache(shared=valkey(fake))) for by in (one, two))
    await performed(here, equal(1))
    await asyncio.sleep(0.01)
    assert list(fake.values) == [f"test.ai:cache:{key_of(equal(1))}"]
    assert key_of(equal(1)).startswith("alpha/")
    assert fake.expires == [86_400]
    found = await performed(there, equal(2))
    assert (found.source, found.source_call_id, two.asked) == ("CACHE", equal(1).call_id, [])
    await performed(there, equal(3))
    assert dict(there.cache.found) == {"shared": 1, "memory": 1}
    assert (await performed(there, equal(4, tenant_id="beta"))).source == "PROVIDER"


async def test_without_valkey_there_are_the_same_answers(fake: FakeRedis) -> None:
    """An error costs one wait, then nobody asks for some seconds; nothing that it holds can break a call."""
    now = [1_000.0]
    shared, provider = valkey(fake, now), Provider()
    kind = calls_by(provider, AnswerCache(shared=shared))
    fake.error = NoConnection("gone")  # type: ignore[assignment]
    for number in range(3):
        assert (await performed(kind, equal(number, digest=f"{number:032}"))).text == "calm"
    assert fake.asked == 1
    fake.error, now[0] = None, now[0] + PAUSE_S
    for wrong in (
        b"\xff",
        b"{}",
        b'{"call_id": "c", "answer": "{}"}',
        json.dumps({"call_id": 1, "answer": 2}).encode(),
    ):
        fake.values[f"test.ai:cache:{key_of(equal(9))}"] = wrong
        assert await shared.get(key_of(equal(9)), equal(9)) is None
    fake.values[f"test.ai:cache:{key_of(equal(9))}"] = kept().line()
    assert await shared.get(key_of(equal(9)), equal(9)) == kept()
    assert read(kept().line(), equal(9, digest="e" * 32)) is None


async def test_answers_take_at_most_half_of_valkey(fake: FakeRedis) -> None:
    """Others keep things there that must not be refused; and what is on its way is bounded."""
    now = [1_000.0]
    shared = valkey(fake, now, most_writing=2)
    fake.used = 50
    shared.put("full", kept())
    await asyncio.sleep(0.01)
    assert fake.values == {}
    fake.used, now[0] = 49, now[0] + 60.0
    for number in range(5):
        shared.put(str(number), kept())
    await shared.close()
    assert len(fake.values) == 2


def test_the_agent_pays_nothing_for_a_kept_answer_and_learns_nothing_from_it() -> None:
    """Neither budget nor usage, latency, breaker or errors: the provider has done nothing."""
    asking = Asking()
    made = asking.call(1, cache="EXACT")
    before = {key: value for key, value in asking.state.values.items() if isinstance(value, AiBreakerState)}
    free = {"counted": False, "input_tokens": 0, "output_tokens": 0, "source": "CACHE", "source_call_id": "c"}
    found = asking.follow(made, **free)
    assert isinstance(found, AiResponse)
    assert (found.status, found.source, found.cost, found.suspense) == ("ANSWERED", "CACHE", 0, 0)
    assert (asking.budget.spent, asking.budget.reserved, asking.budget.suspense) == (0, 0, 0)
    kinds = {type(event).__name__ for event in asking.sent}
    assert "Usage" not in kinds
    after = {key: value for key, value in asking.state.values.items() if isinstance(value, AiBreakerState)}
    assert after == before
    assert not [key for key in asking.state.values if key.startswith(("latency/", "hour/"))]


@given(st.text(max_size=50), st.text(min_size=1, max_size=20), st.lists(st.binary(max_size=9), max_size=2))
def test_what_is_kept_is_read_as_it_was(text: str, model: str, vectors: list[bytes]) -> None:
    """Any text and any vectors."""
    found = kept_of(equal(1), replace(FINE, text=text, model=model, embeddings=tuple(vectors)))
    assert found is not None
    assert read(found.line(), equal(1)) == found
    assert found.again().text == text
