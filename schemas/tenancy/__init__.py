"""Event models of the tenancy domain. Generated from the .avsc files beside it by schemas/generate.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar, Literal, Self

from tradewind.schemas.event import Event

__all__ = ["AuditEvent", "Seeded", "Tenant", "TenantCommand", "TenantRefused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent(Event):
    """A person's or a machine's command that changed something, or that was refused."""

    SCHEMA: ClassVar[str] = "tradewind.tenancy.AuditEvent"
    VERSION: ClassVar[int] = 1
    RANGES: ClassVar[Mapping[str, str]] = {
        "event_id": "name",
        "tenant_id": "name",
        "ts_event": "later",
        "ts_ingest": "later",
        "correlation_id": "label",
        "causation_id": "label",
        "user_id": "name",
        "role": "name",
        "session_id": "name",
        "address": "label",
        "action": "name",
        "request_key": "label",
        "code": "label",
        "detail": "note",
        "subject": "label",
        "before": "words",
        "after": "words",
    }

    event_id: str
    """32 hex digits; of a change, derived from its command"""
    ts_event: int
    """event time: when the command came in"""
    ts_ingest: int
    """when the record at the origin of the chain entered Tradewind"""
    correlation_id: str
    """the first event of the chain"""
    causation_id: str
    """the event that caused this one directly"""
    user_id: str
    """who gave the command"""
    role: str
    """the role that the user had"""
    session_id: str
    """the session in which it was given"""
    address: str
    """the network address that it came from; empty if that is not known"""
    action: str
    """the method and the route, such as POST system/emergency-stop"""
    request_key: str
    """the Idempotency-Key of the command; empty if it had none"""
    outcome: Literal["UNKNOWN", "CHANGED", "REFUSED"]
    """what came of it; a refused command changed nothing"""
    code: str
    """the code of the refusal; empty for a change"""
    detail: str
    """what was changed, or why it was refused, in words"""
    subject: str
    """what was changed, such as alpha/main; empty for a refusal"""
    tenant_id: str | None = None
    """the tenant that the command concerns; null where it concerns all tenants or the platform"""
    before: str | None = None
    """what the subject was before, as JSON; null if it was not there, or was not changed"""
    after: str | None = None
    """what the subject is now, as JSON; null if it is gone, or was not changed"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            event_id=record["event_id"],
            tenant_id=record["tenant_id"],
            ts_event=record["ts_event"],
            ts_ingest=record["ts_ingest"],
            correlation_id=record["correlation_id"],
            causation_id=record["causation_id"],
            user_id=record["user_id"],
            role=record["role"],
            session_id=record["session_id"],
            address=record["address"],
            action=record["action"],
            request_key=record["request_key"],
            outcome=record["outcome"],
            code=record["code"],
            detail=record["detail"],
            subject=record["subject"],
            before=record["before"],
            after=record["after"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "event_id": self.event_id,
            "tenant_id": self.tenant_id,
            "ts_event": self.ts_event,
            "ts_ingest": self.ts_ingest,
            "correlation_id": self.correlation_id,
            "causation_id": self.causation_id,
            "user_id": self.user_id,
            "role": self.role,
            "session_id": self.session_id,
            "address": self.address,
            "action": self.action,
            "request_key": self.request_key,
            "outcome": self.outcome,
            "code": self.code,
            "detail": self.detail,
            "subject": self.subject,
            "before": self.before,
            "after": self.after,
        }

    def in_range(self) -> bool:
        return (
            1 <= len(self.event_id) <= 256
            and (self.tenant_id is None or 1 <= len(self.tenant_id) <= 256)
            and 0 <= self.ts_event <= 253402214400000000
            and 0 <= self.ts_ingest <= 253402214400000000
            and len(self.correlation_id) <= 256
            and len(self.causation_id) <= 256
            and 1 <= len(self.user_id) <= 256
            and 1 <= len(self.role) <= 256
            and 1 <= len(self.session_id) <= 256
            and len(self.address) <= 256
            and 1 <= len(self.action) <= 256
            and len(self.request_key) <= 256
            and len(self.code) <= 256
            and len(self.detail) <= 16384
            and len(self.subject) <= 256
            and (self.before is None or len(self.before) <= 65536)
            and (self.after is None or len(self.after) <= 65536)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeded(Event):
    """Marks the end of the tenants of a first start. All later events are changes."""

    SCHEMA: ClassVar[str] = "tradewind.tenancy.Seeded"
    VERSION: ClassVar[int] = 1
    RANGES: ClassVar[Mapping[str, str]] = {
        "event_id": "name",
        "ts_event": "later",
        "ts_ingest": "later",
        "correlation_id": "label",
        "causation_id": "label",
        "tenants": "count",
    }

    event_id: str
    """32 hex digits; derived from what caused the event, so that processing again gives the same id"""
    ts_event: int
    """event time: the time at the source of the event"""
    ts_ingest: int
    """when the record at the origin of the chain entered Tradewind"""
    correlation_id: str
    """the first event of the chain"""
    causation_id: str
    """the event that caused this one directly"""
    tenants: int
    """how many tenants came before"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            event_id=record["event_id"],
            ts_event=record["ts_event"],
            ts_ingest=record["ts_ingest"],
            correlation_id=record["correlation_id"],
            causation_id=record["causation_id"],
            tenants=record["tenants"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "event_id": self.event_id,
            "ts_event": self.ts_event,
            "ts_ingest": self.ts_ingest,
            "correlation_id": self.correlation_id,
            "causation_id": self.causation_id,
            "tenants": self.tenants,
        }

    def in_range(self) -> bool:
        return (
            1 <= len(self.event_id) <= 256
            and 0 <= self.ts_event <= 253402214400000000
            and 0 <= self.ts_ingest <= 253402214400000000
            and len(self.correlation_id) <= 256
            and len(self.causation_id) <= 256
            and self.tenants >= 0
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant(Event):
    """A tenant as a whole, after one change: who trades, in which accounts, how large, within which limits."""

    SCHEMA: ClassVar[str] = "tradewind.tenancy.Tenant"
    VERSION: ClassVar[int] = 1
    RANGES: ClassVar[Mapping[str, str]] = {
        "event_id": "name",
        "tenant_id": "name",
        "ts_event": "later",
        "ts_ingest": "later",
        "correlation_id": "label",
        "causation_id": "label",
        "revision": "revision",
        "tier": "name",
        "risk_profile": "name",
        "risk_per_trade": "quantity",
        "limit_offset": "fraction",
        "time_to_live_us": "duration",
        "max_order_notional": "limit",
        "max_position_notional": "limit",
        "max_exposure_notional": "limit",
        "max_total_exposure": "limit",
        "max_currency_exposure": "limit",
        "max_daily_loss": "limit",
        "max_drawdown": "limit",
        "max_quote_age_us": "duration",
        "max_mark_age_us": "duration",
        "account_currency": "name",
        "orders_per_minute": "count",
        "api_requests_per_hour": "count",
        "ai_requests_per_hour": "count",
        "ai_requests_per_day": "count",
        "ai_budget_per_month": "limit",
        "billing_zone": "name",
        "currency": "name",
    }

    event_id: str
    """32 hex digits; derived from what caused the event, so that processing again gives the same id"""
    tenant_id: str
    """the tenant"""
    ts_event: int
    """event time: the time at the source of the event"""
    ts_ingest: int
    """when the record at the origin of the chain entered Tradewind"""
    correlation_id: str
    """the first event of the chain"""
    causation_id: str
    """the event that caused this one directly"""
    revision: int
    """counts the changes of the tenant from 1 on; a command names the revision that it changes"""
    status: Literal["UNKNOWN", "ACTIVE", "SUSPENDED", "CLOSED"]
    """a suspended tenant makes no orders until it is resumed; a closed tenant never makes orders again"""
    tier: str
    """what the tenant pays for, by name"""
    features: tuple[str, ...]
    """names of what the tenant may use besides, sorted"""
    accounts: tuple[str, ...]
    """names of the tenant's accounts, sorted"""
    risk_profile: str
    """how risk judges the tenant, by name"""
    risk_per_trade: Decimal
    """amount of quote currency that one standard deviation a minute may move an order's value"""
    order_type: Literal["UNKNOWN", "MARKET", "LIMIT"]
    """of the orders that are made of signals"""
    limit_offset: Decimal
    """limit orders: fraction of the price that the limit is better than the touch"""
    max_order_notional: Decimal
    """largest quantity times price of one order, in the quote currency"""
    max_position_notional: Decimal
    """largest absolute position times price in one instrument, in the quote currency"""
    max_quote_age_us: int
    """a quote that is older than this, in event time, is stale, µs"""
    max_mark_age_us: int
    """how old a mark may be that values a position or converts a currency, in event time, µs"""
    account_currency: str
    """currency of the accounts: of limits over several instruments"""
    orders_per_minute: int
    """quota: orders a minute, over all accounts"""
    api_requests_per_hour: int
    """quota: requests to the API an hour"""
    ai_requests_per_hour: int
    """quota: AI requests an hour"""
    ai_requests_per_day: int
    """quota: AI requests a day"""
    ai_budget_per_month: Decimal
    """quota: what AI requests may cost a month, in the billing currency"""
    ai_routes: tuple[Mapping[str, str], ...]
    """which provider and model answer which kind of request; of one purpose, the first is asked first"""
    billing_zone: str
    """time zone in which a bill's months and days begin, such as Europe/Berlin"""
    currency: str
    """of bills, three letters of ISO 4217"""
    time_to_live_us: int | None = None
    """limit orders: event time after which they expire, µs; null lets them live until the source's end"""
    max_exposure_notional: Decimal | None = None
    """largest absolute positions times price in one instrument, all accounts added, in the quote currency; null for any"""
    max_total_exposure: Decimal | None = None
    """largest value of the positions of all accounts in all instruments, long and short added, in the currency of the accounts; null for any"""
    max_currency_exposure: Decimal | None = None
    """largest value that all accounts may hold net of one currency other than that of the accounts, in the currency of the accounts; null for any"""
    max_daily_loss: Decimal | None = None
    """most that an account may lose in one instrument in a day of UTC, in the quote currency; null for any"""
    max_drawdown: Decimal | None = None
    """most that an account may lose in one instrument since its best result, in the quote currency; null for any"""
    quotas: tuple[Mapping[str, int | str], ...] = ()
    """quota: units of a meter that may be used in a month of UTC, sorted by meter; a meter without one has no quota"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            event_id=record["event_id"],
            tenant_id=record["tenant_id"],
            ts_event=record["ts_event"],
            ts_ingest=record["ts_ingest"],
            correlation_id=record["correlation_id"],
            causation_id=record["causation_id"],
            revision=record["revision"],
            status=record["status"],
            tier=record["tier"],
            features=tuple(record["features"]),
            accounts=tuple(record["accounts"]),
            risk_profile=record["risk_profile"],
            risk_per_trade=record["risk_per_trade"],
            order_type=record["order_type"],
            limit_offset=record["limit_offset"],
            time_to_live_us=record["time_to_live_us"],
            max_order_notional=record["max_order_notional"],
            max_position_notional=record["max_position_notional"],
            max_exposure_notional=record["max_exposure_notional"],
            max_total_exposure=record["max_total_exposure"],
            max_currency_exposure=record["max_currency_exposure"],
            max_daily_loss=record["max_daily_loss"],
            max_drawdown=record["max_drawdown"],
            max_quote_age_us=record["max_quote_age_us"],
            max_mark_age_us=record["max_mark_age_us"],
            account_currency=record["account_currency"],
            orders_per_minute=record["orders_per_minute"],
            api_requests_per_hour=record["api_requests_per_hour"],
            ai_requests_per_hour=record["ai_requests_per_hour"],
            ai_requests_per_day=record["ai_requests_per_day"],
            ai_budget_per_month=record["ai_budget_per_month"],
            quotas=tuple(record["quotas"]),
            ai_routes=tuple(record["ai_routes"]),
            billing_zone=record["billing_zone"],
            currency=record["currency"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "event_id": self.event_id,
            "tenant_id": self.tenant_id,
            "ts_event": self.ts_event,
            "ts_ingest": self.ts_ingest,
            "correlation_id": self.correlation_id,
            "causation_id": self.causation_id,
            "revision": self.revision,
            "status": self.status,
            "tier": self.tier,
            "features": list(self.features),
            "accounts": list(self.accounts),
            "risk_profile": self.risk_profile,
            "risk_per_trade": self.risk_per_trade,
            "order_type": self.order_type,
            "limit_offset": self.limit_offset,
            "time_to_live_us": self.time_to_live_us,
            "max_order_notional": self.max_order_notional,
            "max_position_notional": self.max_position_notional,
            "max_exposure_notional": self.max_exposure_notional,
            "max_total_exposure": self.max_total_exposure,
            "max_currency_exposure": self.max_currency_exposure,
            "max_daily_loss": self.max_daily_loss,
            "max_drawdown": self.max_drawdown,
            "max_quote_age_us": self.max_quote_age_us,
            "max_mark_age_us": self.max_mark_age_us,
            "account_currency": self.account_currency,
            "orders_per_minute": self.orders_per_minute,
            "api_requests_per_hour": self.api_requests_per_hour,
            "ai_requests_per_hour": self.ai_requests_per_hour,
            "ai_requests_per_day": self.ai_requests_per_day,
            "ai_budget_per_month": self.ai_budget_per_month,
            "quotas": list(self.quotas),
            "ai_routes": list(self.ai_routes),
            "billing_zone": self.billing_zone,
            "currency": self.currency,
        }

    def in_range(self) -> bool:
        return (
            1 <= len(self.event_id) <= 256
            and 1 <= len(self.tenant_id) <= 256
            and 0 <= self.ts_event <= 253402214400000000
            and 0 <= self.ts_ingest <= 253402214400000000
            and len(self.correlation_id) <= 256
            and len(self.causation_id) <= 256
            and self.revision >= 1
            and 1 <= len(self.tier) <= 256
            and 1 <= len(self.risk_profile) <= 256
            and 0 < self.risk_per_trade <= 9999999999999999999999999999
            and 0 <= self.limit_offset <= 1
            and (self.time_to_live_us is None or 1 <= self.time_to_live_us <= 7776000000000)
            and 0 <= self.max_order_notional <= 9999999999999999999999999999
            and 0 <= self.max_position_notional <= 9999999999999999999999999999
            and (self.max_exposure_notional is None or 0 <= self.max_exposure_notional <= 9999999999999999999999999999)
            and (self.max_total_exposure is None or 0 <= self.max_total_exposure <= 9999999999999999999999999999)
            and (self.max_currency_exposure is None or 0 <= self.max_currency_exposure <= 9999999999999999999999999999)
            and (self.max_daily_loss is None or 0 <= self.max_daily_loss <= 9999999999999999999999999999)
            and (self.max_drawdown is None or 0 <= self.max_drawdown <= 9999999999999999999999999999)
            and 1 <= self.max_quote_age_us <= 7776000000000
            and 1 <= self.max_mark_age_us <= 7776000000000
            and 1 <= len(self.account_currency) <= 256
            and self.orders_per_minute >= 0
            and self.api_requests_per_hour >= 0
            and self.ai_requests_per_hour >= 0
            and self.ai_requests_per_day >= 0
            and 0 <= self.ai_budget_per_month <= 9999999999999999999999999999
            and 1 <= len(self.billing_zone) <= 256
            and 1 <= len(self.currency) <= 256
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantCommand(Event):
    """What somebody wants to change of one tenant."""

    SCHEMA: ClassVar[str] = "tradewind.tenancy.TenantCommand"
    VERSION: ClassVar[int] = 1
    RANGES: ClassVar[Mapping[str, str]] = {
        "event_id": "name",
        "tenant_id": "name",
        "ts_event": "later",
        "ts_ingest": "later",
        "correlation_id": "label",
        "causation_id": "label",
        "revision": "count",
    }

    event_id: str
    """32 hex digits; derived from what caused the event, so that processing again gives the same id"""
    tenant_id: str
    """the tenant that the command changes"""
    ts_event: int
    """event time: the time at the source of the event"""
    ts_ingest: int
    """when the record at the origin of the chain entered Tradewind"""
    correlation_id: str
    """the first event of the chain"""
    causation_id: str
    """the event that caused this one directly"""
    action: Literal["UNKNOWN", "CREATE", "SET", "SUSPEND", "RESUME", "CLOSE"]
    """what is to be done"""
    revision: int
    """the revision that the command changes; 0 to create a tenant"""
    changes: tuple[Mapping[str, str], ...]
    """new values of the tenant's fields by name, each as JSON; of CREATE and SET alone"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            event_id=record["event_id"],
            tenant_id=record["tenant_id"],
            ts_event=record["ts_event"],
            ts_ingest=record["ts_ingest"],
            correlation_id=record["correlation_id"],
            causation_id=record["causation_id"],
            action=record["action"],
            revision=record["revision"],
            changes=tuple(record["changes"]),
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "event_id": self.event_id,
            "tenant_id": self.tenant_id,
            "ts_event": self.ts_event,
            "ts_ingest": self.ts_ingest,
            "correlation_id": self.correlation_id,
            "causation_id": self.causation_id,
            "action": self.action,
            "revision": self.revision,
            "changes": list(self.changes),
        }

    def in_range(self) -> bool:
        return (
            1 <= len(self.event_id) <= 256
            and 1 <= len(self.tenant_id) <= 256
            and 0 <= self.ts_event <= 253402214400000000
            and 0 <= self.ts_ingest <= 253402214400000000
            and len(self.correlation_id) <= 256
            and len(self.causation_id) <= 256
            and self.revision >= 0
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantRefused(Event):
    """A command that changed nothing, with every reason."""

    SCHEMA: ClassVar[str] = "tradewind.tenancy.TenantRefused"
    VERSION: ClassVar[int] = 1
    RANGES: ClassVar[Mapping[str, str]] = {
        "event_id": "name",
        "tenant_id": "name",
        "ts_event": "later",
        "ts_ingest": "later",
        "correlation_id": "label",
        "causation_id": "label",
        "revision": "count",
        "current_revision": "count",
    }

    event_id: str
    """32 hex digits; derived from what caused the event, so that processing again gives the same id"""
    tenant_id: str
    """the tenant that was to be changed"""
    ts_event: int
    """event time: the time at the source of the event"""
    ts_ingest: int
    """when the record at the origin of the chain entered Tradewind"""
    correlation_id: str
    """the first event of the chain"""
    causation_id: str
    """the event that caused this one directly"""
    action: Literal["UNKNOWN", "CREATE", "SET", "SUSPEND", "RESUME", "CLOSE"]
    """what was to be done"""
    revision: int
    """the revision that the command names"""
    current_revision: int
    """the revision of the tenant; 0 if there is no such tenant"""
    reasons: tuple[Mapping[str, str], ...]
    """the reasons. Each has the key that it is about (empty for no key) and what to do"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            event_id=record["event_id"],
            tenant_id=record["tenant_id"],
            ts_event=record["ts_event"],
            ts_ingest=record["ts_ingest"],
            correlation_id=record["correlation_id"],
            causation_id=record["causation_id"],
            action=record["action"],
            revision=record["revision"],
            current_revision=record["current_revision"],
            reasons=tuple(record["reasons"]),
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "event_id": self.event_id,
            "tenant_id": self.tenant_id,
            "ts_event": self.ts_event,
            "ts_ingest": self.ts_ingest,
            "correlation_id": self.correlation_id,
            "causation_id": self.causation_id,
            "action": self.action,
            "revision": self.revision,
            "current_revision": self.current_revision,
            "reasons": list(self.reasons),
        }

    def in_range(self) -> bool:
        return (
            1 <= len(self.event_id) <= 256
            and 1 <= len(self.tenant_id) <= 256
            and 0 <= self.ts_event <= 253402214400000000
            and 0 <= self.ts_ingest <= 253402214400000000
            and len(self.correlation_id) <= 256
            and len(self.causation_id) <= 256
            and self.revision >= 0
            and self.current_revision >= 0
        )
