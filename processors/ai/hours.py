"""Alerts on providers: once an hour if one costs more than its settings allow, or fails too often."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Final

from tradewind.processors.ai.outcomes import rule_of
from tradewind.processors.ai.settings import provider_of
from tradewind.processors.batch import State
from tradewind.processors.clock import HOUR_US
from tradewind.processors.identity import derive_id
from tradewind.processors.money import CONTEXT, ZERO, shown
from tradewind.schemas.ai import AiAttempt, AiCallState, AiHourState
from tradewind.schemas.notifications import Alert

MOST_ERRORS: Final = 20  # one in so many attempts: above 5 %
FEWEST_CALLS: Final = 20  # of an hour, before a share of them means anything


def hourly_alerts(state: State, call: AiCallState, attempt: AiAttempt, cost: Decimal, now: int) -> list[Alert]:
    """Count an attempt in its provider's hour of UTC; return the alerts that it leads to."""
    key, start = f"hour/{call.provider}/{call.currency}", now - now % HOUR_US
    known = state.get(key, AiHourState)
    if known is None or known.ts_start != start:
        known = AiHourState(
            provider=call.provider,
            currency=call.currency,
            ts_start=start,
            calls=0,
            errors=0,
            cost=ZERO,
            told_cost=False,
            told_errors=False,
        )
    failed = rule_of(attempt).breaker not in {"SUCCESS", "NOTHING"}
    after = replace(known, calls=known.calls + 1, errors=known.errors + int(failed), cost=CONTEXT.add(known.cost, cost))
    found: list[Alert] = []
    provider = provider_of(state, call.tenant_id, call.provider)
    most = ZERO if provider is None else provider.alert_cost_per_hour
    if most and after.cost > most and not known.told_cost:
        said = f"{call.provider} has cost {shown(after.cost)} {call.currency} in this hour, above {shown(most)}"
        found.append(
            _alert(call, attempt, "AI_COST_PER_HOUR", start, f"{said}: see ./dev ai cost --by provider,tenant")
        )
        after = replace(after, told_cost=True)
    if after.calls >= FEWEST_CALLS and after.errors * MOST_ERRORS > after.calls and not known.told_errors:
        said = f"{call.provider} has failed in {after.errors} of {after.calls} attempts of this hour"
        found.append(_alert(call, attempt, "AI_ERRORS", start, f"{said}, the last time with {attempt.outcome}"))
        after = replace(after, told_errors=True)
    state.put(key, after)
    return found


def _alert(call: AiCallState, attempt: AiAttempt, code: str, hour: int, said: str) -> Alert:
    return Alert(
        event_id=derive_id("Alert", code, call.provider, call.currency, hour),
        tenant_id=None,
        ts_event=attempt.ts_event,
        ts_ingest=attempt.ts_ingest,
        correlation_id=call.correlation_id,
        causation_id=attempt.event_id,
        severity="WARNING",
        source="ai",
        code=code,
        message=said,
    )
