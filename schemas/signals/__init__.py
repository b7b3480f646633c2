"""Event models of the signals domain. Generated from the .avsc files beside it by schemas/generate.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from tradewind.schemas.event import Event

__all__ = ["InstrumentState", "QuarantineState", "QuestionsState", "Signal", "StrategyState", "VolatilityState"]


@dataclass(frozen=True, slots=True, kw_only=True)
class InstrumentState(Event):
    """State of the signals agent: how far the time of one instrument has come, and its last closing quote, which a signal made without a bar carries."""

    SCHEMA: ClassVar[str] = "tradewind.signals.InstrumentState"
    VERSION: ClassVar[int] = 1

    symbol: str
    """the instrument as its venue writes it, such as EURUSD"""
    venue: str
    """where it trades or is quoted, such as OANDA"""
    reached: int
    """the time that the heartbeats of the agent have promised: each later event of the instrument is later than this"""
    volatility: float
    """standard deviation of mid-price returns per minute, of the last bar that strategies were asked about"""
    quote_bid: float
    """bid of the last bar's closing quote"""
    quote_ask: float
    """ask of that quote"""
    quote_ts: int
    """event time of that quote"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            symbol=record["symbol"],
            venue=record["venue"],
            reached=record["reached"],
            volatility=record["volatility"],
            quote_bid=record["quote_bid"],
            quote_ask=record["quote_ask"],
            quote_ts=record["quote_ts"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "symbol": self.symbol,
            "venue": self.venue,
            "reached": self.reached,
            "volatility": self.volatility,
            "quote_bid": self.quote_bid,
            "quote_ask": self.quote_ask,
            "quote_ts": self.quote_ts,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineState(Event):
    """State of the signals agent: a strategy that failed and is not asked again."""

    SCHEMA: ClassVar[str] = "tradewind.signals.QuarantineState"
    VERSION: ClassVar[int] = 1

    strategy: str
    """name of the strategy"""
    version: int
    """version of the strategy that failed"""
    ts_event: int
    """event time of the bar at which the strategy failed"""
    reason: str
    """why, in words"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            strategy=record["strategy"],
            version=record["version"],
            ts_event=record["ts_event"],
            reason=record["reason"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "strategy": self.strategy,
            "version": self.version,
            "ts_event": self.ts_event,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionsState(Event):
    """State of the signals agent: what strategies have asked models about one instrument."""

    SCHEMA: ClassVar[str] = "tradewind.signals.QuestionsState"
    VERSION: ClassVar[int] = 1

    symbol: str
    """the instrument as its venue writes it, such as EURUSD"""
    venue: str
    """where it trades or is quoted, such as OANDA"""
    open: tuple[Mapping[str, int | str], ...]
    """questions without an answer, in the order in which they were asked"""
    asked: int
    """questions that were asked"""
    answered: int
    """of these, those with an answer in time"""
    unanswered: int
    """of these, those without one: strategies got None"""
    late: int
    """responses that no open question waited for any more"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            symbol=record["symbol"],
            venue=record["venue"],
            open=tuple(record["open"]),
            asked=record["asked"],
            answered=record["answered"],
            unanswered=record["unanswered"],
            late=record["late"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "symbol": self.symbol,
            "venue": self.venue,
            "open": list(self.open),
            "asked": self.asked,
            "answered": self.answered,
            "unanswered": self.unanswered,
            "late": self.late,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal(Event):
    """A strategy's view of an instrument: which way it wants to be. Not an order."""

    SCHEMA: ClassVar[str] = "tradewind.signals.Signal"
    VERSION: ClassVar[int] = 1
    RANGES: ClassVar[Mapping[str, str]] = {
        "event_id": "name",
        "tenant_id": "name",
        "ts_event": "later",
        "ts_ingest": "later",
        "correlation_id": "label",
        "causation_id": "label",
        "symbol": "name",
        "venue": "name",
        "strategy": "name",
        "strength": "share",
        "volatility": "volatility",
        "quote_bid": "price",
        "quote_ask": "price",
        "quote_ts": "later",
        "reason": "words",
    }
    RULES: ClassVar[tuple[str, ...]] = ("quote_bid <= quote_ask",)

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
    symbol: str
    """the instrument as its venue writes it, such as EURUSD"""
    venue: str
    """where it trades or is quoted, such as OANDA"""
    strategy: str
    """name of the strategy"""
    direction: Literal["UNKNOWN", "LONG", "SHORT", "FLAT"]
    """which way the strategy wants to be: long, short, or out of the instrument"""
    strength: float
    """0 to 1"""
    volatility: float
    """standard deviation of mid-price returns per minute"""
    quote_bid: float
    """bid of the quote that the signal was made on"""
    quote_ask: float
    """ask of that quote"""
    quote_ts: int
    """event time of that quote"""
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
            symbol=record["symbol"],
            venue=record["venue"],
            strategy=record["strategy"],
            direction=record["direction"],
            strength=record["strength"],
            volatility=record["volatility"],
            quote_bid=record["quote_bid"],
            quote_ask=record["quote_ask"],
            quote_ts=record["quote_ts"],
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
            "symbol": self.symbol,
            "venue": self.venue,
            "strategy": self.strategy,
            "direction": self.direction,
            "strength": self.strength,
            "volatility": self.volatility,
            "quote_bid": self.quote_bid,
            "quote_ask": self.quote_ask,
            "quote_ts": self.quote_ts,
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
            and 1 <= len(self.symbol) <= 256
            and 1 <= len(self.venue) <= 256
            and 1 <= len(self.strategy) <= 256
            and 0.0 <= self.strength <= 1.0
            and 0.0 <= self.volatility <= 1e24
            and 1e-10 <= self.quote_bid <= 1000000000000.0
            and 1e-10 <= self.quote_ask <= 1000000000000.0
            and 0 <= self.quote_ts <= 253402214400000000
            and len(self.reason) <= 65536
            and self.quote_bid <= self.quote_ask
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyState(Event):
    """State of the signals agent: what one strategy remembers of one instrument."""

    SCHEMA: ClassVar[str] = "tradewind.signals.StrategyState"
    VERSION: ClassVar[int] = 1

    strategy: str
    """name of the strategy"""
    symbol: str
    """the instrument as its venue writes it, such as EURUSD"""
    venue: str
    """where it trades or is quoted, such as OANDA"""
    memory: str
    """a JSON object"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            strategy=record["strategy"],
            symbol=record["symbol"],
            venue=record["venue"],
            memory=record["memory"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "strategy": self.strategy,
            "symbol": self.symbol,
            "venue": self.venue,
            "memory": self.memory,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class VolatilityState(Event):
    """State of the signals agent: volatility of one instrument on bars of one length."""

    SCHEMA: ClassVar[str] = "tradewind.signals.VolatilityState"
    VERSION: ClassVar[int] = 1

    symbol: str
    """the instrument as its venue writes it, such as EURUSD"""
    venue: str
    """where it trades or is quoted, such as OANDA"""
    interval_s: int
    """length of the bars, seconds"""
    mid_close: float
    """close of the newest bar"""
    variance: float
    """exponentially weighted variance of returns per bar; 0 before the second bar"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            symbol=record["symbol"],
            venue=record["venue"],
            interval_s=record["interval_s"],
            mid_close=record["mid_close"],
            variance=record["variance"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "symbol": self.symbol,
            "venue": self.venue,
            "interval_s": self.interval_s,
            "mid_close": self.mid_close,
            "variance": self.variance,
        }
