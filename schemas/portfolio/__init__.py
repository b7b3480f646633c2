"""Event models of the portfolio domain. Generated from the .avsc files beside it by schemas/generate.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar, Literal, Self

from tradewind.schemas.event import Event

__all__ = ["DeploymentPosition", "MarkState", "Position", "PositionState", "SizingState", "SizingTimeState"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentPosition(Event):
    """A deployment's holding of one instrument, after a fill or a new mark. Those of an account add up to its position."""

    SCHEMA: ClassVar[str] = "tradewind.portfolio.DeploymentPosition"
    VERSION: ClassVar[int] = 1
    RANGES: ClassVar[Mapping[str, str]] = {
        "event_id": "name",
        "tenant_id": "name",
        "ts_event": "later",
        "ts_ingest": "later",
        "correlation_id": "label",
        "causation_id": "label",
        "account_id": "name",
        "deployment": "name",
        "symbol": "name",
        "venue": "name",
        "version": "count",
        "quantity": "amount",
        "average_price": "amount",
        "realised_pnl": "amount",
        "unrealised_pnl": "amount",
        "fees": "filled",
        "mark_price": "amount",
        "fills": "count",
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
    account_id: str
    """the tenant's account"""
    deployment: str
    """the deployment, by its name within the account"""
    symbol: str
    """the instrument as its venue writes it, such as EURUSD"""
    venue: str
    """where it trades or is quoted, such as OANDA"""
    version: int
    """rises by one with each event of this holding"""
    quantity: Decimal
    """units, negative when short"""
    average_price: Decimal
    """average entry price of the open quantity, 0 when flat"""
    realised_pnl: Decimal
    """profit of closed quantity, in the quote currency"""
    unrealised_pnl: Decimal
    """profit of open quantity at mark_price"""
    fees: Decimal
    """fees of all fills, in the quote currency; no profit contains them"""
    mark_price: Decimal
    """price that the open quantity is valued at"""
    fills: int
    """fills so far"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            event_id=record["event_id"],
            tenant_id=record["tenant_id"],
            ts_event=record["ts_event"],
            ts_ingest=record["ts_ingest"],
            correlation_id=record["correlation_id"],
            causation_id=record["causation_id"],
            account_id=record["account_id"],
            deployment=record["deployment"],
            symbol=record["symbol"],
            venue=record["venue"],
            version=record["version"],
            quantity=record["quantity"],
            average_price=record["average_price"],
            realised_pnl=record["realised_pnl"],
            unrealised_pnl=record["unrealised_pnl"],
            fees=record["fees"],
            mark_price=record["mark_price"],
            fills=record["fills"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "event_id": self.event_id,
            "tenant_id": self.tenant_id,
            "ts_event": self.ts_event,
            "ts_ingest": self.ts_ingest,
            "correlation_id": self.correlation_id,
            "causation_id": self.causation_id,
            "account_id": self.account_id,
            "deployment": self.deployment,
            "symbol": self.symbol,
            "venue": self.venue,
            "version": self.version,
            "quantity": self.quantity,
            "average_price": self.average_price,
            "realised_pnl": self.realised_pnl,
            "unrealised_pnl": self.unrealised_pnl,
            "fees": self.fees,
            "mark_price": self.mark_price,
            "fills": self.fills,
        }

    def in_range(self) -> bool:
        return (
            1 <= len(self.event_id) <= 256
            and 1 <= len(self.tenant_id) <= 256
            and 0 <= self.ts_event <= 253402214400000000
            and 0 <= self.ts_ingest <= 253402214400000000
            and len(self.correlation_id) <= 256
            and len(self.causation_id) <= 256
            and 1 <= len(self.account_id) <= 256
            and 1 <= len(self.deployment) <= 256
            and 1 <= len(self.symbol) <= 256
            and 1 <= len(self.venue) <= 256
            and self.version >= 0
            and -9999999999999999999999999999 <= self.quantity <= 9999999999999999999999999999
            and -9999999999999999999999999999 <= self.average_price <= 9999999999999999999999999999
            and -9999999999999999999999999999 <= self.realised_pnl <= 9999999999999999999999999999
            and -9999999999999999999999999999 <= self.unrealised_pnl <= 9999999999999999999999999999
            and 0 <= self.fees <= 9999999999999999999999999999
            and -9999999999999999999999999999 <= self.mark_price <= 9999999999999999999999999999
            and self.fills >= 0
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkState(Event):
    """State of the portfolio agent: the newest mark of one instrument, and who holds it."""

    SCHEMA: ClassVar[str] = "tradewind.portfolio.MarkState"
    VERSION: ClassVar[int] = 1

    symbol: str
    """the instrument as its venue writes it, such as EURUSD"""
    venue: str
    """where it trades or is quoted, such as OANDA"""
    ts_event: int
    """event time of that quote; 0 before the first bar"""
    holders: tuple[str, ...]
    """keys of the open positions, sorted"""
    price: Decimal | None = None
    """mid of the newest closing quote; null before the first bar"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            symbol=record["symbol"],
            venue=record["venue"],
            price=record["price"],
            ts_event=record["ts_event"],
            holders=tuple(record["holders"]),
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "symbol": self.symbol,
            "venue": self.venue,
            "price": self.price,
            "ts_event": self.ts_event,
            "holders": list(self.holders),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Position(Event):
    """A tenant's holding of one instrument in one account, after a fill or a new mark."""

    SCHEMA: ClassVar[str] = "tradewind.portfolio.Position"
    VERSION: ClassVar[int] = 1
    RANGES: ClassVar[Mapping[str, str]] = {
        "event_id": "name",
        "tenant_id": "name",
        "ts_event": "later",
        "ts_ingest": "later",
        "correlation_id": "label",
        "causation_id": "label",
        "account_id": "name",
        "symbol": "name",
        "venue": "name",
        "version": "count",
        "quantity": "amount",
        "average_price": "amount",
        "realised_pnl": "amount",
        "unrealised_pnl": "amount",
        "fees": "filled",
        "mark_price": "amount",
        "fills": "count",
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
    account_id: str
    """the tenant's account"""
    symbol: str
    """the instrument as its venue writes it, such as EURUSD"""
    venue: str
    """where it trades or is quoted, such as OANDA"""
    version: int
    """rises by one with each event of this position"""
    quantity: Decimal
    """units, negative when short"""
    average_price: Decimal
    """average entry price of the open quantity, 0 when flat"""
    realised_pnl: Decimal
    """profit of closed quantity, in the quote currency"""
    unrealised_pnl: Decimal
    """profit of open quantity at mark_price"""
    fees: Decimal
    """fees of all fills, in the quote currency; no profit contains them"""
    mark_price: Decimal
    """price that the open quantity is valued at"""
    fills: int
    """fills so far"""
    tenant_id: str | None = None
    """the tenant that the event belongs to; null for market data, which all tenants share"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            event_id=record["event_id"],
            tenant_id=record["tenant_id"],
            ts_event=record["ts_event"],
            ts_ingest=record["ts_ingest"],
            correlation_id=record["correlation_id"],
            causation_id=record["causation_id"],
            account_id=record["account_id"],
            symbol=record["symbol"],
            venue=record["venue"],
            version=record["version"],
            quantity=record["quantity"],
            average_price=record["average_price"],
            realised_pnl=record["realised_pnl"],
            unrealised_pnl=record["unrealised_pnl"],
            fees=record["fees"],
            mark_price=record["mark_price"],
            fills=record["fills"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "event_id": self.event_id,
            "tenant_id": self.tenant_id,
            "ts_event": self.ts_event,
            "ts_ingest": self.ts_ingest,
            "correlation_id": self.correlation_id,
            "causation_id": self.causation_id,
            "account_id": self.account_id,
            "symbol": self.symbol,
            "venue": self.venue,
            "version": self.version,
            "quantity": self.quantity,
            "average_price": self.average_price,
            "realised_pnl": self.realised_pnl,
            "unrealised_pnl": self.unrealised_pnl,
            "fees": self.fees,
            "mark_price": self.mark_price,
            "fills": self.fills,
        }

    def in_range(self) -> bool:
        return (
            1 <= len(self.event_id) <= 256
            and (self.tenant_id is None or 1 <= len(self.tenant_id) <= 256)
            and 0 <= self.ts_event <= 253402214400000000
            and 0 <= self.ts_ingest <= 253402214400000000
            and len(self.correlation_id) <= 256
            and len(self.causation_id) <= 256
            and 1 <= len(self.account_id) <= 256
            and 1 <= len(self.symbol) <= 256
            and 1 <= len(self.venue) <= 256
            and self.version >= 0
            and -9999999999999999999999999999 <= self.quantity <= 9999999999999999999999999999
            and -9999999999999999999999999999 <= self.average_price <= 9999999999999999999999999999
            and -9999999999999999999999999999 <= self.realised_pnl <= 9999999999999999999999999999
            and -9999999999999999999999999999 <= self.unrealised_pnl <= 9999999999999999999999999999
            and 0 <= self.fees <= 9999999999999999999999999999
            and -9999999999999999999999999999 <= self.mark_price <= 9999999999999999999999999999
            and self.fills >= 0
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionState(Event):
    """State of the portfolio agent: the holding of one account, or of one of its deployments, in one instrument."""

    SCHEMA: ClassVar[str] = "tradewind.portfolio.PositionState"
    VERSION: ClassVar[int] = 1

    tenant_id: str
    """the tenant"""
    account_id: str
    """the tenant's account"""
    symbol: str
    """the instrument as its venue writes it, such as EURUSD"""
    venue: str
    """where it trades or is quoted, such as OANDA"""
    version: int
    """version of the newest position event"""
    quantity: Decimal
    """units, negative when short"""
    cost: Decimal
    """what the open quantity was bought for, negative when short, in the quote currency"""
    realised_pnl: Decimal
    """profit of closed quantity, in the quote currency"""
    fees: Decimal
    """fees of all fills, in the quote currency"""
    mark_price: Decimal
    """price that the open quantity is valued at"""
    mark_ts: int
    """event time of that price"""
    fills: int
    """fills so far"""
    deployment: str | None = None
    """the deployment that holds it; null for the account as a whole"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            tenant_id=record["tenant_id"],
            account_id=record["account_id"],
            deployment=record["deployment"],
            symbol=record["symbol"],
            venue=record["venue"],
            version=record["version"],
            quantity=record["quantity"],
            cost=record["cost"],
            realised_pnl=record["realised_pnl"],
            fees=record["fees"],
            mark_price=record["mark_price"],
            mark_ts=record["mark_ts"],
            fills=record["fills"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "tenant_id": self.tenant_id,
            "account_id": self.account_id,
            "deployment": self.deployment,
            "symbol": self.symbol,
            "venue": self.venue,
            "version": self.version,
            "quantity": self.quantity,
            "cost": self.cost,
            "realised_pnl": self.realised_pnl,
            "fees": self.fees,
            "mark_price": self.mark_price,
            "mark_ts": self.mark_ts,
            "fills": self.fills,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SizingState(Event):
    """State of the sizing agent: what it reads of a tenant."""

    SCHEMA: ClassVar[str] = "tradewind.portfolio.SizingState"
    VERSION: ClassVar[int] = 1

    tenant_id: str
    """the tenant"""
    revision: int
    """the revision of the tenant"""
    status: Literal["UNKNOWN", "ACTIVE", "SUSPENDED", "CLOSED"]
    """whether the tenant may trade"""
    accounts: tuple[str, ...]
    """the tenant's accounts, sorted"""
    risk_per_trade: Decimal
    """amount of quote currency that one standard deviation per minute may move an order's value"""
    order_type: Literal["UNKNOWN", "MARKET", "LIMIT"]
    """market or limit"""
    limit_offset: Decimal
    """fraction of the price that a limit is better than the touch"""
    time_to_live_us: int | None = None
    """event time after which a limit order expires, µs; null lets it live until the source's end"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            tenant_id=record["tenant_id"],
            revision=record["revision"],
            status=record["status"],
            accounts=tuple(record["accounts"]),
            risk_per_trade=record["risk_per_trade"],
            order_type=record["order_type"],
            limit_offset=record["limit_offset"],
            time_to_live_us=record["time_to_live_us"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "tenant_id": self.tenant_id,
            "revision": self.revision,
            "status": self.status,
            "accounts": list(self.accounts),
            "risk_per_trade": self.risk_per_trade,
            "order_type": self.order_type,
            "limit_offset": self.limit_offset,
            "time_to_live_us": self.time_to_live_us,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SizingTimeState(Event):
    """State of the sizing agent: the event time that one instrument has reached, after which commands are dated."""

    SCHEMA: ClassVar[str] = "tradewind.portfolio.SizingTimeState"
    VERSION: ClassVar[int] = 1

    symbol: str
    """the instrument as its venue writes it, such as EURUSD"""
    venue: str
    """where it trades or is quoted, such as OANDA"""
    ts_event: int
    """the largest event time of the signals and heartbeats so far"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            symbol=record["symbol"],
            venue=record["venue"],
            ts_event=record["ts_event"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "symbol": self.symbol,
            "venue": self.venue,
            "ts_event": self.ts_event,
        }
