"""What tests of AI share: tenants, settings, requests, attempts, and an agent that has been told of the first two."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, TypeVar, cast

from processing import tenant_events

from tradewind.processors.ai.processor import ai
from tradewind.processors.ai.seed import CAPABILITIES, NO_EVENT, NO_PLACE, first_settings, revised
from tradewind.processors.ai.settings import Setting
from tradewind.processors.identity import derive_id
from tradewind.schemas.ai import AiAttempt, AiBudgetState, AiCall, AiPrice, AiProvider, AiRequest, AiRoute
from tradewind.schemas.event import Event
from tradewind.schemas.tenancy import Tenant
from tradewind.testing import MemoryState, run

E = TypeVar("E", bound=Event)
NOW = 1_790_000_000_000_000  # µs, in September 2026
MS, SECOND, HOUR, DAY = 1_000, 1_000_000, 3_600_000_000, 86_400_000_000


def tenant(tenant_id: str = "alpha", revision: int = 1, **other: Any) -> Tenant:
    """Return a tenant with the defaults of a new one, unless told otherwise."""
    known = next(event for event in tenant_events() if isinstance(event, Tenant))
    return replace(known, event_id=derive_id(tenant_id, revision), tenant_id=tenant_id, revision=revision, **other)


def request(number: int = 1, at: int = NOW, text: str = "Is EURUSD calm?", **other: Any) -> AiRequest:
    """Return a question of tenant alpha, unless told otherwise."""
    event_id = derive_id("request", number)
    message = {"role": "USER", "content": text, "name": None, "tool_call_id": None, "tool_calls": (), "images": ()}
    fields: dict[str, Any] = {
        "event_id": event_id,
        "tenant_id": "alpha",
        "ts_event": at,
        "ts_ingest": at,
        "correlation_id": event_id,
        "causation_id": event_id,
        "kind": "CHAT",
        "request_type": "general",
        "messages": (message,),
        "prompt_values": (),
        "inputs": (),
        "tools": (),
        "max_tokens": 100,
        "stop": (),
        "stream": "NONE",
        "cache": "OFF",
        "makes_orders": False,
        "reply_key": "test",
        "deadline_ms": 60_000,
    }
    return AiRequest(**{**fields, **other})


def attempt(call: AiCall, outcome: Any = "OK", at: int | None = None, **other: Any) -> AiAttempt:
    """Return what came of a call a second later, unless told otherwise: an answer of 10 and 5 tokens."""
    ended = call.ts_ingest + SECOND if at is None else at
    fine = outcome == "OK"
    fields: dict[str, Any] = {
        "event_id": derive_id("AiAttempt", call.call_id, outcome),
        "tenant_id": call.tenant_id,
        "ts_event": ended,
        "ts_ingest": ended,
        "correlation_id": call.correlation_id,
        "causation_id": call.event_id,
        "call_id": call.call_id,
        "request_id": call.request_id,
        "attempt": call.attempt,
        "outcome": outcome,
        "provider": call.provider,
        "model": call.model,
        "key_id": call.key_id,
        "text": "calm" if fine else "",
        "tool_calls": (),
        "embeddings": (),
        "finish": "STOP" if fine else None,
        "input_tokens": 10 if fine else 0,
        "cache_read_tokens": 0,
        "cache_write_tokens": 0,
        "output_tokens": 5 if fine else 0,
        "counted": fine,
        "source": "PROVIDER",
        "semantic": False,
        "total_us": SECOND,
    }
    return AiAttempt(**{**fields, **other})


def provider(name: str = "one", *models: str, **other: Any) -> AiProvider:
    """Return a provider with a key and models that can do everything, unless told otherwise."""
    known = cast("AiProvider", first_settings()[0])
    described = tuple({"name": model, **CAPABILITIES} for model in models or ("m",))
    return replace(known, **{"name": name, "adapter": "paper", "models": described, "keys": (key(name),), **other})


def key(key_id: str = "k", **other: Any) -> dict[str, Any]:
    """Return a key without limits, unless told otherwise."""
    known = {"key_id": key_id, "tenant_id": None, "requests_per_minute": 0, "tokens_per_minute": 0, "concurrent": 0}
    return {**known, **other}


def route(*places: str, request_type: str = "*", weights: Sequence[int] = (), **other: Any) -> AiRoute:
    """Return a route over models, each as `provider/model`."""
    known = cast("AiRoute", first_settings()[1])
    candidates = tuple(
        {"provider": place.split("/")[0], "model": place.split("/")[1], "weight": weight}
        for place, weight in zip(places, weights or [1] * len(places), strict=True)
    )
    return replace(known, **{"request_type": request_type, "candidates": candidates, "max_attempts": 9, **other})


def price(place: str = "one/m", rate: str = "1", *, out: str | None = None, **other: Any) -> AiPrice:
    """Return a price of a million tokens, the same for all classes unless `out` is given."""
    name, model = place.split("/")
    rates = dict.fromkeys(("input_per_million", "cache_read_per_million", "cache_write_per_million"), Decimal(rate))
    fields = {
        **NO_EVENT,
        **NO_PLACE,
        **rates,
        "output_per_million": Decimal(out or rate),
        "per_call": Decimal(0),
        "price_id": derive_id("price", place, rate, out or ""),
        "provider": name,
        "model": model,
        "currency": "USD",
        "valid_from": 0,
        "origin": "test",
    }
    return AiPrice(**{**fields, **other})  # type: ignore[arg-type]


TWO: tuple[Setting, ...] = (
    provider("one", "m"),
    provider("two", "m"),
    route("one/m", "two/m"),
    price("one/m"),
    price("two/m"),
)
"""Two providers of one model each, and a route over both."""


class Asking:
    """The AI agent, told of tenants and settings: requests and attempts go in, and what follows is looked at."""

    def __init__(self, settings: Iterable[Setting] = TWO, tenants: Iterable[Tenant] = ()) -> None:
        self.state = MemoryState()
        self.processor = ai()
        self.sent: list[Event] = []
        self.given: list[Event] = []
        self.revision = 0
        self.give(*(tenants or (tenant(),)), tenant_events(())[0])
        self.apply(*settings)

    def give(self, *events: Event) -> list[Event]:
        """Give events to the agent, one by one; return what it sends."""
        found = [sent for event in events for sent in run(self.processor, [event], self.state)]
        self.given += events
        self.sent += found
        return found

    def apply(self, *settings: Setting) -> list[Event]:
        """Change settings, as the next revision."""
        self.revision += 1
        return self.give(*revised(settings, self.revision, NOW))

    def ask(self, number: int = 1, at: int = NOW, **other: Any) -> Event:
        """Ask a question; return the call or the response."""
        (found,) = self.give(request(number, at, **other))
        return found

    def call(self, number: int = 1, at: int = NOW, **other: Any) -> AiCall:
        """Ask a question that must lead to a call."""
        found = self.ask(number, at, **other)
        assert isinstance(found, AiCall), found
        return found

    def follow(self, call: AiCall, outcome: Any = "OK", at: int | None = None, **other: Any) -> Event:
        """Tell what came of a call; return the next call or the response."""
        found = self.give(attempt(call, outcome, at, **other))
        (last,) = (event for event in found if type(event).__name__ in {"AiCall", "AiResponse"})
        return last

    def of(self, model: type[E]) -> list[E]:
        """Return all events of a model that the agent sent."""
        return [event for event in self.sent if isinstance(event, model)]

    @property
    def budget(self) -> AiBudgetState:
        """The one month of the one tenant."""
        (found,) = (value for value in self.state.values.values() if isinstance(value, AiBudgetState))
        return found
