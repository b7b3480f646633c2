"""Which models may answer a request, and in which order they are asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from tradewind.processors.ai.canonical import Canonical
from tradewind.processors.ai.limits import BYTES_PER_TOKEN, Limit
from tradewind.processors.ai.prices import EVERYONE, Price, bound_of, price_of
from tradewind.processors.ai.settings import provider_of, route_of
from tradewind.processors.batch import State
from tradewind.processors.identity import derive_id
from tradewind.processors.money import ZERO
from tradewind.schemas.ai import AiLatencyState, AiProvider, AiRequest, AiTenantState, AiTurnState

DEFAULT_ATTEMPTS: Final = 4  # of routes of tenants, which name models alone: two models, each asked twice
DECAY_US: Final = 10_000_000.0
"""In which a peak of latency loses half its weight. Finagle's peak EWMA has an exponential, whose last bit depends on
the machine."""
DRAWN: Final = 8  # digits of an id that stand for a random number: 32 bits, far more than weights add up to


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model that may answer a request."""

    provider: AiProvider
    model: Mapping[str, Any]
    weight: int = 1

    @property
    def name(self) -> str:
        """The model's name."""
        return str(self.model["name"])

    @property
    def place(self) -> tuple[str, str]:
        """Provider and model by name."""
        return self.provider.name, self.name


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a provider, with its limits."""

    key_id: str | None
    limit: Limit
    concurrent: int


@dataclass(frozen=True, slots=True)
class Route:
    """The models of a type of request, in the order in which they are asked."""

    candidates: Sequence[Candidate]
    max_attempts: int


@dataclass(frozen=True, slots=True)
class _Named:
    """The models that are named for a request, whether they can answer it or not."""

    models: Sequence[tuple[str, str, int]]
    """(provider, model, weight)."""
    strategy: str = "PRIORITY"
    max_attempts: int = DEFAULT_ATTEMPTS
    turn_key: str = ""
    """Of the state that counts the turns of the route."""


def route(state: State, request: AiRequest, asked: Canonical, tenant: AiTenantState, now: int) -> Route:
    """Return the models that can answer a request, the one that is to be asked first in front."""
    named = _named(state, request, tenant)
    fitting = []
    for provider_name, model_name, weight in named.models:
        provider = provider_of(state, tenant.tenant_id, provider_name)
        model = None if provider is None else _model(provider, model_name)
        if provider is not None and model is not None and can(model, request, asked):
            fitting.append(Candidate(provider, model, weight))
    match named.strategy:
        case "ROUND_ROBIN" if fitting and named.turn_key:
            known = state.get(named.turn_key, AiTurnState)
            first = (0 if known is None else known.turn) % len(fitting)
            fitting = fitting[first:] + fitting[:first]
        case "WEIGHT":
            fitting = _drawn(fitting, request.event_id)
        case "LATENCY":
            fitting.sort(key=lambda of: _peak(state, of))
        case "COST":
            fitting.sort(key=lambda of: _bound(price_of(state, tenant.tenant_id, *of.place, now), request, asked))
    return Route(fitting, named.max_attempts)


def turn(state: State, request: AiRequest, tenant: AiTenantState) -> None:
    """Have the next request of a round robin begin with the next model."""
    found = route_of(state, tenant.tenant_id, request.request_type)
    if found is not None and found.strategy == "ROUND_ROBIN":
        key = _turn_key(found.tenant_id, found.request_type)
        known = state.get(key, AiTurnState)
        state.put(key, AiTurnState(turn=1 + (0 if known is None else known.turn)))


def can(model: Mapping[str, Any], request: AiRequest, asked: Canonical) -> bool:
    """Return whether a model has the capabilities that a request needs."""
    needs = {
        "embeddings": request.kind == "EMBEDDING",
        "chat": request.kind != "EMBEDDING",
        "tools": bool(request.tools),
        "json_schema": request.json_schema is not None,
        "images": asked.images,
        "streams": request.stream != "NONE",
    }
    if any(needed and not model[name] for name, needed in needs.items()):
        return False
    if request.kind == "EMBEDDING":
        return True
    context = asked.size // BYTES_PER_TOKEN + request.max_tokens
    return request.max_tokens <= int(model["max_output_tokens"]) and context <= int(model["context_tokens"])


def keys_of(provider: AiProvider, tenant_id: str) -> list[Key]:
    """Return the keys of a provider that a tenant may use, its own first; one without an id where none is needed.

    A provider without a key may have limits, under an empty id.
    """
    if not provider.keys:
        return [Key(None, Limit(0, 0), 0)]
    usable = [key for key in provider.keys if key["tenant_id"] in (None, tenant_id)]
    usable.sort(key=lambda key: key["tenant_id"] is None)
    return [
        Key(
            str(key["key_id"]) or None,
            Limit(_whole(key["requests_per_minute"]), _whole(key["tokens_per_minute"])),
            _whole(key["concurrent"]),
        )
        for key in usable
    ]


def bound(price: Price, request: AiRequest, asked: Canonical) -> Decimal:
    """Return the most that an answer can cost by a price."""
    return bound_of(price, asked.input_bound, 0 if request.kind == "EMBEDDING" else request.max_tokens)


def note_latency(state: State, provider: str, model: str, total_us: int, now: int) -> None:
    """Take the time of an answer into account: a slower one counts at once, a faster one by and by."""
    key = f"latency/{provider}/{model}"
    known = state.get(key, AiLatencyState)
    peak = float(total_us)
    if known is not None and known.peak_us > peak:
        weight = 1.0 / (1.0 + max(now - known.ts_seen, 0) / DECAY_US)
        peak = known.peak_us * weight + peak * (1.0 - weight)
    state.put(key, AiLatencyState(provider=provider, model=model, peak_us=peak, ts_seen=now))


def _named(state: State, request: AiRequest, tenant: AiTenantState) -> _Named:
    if request.provider is not None and request.model is not None:
        return _Named([(request.provider, request.model, 1)])
    own = [of for of in tenant.routes if of["purpose"] == request.request_type] or [
        of for of in tenant.routes if of["purpose"] == EVERYONE
    ]
    if own:
        return _Named(_pinned([(str(of["provider"]), str(of["model"]), 1) for of in own], request))
    known = route_of(state, tenant.tenant_id, request.request_type)
    if known is None:
        return _Named(())
    models = [(str(of["provider"]), str(of["model"]), _whole(of["weight"])) for of in known.candidates]
    key = _turn_key(known.tenant_id, known.request_type)
    return _Named(_pinned(models, request), known.strategy, known.max_attempts, key)


def _pinned(found: Iterable[tuple[str, str, int]], request: AiRequest) -> list[tuple[str, str, int]]:
    return [one for one in found if request.provider in (None, one[0]) and request.model in (None, one[1])]


def _drawn(fitting: Sequence[Candidate], request_id: str) -> list[Candidate]:
    """Return candidates in an order that depends on the request alone, each in front as often as its weight says."""
    left, drawn = list(fitting), list[Candidate]()
    while left:
        total = sum(max(of.weight, 0) for of in left)
        lot = int(derive_id(request_id, len(drawn))[:DRAWN], 16) % total if total else 0
        for at, of in enumerate(left):
            lot -= max(of.weight, 0)
            if lot < 0 or not total:
                drawn.append(left.pop(at))
                break
    return drawn


def _peak(state: State, of: Candidate) -> float:
    known = state.get("latency/{}/{}".format(*of.place), AiLatencyState)
    return 0.0 if known is None else known.peak_us


def _bound(price: Price | None, request: AiRequest, asked: Canonical) -> tuple[bool, Decimal]:
    return (True, ZERO) if price is None else (False, bound(price, request, asked))


def _model(provider: AiProvider, name: str) -> Mapping[str, Any] | None:
    return next((model for model in provider.models if model["name"] == name), None)


def _turn_key(tenant_id: str | None, request_type: str) -> str:
    return f"turn/{tenant_id or EVERYONE}/{request_type}"


def _whole(value: object) -> int:
    assert isinstance(value, int)
    return value
