"""Alerts on budgets: once each when half, four fifths and all of a tenant's month are spent."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from tradewind.processors.ai import budgets
from tradewind.processors.batch import State
from tradewind.processors.billing.meters import SHARES
from tradewind.processors.clock import month_name
from tradewind.processors.identity import derive_id
from tradewind.processors.money import CONTEXT, shown
from tradewind.processors.tenancy.known import known
from tradewind.schemas.ai import AiAttempt, AiCallState, AiTenantState
from tradewind.schemas.notifications import Alert


def budget_alerts(state: State, call: AiCallState, attempt: AiAttempt, ts_ingest: int) -> list[Alert]:
    """Return an alert for each share of the month's budget that is spent now and was not told of yet."""
    tenant = known(state, call.tenant_id, AiTenantState)
    budget = budgets.of_call(state, call)
    if tenant is None or not tenant.budget_per_month or tenant.currency != call.currency:
        return []
    spent = CONTEXT.multiply(budget.spent, Decimal(100))
    reached = [
        share
        for share in SHARES
        if share > budget.told_percent and spent >= CONTEXT.multiply(tenant.budget_per_month, Decimal(share))
    ]
    if not reached:
        return []
    budgets.keep(state, call, replace(budget, told_percent=reached[-1]))
    month = month_name(call.ts_called)
    has = f"{call.tenant_id} has spent {shown(budget.spent)} {call.currency} on AI in {month}"
    most = f"its budget of {shown(tenant.budget_per_month)}"
    do = "see ./dev ai cost, or raise ai_budget_per_month by ./dev tenants set"
    return [_alert(call, share, f"{has}, {share} % of {most}: {do}", attempt, ts_ingest) for share in reached]


def _alert(call: AiCallState, share: int, said: str, attempt: AiAttempt, ts_ingest: int) -> Alert:
    month = month_name(call.ts_called)
    return Alert(
        event_id=derive_id("Alert", "AI_BUDGET", call.tenant_id, month, call.currency, share),
        tenant_id=call.tenant_id,
        ts_event=attempt.ts_event,
        ts_ingest=ts_ingest,
        correlation_id=call.correlation_id,
        causation_id=attempt.event_id,
        severity="CRITICAL" if share == SHARES[-1] else "WARNING",
        source="ai",
        code=f"AI_BUDGET_{share}",
        message=said,
    )
