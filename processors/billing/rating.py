"""Usage becomes totals: each record counts once, in the month in which its units were used.

What is counted twice, contradicts itself or cannot be true is a dead letter that says which. A repetition is dropped.
"""

from __future__ import annotations

from tradewind.processors.batch import Output, Processor, Segment, State, rows_of
from tradewind.processors.billing import gaps, sources
from tradewind.processors.billing.counting import count
from tradewind.processors.billing.quotas import forget_quotas
from tradewind.processors.tenancy.known import note, note_seeded
from tradewind.schemas.billing import Usage, UsageTenantState
from tradewind.schemas.event import Event
from tradewind.schemas.runtime import ClockTick
from tradewind.schemas.tenancy import Seeded, Tenant


def rating() -> Processor:
    """Return the rating agent's processor: tenants, the clock, usage -> totals, crossed quotas, alerts.

    Raises `PoisonRecord` for usage of an unknown meter or tenant, of a time to come, with an old number, or with a
    number that other usage has.
    """

    def process(state: State, segment: Segment) -> list[Output]:
        if segment.model is Usage:
            return count(state, segment)
        sent: list[Output] = []
        for index, event in enumerate(rows_of(segment).events):
            match event:
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
    """Each minute: alert of what stays missing, and forget doors that are silent. No record of theirs would do it.

    By the clock alone, a door is forgotten a week later than by records: if this agent was away, the clock is ahead of
    the records that wait.
    """
    minute = sources.tell_time(state, tick.ts_event)
    sent: list[Event] = []
    if minute is None:
        return sent
    by_clock_alone = sources.SILENT_US + sources.AWAY_US
    for source in sources.all_sources(state):
        if not sources.forget_silent(state, source, minute, by_clock_alone) and gaps.is_overdue(source, minute):
            sent.append(gaps.missing(source, minute))
            source.missing_told = True
            sources.keep(state, source)
    return sent
