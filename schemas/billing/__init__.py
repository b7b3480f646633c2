"""Event models of the billing domain. Generated from the .avsc files beside it by schemas/generate.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar, Self

from tradewind.schemas.event import Event

__all__ = [
    "Usage",
    "UsageNowState",
    "UsageQuotaState",
    "UsageSequenceState",
    "UsageSourceState",
    "UsageTenantState",
    "UsageThreshold",
    "UsageTotal",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage(Event):
    """Units that a tenant used. One source sends each record once, and numbers its records."""

    SCHEMA: ClassVar[str] = "tradewind.billing.Usage"
    VERSION: ClassVar[int] = 1
    RANGES: ClassVar[Mapping[str, str]] = {
        "event_id": "name",
        "tenant_id": "name",
        "ts_event": "later",
        "ts_ingest": "later",
        "correlation_id": "label",
        "causation_id": "label",
        "meter": "name",
        "dimension": "label",
        "quantity": "units",
        "source": "name",
        "sequence": "count",
        "request_id": "name",
        "call_id": "name",
        "model": "name",
        "price_id": "name",
    }

    event_id: str
    """32 hex digits; derived from what caused the event, so that processing again gives the same id"""
    tenant_id: str
    """the tenant that used the units"""
    ts_event: int
    """clock time at which the units were used"""
    ts_ingest: int
    """the time at which the record that reports the units entered Tradewind"""
    correlation_id: str
    """the first event of the chain"""
    causation_id: str
    """the event that caused this one directly"""
    meter: str
    """what is counted, such as orders or ai.tokens.in"""
    dimension: str
    """what the meter counts apart, such as an instrument; for AI: provider, model and request type, joined by bars"""
    quantity: int
    """units of the meter; ai.cost counts millionths of the currency"""
    source: str
    """who counted: a door and its start, or an agent and its partition"""
    sequence: int
    """number of the record among those of its source and tenant, from 0 on, over all meters"""
    billable: bool
    """whether the tenant pays for the units"""
    request_id: str | None = None
    """AI only: the request"""
    call_id: str | None = None
    """AI only: the call"""
    model: str | None = None
    """AI only: the model"""
    price_id: str | None = None
    """AI only: the price"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            event_id=record["event_id"],
            tenant_id=record["tenant_id"],
            ts_event=record["ts_event"],
            ts_ingest=record["ts_ingest"],
            correlation_id=record["correlation_id"],
            causation_id=record["causation_id"],
            meter=record["meter"],
            dimension=record["dimension"],
            quantity=record["quantity"],
            source=record["source"],
            sequence=record["sequence"],
            billable=record["billable"],
            request_id=record["request_id"],
            call_id=record["call_id"],
            model=record["model"],
            price_id=record["price_id"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "event_id": self.event_id,
            "tenant_id": self.tenant_id,
            "ts_event": self.ts_event,
            "ts_ingest": self.ts_ingest,
            "correlation_id": self.correlation_id,
            "causation_id": self.causation_id,
            "meter": self.meter,
            "dimension": self.dimension,
            "quantity": self.quantity,
            "source": self.source,
            "sequence": self.sequence,
            "billable": self.billable,
            "request_id": self.request_id,
            "call_id": self.call_id,
            "model": self.model,
            "price_id": self.price_id,
        }

    def in_range(self) -> bool:
        return (
            1 <= len(self.event_id) <= 256
            and 1 <= len(self.tenant_id) <= 256
            and 0 <= self.ts_event <= 253402214400000000
            and 0 <= self.ts_ingest <= 253402214400000000
            and len(self.correlation_id) <= 256
            and len(self.causation_id) <= 256
            and 1 <= len(self.meter) <= 256
            and len(self.dimension) <= 256
            and 1 <= self.quantity <= 1000000000000000
            and 1 <= len(self.source) <= 256
            and self.sequence >= 0
            and (self.request_id is None or 1 <= len(self.request_id) <= 256)
            and (self.call_id is None or 1 <= len(self.call_id) <= 256)
            and (self.model is None or 1 <= len(self.model) <= 256)
            and (self.price_id is None or 1 <= len(self.price_id) <= 256)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageNowState(Event):
    """State of the rating agent: its time, which is the greatest ts_ingest of all usage so far."""

    SCHEMA: ClassVar[str] = "tradewind.billing.UsageNowState"
    VERSION: ClassVar[int] = 1

    now: int
    """the time"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            now=record["now"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "now": self.now,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageQuotaState(Event):
    """State of the rating agent: how much of a quota a tenant has used in a period."""

    SCHEMA: ClassVar[str] = "tradewind.billing.UsageQuotaState"
    VERSION: ClassVar[int] = 1

    tenant_id: str
    """the tenant"""
    meter: str
    """the meter"""
    ts_start: int
    """first moment of the period"""
    quantity: int
    """units that the tenant has used so far, over all dimensions"""
    told_percent: int
    """the largest share that rating has reported, percent; 0 for none"""
    quota: int = 0
    """the quota that told_percent refers to"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            tenant_id=record["tenant_id"],
            meter=record["meter"],
            ts_start=record["ts_start"],
            quantity=record["quantity"],
            told_percent=record["told_percent"],
            quota=record["quota"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "tenant_id": self.tenant_id,
            "meter": self.meter,
            "ts_start": self.ts_start,
            "quantity": self.quantity,
            "told_percent": self.told_percent,
            "quota": self.quota,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageSequenceState(Event):
    """State of the agents that report usage: how many records of one tenant the task has numbered."""

    SCHEMA: ClassVar[str] = "tradewind.billing.UsageSequenceState"
    VERSION: ClassVar[int] = 1

    tenant_id: str
    """the tenant"""
    next: int
    """sequence of the next record"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            tenant_id=record["tenant_id"],
            next=record["next"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "tenant_id": self.tenant_id,
            "next": self.next,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageSourceState(Event):
    """State of the rating agent: the records that came from one source for one tenant."""

    SCHEMA: ClassVar[str] = "tradewind.billing.UsageSourceState"
    VERSION: ClassVar[int] = 1

    source: str
    """the source"""
    tenant_id: str
    """the tenant"""
    highest: int
    """greatest sequence so far"""
    missing: tuple[int, ...]
    """sequences below highest that have not come, ascending"""
    recent: tuple[Mapping[str, int | str], ...]
    """the newest records, to know a repetition from a contradiction"""
    missing_told: bool
    """whether an alert has reported the missing records"""
    repeated: int
    """records that came again and were dropped"""
    ts_seen: int
    """when the newest record entered Tradewind"""
    missing_since: int | None = None
    """when the oldest missing sequence was first missed; null if none is missing"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            source=record["source"],
            tenant_id=record["tenant_id"],
            highest=record["highest"],
            missing=tuple(record["missing"]),
            recent=tuple(record["recent"]),
            missing_since=record["missing_since"],
            missing_told=record["missing_told"],
            repeated=record["repeated"],
            ts_seen=record["ts_seen"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "tenant_id": self.tenant_id,
            "highest": self.highest,
            "missing": list(self.missing),
            "recent": list(self.recent),
            "missing_since": self.missing_since,
            "missing_told": self.missing_told,
            "repeated": self.repeated,
            "ts_seen": self.ts_seen,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageTenantState(Event):
    """State of the rating agent: the fields of one tenant that the agent reads."""

    SCHEMA: ClassVar[str] = "tradewind.billing.UsageTenantState"
    VERSION: ClassVar[int] = 1
    RANGES: ClassVar[Mapping[str, str]] = {
        "ai_budget_per_month": "limit",
    }

    tenant_id: str
    """the tenant"""
    revision: int
    """revision of the tenant"""
    ai_budget_per_month: Decimal
    """quota of the meter ai.cost, in the tenant's currency"""
    quotas: tuple[Mapping[str, int | str], ...] = ()
    """units of other meters that the tenant may use in a month, sorted by meter"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            tenant_id=record["tenant_id"],
            revision=record["revision"],
            ai_budget_per_month=record["ai_budget_per_month"],
            quotas=tuple(record["quotas"]),
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "tenant_id": self.tenant_id,
            "revision": self.revision,
            "ai_budget_per_month": self.ai_budget_per_month,
            "quotas": list(self.quotas),
        }

    def in_range(self) -> bool:
        return 0 <= self.ai_budget_per_month <= 9999999999999999999999999999


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageThreshold(Event):
    """A tenant's usage of a meter has reached a share of its quota. Sent once for each share and period."""

    SCHEMA: ClassVar[str] = "tradewind.billing.UsageThreshold"
    VERSION: ClassVar[int] = 1
    RANGES: ClassVar[Mapping[str, str]] = {
        "event_id": "name",
        "tenant_id": "name",
        "ts_event": "later",
        "ts_ingest": "later",
        "correlation_id": "label",
        "causation_id": "label",
        "meter": "name",
        "ts_start": "later",
        "ts_end": "later",
        "percent": "percent",
        "quota": "units",
        "quantity": "units",
    }

    event_id: str
    """32 hex digits; derived from what caused the event, so that processing again gives the same id"""
    tenant_id: str
    """the tenant"""
    ts_event: int
    """the time of the usage that reached the share"""
    ts_ingest: int
    """when the record at the origin of the chain entered Tradewind"""
    correlation_id: str
    """the first event of the chain"""
    causation_id: str
    """the event that caused this one directly"""
    meter: str
    """what is counted"""
    ts_start: int
    """first moment of the period, a month of UTC"""
    ts_end: int
    """first moment after the period"""
    percent: int
    """the share of the quota that was reached"""
    quota: int
    """units of the meter that the tenant may use in the period"""
    quantity: int
    """units that the tenant had used when the share was reached"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            event_id=record["event_id"],
            tenant_id=record["tenant_id"],
            ts_event=record["ts_event"],
            ts_ingest=record["ts_ingest"],
            correlation_id=record["correlation_id"],
            causation_id=record["causation_id"],
            meter=record["meter"],
            ts_start=record["ts_start"],
            ts_end=record["ts_end"],
            percent=record["percent"],
            quota=record["quota"],
            quantity=record["quantity"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "event_id": self.event_id,
            "tenant_id": self.tenant_id,
            "ts_event": self.ts_event,
            "ts_ingest": self.ts_ingest,
            "correlation_id": self.correlation_id,
            "causation_id": self.causation_id,
            "meter": self.meter,
            "ts_start": self.ts_start,
            "ts_end": self.ts_end,
            "percent": self.percent,
            "quota": self.quota,
            "quantity": self.quantity,
        }

    def in_range(self) -> bool:
        return (
            1 <= len(self.event_id) <= 256
            and 1 <= len(self.tenant_id) <= 256
            and 0 <= self.ts_event <= 253402214400000000
            and 0 <= self.ts_ingest <= 253402214400000000
            and len(self.correlation_id) <= 256
            and len(self.causation_id) <= 256
            and 1 <= len(self.meter) <= 256
            and 0 <= self.ts_start <= 253402214400000000
            and 0 <= self.ts_end <= 253402214400000000
            and 1 <= self.percent <= 100
            and 1 <= self.quota <= 1000000000000000
            and 1 <= self.quantity <= 1000000000000000
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageTotal(Event):
    """Units of one meter and dimension that a tenant has used in a period so far."""

    SCHEMA: ClassVar[str] = "tradewind.billing.UsageTotal"
    VERSION: ClassVar[int] = 1
    RANGES: ClassVar[Mapping[str, str]] = {
        "event_id": "name",
        "tenant_id": "name",
        "ts_event": "later",
        "ts_ingest": "later",
        "correlation_id": "label",
        "causation_id": "label",
        "meter": "name",
        "dimension": "label",
        "ts_start": "later",
        "ts_end": "later",
        "quantity": "count",
        "billable_quantity": "count",
        "records": "revision",
    }

    event_id: str
    """32 hex digits; derived from what caused the event, so that processing again gives the same id"""
    tenant_id: str
    """the tenant"""
    ts_event: int
    """when the newest units were used"""
    ts_ingest: int
    """when the record at the origin of the chain entered Tradewind"""
    correlation_id: str
    """the first event of the chain"""
    causation_id: str
    """the event that caused this one directly"""
    meter: str
    """what is counted, such as orders or ai.tokens.in"""
    dimension: str
    """what the meter counts apart, such as an instrument; for AI: provider, model and request type, joined by bars"""
    ts_start: int
    """first moment of the period, a month of UTC"""
    ts_end: int
    """first moment after the period"""
    quantity: int
    """units that the tenant has used in the period so far"""
    billable_quantity: int
    """units that the tenant pays for"""
    records: int
    """usage records that these units come from"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            event_id=record["event_id"],
            tenant_id=record["tenant_id"],
            ts_event=record["ts_event"],
            ts_ingest=record["ts_ingest"],
            correlation_id=record["correlation_id"],
            causation_id=record["causation_id"],
            meter=record["meter"],
            dimension=record["dimension"],
            ts_start=record["ts_start"],
            ts_end=record["ts_end"],
            quantity=record["quantity"],
            billable_quantity=record["billable_quantity"],
            records=record["records"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "event_id": self.event_id,
            "tenant_id": self.tenant_id,
            "ts_event": self.ts_event,
            "ts_ingest": self.ts_ingest,
            "correlation_id": self.correlation_id,
            "causation_id": self.causation_id,
            "meter": self.meter,
            "dimension": self.dimension,
            "ts_start": self.ts_start,
            "ts_end": self.ts_end,
            "quantity": self.quantity,
            "billable_quantity": self.billable_quantity,
            "records": self.records,
        }

    def in_range(self) -> bool:
        return (
            1 <= len(self.event_id) <= 256
            and 1 <= len(self.tenant_id) <= 256
            and 0 <= self.ts_event <= 253402214400000000
            and 0 <= self.ts_ingest <= 253402214400000000
            and len(self.correlation_id) <= 256
            and len(self.causation_id) <= 256
            and 1 <= len(self.meter) <= 256
            and len(self.dimension) <= 256
            and 0 <= self.ts_start <= 253402214400000000
            and 0 <= self.ts_end <= 253402214400000000
            and self.quantity >= 0
            and self.billable_quantity >= 0
            and self.records >= 1
        )
