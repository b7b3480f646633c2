"""Usage becomes totals: each record counts once, in the month in which its units were used.

What is counted twice, contradicts itself or cannot be true is a dead letter that says which. A repetition is dropped.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tradewind.processors.batch import PoisonRecord, Processor, Segment, State, rows_of
from tradewind.processors.billing import sources
from tradewind.processors.billing.meters import METERS
from tradewind.processors.billing.quotas import crossed, forget_quotas, quota_alerts
from tradewind.processors.billing.totals import add
from tradewind.processors.clock import MINUTE_US
from tradewind.processors.identity import derive_id
from tradewind.processors.tenancy.known import known, note, note_seeded
from tradewind.schemas.billing import Usage, UsageSourceState, UsageTenantState
from tradewind.schemas.event import Event
from tradewind.schemas.notifications import Alert
from tradewind.schemas.tenancy import Seeded, Tenant

AHEAD_US: Final = MINUTE_US  # clocks of two machines differ by less, and nobody uses what is to come
GAP_US: Final = 10 * MINUTE_US  # in which what is missing may still come


def rating() -> Processor:
    """Return the rating agent's processor: tenants, usage -> totals, crossed quotas, alerts.

    Raises `PoisonRecord` for usage of an unknown meter or tenant, of a time to come, with an old number, or with a
    number that other usage has.
    """

    def process(state: State, segment: Segment) -> list[Event]:
        sent: list[Event] = []
        for index, event in enumerate(rows_of(segment).events):
            match event:
                case Usage():
                    sent += _on_usage(state, index, event)
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


def _on_usage(state: State, index: int, usage: Usage) -> list[Event]:
    tenant = known(state, usage.tenant_id, UsageTenantState)
    if tenant is None:
        raise PoisonRecord(index, f"there is no tenant {usage.tenant_id!r}")
    if usage.meter not in METERS:
        raise PoisonRecord(index, f"there is no meter {usage.meter!r}; meters are {', '.join(sorted(METERS))}")
    if usage.ts_event > usage.ts_ingest + AHEAD_US:
        ahead_s = (usage.ts_event - usage.ts_ingest) // 1_000_000
        raise PoisonRecord(index, f"its units were used {ahead_s:,} s after it came: a clock is wrong")
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
    alerts, source = _gaps(usage, source, given_up)
    sources.keep(state, source)
    reached = crossed(state, tenant, usage)
    return [total, *reached, *quota_alerts(reached), *alerts]


def _gaps(usage: Usage, source: UsageSourceState, given_up: int) -> tuple[list[Alert], UsageSourceState]:
    """Return an alert for numbers that will not come, and what is known of the source with it."""
    found = []
    if given_up:
        said = (
            f"{given_up} usage records of {source.source} for {source.tenant_id} before {usage.sequence} are given up"
        )
        found.append(_alert(usage, "USAGE_GIVEN_UP", f"{said}: look at what that door did"))
    if source.missing_since is not None and not source.missing_told and usage.ts_ingest - source.missing_since > GAP_US:
        numbers = ", ".join(map(str, source.missing[:5]))
        said = f"{len(source.missing)} usage records of {source.source} for {source.tenant_id} are missing ({numbers})"
        found.append(_alert(usage, "USAGE_MISSING", f"{said}: look at what that door did"))
        source = replace(source, missing_told=True)
    return found, source


def _alert(usage: Usage, code: str, said: str) -> Alert:
    return Alert(
        event_id=derive_id("Alert", code, usage.event_id),
        tenant_id=usage.tenant_id,
        ts_event=usage.ts_ingest,
        ts_ingest=usage.ts_ingest,
        correlation_id=usage.correlation_id,
        causation_id=usage.event_id,
        severity="WARNING",
        source="rating",
        code=code,
        message=said,
    )
