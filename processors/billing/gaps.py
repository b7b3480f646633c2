"""Alerts on usage records that are missing: a person looks at the door that numbered them."""

from __future__ import annotations

from typing import Final

from tradewind.processors.billing.sources import Source
from tradewind.processors.clock import MINUTE_US
from tradewind.processors.identity import derive_id
from tradewind.schemas.billing import Usage
from tradewind.schemas.notifications import Alert

GAP_US: Final = 10 * MINUTE_US  # in which what is missing may still come
SHOWN: Final = 5  # numbers that an alert names


def is_overdue(source: Source, at: int) -> bool:
    """Return whether numbers have been missing for too long at a clock time, µs, and nobody was told yet."""
    return source.missing_since is not None and not source.missing_told and at - source.missing_since > GAP_US


def missing(source: Source, at: int) -> Alert:
    """Return the alert on numbers of a source that do not come."""
    numbers = ", ".join(map(str, source.missing[:SHOWN]))
    said = f"{len(source.missing)} usage records of {source.name} for {source.tenant_id} are missing ({numbers})"
    event_id = derive_id("Alert", "USAGE_MISSING", source.tenant_id, source.name, source.missing[0])
    return Alert(
        event_id=event_id,
        tenant_id=source.tenant_id,
        ts_event=at,
        ts_ingest=at,
        correlation_id=event_id,
        causation_id=event_id,
        severity="WARNING",
        source="rating",
        code="USAGE_MISSING",
        message=f"{said}: look at what that door did",
    )


def given_up(usage: Usage, count: int) -> Alert:
    """Return the alert on so many numbers that are no longer waited for since a record has come."""
    said = f"{count} usage records of {usage.source} for {usage.tenant_id} before {usage.sequence} are given up"
    return Alert(
        event_id=derive_id("Alert", "USAGE_GIVEN_UP", usage.event_id),
        tenant_id=usage.tenant_id,
        ts_event=usage.ts_ingest,
        ts_ingest=usage.ts_ingest,
        correlation_id=usage.correlation_id,
        causation_id=usage.event_id,
        severity="WARNING",
        source="rating",
        code="USAGE_GIVEN_UP",
        message=f"{said}: look at what that door did",
    )
