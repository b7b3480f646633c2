"""Event models of the execution domain. Generated from the .avsc files beside it by schemas/generate.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar, Literal, Self

from tradewind.schemas.event import Event

__all__ = ["BookState", "Fill", "OpenOrderState", "OrderEvent", "OrderRequest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BookState(Event):
    """State of the execution agent: the orders of one instrument that wait for a quote."""

    SCHEMA: ClassVar[str] = "tradewind.execution.BookState"
    VERSION: ClassVar[int] = 1

    symbol: str
    """the instrument as its venue writes it, such as EURUSD"""
    venue: str
    """where it trades or is quoted, such as OANDA"""
    order_ids: tuple[str, ...]
    """open orders, in the order of their approval"""
    due: int | None = None
    """no earlier quote or heartbeat concerns any of them; null where none is open"""
    closed: int | None = None
    """event time of the newest closing heartbeat: orders up to it have expired"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            symbol=record["symbol"],
            venue=record["venue"],
            order_ids=tuple(record["order_ids"]),
            due=record["due"],
            closed=record["closed"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "symbol": self.symbol,
            "venue": self.venue,
            "order_ids": list(self.order_ids),
            "due": self.due,
            "closed": self.closed,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill(Event):
    """A quantity of an order that was executed at a price."""

    SCHEMA: ClassVar[str] = "tradewind.execution.Fill"
    VERSION: ClassVar[int] = 1

    event_id: str
    """32 hex digits; derived from what caused the event, so that processing again gives the same id"""
    ts_event: int
    """when it happened at its source, in event time"""
    ts_ingest: int
    """when the record at the origin of the chain entered Tradewind"""
    correlation_id: str
    """the first event of the chain"""
    causation_id: str
    """the event that caused this one directly"""
    order_id: str
    """the order"""
    account_id: str
    """the tenant's account"""
    symbol: str
    """the instrument as its venue writes it, such as EURUSD"""
    venue: str
    """where it trades or is quoted, such as OANDA"""
    side: Literal["BUY", "SELL"]
    """side of the order"""
    quantity: Decimal
    """units"""
    price: Decimal
    """price"""
    liquidity: Literal["TAKER", "MAKER"]
    """whether it took or gave liquidity"""
    quote_seq: int
    """sequence of the quote that it filled at"""
    strategy: str
    """strategy whose signal it follows"""
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
            order_id=record["order_id"],
            account_id=record["account_id"],
            symbol=record["symbol"],
            venue=record["venue"],
            side=record["side"],
            quantity=record["quantity"],
            price=record["price"],
            liquidity=record["liquidity"],
            quote_seq=record["quote_seq"],
            strategy=record["strategy"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "event_id": self.event_id,
            "tenant_id": self.tenant_id,
            "ts_event": self.ts_event,
            "ts_ingest": self.ts_ingest,
            "correlation_id": self.correlation_id,
            "causation_id": self.causation_id,
            "order_id": self.order_id,
            "account_id": self.account_id,
            "symbol": self.symbol,
            "venue": self.venue,
            "side": self.side,
            "quantity": self.quantity,
            "price": self.price,
            "liquidity": self.liquidity,
            "quote_seq": self.quote_seq,
            "strategy": self.strategy,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOrderState(Event):
    """State of the execution agent: an order that waits for a quote."""

    SCHEMA: ClassVar[str] = "tradewind.execution.OpenOrderState"
    VERSION: ClassVar[int] = 1

    order_id: str
    """the order"""
    tenant_id: str
    """the tenant"""
    account_id: str
    """the tenant's account"""
    symbol: str
    """the instrument as its venue writes it, such as EURUSD"""
    venue: str
    """where it trades or is quoted, such as OANDA"""
    ts_event: int
    """when it was approved, in event time"""
    correlation_id: str
    """the first event of the chain"""
    side: Literal["BUY", "SELL"]
    """buy or sell"""
    order_type: Literal["MARKET", "LIMIT"]
    """market or limit"""
    quantity: Decimal
    """units"""
    time_in_force: Literal["DAY", "GTD"]
    """until the session's end, or until expire_ts"""
    strategy: str
    """strategy whose signal it follows"""
    status: Literal["ACCEPTED", "FILLED", "EXPIRED", "CANCELED", "REJECTED"]
    """state after the newest event"""
    sequence: int
    """sequence of the newest event"""
    resting: bool
    """a quote that could have filled it has passed: from now on it gives liquidity"""
    limit_price: Decimal | None = None
    """limit orders only"""
    expire_ts: int | None = None
    """GTD only: event time of expiry"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            order_id=record["order_id"],
            tenant_id=record["tenant_id"],
            account_id=record["account_id"],
            symbol=record["symbol"],
            venue=record["venue"],
            ts_event=record["ts_event"],
            correlation_id=record["correlation_id"],
            side=record["side"],
            order_type=record["order_type"],
            quantity=record["quantity"],
            limit_price=record["limit_price"],
            time_in_force=record["time_in_force"],
            expire_ts=record["expire_ts"],
            strategy=record["strategy"],
            status=record["status"],
            sequence=record["sequence"],
            resting=record["resting"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "order_id": self.order_id,
            "tenant_id": self.tenant_id,
            "account_id": self.account_id,
            "symbol": self.symbol,
            "venue": self.venue,
            "ts_event": self.ts_event,
            "correlation_id": self.correlation_id,
            "side": self.side,
            "order_type": self.order_type,
            "quantity": self.quantity,
            "limit_price": self.limit_price,
            "time_in_force": self.time_in_force,
            "expire_ts": self.expire_ts,
            "strategy": self.strategy,
            "status": self.status,
            "sequence": self.sequence,
            "resting": self.resting,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderEvent(Event):
    """A step in an order's life at the venue."""

    SCHEMA: ClassVar[str] = "tradewind.execution.OrderEvent"
    VERSION: ClassVar[int] = 1

    event_id: str
    """32 hex digits; derived from what caused the event, so that processing again gives the same id"""
    ts_event: int
    """when it happened at its source, in event time"""
    ts_ingest: int
    """when the record at the origin of the chain entered Tradewind"""
    correlation_id: str
    """the first event of the chain"""
    causation_id: str
    """the event that caused this one directly"""
    order_id: str
    """the order"""
    account_id: str
    """the tenant's account"""
    symbol: str
    """the instrument as its venue writes it, such as EURUSD"""
    venue: str
    """where it trades or is quoted, such as OANDA"""
    sequence: int
    """0 for the first event of the order"""
    status: Literal["ACCEPTED", "FILLED", "EXPIRED", "CANCELED", "REJECTED"]
    """state after this event"""
    filled_quantity: Decimal
    """units filled so far"""
    reason: str
    """why, in words"""
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
            order_id=record["order_id"],
            account_id=record["account_id"],
            symbol=record["symbol"],
            venue=record["venue"],
            sequence=record["sequence"],
            status=record["status"],
            filled_quantity=record["filled_quantity"],
            reason=record["reason"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "event_id": self.event_id,
            "tenant_id": self.tenant_id,
            "ts_event": self.ts_event,
            "ts_ingest": self.ts_ingest,
            "correlation_id": self.correlation_id,
            "causation_id": self.causation_id,
            "order_id": self.order_id,
            "account_id": self.account_id,
            "symbol": self.symbol,
            "venue": self.venue,
            "sequence": self.sequence,
            "status": self.status,
            "filled_quantity": self.filled_quantity,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest(Event):
    """An order that a tenant would place, before risk has decided."""

    SCHEMA: ClassVar[str] = "tradewind.execution.OrderRequest"
    VERSION: ClassVar[int] = 1

    event_id: str
    """32 hex digits; derived from what caused the event, so that processing again gives the same id"""
    ts_event: int
    """when it happened at its source, in event time"""
    ts_ingest: int
    """when the record at the origin of the chain entered Tradewind"""
    correlation_id: str
    """the first event of the chain"""
    causation_id: str
    """the event that caused this one directly"""
    order_id: str
    """one order through its whole life"""
    account_id: str
    """the tenant's account"""
    symbol: str
    """the instrument as its venue writes it, such as EURUSD"""
    venue: str
    """where it trades or is quoted, such as OANDA"""
    side: Literal["BUY", "SELL"]
    """buy or sell"""
    order_type: Literal["MARKET", "LIMIT"]
    """market or limit"""
    quantity: Decimal
    """units, above zero"""
    time_in_force: Literal["DAY", "GTD"]
    """until the session's end, or until expire_ts"""
    strategy: str
    """strategy whose signal it follows"""
    signal_id: str
    """that signal"""
    quote_bid: Decimal
    """bid of the quote that it was made on"""
    quote_ask: Decimal
    """ask of that quote"""
    quote_ts: int
    """event time of that quote"""
    tenant_id: str | None = None
    """the tenant that the event belongs to; null for market data, which all tenants share"""
    limit_price: Decimal | None = None
    """limit orders only"""
    expire_ts: int | None = None
    """GTD only: event time of expiry"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            event_id=record["event_id"],
            tenant_id=record["tenant_id"],
            ts_event=record["ts_event"],
            ts_ingest=record["ts_ingest"],
            correlation_id=record["correlation_id"],
            causation_id=record["causation_id"],
            order_id=record["order_id"],
            account_id=record["account_id"],
            symbol=record["symbol"],
            venue=record["venue"],
            side=record["side"],
            order_type=record["order_type"],
            quantity=record["quantity"],
            limit_price=record["limit_price"],
            time_in_force=record["time_in_force"],
            expire_ts=record["expire_ts"],
            strategy=record["strategy"],
            signal_id=record["signal_id"],
            quote_bid=record["quote_bid"],
            quote_ask=record["quote_ask"],
            quote_ts=record["quote_ts"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "event_id": self.event_id,
            "tenant_id": self.tenant_id,
            "ts_event": self.ts_event,
            "ts_ingest": self.ts_ingest,
            "correlation_id": self.correlation_id,
            "causation_id": self.causation_id,
            "order_id": self.order_id,
            "account_id": self.account_id,
            "symbol": self.symbol,
            "venue": self.venue,
            "side": self.side,
            "order_type": self.order_type,
            "quantity": self.quantity,
            "limit_price": self.limit_price,
            "time_in_force": self.time_in_force,
            "expire_ts": self.expire_ts,
            "strategy": self.strategy,
            "signal_id": self.signal_id,
            "quote_bid": self.quote_bid,
            "quote_ask": self.quote_ask,
            "quote_ts": self.quote_ts,
        }
