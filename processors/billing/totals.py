"""The total of a tenant, a meter, a dimension and a month: what each usage record adds to."""

from __future__ import annotations

from typing import Final

from tradewind.processors.batch import State, checked
from tradewind.processors.clock import month_end, month_name, month_start
from tradewind.processors.identity import derive_id
from tradewind.schemas.billing import Usage, UsageTotal

TOTAL: Final = "total/"


def add(state: State, index: int, usage: Usage) -> UsageTotal:
    """Count a record in its total, and return the total; raises `PoisonRecord` if the sum is out of range."""
    key = f"{_of_meter(usage)}{usage.dimension}"
    made = checked(_with(state.get(key, UsageTotal), usage), index)
    state.put(key, made)
    return made


def used_in_month(state: State, usage: Usage) -> int:
    """Return the units of a record's tenant, meter and month that are counted so far, over all dimensions."""
    found = (state.get(key, UsageTotal) for key in state.keys(_of_meter(usage)))
    return sum(total.quantity for total in found if total is not None)


def _of_meter(usage: Usage) -> str:
    return f"{TOTAL}{usage.tenant_id}/{month_name(usage.ts_event)}/{usage.meter}/"


def _with(before: UsageTotal | None, usage: Usage) -> UsageTotal:
    """Return the total with one more record."""
    start = month_start(usage.ts_event)
    records = 1 if before is None else before.records + 1
    billable = usage.quantity if usage.billable else 0
    return UsageTotal(
        event_id=derive_id("UsageTotal", usage.tenant_id, usage.meter, usage.dimension, start, records),
        tenant_id=usage.tenant_id,
        ts_event=usage.ts_event if before is None else max(before.ts_event, usage.ts_event),
        ts_ingest=usage.ts_ingest,
        correlation_id=usage.correlation_id,
        causation_id=usage.event_id,
        meter=usage.meter,
        dimension=usage.dimension,
        ts_start=start,
        ts_end=month_end(usage.ts_event),
        quantity=usage.quantity + (0 if before is None else before.quantity),
        billable_quantity=billable + (0 if before is None else before.billable_quantity),
        records=records,
    )
