"""What a request comes to when its provider fails: agent and caller in memory, providers on a local server.

The agent's time is the test's own: a wait costs nothing, and one that ends a call counts twenty times, as the call's
time-outs are a twentieth of what they stand for.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import pytest
from asking import MS, NOW, SECOND, Asking, key, price, provider, request, route
from calls.faults import FAULTS
from calls.provider import TEXT, USAGE, Conversation, Fault, Provider
from pydantic import SecretStr

from tradewind.connectors.ai.calls import AiCalls
from tradewind.connectors.ai.keys.keys import Keys
from tradewind.connectors.calls.kind import Sending
from tradewind.connectors.clock.wall import clock_us
from tradewind.processors.ai.breakers import FIRST_OPEN_US, MOST_FAILURES
from tradewind.schemas.ai import AiAttempt, AiCall, AiRequest, AiResponse
from tradewind.schemas.billing import Usage
from tradewind.schemas.event import Event

SCALE = 20
PATIENT_MS = 30_000
"""For each wait that a fault is not about."""
WAITS = {
    "connect_timeout_ms": 3_000,
    "first_token_timeout_ms": 1_500,
    "idle_timeout_ms": 800,
    "total_timeout_ms": 4_000,
}
TOOK_US = 100 * MS
"""How long a call takes that no time-out ends."""
SMALL, LARGE = 8_000, 200_000
RATES = {"primary/p": ("1", "4"), "fallback/f": ("3", "15")}
PAID = {
    name: (USAGE["input"] + USAGE["cached"]) * int(into) + USAGE["output"] * int(out)
    for name, (into, out) in RATES.items()
}
"""Millionths that an answer costs by the tokens that the server tells."""


@dataclass(slots=True)
class Called:
    """A call, and when it was under way."""

    call: AiCall
    begun: int
    ended: int = 0
    outcome: str = ""


class Line:
    """Agent and caller over a broker in memory: what happens at one moment happens in the order of the records."""

    def __init__(self, asking: Asking, kind: AiCalls) -> None:
        self.asking, self.kind = asking, kind
        self.now = NOW
        self.called: list[Called] = []
        self._numbers = itertools.count()
        self._due: list[tuple[int, int, Event]] = []

    async def run(self, *requests: AiRequest) -> dict[str, AiResponse]:
        """Bring in requests at their times; return the one response of each."""
        for one in requests:
            self._put(one.ts_ingest, one)
        found: dict[str, AiResponse] = {}
        while self._due:
            self.now, _, event = heapq.heappop(self._due)
            if isinstance(event, AiCall):
                await self._perform(event)
                continue
            for sent in self.asking.give(event):
                if isinstance(sent, AiCall):
                    self._put(max(self.now, sent.not_before), sent)
                elif isinstance(sent, AiResponse):
                    assert sent.request_id not in found, "a request has two responses"
                    found[sent.request_id] = sent
        assert found.keys() == {one.event_id for one in requests}
        return found

    async def _perform(self, call: AiCall) -> None:
        one = Called(call, self.now)
        self.called.append(one)
        attempt = await self.kind.perform(replace(call, deadline=clock_us() + 60 * SECOND), Sending())
        assert isinstance(attempt, AiAttempt)
        one.outcome = attempt.outcome
        one.ended = self.now + (SCALE * attempt.total_us if attempt.timeout else TOOK_US)
        self._put(one.ended, replace(attempt, ts_event=one.ended, ts_ingest=one.ended))

    def _put(self, at: int, event: Event) -> None:
        heapq.heappush(self._due, (at, next(self._numbers), event))


async def strict(one: Conversation) -> None:
    """Answer well; refuse a conversation that ends with what the model is to go on from."""
    if one.asked.body["messages"][-1]["role"] != "user":
        said = "This model does not support assistant message prefill. The conversation must end with a user message."
        await one.whole({"error": {"type": "invalid_request_error", "message": said}}, 400)
        return
    await one.answer()


def once(fault: Fault) -> Fault:
    """Return what fails once, and then answers well."""
    seen = itertools.count()

    async def found(one: Conversation) -> None:
        await (fault(one) if next(seen) == 0 else one.answer())

    return found


def settings(url: str, waits: Mapping[str, int]) -> list[Any]:
    """Return a small model of OpenAI's form and a larger one of Anthropic's, each with its own key and price."""
    primary, fallback = (
        replace(
            provider(name, model, adapter=adapter, base_url=base, allow_private=True, keys=(key("main"),), **waits),
            models=({**provider(name, model).models[0], "context_tokens": context},),
        )
        for name, model, adapter, base, context in (
            ("primary", "p", "openai", f"{url}/v1", SMALL),
            ("fallback", "f", "anthropic", url, LARGE),
        )
    )
    prices = [price(place, into, out=out) for place, (into, out) in RATES.items()]
    return [primary, fallback, route("primary/p", "fallback/f"), *prices]


Started = Callable[..., Awaitable[tuple[Line, Provider]]]


@pytest.fixture
async def start() -> AsyncIterator[Started]:
    """Give what starts a line whose primary fails in some way."""
    ends: list[Callable[[], Awaitable[Any]]] = []

    async def started(primary: Fault, waits: Mapping[str, int] | None = None) -> tuple[Line, Provider]:
        server = Provider({"p": primary, "f": strict})
        await server.__aenter__()
        kind = AiCalls(Keys({"main": SecretStr("sk-test")}))
        ends.extend((kind.close, lambda: server.__aexit__(None, None, None)))
        patient = dict.fromkeys(WAITS, PATIENT_MS)
        return Line(Asking(settings(server.url, {**patient, **(waits or {})})), kind), server

    yield started
    for end in ends:
        await end()


def outcomes(line: Line) -> list[tuple[str, str]]:
    """Return whom the calls went to, and what came of them, in order."""
    return [(one.call.provider, one.outcome) for one in line.called]


def fault(name: str) -> Fault:
    """Return a fault by its name."""
    return FAULTS[name][0]


NEXT = ("fallback", "OK")
CASES: dict[str, tuple[Fault, str, list[tuple[str, str]]]] = {
    "429 with retry-after": (once(fault("429 with retry-after")), "", [("primary", "BUSY"), ("primary", "OK")]),
    "429 persistent": (fault("429 with retry-after"), "", [*[("primary", "BUSY")] * 2, NEXT]),
    "500 once": (once(fault("500")), "", [("primary", "ERROR"), ("primary", "OK")]),
    "503 persistent": (fault("503"), "", [*[("primary", "BUSY")] * 2, NEXT]),
    "reset before headers": (fault("reset before headers"), "", [("primary", "BROKEN"), NEXT]),
    "no response": (fault("no response"), "first_token_timeout_ms", [("primary", "TIMED_OUT"), NEXT]),
    "slow first token": (fault("slow first token"), "first_token_timeout_ms", [("primary", "TIMED_OUT"), NEXT]),
    "stream cut": (fault("stream cut"), "", [("primary", "BROKEN"), NEXT]),
    "stream stalled": (fault("stream stalled"), "idle_timeout_ms", [("primary", "TIMED_OUT"), NEXT]),
    "malformed chunk": (fault("malformed chunk"), "", [("primary", "MALFORMED"), NEXT]),
    "no [DONE]": (fault("no [DONE]"), "", [("primary", "OK")]),
    "context exceeded": (fault("context exceeded"), "", [("primary", "TOO_LONG"), NEXT]),
    "page as a 200": (fault("page as a 200"), "", [("primary", "MALFORMED"), NEXT]),
    "empty answer": (fault("empty answer"), "", [("primary", "EMPTY"), NEXT]),
    "overload inside a 200": (fault("overload inside a 200"), "", [*[("primary", "BUSY")] * 2, NEXT]),
    "429 without credit": (fault("429 without credit"), "", [("primary", "NO_CREDIT"), NEXT]),
}


@pytest.mark.parametrize("name", CASES)
async def test_a_request_is_answered_whole_whatever_its_first_provider_does(name: str, start: Started) -> None:
    """By the same model again, or by the next one, which is asked what the first one was asked, and nothing else."""
    primary, ends_by, expected = CASES[name]
    line, server = await start(primary, {ends_by: WAITS[ends_by]} if ends_by else None)
    (found,) = (await line.run(request(1, stream="LIVE"))).values()
    assert outcomes(line) == expected
    assert (found.status, found.text, found.attempts) == ("ANSWERED", TEXT, len(expected))
    assert found.provider == expected[-1][0]
    assert all([m["role"] for m in asked.body["messages"]] == ["user"] for asked in server.requests)
    waits = [after.begun - before.ended for before, after in itertools.pairwise(line.called)]
    if "429" in name and expected[0][1] == "BUSY":
        assert 2 * SECOND <= waits[0] <= 2.2 * SECOND, "Retry-After was not honoured"
    assert line.asking.budget.reserved == 0


async def test_a_filtered_prompt_is_answered_as_such(start: Started) -> None:
    """Nobody else is asked, and no breaker moves: the next request goes to the same model."""
    line, _ = await start(once(fault("filter of the prompt")))
    first, second = (await line.run(request(1), request(2, NOW + SECOND))).values()
    assert (first.status, first.code, second.status) == ("FAILED", "FILTERED", "ANSWERED")
    assert outcomes(line) == [("primary", "FILTERED"), ("primary", "OK")]


async def test_a_fallback_that_refuses_a_prefill_is_told_of(start: Started) -> None:
    """If the conversation itself ends with one. A broken answer is never given to the next model to go on from."""
    line, _ = await start(fault("stream cut"))
    asked = request(1, stream="LIVE")
    prefilled = replace(asked, messages=(*asked.messages, {**asked.messages[0], "role": "ASSISTANT", "content": "It"}))
    (found,) = (await line.run(prefilled)).values()
    assert outcomes(line) == [("primary", "BROKEN"), ("fallback", "BAD_REQUEST")]
    assert (found.status, found.code, found.text) == ("FAILED", "BAD_REQUEST", "")
    assert "primary p: BROKEN" in found.reason
    assert "does not support assistant message prefill" in found.reason


async def test_a_provider_that_flaps_is_tested_by_one_call_at_a_time(start: Started) -> None:
    """For a minute it is up for 5 s and down for 11 s by turns. Each request is answered; it is tested now and then."""
    line: Line

    def is_up(at: int) -> bool:
        return (at - NOW) % (16 * SECOND) < 5 * SECOND

    async def flaps(one: Conversation) -> None:
        await (one.answer() if is_up(line.now) else fault("500")(one))

    line, _ = await start(flaps)
    every = [request(number, NOW + number * SECOND // 4) for number in range(240)]
    found = await line.run(*every)
    assert {one.status for one in found.values()} == {"ANSWERED"}
    primary = [one for one in line.called if one.call.provider == "primary"]
    probes = [one for one in primary if one.call.probe]
    assert all(before.ended <= after.begun for before, after in itertools.pairwise(probes)), "two probes at once"
    assert {one.outcome for one in probes} == {"OK", "ERROR"}, "it is never found down, or never found up again"
    assert any(one.outcome == "OK" for one in primary if not one.call.probe), "it is not used once it is up"
    opened, _ = _open_times(primary)[0]
    assert FIRST_OPEN_US <= probes[0].begun - opened < FIRST_OPEN_US + SECOND, "calls in flight kept it open for longer"
    for opened, reopened in _open_times(primary):
        decided = [one for one in primary if opened < one.call.ts_ingest < reopened]
        assert all(one.call.probe for one in decided), "a call was made while it was left alone"
    assert len(primary) < len(every) / 2, "it was asked as if it were up"


def _open_times(calls: Iterable[Called]) -> list[tuple[int, int]]:
    """Return from when to when the breaker is open at least, by the ends of the calls."""
    found, failures = [], 0
    for one in sorted(calls, key=lambda one: one.ended):
        failures = 0 if one.outcome == "OK" else failures + 1
        if one.outcome != "OK" and (one.call.probe or failures >= MOST_FAILURES):
            found.append((one.ended, one.ended + FIRST_OPEN_US))
    return found


async def test_each_model_of_a_fallback_is_paid_by_its_own_price(start: Started) -> None:
    """What the first one may have counted stays in suspense at its own bound; usage sums to what was spent."""
    line, _ = await start(fault("stream cut"))
    (found,) = (await line.run(request(1, stream="LIVE"))).values()
    first, second = (one.call for one in line.called)
    budget, micro = line.asking.budget, Decimal("0.000001")
    assert (first.price_id, second.price_id) == tuple(
        price(place, into, out=out).price_id for place, (into, out) in RATES.items()
    )
    assert budget.suspense == found.suspense == first.reserved > 0
    assert budget.spent == found.cost == PAID["fallback/f"] * micro <= second.reserved
    used = {(one.meter, one.model): one.quantity for one in line.asking.of(Usage)}
    assert used == {
        ("ai.tokens.in", "f"): USAGE["input"] + USAGE["cached"],
        ("ai.tokens.out", "f"): USAGE["output"],
        ("ai.cost", "f"): PAID["fallback/f"],
    }
    assert budget.reserved == 0
