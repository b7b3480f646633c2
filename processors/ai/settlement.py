"""What a call cost becomes part of the tenant's month, and usage: each settled call once, to the last unit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from tradewind.processors.ai import budgets
from tradewind.processors.ai.outcomes import UNSENT, money_of
from tradewind.processors.ai.prices import cost_of
from tradewind.processors.batch import State
from tradewind.processors.billing.meters import AI_COST, MICRO, TOKENS_IN, TOKENS_OUT, ai_dimension
from tradewind.processors.billing.numbering import next_sequence
from tradewind.processors.identity import derive_id
from tradewind.processors.money import CONTEXT, ZERO
from tradewind.schemas.ai import AiAttempt, AiCallState
from tradewind.schemas.billing import Usage
from tradewind.schemas.event import Event

CALL: Final = "call/"
SOURCE: Final = "ai/0"
"""Of usage: the agent has one task, and its state numbers the records."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What an attempt did to the money of its call."""

    cost: Decimal = ZERO
    """What the call cost; 0 where that is not known."""
    suspense: Decimal = ZERO
    """What the call holds in suspense from now on."""
    usage: tuple[Event, ...] = ()


def open_call(state: State, call: AiCallState) -> None:
    """Reserve a call's bound, and wait for what comes of it."""
    budgets.reserve(state, call)
    state.put(f"{CALL}{call.call_id}", call)


def call_of(state: State, call_id: str) -> AiCallState | None:
    """Return a call that is not settled; None for one that is, or that there never was."""
    return state.get(f"{CALL}{call_id}", AiCallState)


def settle(state: State, call: AiCallState, attempt: AiAttempt, ts_ingest: int) -> Settled:
    """Settle a call by what came of it, or keep its bound in suspense where its end is not known."""
    if call.suspended and attempt.outcome in UNSENT:
        return Settled()
    match money_of(attempt):
        case "SETTLE":
            return _paid(state, call, attempt, ts_ingest)
        case "RELEASE":
            budgets.settle(state, call, ZERO)
            state.delete(f"{CALL}{call.call_id}")
            return Settled()
    if call.suspended:
        return Settled()
    budgets.suspend(state, call)
    state.put(f"{CALL}{call.call_id}", replace(call, suspended=True))
    return Settled(suspense=call.reserved)


def _paid(state: State, call: AiCallState, attempt: AiAttempt, ts_ingest: int) -> Settled:
    cost = cost_of(call, attempt)
    budgets.settle(state, call, cost)
    state.delete(f"{CALL}{call.call_id}")
    prompt = attempt.input_tokens + attempt.cache_read_tokens + attempt.cache_write_tokens
    counted = {TOKENS_IN: prompt, TOKENS_OUT: attempt.output_tokens, AI_COST: int(CONTEXT.divide_int(cost, MICRO))}
    of = _Counted(call, attempt, ts_ingest)
    return Settled(cost=cost, usage=tuple(_usage(state, of, meter, units) for meter, units in counted.items() if units))


@dataclass(frozen=True, slots=True)
class _Counted:
    """A call that the provider has counted."""

    call: AiCallState
    attempt: AiAttempt
    ts_ingest: int


def _usage(state: State, of: _Counted, meter: str, quantity: int) -> Usage:
    call = of.call
    return Usage(
        event_id=derive_id("Usage", meter, call.call_id),
        tenant_id=call.tenant_id,
        ts_event=call.ts_called,  # the month whose budget it is of
        ts_ingest=of.ts_ingest,
        correlation_id=call.correlation_id,
        causation_id=of.attempt.event_id,
        meter=meter,
        dimension=ai_dimension(call.provider, call.model, call.request_type),
        quantity=quantity,
        source=SOURCE,
        sequence=next_sequence(state, call.tenant_id),
        billable=of.attempt.outcome == "OK",
        request_id=call.request_id,
        call_id=call.call_id,
        model=call.model,
        price_id=call.price_id,
    )
