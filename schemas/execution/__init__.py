"""Event models of the execution domain. Generated from the .avsc files beside it by schemas/generate.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar, Literal, Self

from tradewind.schemas.event import Event

__all__ = [
    "BookState",
    "CancelOrder",
    "Fill",
    "OpenOrderState",
    "OrderEvent",
    "OrderRequest",
    "SubmitOrder",
    "VenueTimeState",
]


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
    """no open order needs an earlier quote or heartbeat; null if no order is open"""
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
class CancelOrder(Event):
    """A command: cancel an order that is open. It passes sizing and risk unchanged; an order that has ended stays as it is."""

    SCHEMA: ClassVar[str] = "tradewind.execution.CancelOrder"
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
        "order_id": "name",
        "reason": "note",
    }

    event_id: str
    """32 hex digits; derived from tenant, route and key of the command"""
    tenant_id: str
    """the tenant that the account belongs to"""
    ts_event: int
    """when the command came in, by the clock"""
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
    order_id: str
    """the order"""
    reason: str
    """why, in words"""

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
            order_id=record["order_id"],
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
            "account_id": self.account_id,
            "symbol": self.symbol,
            "venue": self.venue,
            "order_id": self.order_id,
            "reason": self.reason,
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
            and 1 <= len(self.symbol) <= 256
            and 1 <= len(self.venue) <= 256
            and 1 <= len(self.order_id) <= 256
            and len(self.reason) <= 16384
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill(Event):
    """A quantity of an order that was executed at a price."""

    SCHEMA: ClassVar[str] = "tradewind.execution.Fill"
    VERSION: ClassVar[int] = 1
    RANGES: ClassVar[Mapping[str, str]] = {
        "event_id": "name",
        "tenant_id": "name",
        "ts_event": "later",
        "ts_ingest": "later",
        "correlation_id": "label",
        "causation_id": "label",
        "order_id": "name",
        "account_id": "name",
        "deployment": "name",
        "symbol": "name",
        "venue": "name",
        "quantity": "quantity",
        "price": "exact_price",
        "fee": "filled",
        "quote_seq": "any",
        "strategy": "name",
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
    order_id: str
    """the order"""
    account_id: str
    """the tenant's account"""
    symbol: str
    """the instrument as its venue writes it, such as EURUSD"""
    venue: str
    """where it trades or is quoted, such as OANDA"""
    side: Literal["UNKNOWN", "BUY", "SELL"]
    """side of the order"""
    quantity: Decimal
    """units"""
    price: Decimal
    """price"""
    liquidity: Literal["UNKNOWN", "TAKER", "MAKER"]
    """whether the fill took or gave liquidity"""
    quote_seq: int
    """sequence of the quote at which the order filled"""
    strategy: str
    """strategy whose signal the order follows"""
    tenant_id: str | None = None
    """the tenant that the event belongs to; null for market data, which all tenants share"""
    deployment: str | None = None
    """the deployment of a strategy that it is for, by its name within the account; null for the one of the strategy's name"""
    fee: Decimal = Decimal("0E-10")
    """what the venue takes for the fill, in the quote currency"""

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
            deployment=record["deployment"],
            symbol=record["symbol"],
            venue=record["venue"],
            side=record["side"],
            quantity=record["quantity"],
            price=record["price"],
            fee=record["fee"],
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
            "deployment": self.deployment,
            "symbol": self.symbol,
            "venue": self.venue,
            "side": self.side,
            "quantity": self.quantity,
            "price": self.price,
            "fee": self.fee,
            "liquidity": self.liquidity,
            "quote_seq": self.quote_seq,
            "strategy": self.strategy,
        }

    def in_range(self) -> bool:
        return (
            1 <= len(self.event_id) <= 256
            and (self.tenant_id is None or 1 <= len(self.tenant_id) <= 256)
            and 0 <= self.ts_event <= 253402214400000000
            and 0 <= self.ts_ingest <= 253402214400000000
            and len(self.correlation_id) <= 256
            and len(self.causation_id) <= 256
            and 1 <= len(self.order_id) <= 256
            and 1 <= len(self.account_id) <= 256
            and (self.deployment is None or 1 <= len(self.deployment) <= 256)
            and 1 <= len(self.symbol) <= 256
            and 1 <= len(self.venue) <= 256
            and 0 < self.quantity <= 9999999999999999999999999999
            and 0 < self.price <= 10000000000000
            and 0 <= self.fee <= 9999999999999999999999999999
            and 1 <= len(self.strategy) <= 256
        )


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
    deployment: str
    """the deployment of a strategy that it is for, by its name within the account"""
    symbol: str
    """the instrument as its venue writes it, such as EURUSD"""
    venue: str
    """where it trades or is quoted, such as OANDA"""
    ts_event: int
    """event time of the approval"""
    correlation_id: str
    """the first event of the chain"""
    side: Literal["UNKNOWN", "BUY", "SELL"]
    """buy or sell"""
    order_type: Literal["UNKNOWN", "MARKET", "LIMIT"]
    """market or limit"""
    quantity: Decimal
    """units"""
    time_in_force: Literal["UNKNOWN", "DAY", "GTD"]
    """until the session's end, or until expire_ts"""
    strategy: str
    """strategy whose signal the order follows"""
    status: Literal["UNKNOWN", "ACCEPTED", "FILLED", "EXPIRED", "CANCELED", "REJECTED"]
    """state after the newest event"""
    sequence: int
    """sequence of the newest event"""
    resting: bool
    """a quote that could have filled the order has passed: from now on the order gives liquidity"""
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
            deployment=record["deployment"],
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
            "deployment": self.deployment,
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
    RANGES: ClassVar[Mapping[str, str]] = {
        "event_id": "name",
        "tenant_id": "name",
        "ts_event": "later",
        "ts_ingest": "later",
        "correlation_id": "label",
        "causation_id": "label",
        "order_id": "name",
        "account_id": "name",
        "symbol": "name",
        "venue": "name",
        "sequence": "count",
        "filled_quantity": "filled",
        "reason": "words",
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
    status: Literal["UNKNOWN", "ACCEPTED", "FILLED", "EXPIRED", "CANCELED", "REJECTED"]
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

    def in_range(self) -> bool:
        return (
            1 <= len(self.event_id) <= 256
            and (self.tenant_id is None or 1 <= len(self.tenant_id) <= 256)
            and 0 <= self.ts_event <= 253402214400000000
            and 0 <= self.ts_ingest <= 253402214400000000
            and len(self.correlation_id) <= 256
            and len(self.causation_id) <= 256
            and 1 <= len(self.order_id) <= 256
            and 1 <= len(self.account_id) <= 256
            and 1 <= len(self.symbol) <= 256
            and 1 <= len(self.venue) <= 256
            and self.sequence >= 0
            and 0 <= self.filled_quantity <= 9999999999999999999999999999
            and len(self.reason) <= 65536
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest(Event):
    """What a deployment wants of one instrument, before risk makes an order of it and checks that."""

    SCHEMA: ClassVar[str] = "tradewind.execution.OrderRequest"
    VERSION: ClassVar[int] = 1
    RANGES: ClassVar[Mapping[str, str]] = {
        "event_id": "name",
        "tenant_id": "name",
        "ts_event": "later",
        "ts_ingest": "later",
        "correlation_id": "label",
        "causation_id": "label",
        "order_id": "name",
        "account_id": "name",
        "deployment": "name",
        "symbol": "name",
        "venue": "name",
        "units": "amount",
        "lot_size": "quantity",
        "min_quantity": "quantity",
        "buy_limit": "exact_price",
        "sell_limit": "exact_price",
        "expire_ts": "later",
        "strategy": "name",
        "signal_id": "name",
        "quote_bid": "exact_price",
        "quote_ask": "exact_price",
        "quote_ts": "later",
    }
    RULES: ClassVar[tuple[str, ...]] = (
        "quote_bid <= quote_ask",
        "buy_limit exactly where order_type is LIMIT",
        "sell_limit exactly where order_type is LIMIT",
        "expire_ts exactly where time_in_force is GTD",
    )

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
    order_id: str
    """one order through its whole life"""
    account_id: str
    """the tenant's account"""
    deployment: str
    """the deployment of a strategy that it is for, by its name within the account"""
    symbol: str
    """the instrument as its venue writes it, such as EURUSD"""
    venue: str
    """where it trades or is quoted, such as OANDA"""
    mode: Literal["UNKNOWN", "TARGET", "ADD"]
    """what units are: of TARGET the position that the deployment wants, of ADD a change of the position"""
    units: Decimal
    """negative for short or for a sell; 0 as a target is flat"""
    lot_size: Decimal
    """an order is a multiple of this, units"""
    min_quantity: Decimal
    """no smaller order is made, units"""
    order_type: Literal["UNKNOWN", "MARKET", "LIMIT"]
    """market or limit"""
    time_in_force: Literal["UNKNOWN", "DAY", "GTD"]
    """until the session's end, or until expire_ts"""
    strategy: str
    """strategy whose signal the order follows"""
    signal_id: str
    """that signal"""
    quote_bid: Decimal
    """bid of the quote that the order was made on"""
    quote_ask: Decimal
    """ask of that quote"""
    quote_ts: int
    """event time of that quote"""
    tenant_id: str | None = None
    """the tenant that the event belongs to; null for market data, which all tenants share"""
    buy_limit: Decimal | None = None
    """limit orders only: limit of an order to buy"""
    sell_limit: Decimal | None = None
    """limit orders only: limit of an order to sell"""
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
            deployment=record["deployment"],
            symbol=record["symbol"],
            venue=record["venue"],
            mode=record["mode"],
            units=record["units"],
            lot_size=record["lot_size"],
            min_quantity=record["min_quantity"],
            order_type=record["order_type"],
            buy_limit=record["buy_limit"],
            sell_limit=record["sell_limit"],
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
            "deployment": self.deployment,
            "symbol": self.symbol,
            "venue": self.venue,
            "mode": self.mode,
            "units": self.units,
            "lot_size": self.lot_size,
            "min_quantity": self.min_quantity,
            "order_type": self.order_type,
            "buy_limit": self.buy_limit,
            "sell_limit": self.sell_limit,
            "time_in_force": self.time_in_force,
            "expire_ts": self.expire_ts,
            "strategy": self.strategy,
            "signal_id": self.signal_id,
            "quote_bid": self.quote_bid,
            "quote_ask": self.quote_ask,
            "quote_ts": self.quote_ts,
        }

    def in_range(self) -> bool:
        return (
            1 <= len(self.event_id) <= 256
            and (self.tenant_id is None or 1 <= len(self.tenant_id) <= 256)
            and 0 <= self.ts_event <= 253402214400000000
            and 0 <= self.ts_ingest <= 253402214400000000
            and len(self.correlation_id) <= 256
            and len(self.causation_id) <= 256
            and 1 <= len(self.order_id) <= 256
            and 1 <= len(self.account_id) <= 256
            and 1 <= len(self.deployment) <= 256
            and 1 <= len(self.symbol) <= 256
            and 1 <= len(self.venue) <= 256
            and -9999999999999999999999999999 <= self.units <= 9999999999999999999999999999
            and 0 < self.lot_size <= 9999999999999999999999999999
            and 0 < self.min_quantity <= 9999999999999999999999999999
            and (self.buy_limit is None or 0 < self.buy_limit <= 10000000000000)
            and (self.sell_limit is None or 0 < self.sell_limit <= 10000000000000)
            and (self.expire_ts is None or 0 <= self.expire_ts <= 253402214400000000)
            and 1 <= len(self.strategy) <= 256
            and 1 <= len(self.signal_id) <= 256
            and 0 < self.quote_bid <= 10000000000000
            and 0 < self.quote_ask <= 10000000000000
            and 0 <= self.quote_ts <= 253402214400000000
            and self.quote_bid <= self.quote_ask
            and (self.order_type == "UNKNOWN" or (self.buy_limit is not None) == (self.order_type == "LIMIT"))
            and (self.order_type == "UNKNOWN" or (self.sell_limit is not None) == (self.order_type == "LIMIT"))
            and (self.time_in_force == "UNKNOWN" or (self.expire_ts is not None) == (self.time_in_force == "GTD"))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitOrder(Event):
    """A command: order so many units of an instrument. Sizing makes a request of it, and risk decides."""

    SCHEMA: ClassVar[str] = "tradewind.execution.SubmitOrder"
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
        "order_id": "name",
        "quantity": "quantity",
        "limit_price": "exact_price",
        "time_to_live_us": "duration",
        "quote_bid": "exact_price",
        "quote_ask": "exact_price",
        "quote_ts": "time",
    }
    RULES: ClassVar[tuple[str, ...]] = (
        "quote_bid <= quote_ask",
        "limit_price exactly where order_type is LIMIT",
    )

    event_id: str
    """32 hex digits; derived from tenant, route and key of the command"""
    tenant_id: str
    """the tenant that the account belongs to"""
    ts_event: int
    """when the command came in, by the clock"""
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
    order_id: str
    """the order that it leads to"""
    side: Literal["UNKNOWN", "BUY", "SELL"]
    """buy or sell"""
    quantity: Decimal
    """units"""
    order_type: Literal["UNKNOWN", "MARKET", "LIMIT"]
    """market or limit"""
    quote_bid: Decimal
    """bid of the quote that the user saw"""
    quote_ask: Decimal
    """ask of that quote"""
    quote_ts: int
    """event time of that quote"""
    limit_price: Decimal | None = None
    """limit orders only"""
    time_to_live_us: int | None = None
    """event time, µs, for which the order lives; null lets it live until the source ends"""

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
            order_id=record["order_id"],
            side=record["side"],
            quantity=record["quantity"],
            order_type=record["order_type"],
            limit_price=record["limit_price"],
            time_to_live_us=record["time_to_live_us"],
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
            "account_id": self.account_id,
            "symbol": self.symbol,
            "venue": self.venue,
            "order_id": self.order_id,
            "side": self.side,
            "quantity": self.quantity,
            "order_type": self.order_type,
            "limit_price": self.limit_price,
            "time_to_live_us": self.time_to_live_us,
            "quote_bid": self.quote_bid,
            "quote_ask": self.quote_ask,
            "quote_ts": self.quote_ts,
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
            and 1 <= len(self.symbol) <= 256
            and 1 <= len(self.venue) <= 256
            and 1 <= len(self.order_id) <= 256
            and 0 < self.quantity <= 9999999999999999999999999999
            and (self.limit_price is None or 0 < self.limit_price <= 10000000000000)
            and (self.time_to_live_us is None or 1 <= self.time_to_live_us <= 7776000000000)
            and 0 < self.quote_bid <= 10000000000000
            and 0 < self.quote_ask <= 10000000000000
            and 0 <= self.quote_ts <= 253370764800000000
            and self.quote_bid <= self.quote_ask
            and (self.order_type == "UNKNOWN" or (self.limit_price is not None) == (self.order_type == "LIMIT"))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueTimeState(Event):
    """State of the execution agent: the venue time that one instrument has reached. Kept while the instrument has open orders."""

    SCHEMA: ClassVar[str] = "tradewind.execution.VenueTimeState"
    VERSION: ClassVar[int] = 1

    symbol: str
    """the instrument as its venue writes it, such as EURUSD"""
    venue: str
    """where it trades or is quoted, such as OANDA"""
    ts_event: int
    """the largest event time of the quotes and heartbeats that the venue has had since an order was open"""

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
