"""Usage becomes totals: each record counts once, in the month in which its units were used.

What is counted twice, contradicts itself or cannot be true is a dead letter that says which. A repetition is dropped.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tradewind.processors.batch import PoisonRecord, Processor, Segment, State, rows_of
from tradewind.processors.billing import gaps, sources
from tradewind.processors.billing.meters import METERS
from tradewind.processors.billing.quotas import crossed, forget_quotas, quota_alerts
from tradewind.processors.billing.totals import add
from tradewind.processors.clock import HOUR_US, MINUTE_US
from tradewind.processors.tenancy.known import known, note, note_seeded
from tradewind.schemas.billing import Usage, UsageTenantState
from tradewind.schemas.event import Event
from tradewind.schemas.runtime import ClockTick
from tradewind.schemas.tenancy import Seeded, Tenant

AHEAD_US: Final = MINUTE_US  # clocks of two machines differ by less, and nobody uses what is to come
CLOCK_AHEAD_US: Final = HOUR_US  # of a record: if the clock's owner dies, usage still counts until somebody has looked


def rating() -> Processor:
    """Return the rating agent's processor: tenants, the clock, usage -> totals, crossed quotas, alerts.

    Raises `PoisonRecord` for usage of an unknown meter or tenant, of a time to come, with an old number, or with a
    number that other usage has.
    """

    def process(state: State, segment: Segment) -> list[Event]:
        sent: list[Event] = []
        for index, event in enumerate(rows_of(segment).events):
            match event:
                case Usage():
                    sent += _on_usage(state, index, event)
                case ClockTick():
                    sent += _on_clock(state, event)
                case Tenant():
                    _on_tenant(state, index, event)
                case Seeded():
                    note_seeded(state, event)
                case _:
                    raise TypeError(f"totals are of usage, not of a {type(event).__name__}")
        return sent

    return process


def _on_tenant(state: State, index: int, tenant: Tenant) -> None:
    kept = UsageTenantState(
        tenant_id=tenant.tenant_id,
        revision=tenant.revision,
        ai_budget_per_month=tenant.ai_budget_per_month,
        quotas=tenant.quotas,
    )
    note(state, index, tenant, kept)
    forget_quotas(state, kept)


def _on_clock(state: State, tick: ClockTick) -> list[Event]:
    """Each minute: alert of what stays missing, and forget doors that are silent. No record of theirs would do it."""
    minute = sources.tell_time(state, tick.ts_event)
    sent: list[Event] = []
    if minute is None:
        return sent
    for source in sources.all_sources(state):
        if not sources.retire(state, source, minute) and gaps.is_overdue(source, minute):
            sent.append(gaps.missing(source, minute))
            sources.keep(state, replace(source, missing_told=True))
    return sent


def _on_usage(state: State, index: int, usage: Usage) -> list[Event]:
    tenant = known(state, usage.tenant_id, UsageTenantState)
    if tenant is None:
        raise PoisonRecord(index, f"there is no tenant {usage.tenant_id!r}")
    if usage.meter not in METERS:
        raise PoisonRecord(index, f"there is no meter {usage.meter!r}; meters are {', '.join(sorted(METERS))}")
    if usage.ts_event > usage.ts_ingest + AHEAD_US:
        ahead_s = (usage.ts_event - usage.ts_ingest) // 1_000_000
        raise PoisonRecord(index, f"its units were used {ahead_s:,} s after it came: a clock is wrong")
    told = sources.told_time(state)
    if told is not None and usage.ts_ingest > told + CLOCK_AHEAD_US:
        ahead_s = (usage.ts_ingest - told) // 1_000_000
        raise PoisonRecord(index, f"it came {ahead_s:,} s ahead of runtime.clock: a clock is wrong")
    verdict, source, given_up = sources.judge(state, usage)
    where = f"record {usage.sequence} of {usage.source} for {usage.tenant_id}"
    if verdict == "CONTRADICTS":
        raise PoisonRecord(index, f"{where} came before, and said something else")
    if verdict == "OLD":
        raise PoisonRecord(index, f"{where} is older than the last {sources.RECENT}: whether it came cannot be told")
    if verdict == "CLOSED":
        raise PoisonRecord(index, f"{where} came a day before the newest one, and its source is closed since")
    if verdict == "REPEATED":
        sources.keep(state, source)
        return []
    total = add(state, index, usage)
    alerts = [] if not given_up else [gaps.given_up(usage, source, given_up)]
    if gaps.is_overdue(source, usage.ts_ingest):
        alerts.append(gaps.missing(source, usage.ts_ingest))
        source = replace(source, missing_told=True)
    sources.keep(state, source)
    reached = crossed(state, tenant, usage)
    return [total, *reached, *quota_alerts(reached), *alerts]
