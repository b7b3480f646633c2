"""Shares of a quota that a tenant's usage has reached: told once for each share and month."""

from __future__ import annotations

from tradewind.processors.batch import State
from tradewind.processors.billing.meters import AI_COST, MICRO, SHARES
from tradewind.processors.clock import month_end, month_name, month_start
from tradewind.processors.identity import derive_id
from tradewind.processors.money import CONTEXT
from tradewind.schemas.billing import Usage, UsageQuotaState, UsageTenantState, UsageThreshold
from tradewind.schemas.ranges import UNITS_MAX


def crossed(state: State, tenant: UsageTenantState, usage: Usage) -> list[UsageThreshold]:
    """Return the shares of a quota that usage has reached and that were not told of."""
    quota = _quota(tenant, usage.meter)
    if not quota:
        return []
    key = f"quota/{usage.tenant_id}/{month_name(usage.ts_event)}/{usage.meter}"
    known = state.get(key, UsageQuotaState)
    quantity = usage.quantity + (0 if known is None else known.quantity)
    told = 0 if known is None else known.told_percent
    reached = [share for share in SHARES if share > told and 100 * quantity >= share * quota]
    start = month_start(usage.ts_event)
    state.put(
        key,
        UsageQuotaState(
            tenant_id=usage.tenant_id,
            meter=usage.meter,
            ts_start=start,
            quantity=quantity,
            told_percent=max([told, *reached]),
        ),
    )
    return [
        UsageThreshold(
            event_id=derive_id("UsageThreshold", usage.tenant_id, usage.meter, start, share),
            tenant_id=usage.tenant_id,
            ts_event=usage.ts_event,
            ts_ingest=usage.ts_ingest,
            correlation_id=usage.correlation_id,
            causation_id=usage.event_id,
            meter=usage.meter,
            ts_start=start,
            ts_end=month_end(usage.ts_event),
            percent=share,
            quota=quota,
            quantity=min(quantity, UNITS_MAX),
        )
        for share in reached
    ]


def _quota(tenant: UsageTenantState, meter: str) -> int:
    """Return how many units of a meter a tenant may use in a month; 0 where none is set."""
    if meter != AI_COST:
        return 0
    return min(int(CONTEXT.divide_int(tenant.ai_budget_per_month, MICRO)), UNITS_MAX)
