"""What follows from an attempt: its call is settled, and its request is answered, called again or ended."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tradewind.processors.ai import breakers, settings, settlement
from tradewind.processors.ai.admission import Admitted, Refused, active_tenant, deadline_of
from tradewind.processors.ai.alerts import budget_alerts
from tradewind.processors.ai.calling import OPEN, Again, Asking, changed, next_call
from tradewind.processors.ai.canonical import canonical
from tradewind.processors.ai.hours import hourly_alerts
from tradewind.processors.ai.json_answers import Matching, Mismatch, judged, repaired
from tradewind.processors.ai.outcomes import PACED, rule_of
from tradewind.processors.ai.responses import End, answered, unanswered
from tradewind.processors.ai.routes import note_latency
from tradewind.processors.batch import State
from tradewind.processors.clock import advance
from tradewind.processors.money import CONTEXT
from tradewind.schemas.ai import (
    AiAttempt,
    AiCall,
    AiCallState,
    AiNowState,
    AiOpenState,
    AiProvider,
    AiRequest,
)
from tradewind.schemas.event import US_PER_MS, Event

ASKED: Final = "asked/"
MOST_FAILURES: Final = 4_000  # characters of what is remembered of failed calls
MOST_MISMATCHES: Final = 2  # answers that do not match json_schema: the first one, and one that was told its error
MOST_ERROR: Final = 200  # characters of what one provider said
LONGEST_BACKOFF: Final = 10  # times that a wait grows: beyond that no deadline waits for it


def on_attempt(state: State, attempt: AiAttempt) -> list[Event]:
    """Return what an attempt leads to; nothing where its call is settled, or nobody made it."""
    ts_ingest = attempt.ts_ingest
    now = advance(state, ts_ingest, AiNowState)
    call = settlement.call_of(state, attempt.call_id)
    if call is None:
        return []
    settled = settlement.settle(state, call, attempt, ts_ingest)
    asked = attempt.source == "PROVIDER"
    sent = [
        *settled.usage,
        *budget_alerts(state, call, attempt, ts_ingest),
        *(hourly_alerts(state, call, attempt, settled.cost, now) if asked else ()),
    ]
    if call.suspended:
        return sent  # its request went on without it
    rule = rule_of(attempt)
    if asked or call.probe:  # a kept or shared answer says nothing about the provider
        breakers.judge(state, call, rule.breaker, now)
    if rule.breaker == "SUCCESS" and asked:
        note_latency(state, call.provider, call.model, attempt.total_us, now)
    request = state.get(f"{ASKED}{call.request_id}", AiRequest)
    of = state.get(f"{OPEN}{call.request_id}", AiOpenState)
    assert request is not None  # a call that is not in suspense is the one that its request waits for
    assert of is not None
    after = _after(of, call, attempt, settled)
    end = End(ts_ingest, attempt.event_id, after, call.currency)
    if rule.move == "ANSWER":
        match judged(request, attempt):
            case Matching(json):
                return [*sent, _end(state, answered(request, end, attempt, json), request)]
            case mismatch:
                return [*sent, _mismatched(state, request, end, call=call, attempt=attempt, mismatch=mismatch)]
    why = Refused(rule.code, after.failures)
    if rule.move != "END":
        found = _next(state, request, after, call, attempt, now=now)
        if isinstance(found, AiCall):
            return [*sent, found]
        why = found
    return [*sent, _end(state, unanswered(request, end, why), request)]


def _mismatched(
    state: State, request: AiRequest, end: End, *, call: AiCallState, attempt: AiAttempt, mismatch: Mismatch
) -> Event:
    """Return a further call that shows the model what is wrong, once; then the response that no answer matched."""
    assert end.of is not None  # the request was asked
    said = f"{call.provider} {call.model}: SCHEMA ({mismatch.error})"
    failures = "; ".join(filter(None, (end.of.failures, said)))[-MOST_FAILURES:]
    of = replace(end.of, failures=failures, mismatches=end.of.mismatches + 1)
    why = failures
    if of.mismatches < MOST_MISMATCHES:
        now = advance(state, end.ts_ingest, AiNowState)
        again = repaired(request, attempt, mismatch)
        found = _further(state, again, of, Again(call.provider, call.model, now), now=now, ts_ingest=end.ts_ingest)
        if isinstance(found, AiCall):
            state.put(f"{ASKED}{request.event_id}", again)
            return found
        why = f"{failures}; there is no further try: {found.reason}"
    return _end(state, unanswered(request, replace(end, of=of), Refused("SCHEMA", why)), request)


def _after(of: AiOpenState, call: AiCallState, attempt: AiAttempt, settled: settlement.Settled) -> AiOpenState:
    """Return how far a request has come with what came of a call."""
    paid = attempt.source == "PROVIDER"
    said = f"{call.provider} {call.model}: {attempt.outcome}"
    if attempt.error:
        said = f"{said} ({attempt.error[:MOST_ERROR]})"
    failures = of.failures if attempt.outcome == "OK" else "; ".join(filter(None, (of.failures, said)))
    return replace(
        of,
        input_tokens=of.input_tokens + (attempt.input_tokens if paid else 0),
        cache_read_tokens=of.cache_read_tokens + (attempt.cache_read_tokens if paid else 0),
        cache_write_tokens=of.cache_write_tokens + (attempt.cache_write_tokens if paid else 0),
        output_tokens=of.output_tokens + (attempt.output_tokens if paid else 0),
        cost=CONTEXT.add(of.cost, settled.cost),
        suspense=CONTEXT.add(of.suspense, settled.suspense),
        failures=failures[-MOST_FAILURES:],
    )


def _next(
    state: State, request: AiRequest, of: AiOpenState, call: AiCallState, attempt: AiAttempt, *, now: int
) -> AiCall | Refused:
    """Return the next call of a request whose last one was in vain, or why there is none."""
    of, again = _again(of, call, attempt, settings.provider_of(state, call.tenant_id, call.provider), now)
    return _further(state, request, of, again, now=now, ts_ingest=attempt.ts_ingest)


def _further(
    state: State, request: AiRequest, of: AiOpenState, again: Again | None, *, now: int, ts_ingest: int
) -> AiCall | Refused:
    tenant = active_tenant(state, request.tenant_id)
    if isinstance(tenant, Refused):
        return tenant
    if deadline_of(request) <= now:
        return Refused("EXPIRED", f"its {request.deadline_ms:,} ms are over: {of.failures}")
    asking = Asking(state, request, Admitted(tenant, canonical(request), request), of, now, ts_ingest)
    return next_call(asking, again)


def _again(
    of: AiOpenState, call: AiCallState, attempt: AiAttempt, provider: AiProvider | None, now: int
) -> tuple[AiOpenState, Again | None]:
    """Return whether the same model is called again and when, and how far its request has come by that."""
    move, place = rule_of(attempt).move, (call.provider, call.model)
    (calls,) = (int(one["calls"]) for one in of.tried if (one["provider"], one["model"]) == place)
    if move == "UNSENT":
        return replace(changed(of, place, calls=calls - 1), counted=of.counted - 1), Again(*place, now)
    if move == "LARGER":
        models = () if provider is None else provider.models
        sizes = [int(str(model["context_tokens"])) for model in models if model["name"] == call.model]
        return replace(changed(of, place, over=True), context_tokens=max([of.context_tokens, *sizes])), None
    if move != "AGAIN" or provider is None or calls >= provider.max_attempts:
        return changed(of, place, over=True), None
    wait_us = 0
    if attempt.outcome in PACED:
        backoff_ms = provider.backoff_ms * provider.backoff_factor ** min(calls - 1, LONGEST_BACKOFF)
        wait_us = US_PER_MS * (int(backoff_ms) if attempt.retry_after_ms is None else attempt.retry_after_ms)
    return of, Again(*place, now + wait_us)


def _end(state: State, response: Event, request: AiRequest) -> Event:
    state.delete(f"{OPEN}{request.event_id}")
    state.delete(f"{ASKED}{request.event_id}")
    return response
