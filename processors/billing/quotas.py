"""Shares of a quota that a tenant's usage has reached: told once for each share, month and size of the quota."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tradewind.processors.batch import State
from tradewind.processors.billing.meters import AI_COST, MICRO, SHARES
from tradewind.processors.billing.used_up import quota_of
from tradewind.processors.clock import month_end, month_name, month_start
from tradewind.processors.identity import derive_id
from tradewind.processors.money import CONTEXT
from tradewind.schemas.billing import Usage, UsageQuotaState, UsageTenantState, UsageThreshold
from tradewind.schemas.notifications import Alert
from tradewind.schemas.ranges import UNITS_MAX

QUOTA: Final = "quota/"


def has_quota(tenant: UsageTenantState, meter: str) -> bool:
    """Return whether a tenant has a quota of a meter."""
    return meter == AI_COST or (bool(tenant.quotas) and quota_of(tenant.quotas, meter) is not None)


def crossed(state: State, tenant: UsageTenantState, usage: Usage, used: Callable[[], int]) -> list[UsageThreshold]:
    """Return the shares of a quota that have been reached with usage that is counted, and that were not told of.

    If the quota has changed, the shares of the new one are told of. `used` returns what was used in the month, with
    this usage; it is called where the state has not counted for the quota yet.
    """
    quota = _quota(tenant, usage.meter)
    key = f"{QUOTA}{usage.tenant_id}/{month_name(usage.ts_event)}/{usage.meter}"
    if not quota:
        return []
    known = state.get(key, UsageQuotaState)
    quantity = used() if known is None else known.quantity + usage.quantity
    told = 0 if known is None or known.quota != quota else known.told_percent
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
            quota=quota,
        ),
    )
    return [
        UsageThreshold(
            event_id=derive_id("UsageThreshold", usage.tenant_id, usage.meter, start, quota, share),
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


def quota_alerts(reached: list[UsageThreshold]) -> list[Alert]:
    """Return an alert for each share, but for those of the AI budget: the agent that keeps the budget tells of it."""
    return [_alert(one) for one in reached if one.meter != AI_COST]


def forget_quotas(state: State, tenant: UsageTenantState) -> None:
    """Forget what was counted for quotas that a tenant no longer has; if one comes back, the totals tell."""
    for key in list(state.keys(f"{QUOTA}{tenant.tenant_id}/")):
        known = state.get(key, UsageQuotaState)
        if known is not None and not _quota(tenant, known.meter):
            state.delete(key)


def _quota(tenant: UsageTenantState, meter: str) -> int:
    """Return how many units of a meter a tenant may use in a month; 0 where none is set."""
    if meter != AI_COST:
        return quota_of(tenant.quotas, meter) or 0
    return min(int(CONTEXT.divide_int(tenant.ai_budget_per_month, MICRO)), UNITS_MAX)


def _alert(reached: UsageThreshold) -> Alert:
    month = month_name(reached.ts_start)
    said = f"{reached.tenant_id} has used {reached.quantity:,} of {reached.quota:,} {reached.meter} in {month}"
    return Alert(
        event_id=derive_id("Alert", reached.event_id),
        tenant_id=reached.tenant_id,
        ts_event=reached.ts_ingest,
        ts_ingest=reached.ts_ingest,
        correlation_id=reached.correlation_id,
        causation_id=reached.causation_id,
        severity="CRITICAL" if reached.percent == SHARES[-1] else "WARNING",
        source="rating",
        code=f"USAGE_QUOTA_{reached.percent}",
        message=f"{said}, {reached.percent} % of its quota: see ./dev usage, or raise quotas by ./dev tenants set",
    )
