"""The next call of a request: the first model that works, has a price, and fits the budget and the time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

from tradewind.processors.ai import breakers, budgets, limits, routes
from tradewind.processors.ai.admission import Admitted, Refused, deadline_of
from tradewind.processors.ai.breakers import Gate
from tradewind.processors.ai.limits import Spent
from tradewind.processors.ai.prices import RATES, Price, price_of
from tradewind.processors.ai.routes import Candidate, Key
from tradewind.processors.ai.settlement import open_call
from tradewind.processors.batch import State
from tradewind.processors.identity import derive_id
from tradewind.processors.money import ZERO, shown
from tradewind.schemas.ai import AiCall, AiCallState, AiOpenState, AiRequest

OPEN: Final = "open/"
NO_ROUTE: Final = "no model that can answer it is on the route of {!r}{}: see ./dev ai routes"
FAILED: Final = "every model on its route has failed"


@dataclass(frozen=True, slots=True)
class Asking:
    """A request that is to be asked, and how far it has come."""

    state: State
    request: AiRequest
    admitted: Admitted
    of: AiOpenState
    now: int
    """The agent's time, µs."""
    ts_ingest: int
    """Of the record that leads to the call, µs."""

    @property
    def calls(self) -> dict[tuple[str, str], int]:
        """How often each model was called."""
        return {(str(one["provider"]), str(one["model"])): int(one["calls"]) for one in self.of.tried}


@dataclass(frozen=True, slots=True)
class Again:
    """The model that is to be called once more."""

    provider: str
    model: str
    not_before: int
    """µs."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is called next."""

    candidate: Candidate
    key: Key
    gate: Gate
    price: Price
    bound: Decimal
    not_before: int


def begin(asking: Asking) -> AiCall | Refused:
    """Make the first call of a request, or say why none can be made."""
    found = next_call(asking, None)
    if isinstance(found, AiCall):
        routes.turn(asking.state, asking.request, asking.admitted.tenant)
    return found


def next_call(asking: Asking, again: Again | None) -> AiCall | Refused:
    """Make the next call of a request, or say why none can be made."""
    of = asking.of
    found = routes.route(asking.state, asking.request, asking.admitted.asked, asking.admitted.tenant, asking.now)
    if of.counted >= found.max_attempts:
        return Refused("EXHAUSTED", f"{FAILED}: {of.failures}")
    if again is not None:
        same = (one for one in found.candidates if one.place == (again.provider, again.model))
        chosen = _choose(asking, same, again.not_before)
        if isinstance(chosen, Chosen):
            return _call(asking, chosen)
        of = changed(of, (again.provider, again.model), over=True)  # it cannot wait so long
        asking = replace(asking, of=of)
    left = (one for one in found.candidates if not _is_over(of, one) and _holds(of, one))
    chosen = _choose(asking, left, asking.now)
    return _call(asking, chosen) if isinstance(chosen, Chosen) else _in_words(asking, chosen)


def _choose(asking: Asking, candidates: Iterable[Candidate], not_before: int) -> Chosen | Refused:
    """Return the first model and key that can be called; the first reason against one where there is none."""
    against: Refused | None = None
    for candidate in candidates:
        price = _price(asking, candidate)
        found = price if isinstance(price, Refused) else _affordable(asking, candidate, price, not_before)
        if isinstance(found, Chosen):
            return found
        against = against or found
    return against or Refused("NO_ROUTE", "")


def _price(asking: Asking, candidate: Candidate) -> Price | Refused:
    provider, model = candidate.place
    price = price_of(asking.state, asking.request.tenant_id, provider, model, asking.now)
    if price is None:
        return Refused("UNPRICED", f"{provider} {model} has no price: give it one by ./dev ai apply, be it 0")
    currency = asking.admitted.tenant.currency
    if price.currency != currency:
        said = f"{provider} {model} has a price in {price.currency}, and the tenant's budget is in {currency}"
        return Refused("UNPRICED", f"{said}: give the tenant a price of its own by ./dev ai apply")
    return price


def _affordable(asking: Asking, candidate: Candidate, price: Price, not_before: int) -> Chosen | Refused:
    tenant, request = asking.admitted.tenant, asking.request
    bound = routes.bound(price, request, asking.admitted.asked)
    if not budgets.fits(asking.state, tenant, bound, asking.now):
        budget = shown(tenant.budget_per_month)
        said = f"it may cost {shown(bound)} {price.currency}, and the month's budget is {budget}"
        return Refused("BUDGET", f"{said}: see ./dev ai cost, or raise ai_budget_per_month by ./dev tenants set")
    provider, waits = candidate.provider.name, []
    for key in routes.keys_of(candidate.provider, tenant.tenant_id):
        key_id = key.key_id or ""
        gate = breakers.gate_of(asking.state, provider, key_id, candidate.name, asking.now)
        at = max(not_before, limits.earliest(asking.state, provider, key_id, key.limit, asking.now), gate.open_until)
        if gate.open_until == 0 and at < deadline_of(request):
            return Chosen(candidate, key, gate, price, bound, at)
        waits.append(at - asking.now)
    if not waits:
        return Refused("NO_ROUTE", f"{provider} has no key that {tenant.tenant_id} may use: see ./dev ai providers")
    said = f"{provider} {candidate.name} takes no call before the deadline of {request.deadline_ms:,} ms"
    return Refused("RATE", f"{said}: its key's limit is used up, or it has just failed", min(waits))


def _call(asking: Asking, chosen: Chosen) -> AiCall:
    """Make a call: reserve its bound, use its key, and wait for what comes of it."""
    state, request = asking.state, asking.request
    made = _made(asking, chosen)
    kept = AiCallState(
        call_id=made.call_id,
        request_id=request.event_id,
        tenant_id=request.tenant_id,
        request_type=request.request_type,
        correlation_id=request.correlation_id,
        provider=made.provider,
        model=made.model,
        key_id=made.key_id,
        attempt=made.attempt,
        ts_called=asking.now,
        currency=made.currency,
        price_id=made.price_id,
        reserved=made.reserved,
        probe=made.probe,
        suspended=False,
        **{name: chosen.price.rates[name] for name in RATES},
    )
    open_call(state, kept)
    tokens = asking.admitted.asked.size // limits.BYTES_PER_TOKEN + request.max_tokens
    limits.use(state, made.provider, made.key_id or "", chosen.key.limit, Spent(chosen.not_before, tokens))
    if made.probe:
        breakers.begin_probe(state, kept)
    of = asking.of
    calls = {**asking.calls, chosen.candidate.place: asking.calls.get(chosen.candidate.place, 0) + 1}
    after = replace(of, call_id=made.call_id, calls=of.calls + 1, counted=of.counted + 1, tried=_tried(of, calls))
    state.put(f"{OPEN}{request.event_id}", after)
    return made


def _made(asking: Asking, chosen: Chosen) -> AiCall:
    request, asked = asking.request, asking.admitted.asked
    provider, attempt = chosen.candidate.provider, asking.of.calls + 1
    call_id = derive_id("AiCall", request.event_id, attempt)
    return AiCall(
        event_id=call_id,
        tenant_id=request.tenant_id,
        ts_event=request.ts_event,
        ts_ingest=asking.ts_ingest,
        correlation_id=request.correlation_id,
        causation_id=request.event_id,
        call_id=call_id,
        request_id=request.event_id,
        attempt=attempt,
        kind=request.kind,
        request_type=request.request_type,
        reply_key=request.reply_key,
        provider=provider.name,
        provider_revision=provider.revision,
        adapter=provider.adapter,
        base_url=provider.base_url,
        allow_private=provider.allow_private,
        model=chosen.candidate.name,
        key_id=chosen.key.key_id,
        body=asked.body,
        digest=asked.digest,
        max_tokens=request.max_tokens,
        input_bound=asked.input_bound,
        stream=request.stream,
        cache="EXACT" if request.makes_orders and request.cache == "SEMANTIC" else request.cache,
        cache_only=False,
        probe=chosen.gate.probe,
        concurrent=chosen.key.concurrent,
        reserved=chosen.bound,
        currency=chosen.price.currency,
        price_id=chosen.price.price_id,
        not_before=chosen.not_before,
        deadline=deadline_of(request),
        connect_timeout_ms=provider.connect_timeout_ms,
        first_token_timeout_ms=provider.first_token_timeout_ms,
        idle_timeout_ms=provider.idle_timeout_ms,
        total_timeout_ms=provider.total_timeout_ms,
    )


def _tried(of: AiOpenState, calls: dict[tuple[str, str], int]) -> tuple[dict[str, Any], ...]:
    """Return how often each model was called; a model that is over stays so."""
    over = {(one["provider"], one["model"]) for one in of.tried if one["over"]}
    return tuple(
        {"provider": provider, "model": model, "calls": count, "over": (provider, model) in over}
        for (provider, model), count in calls.items()
    )


def _is_over(of: AiOpenState, one: Candidate) -> bool:
    return any(tried["over"] and (tried["provider"], tried["model"]) == one.place for tried in of.tried)


def _holds(of: AiOpenState, one: Candidate) -> bool:
    """Return whether a model has a larger context than one that was too small."""
    return int(one.model["context_tokens"]) > of.context_tokens


def _in_words(asking: Asking, why: Refused) -> Refused:
    of = asking.of
    if of.calls and why.code in {"NO_ROUTE", "RATE"}:
        said = f"{FAILED}: {of.failures}"
        if of.context_tokens:
            return Refused("TOO_LONG", said)
        return Refused("EXHAUSTED", said, why.retry_after_us)
    if why.code == "NO_ROUTE" and not why.reason:
        return Refused("NO_ROUTE", NO_ROUTE.format(asking.request.request_type, _only(asking.request)))
    return why


def _only(request: AiRequest) -> str:
    """Say which provider and model a request insists on."""
    asked = {"provider": request.provider, "model": request.model}
    said = " and ".join(f"the {what} {name!r}" for what, name in asked.items() if name is not None)
    return said and f", for it asks for {said} alone"


def changed(of: AiOpenState, place: tuple[str, str], **changes: Any) -> AiOpenState:
    """Return how far a request has come, with something else said of one model."""
    tried = tuple({**one, **changes} if (one["provider"], one["model"]) == place else one for one in of.tried)
    return replace(of, tried=tried)


def fresh(request: AiRequest) -> AiOpenState:
    """Return how far a request has come that was not asked yet."""
    return AiOpenState(
        request_id=request.event_id,
        call_id="",
        calls=0,
        counted=0,
        tried=(),
        context_tokens=0,
        input_tokens=0,
        cache_read_tokens=0,
        cache_write_tokens=0,
        output_tokens=0,
        cost=ZERO,
        suspense=ZERO,
        failures="",
    )
