"""Event models of the risk domain. Generated from the .avsc files beside it by schemas/generate.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar, Literal, Self

from tradewind.schemas.event import Event

__all__ = [
    "Decision",
    "EarningsState",
    "ExposureState",
    "HoldingState",
    "KillSwitch",
    "LimitsState",
    "MarkedState",
    "MarksState",
    "OrderRateState",
    "ReservationState",
    "StrangersState",
    "SwitchState",
    "TradedState",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision(Event):
    """Risk's answer to one order request: the order that it makes of it, approved, or denied with every code that applies."""

    SCHEMA: ClassVar[str] = "tradewind.risk.Decision"
    VERSION: ClassVar[int] = 1
    RANGES: ClassVar[Mapping[str, str]] = {
        "event_id": "name",
        "tenant_id": "name",
        "ts_event": "later",
        "ts_ingest": "later",
        "correlation_id": "label",
        "causation_id": "label",
        "reason": "words",
        "order_id": "name",
        "account_id": "name",
        "deployment": "name",
        "symbol": "name",
        "venue": "name",
        "quantity": "filled",
        "limit_price": "exact_price",
        "expire_ts": "later",
        "strategy": "name",
        "signal_id": "name",
        "quote_bid": "exact_price",
        "quote_ask": "exact_price",
        "quote_ts": "later",
        "tenant_revision": "count",
        "held": "amount",
        "exposure": "amount",
        "elsewhere": "filled",
        "in_minute": "count",
        "lost_today": "amount",
        "drawdown": "filled",
        "total_exposure": "filled",
        "currency_exposure": "filled",
        "no_rate": "words",
    }
    RULES: ClassVar[tuple[str, ...]] = (
        "quote_bid <= quote_ask",
        "limit_price exactly where order_type is LIMIT",
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
    outcome: Literal["UNKNOWN", "APPROVED", "DENIED", "MET"]
    """the answer; MET where the position is the target already, so that there is no order"""
    codes: tuple[
        Literal[
            "UNKNOWN",
            "STALE_PRICE",
            "MAX_ORDER_SIZE",
            "MAX_POSITION",
            "KILL_SWITCH",
            "UNKNOWN_TENANT",
            "UNKNOWN_ACCOUNT",
            "TENANT_SUSPENDED",
            "TENANT_CLOSED",
            "QUOTA",
            "ORDER_RATE",
            "MAX_EXPOSURE",
            "DAILY_LOSS",
            "DRAWDOWN",
            "NO_RATE",
            "TOTAL_EXPOSURE",
            "CURRENCY_EXPOSURE",
        ],
        ...,
    ]
    """empty unless denied"""
    reason: str
    """why, in words"""
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
    side: Literal["UNKNOWN", "BUY", "SELL"]
    """buy or sell"""
    order_type: Literal["UNKNOWN", "MARKET", "LIMIT"]
    """market or limit"""
    quantity: Decimal
    """units of the order; 0 where none is needed"""
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
    limit_price: Decimal | None = None
    """limit orders only"""
    expire_ts: int | None = None
    """GTD only: event time of expiry"""
    tenant_revision: int = 0
    """the revision of the tenant whose limits it was judged by; 0 of an unknown tenant"""
    held: Decimal = Decimal("0E-10")
    """what the deployment held before, approved orders counted as filled: units, negative when short"""
    exposure: Decimal = Decimal("0E-10")
    """what the account held before, over all its deployments: units, negative when short"""
    elsewhere: Decimal | None = None
    """what the tenant's other accounts held, long and short added, units; null where no limit is about that"""
    in_minute: int = 0
    """orders of the tenant and instrument that were approved before in its minute of event time"""
    lost_today: Decimal | None = None
    """what the account had lost in the instrument since 00:00 UTC of event time, quote currency, negative for a gain; null where no limit is about that"""
    drawdown: Decimal | None = None
    """what the account had lost in the instrument since its best result, quote currency; null where no limit is about that"""
    total_exposure: Decimal | None = None
    """what all positions of the tenant's accounts would be worth after the order, long and short added, in the currency of the accounts; null where no limit is about that, or a rate is missing"""
    currency_exposure: Decimal | None = None
    """what all accounts would hold net of one currency of the instrument, the larger of both, in the currency of the accounts; null where no limit is about that, or a rate is missing"""
    no_rate: str = ""
    """which rates or marks are missing to judge limits over several instruments; empty where none is"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            event_id=record["event_id"],
            tenant_id=record["tenant_id"],
            ts_event=record["ts_event"],
            ts_ingest=record["ts_ingest"],
            correlation_id=record["correlation_id"],
            causation_id=record["causation_id"],
            outcome=record["outcome"],
            codes=tuple(record["codes"]),
            reason=record["reason"],
            order_id=record["order_id"],
            account_id=record["account_id"],
            deployment=record["deployment"],
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
            tenant_revision=record["tenant_revision"],
            held=record["held"],
            exposure=record["exposure"],
            elsewhere=record["elsewhere"],
            in_minute=record["in_minute"],
            lost_today=record["lost_today"],
            drawdown=record["drawdown"],
            total_exposure=record["total_exposure"],
            currency_exposure=record["currency_exposure"],
            no_rate=record["no_rate"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "event_id": self.event_id,
            "tenant_id": self.tenant_id,
            "ts_event": self.ts_event,
            "ts_ingest": self.ts_ingest,
            "correlation_id": self.correlation_id,
            "causation_id": self.causation_id,
            "outcome": self.outcome,
            "codes": list(self.codes),
            "reason": self.reason,
            "order_id": self.order_id,
            "account_id": self.account_id,
            "deployment": self.deployment,
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
            "tenant_revision": self.tenant_revision,
            "held": self.held,
            "exposure": self.exposure,
            "elsewhere": self.elsewhere,
            "in_minute": self.in_minute,
            "lost_today": self.lost_today,
            "drawdown": self.drawdown,
            "total_exposure": self.total_exposure,
            "currency_exposure": self.currency_exposure,
            "no_rate": self.no_rate,
        }

    def in_range(self) -> bool:
        return (
            1 <= len(self.event_id) <= 256
            and (self.tenant_id is None or 1 <= len(self.tenant_id) <= 256)
            and 0 <= self.ts_event <= 253402214400000000
            and 0 <= self.ts_ingest <= 253402214400000000
            and len(self.correlation_id) <= 256
            and len(self.causation_id) <= 256
            and len(self.reason) <= 65536
            and 1 <= len(self.order_id) <= 256
            and 1 <= len(self.account_id) <= 256
            and 1 <= len(self.deployment) <= 256
            and 1 <= len(self.symbol) <= 256
            and 1 <= len(self.venue) <= 256
            and 0 <= self.quantity <= 9999999999999999999999999999
            and (self.limit_price is None or 0 < self.limit_price <= 10000000000000)
            and (self.expire_ts is None or 0 <= self.expire_ts <= 253402214400000000)
            and 1 <= len(self.strategy) <= 256
            and 1 <= len(self.signal_id) <= 256
            and 0 < self.quote_bid <= 10000000000000
            and 0 < self.quote_ask <= 10000000000000
            and 0 <= self.quote_ts <= 253402214400000000
            and self.tenant_revision >= 0
            and -9999999999999999999999999999 <= self.held <= 9999999999999999999999999999
            and -9999999999999999999999999999 <= self.exposure <= 9999999999999999999999999999
            and (self.elsewhere is None or 0 <= self.elsewhere <= 9999999999999999999999999999)
            and self.in_minute >= 0
            and (
                self.lost_today is None
                or -9999999999999999999999999999 <= self.lost_today <= 9999999999999999999999999999
            )
            and (self.drawdown is None or 0 <= self.drawdown <= 9999999999999999999999999999)
            and (self.total_exposure is None or 0 <= self.total_exposure <= 9999999999999999999999999999)
            and (self.currency_exposure is None or 0 <= self.currency_exposure <= 9999999999999999999999999999)
            and len(self.no_rate) <= 65536
            and self.quote_bid <= self.quote_ask
            and (self.order_type == "UNKNOWN" or (self.limit_price is not None) == (self.order_type == "LIMIT"))
            and (self.time_in_force == "UNKNOWN" or (self.expire_ts is not None) == (self.time_in_force == "GTD"))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EarningsState(Event):
    """State of the risk agent: what an account has earned of an instrument, approved orders counted as filled. Kept while a limit on losses is stated."""

    SCHEMA: ClassVar[str] = "tradewind.risk.EarningsState"
    VERSION: ClassVar[int] = 1
    RANGES: ClassVar[Mapping[str, str]] = {
        "cash": "amount",
        "price": "exact_price",
        "day_start": "later",
        "day_worth": "amount",
        "best_worth": "amount",
    }

    tenant_id: str
    """the tenant"""
    account_id: str
    """the tenant's account"""
    symbol: str
    """the instrument as its venue writes it, such as EURUSD"""
    venue: str
    """where it trades or is quoted, such as OANDA"""
    cash: Decimal
    """what approved orders have got less what they have paid, at the prices that they were judged by, quote currency"""
    price: Decimal
    """mid of the newest request's quote"""
    day_start: int
    """00:00 UTC of the newest day of event time, µs"""
    day_worth: Decimal
    """cash and position at the last request before that day, or at the first one of all"""
    best_worth: Decimal
    """the largest worth of cash and position at a request"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            tenant_id=record["tenant_id"],
            account_id=record["account_id"],
            symbol=record["symbol"],
            venue=record["venue"],
            cash=record["cash"],
            price=record["price"],
            day_start=record["day_start"],
            day_worth=record["day_worth"],
            best_worth=record["best_worth"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "tenant_id": self.tenant_id,
            "account_id": self.account_id,
            "symbol": self.symbol,
            "venue": self.venue,
            "cash": self.cash,
            "price": self.price,
            "day_start": self.day_start,
            "day_worth": self.day_worth,
            "best_worth": self.best_worth,
        }

    def in_range(self) -> bool:
        return (
            -9999999999999999999999999999 <= self.cash <= 9999999999999999999999999999
            and 0 < self.price <= 10000000000000
            and 0 <= self.day_start <= 253402214400000000
            and -9999999999999999999999999999 <= self.day_worth <= 9999999999999999999999999999
            and -9999999999999999999999999999 <= self.best_worth <= 9999999999999999999999999999
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposureState(Event):
    """State of the risk agent: what one account holds of one instrument, approved orders counted as if filled."""

    SCHEMA: ClassVar[str] = "tradewind.risk.ExposureState"
    VERSION: ClassVar[int] = 1
    RANGES: ClassVar[Mapping[str, str]] = {
        "quantity": "amount",
    }

    tenant_id: str
    """the tenant"""
    account_id: str
    """the tenant's account"""
    symbol: str
    """the instrument as its venue writes it, such as EURUSD"""
    venue: str
    """where it trades or is quoted, such as OANDA"""
    quantity: Decimal
    """units, negative when short"""
    recent: tuple[str, ...]
    """order ids of the newest decisions, oldest first"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            tenant_id=record["tenant_id"],
            account_id=record["account_id"],
            symbol=record["symbol"],
            venue=record["venue"],
            quantity=record["quantity"],
            recent=tuple(record["recent"]),
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "tenant_id": self.tenant_id,
            "account_id": self.account_id,
            "symbol": self.symbol,
            "venue": self.venue,
            "quantity": self.quantity,
            "recent": list(self.recent),
        }

    def in_range(self) -> bool:
        return -9999999999999999999999999999 <= self.quantity <= 9999999999999999999999999999


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldingState(Event):
    """State of the risk agent: what one deployment holds of one instrument, approved orders counted as if filled. There is none where it holds nothing."""

    SCHEMA: ClassVar[str] = "tradewind.risk.HoldingState"
    VERSION: ClassVar[int] = 1
    RANGES: ClassVar[Mapping[str, str]] = {
        "quantity": "amount",
    }

    tenant_id: str
    """the tenant"""
    account_id: str
    """the tenant's account"""
    deployment: str
    """the deployment, by its name within the account"""
    symbol: str
    """the instrument as its venue writes it, such as EURUSD"""
    venue: str
    """where it trades or is quoted, such as OANDA"""
    quantity: Decimal
    """units, negative when short"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            tenant_id=record["tenant_id"],
            account_id=record["account_id"],
            deployment=record["deployment"],
            symbol=record["symbol"],
            venue=record["venue"],
            quantity=record["quantity"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "tenant_id": self.tenant_id,
            "account_id": self.account_id,
            "deployment": self.deployment,
            "symbol": self.symbol,
            "venue": self.venue,
            "quantity": self.quantity,
        }

    def in_range(self) -> bool:
        return -9999999999999999999999999999 <= self.quantity <= 9999999999999999999999999999


@dataclass(frozen=True, slots=True, kw_only=True)
class KillSwitch(Event):
    """A command: stop (or allow again) a tenant's trading."""

    SCHEMA: ClassVar[str] = "tradewind.risk.KillSwitch"
    VERSION: ClassVar[int] = 1
    RANGES: ClassVar[Mapping[str, str]] = {
        "event_id": "name",
        "tenant_id": "name",
        "ts_event": "later",
        "ts_ingest": "later",
        "correlation_id": "label",
        "causation_id": "label",
        "account_id": "name",
        "reason": "note",
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
    engaged: bool
    """true stops trading"""
    reason: str
    """why, in words"""
    tenant_id: str | None = None
    """the tenant that the event belongs to; null for market data, which all tenants share"""
    account_id: str | None = None
    """one account; null for all of the tenant's"""

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
            engaged=record["engaged"],
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
            "engaged": self.engaged,
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
            and (self.account_id is None or 1 <= len(self.account_id) <= 256)
            and len(self.reason) <= 16384
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsState(Event):
    """State of the risk agent: what it reads of a tenant."""

    SCHEMA: ClassVar[str] = "tradewind.risk.LimitsState"
    VERSION: ClassVar[int] = 1

    tenant_id: str
    """the tenant"""
    revision: int
    """the revision of the tenant"""
    status: Literal["UNKNOWN", "ACTIVE", "SUSPENDED", "CLOSED"]
    """whether the tenant may trade"""
    accounts: tuple[str, ...]
    """the tenant's accounts, sorted"""
    max_order_notional: Decimal
    """largest value of one order, in the quote currency"""
    max_position_notional: Decimal
    """largest absolute value of a position in one instrument, in the quote currency"""
    max_quote_age_us: int
    """how old the quote of an order may be, in event time, µs"""
    max_mark_age_us: int
    """how old a mark may be that values a position or converts a currency, in event time, µs"""
    account_currency: str
    """currency of the accounts: of limits over several instruments"""
    max_exposure_notional: Decimal | None = None
    """largest value that all accounts of the tenant may hold of one instrument, in the quote currency; null for any"""
    max_total_exposure: Decimal | None = None
    """largest value of the positions of all accounts in all instruments, long and short added, in the currency of the accounts; null for any"""
    max_currency_exposure: Decimal | None = None
    """largest value that all accounts may hold net of one currency other than that of the accounts, in the currency of the accounts; null for any"""
    max_daily_loss: Decimal | None = None
    """most that an account may lose in one instrument in a day of UTC, in the quote currency; null for any"""
    max_drawdown: Decimal | None = None
    """most that an account may lose in one instrument since its best result, in the quote currency; null for any"""
    orders_quota: int | None = None
    """approved orders that the tenant may have in a month of UTC; null for any number"""
    orders_per_minute: int | None = None
    """approved orders that the tenant may have of an instrument in a minute of event time; null for any number"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            tenant_id=record["tenant_id"],
            revision=record["revision"],
            status=record["status"],
            accounts=tuple(record["accounts"]),
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
            orders_quota=record["orders_quota"],
            orders_per_minute=record["orders_per_minute"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "tenant_id": self.tenant_id,
            "revision": self.revision,
            "status": self.status,
            "accounts": list(self.accounts),
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
            "orders_quota": self.orders_quota,
            "orders_per_minute": self.orders_per_minute,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedState(Event):
    """State of the risk agent: which instruments have marks."""

    SCHEMA: ClassVar[str] = "tradewind.risk.MarkedState"
    VERSION: ClassVar[int] = 1

    instruments: tuple[str, ...]
    """their names, sorted"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            instruments=tuple(record["instruments"]),
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "instruments": list(self.instruments),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class MarksState(Event):
    """State of the risk agent: the newest marks of one instrument."""

    SCHEMA: ClassVar[str] = "tradewind.risk.MarksState"
    VERSION: ClassVar[int] = 1

    symbol: str
    """the instrument as its venue writes it, such as EURUSD"""
    venue: str
    """where it trades or is quoted, such as OANDA"""
    times: tuple[int, ...]
    """event time of each mark, oldest first, µs"""
    prices: tuple[Decimal, ...]
    """price of each mark, in the same order"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            symbol=record["symbol"],
            venue=record["venue"],
            times=tuple(record["times"]),
            prices=tuple(record["prices"]),
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "symbol": self.symbol,
            "venue": self.venue,
            "times": list(self.times),
            "prices": list(self.prices),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRateState(Event):
    """State of the risk agent: how many orders of a tenant it has approved of one instrument in the newest minute of event time."""

    SCHEMA: ClassVar[str] = "tradewind.risk.OrderRateState"
    VERSION: ClassVar[int] = 1

    ts_start: int
    """when the minute began, event time"""
    orders: int
    """orders that were approved in it"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            ts_start=record["ts_start"],
            orders=record["orders"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "ts_start": self.ts_start,
            "orders": self.orders,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationState(Event):
    """State of the risk agent: an approved order that has not ended."""

    SCHEMA: ClassVar[str] = "tradewind.risk.ReservationState"
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
    side: Literal["UNKNOWN", "BUY", "SELL"]
    """side of the order"""
    quantity: Decimal
    """units that were approved"""
    price: Decimal = Decimal("0E-10")
    """the price that the order was judged by"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            order_id=record["order_id"],
            tenant_id=record["tenant_id"],
            account_id=record["account_id"],
            deployment=record["deployment"],
            symbol=record["symbol"],
            venue=record["venue"],
            side=record["side"],
            quantity=record["quantity"],
            price=record["price"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "order_id": self.order_id,
            "tenant_id": self.tenant_id,
            "account_id": self.account_id,
            "deployment": self.deployment,
            "symbol": self.symbol,
            "venue": self.venue,
            "side": self.side,
            "quantity": self.quantity,
            "price": self.price,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class StrangersState(Event):
    """State of the risk agent: orders that were denied because their tenant or account was not there."""

    SCHEMA: ClassVar[str] = "tradewind.risk.StrangersState"
    VERSION: ClassVar[int] = 1

    recent: tuple[str, ...]
    """ids of the newest of these orders, oldest first"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            recent=tuple(record["recent"]),
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "recent": list(self.recent),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchState(Event):
    """State of the risk agent: whether a kill switch is engaged."""

    SCHEMA: ClassVar[str] = "tradewind.risk.SwitchState"
    VERSION: ClassVar[int] = 1

    engaged: bool
    """true stops trading"""
    reason: str
    """why, in words"""
    tenant_id: str | None = None
    """the tenant; null for all"""
    account_id: str | None = None
    """the account; null for all of the tenant's"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            tenant_id=record["tenant_id"],
            account_id=record["account_id"],
            engaged=record["engaged"],
            reason=record["reason"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "tenant_id": self.tenant_id,
            "account_id": self.account_id,
            "engaged": self.engaged,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class TradedState(Event):
    """State of the risk agent: which instruments one account has had orders of, whatever was decided."""

    SCHEMA: ClassVar[str] = "tradewind.risk.TradedState"
    VERSION: ClassVar[int] = 1

    instruments: tuple[str, ...]
    """their names, sorted"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            instruments=tuple(record["instruments"]),
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "instruments": list(self.instruments),
        }
