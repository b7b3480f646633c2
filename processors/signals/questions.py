"""What strategies ask models: collected while a strategy is called, and sent as requests of the same transaction.

The id of a request derives from the strategy, its version, the instrument, the event that the strategy was called with,
and the number of the question, so that a replay asks the same. Responses come back on the partition of the instrument,
since `reply_key` is the key of its bars.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Final

from tradewind.processors.ai.prompts import Prompt, Prompts, Value, prompt_of
from tradewind.processors.identity import derive_id
from tradewind.schemas.ai import AiRequest
from tradewind.schemas.ranges import DEADLINE_MAX_MS
from tradewind.schemas.signals import Signal

VALID_S: Final = 5.0  # of a question, unless the strategy says otherwise
LONGEST_VALID_S: Final = DEADLINE_MAX_MS / 1_000
MOST_OPEN: Final = 16  # questions of a strategy about an instrument: with an hour each, one every four minutes
US_PER_S: Final = 1_000_000
EXPLAIN: Final = "explain-signal@1"
EXPLANATION: Final = "explanation/"
EXPLAIN_MS: Final = 300_000  # of clock time: a person reads it later
SHORTEST_US: Final = 1_000  # of a validity: a deadline is whole milliseconds


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, and what it may ask."""

    tenant_id: str = "alpha"
    """The tenant as which strategies ask, and that pays."""
    prompts: Prompts = field(default_factory=dict)
    explains: bool = False
    """Whether a model is asked to explain each signal."""


@dataclass(frozen=True, slots=True)
class Cause:
    """The event that a strategy is called with."""

    key: str
    """Names the call: the id of the event, and how the strategy is called with it."""
    event_id: str
    correlation_id: str
    at: int
    """Event time of what follows, µs."""
    ts_ingest: int


@dataclass(slots=True)
class Questions:
    """The questions of one call of a strategy."""

    asker: Asker
    run: str
    """The deployment, and what its memory belongs to."""
    instrument: str
    cause: Cause
    room: Callable[[], int]
    """Returns how many may be asked in this call; most calls do not ask."""
    asked: list[AiRequest] = field(default_factory=list)

    def ask(self, prompt: str, values: Mapping[str, Value], valid_s: float) -> str | None:
        """Add a question, and return its id; None if there is no room."""
        found = prompt_of(self.asker.prompts, prompt)
        texts = found.checked(values)
        if not 0 < valid_s <= LONGEST_VALID_S:
            raise ValueError(f"valid_s is {valid_s!r}: it is above 0 and at most {LONGEST_VALID_S:,.0f} s")
        if self.room() <= len(self.asked):
            return None
        request = self._request(found, texts, max(SHORTEST_US, round(valid_s * US_PER_S)))
        self.asked.append(request)
        return request.event_id

    def _request(self, prompt: Prompt, texts: Mapping[str, str], valid_us: int) -> AiRequest:
        cause = self.cause
        number = len(self.asked)
        return replace(
            _request(prompt, texts, self.asker.tenant_id, cause),
            event_id=derive_id("AiRequest", self.run, self.instrument, cause.key, number),
            makes_orders=True,  # whatever `on_answer` returns may become an order
            reply_key=self.instrument,
            deadline_ms=-(-valid_us // 1_000),
            valid_until=cause.at + valid_us,
        )


def explanation(asker: Asker, signal: Signal) -> AiRequest:
    """Return the question why a strategy gave a signal. No strategy waits for the answer, and no order follows."""
    prompt = prompt_of(asker.prompts, EXPLAIN)
    values: dict[str, Value] = {
        "strategy": signal.strategy,
        "symbol": signal.symbol,
        "venue": signal.venue,
        "direction": signal.direction,
        "strength": signal.strength,
        "volatility": signal.volatility,
        "bid": signal.quote_bid,
        "ask": signal.quote_ask,
        "reason": signal.reason,
    }
    cause = Cause(signal.event_id, signal.event_id, signal.correlation_id, signal.ts_event, signal.ts_ingest)
    request = _request(prompt, prompt.checked(values), asker.tenant_id, cause)
    return replace(request, event_id=derive_id("Explanation", signal.event_id), reply_key=reply_key_of(signal.event_id))


def reply_key_of(signal_id: str) -> str:
    """Return under which key the explanation of a signal comes: by it, a table finds the signal."""
    return f"{EXPLANATION}{signal_id}"


def _request(prompt: Prompt, texts: Mapping[str, str], tenant_id: str, cause: Cause) -> AiRequest:
    return AiRequest(
        event_id=cause.event_id,
        tenant_id=tenant_id,
        ts_event=cause.at,
        ts_ingest=cause.ts_ingest,
        correlation_id=cause.correlation_id,
        causation_id=cause.event_id,
        kind="CHAT",
        request_type=prompt.request_type,
        messages=(),
        prompt=prompt.name,
        prompt_values=tuple({"name": name, "value": text} for name, text in texts.items()),
        prompt_digest=prompt.digest,
        inputs=(),
        tools=(),
        json_schema=prompt.json_schema,
        max_tokens=prompt.max_tokens,
        temperature=prompt.temperature,
        stop=(),
        stream="NONE",
        cache="EXACT",
        makes_orders=False,
        reply_key=cause.event_id,
        deadline_ms=EXPLAIN_MS,
        valid_until=None,
    )


_CALLED: ContextVar[Questions | None] = ContextVar("questions", default=None)


def questions() -> Questions:
    """Return the questions of the strategy that is being called; raises `RuntimeError` outside of a call."""
    found = _CALLED.get()
    if found is None:
        raise RuntimeError(
            "ask() is for on_bar, on_news and on_answer: nothing is asked outside of a call of the agent"
        )
    return found


@contextmanager
def collecting(found: Questions) -> Iterator[Questions]:
    """Let `ask` add to these questions."""
    token = _CALLED.set(found)
    try:
        yield found
    finally:
        _CALLED.reset(token)
