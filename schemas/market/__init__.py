"""Event models of the market domain. Generated from the .avsc files beside it by schemas/generate.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar, Literal, Self

from tradewind.schemas.event import Event

__all__ = ["Bar", "BarsState", "FeedPosition", "Heartbeat", "Mark", "News", "Tick", "Trade"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar(Event):
    """Open, high, low and close of the quotes of one interval, by event time."""

    SCHEMA: ClassVar[str] = "tradewind.market.Bar"
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
        "interval_s": "interval",
        "ts_start": "time",
        "ts_end": "later",
        "revision": "count",
        "mid_open": "price",
        "mid_high": "price",
        "mid_low": "price",
        "mid_close": "price",
        "bid_open": "price",
        "bid_high": "price",
        "bid_low": "price",
        "bid_close": "price",
        "ask_open": "price",
        "ask_high": "price",
        "ask_low": "price",
        "ask_close": "price",
        "spread_mean": "spread",
        "count": "quotes",
        "volume": "volume",
        "quote_ts": "time",
        "reached_ts": "reached",
    }
    RULES: ClassVar[tuple[str, ...]] = (
        "ts_start < ts_end",
        "bid_close <= ask_close",
    )

    event_id: str
    """32 hex digits; derived from what caused the event, so that processing again gives the same id"""
    ts_event: int
    """event time: the end of the interval and the grace, or the end of the source where that is earlier"""
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
    interval_s: int
    """length of the interval, seconds"""
    ts_start: int
    """start of the interval, inclusive"""
    ts_end: int
    """end of the interval, exclusive"""
    mid_open: float
    """open of the mid"""
    mid_high: float
    """high of the mid"""
    mid_low: float
    """low of the mid"""
    mid_close: float
    """close of the mid"""
    bid_open: float
    """open of the bid"""
    bid_high: float
    """high of the bid"""
    bid_low: float
    """low of the bid"""
    bid_close: float
    """close of the bid"""
    ask_open: float
    """open of the ask"""
    ask_high: float
    """high of the ask"""
    ask_low: float
    """low of the ask"""
    ask_close: float
    """close of the ask"""
    spread_mean: float
    """mean of ask - bid over the quotes"""
    count: int
    """quotes in the interval"""
    volume: float
    """sum of (bid_size + ask_size) / 2 over the quotes that state sizes"""
    quote_ts: int
    """event time of the closing quote"""
    tenant_id: str | None = None
    """the tenant that the event belongs to; null for market data, which all tenants share"""
    revision: int = 0
    """0 for the first issue; each later one replaces the one before"""
    reached_ts: int = 0
    """a promise, as a heartbeat's ts_event: each later event of the instrument on this topic is later; 0 promises nothing"""

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
            interval_s=record["interval_s"],
            ts_start=record["ts_start"],
            ts_end=record["ts_end"],
            revision=record["revision"],
            mid_open=record["mid_open"],
            mid_high=record["mid_high"],
            mid_low=record["mid_low"],
            mid_close=record["mid_close"],
            bid_open=record["bid_open"],
            bid_high=record["bid_high"],
            bid_low=record["bid_low"],
            bid_close=record["bid_close"],
            ask_open=record["ask_open"],
            ask_high=record["ask_high"],
            ask_low=record["ask_low"],
            ask_close=record["ask_close"],
            spread_mean=record["spread_mean"],
            count=record["count"],
            volume=record["volume"],
            quote_ts=record["quote_ts"],
            reached_ts=record["reached_ts"],
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
            "interval_s": self.interval_s,
            "ts_start": self.ts_start,
            "ts_end": self.ts_end,
            "revision": self.revision,
            "mid_open": self.mid_open,
            "mid_high": self.mid_high,
            "mid_low": self.mid_low,
            "mid_close": self.mid_close,
            "bid_open": self.bid_open,
            "bid_high": self.bid_high,
            "bid_low": self.bid_low,
            "bid_close": self.bid_close,
            "ask_open": self.ask_open,
            "ask_high": self.ask_high,
            "ask_low": self.ask_low,
            "ask_close": self.ask_close,
            "spread_mean": self.spread_mean,
            "count": self.count,
            "volume": self.volume,
            "quote_ts": self.quote_ts,
            "reached_ts": self.reached_ts,
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
            and 1 <= self.interval_s <= 86400
            and 0 <= self.ts_start <= 253370764800000000
            and 0 <= self.ts_end <= 253402214400000000
            and self.revision >= 0
            and 1e-10 <= self.mid_open <= 1000000000000.0
            and 1e-10 <= self.mid_high <= 1000000000000.0
            and 1e-10 <= self.mid_low <= 1000000000000.0
            and 1e-10 <= self.mid_close <= 1000000000000.0
            and 1e-10 <= self.bid_open <= 1000000000000.0
            and 1e-10 <= self.bid_high <= 1000000000000.0
            and 1e-10 <= self.bid_low <= 1000000000000.0
            and 1e-10 <= self.bid_close <= 1000000000000.0
            and 1e-10 <= self.ask_open <= 1000000000000.0
            and 1e-10 <= self.ask_high <= 1000000000000.0
            and 1e-10 <= self.ask_low <= 1000000000000.0
            and 1e-10 <= self.ask_close <= 1000000000000.0
            and 0.0 <= self.spread_mean <= 100000000.0
            and self.count >= 1
            and 0.0 <= self.volume <= 1e32
            and 0 <= self.quote_ts <= 253370764800000000
            and -1 <= self.reached_ts <= 253402214400000000
            and self.ts_start < self.ts_end
            and self.bid_close <= self.ask_close
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BarsState(Event):
    """State of the market agent: event time and open bars of one instrument."""

    SCHEMA: ClassVar[str] = "tradewind.market.BarsState"
    VERSION: ClassVar[int] = 1

    symbol: str
    """the instrument as its venue writes it, such as EURUSD"""
    venue: str
    """where it trades or is quoted, such as OANDA"""
    watermark: int
    """largest event time of its quotes and heartbeats so far"""
    open: tuple[Mapping[str, Decimal | float | int], ...]
    """bars that still take quotes, by interval and start"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            symbol=record["symbol"],
            venue=record["venue"],
            watermark=record["watermark"],
            open=tuple(record["open"]),
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "symbol": self.symbol,
            "venue": self.venue,
            "watermark": self.watermark,
            "open": list(self.open),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedPosition(Event):
    """How far a feed has read its source; written in the same transaction as the ticks."""

    SCHEMA: ClassVar[str] = "tradewind.market.FeedPosition"
    VERSION: ClassVar[int] = 1
    RANGES: ClassVar[Mapping[str, str]] = {
        "feed": "name",
        "source": "words",
        "position": "count",
        "published": "count",
        "rejected": "count",
        "ts_event": "any",
    }

    feed: str
    """the feed's name"""
    source: str
    """the source of the feed: the name and digest of a file, or the seed of a generator"""
    position: int
    """records of the source that were read, good and bad"""
    published: int
    """events that were published"""
    rejected: int
    """records that could not be parsed"""
    ts_event: int
    """event time reached"""
    finished: bool
    """the source ended and the closing heartbeats were published"""
    state: bytes
    """what a generator needs to go on; empty for a file"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            feed=record["feed"],
            source=record["source"],
            position=record["position"],
            published=record["published"],
            rejected=record["rejected"],
            ts_event=record["ts_event"],
            finished=record["finished"],
            state=record["state"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "feed": self.feed,
            "source": self.source,
            "position": self.position,
            "published": self.published,
            "rejected": self.rejected,
            "ts_event": self.ts_event,
            "finished": self.finished,
            "state": self.state,
        }

    def in_range(self) -> bool:
        return (
            1 <= len(self.feed) <= 256
            and len(self.source) <= 65536
            and self.position >= 0
            and self.published >= 0
            and self.rejected >= 0
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat(Event):
    """A promise about one instrument: each later event of the instrument on this topic has a later ts_event."""

    SCHEMA: ClassVar[str] = "tradewind.market.Heartbeat"
    VERSION: ClassVar[int] = 1
    RANGES: ClassVar[Mapping[str, str]] = {
        "symbol": "name",
        "venue": "name",
        "ts_event": "reached",
        "ts_ingest": "later",
        "passed_by": "count",
    }

    symbol: str
    """the instrument as its venue writes it, such as EURUSD"""
    venue: str
    """where it trades or is quoted, such as OANDA"""
    ts_event: int
    """event time has reached this"""
    ts_ingest: int
    """the time at which the event entered Tradewind"""
    closing: bool = False
    """the source has ended: open day orders expire"""
    passed_by: int | None = None
    """the partition of the stage that passed it on, where each of its partitions passes on its own; else null"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            symbol=record["symbol"],
            venue=record["venue"],
            ts_event=record["ts_event"],
            ts_ingest=record["ts_ingest"],
            closing=record["closing"],
            passed_by=record["passed_by"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "symbol": self.symbol,
            "venue": self.venue,
            "ts_event": self.ts_event,
            "ts_ingest": self.ts_ingest,
            "closing": self.closing,
            "passed_by": self.passed_by,
        }

    def in_range(self) -> bool:
        return (
            1 <= len(self.symbol) <= 256
            and 1 <= len(self.venue) <= 256
            and -1 <= self.ts_event <= 253402214400000000
            and 0 <= self.ts_ingest <= 253402214400000000
            and (self.passed_by is None or self.passed_by >= 0)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark(Event):
    """What an instrument was worth at a time: the mid of the closing quote of a bar of a minute."""

    SCHEMA: ClassVar[str] = "tradewind.market.Mark"
    VERSION: ClassVar[int] = 1
    RANGES: ClassVar[Mapping[str, str]] = {
        "ts_event": "later",
        "ts_ingest": "later",
        "symbol": "name",
        "venue": "name",
        "price": "exact_price",
    }

    ts_event: int
    """event time: that of the bar"""
    ts_ingest: int
    """when the record at the origin of the chain entered Tradewind"""
    symbol: str
    """the instrument as its venue writes it, such as EURUSD"""
    venue: str
    """where it trades or is quoted, such as OANDA"""
    price: Decimal
    """the mid, in the quote currency"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            ts_event=record["ts_event"],
            ts_ingest=record["ts_ingest"],
            symbol=record["symbol"],
            venue=record["venue"],
            price=record["price"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "ts_event": self.ts_event,
            "ts_ingest": self.ts_ingest,
            "symbol": self.symbol,
            "venue": self.venue,
            "price": self.price,
        }

    def in_range(self) -> bool:
        return (
            0 <= self.ts_event <= 253402214400000000
            and 0 <= self.ts_ingest <= 253402214400000000
            and 1 <= len(self.symbol) <= 256
            and 1 <= len(self.venue) <= 256
            and 0 < self.price <= 10000000000000
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class News(Event):
    """A news item about one instrument. An item about several instruments is several events."""

    SCHEMA: ClassVar[str] = "tradewind.market.News"
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
        "headline": "note",
        "body": "words",
        "source": "label",
        "item": "name",
        "url": "note",
    }

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
    symbol: str
    """the instrument as its venue writes it, such as EURUSD"""
    venue: str
    """where it trades or is quoted, such as OANDA"""
    headline: str
    """the headline"""
    body: str
    """the text; empty where there is none"""
    source: str
    """who published it, such as Reuters; empty where that is not known"""
    tenant_id: str | None = None
    """the tenant that the event belongs to; null for market data, which all tenants share"""
    item: str | None = None
    """the source's own id of the item; null where it has none"""
    url: str | None = None
    """where it can be read; null where that is not known"""

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
            headline=record["headline"],
            body=record["body"],
            source=record["source"],
            item=record["item"],
            url=record["url"],
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
            "headline": self.headline,
            "body": self.body,
            "source": self.source,
            "item": self.item,
            "url": self.url,
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
            and len(self.headline) <= 16384
            and len(self.body) <= 65536
            and len(self.source) <= 256
            and (self.item is None or 1 <= len(self.item) <= 256)
            and (self.url is None or len(self.url) <= 16384)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick(Event):
    """A quote: the best bid and ask of an instrument. Lean and flat, for columnar decoding; ts_ingest is the record's timestamp."""

    SCHEMA: ClassVar[str] = "tradewind.market.Tick"
    VERSION: ClassVar[int] = 1
    RANGES: ClassVar[Mapping[str, str]] = {
        "symbol": "name",
        "venue": "name",
        "seq": "any",
        "ts_event": "time",
        "bid": "price",
        "ask": "price",
        "bid_size": "size",
        "ask_size": "size",
    }
    RULES: ClassVar[tuple[str, ...]] = (
        "bid <= ask",
        "ask - bid <= 1e8",
    )

    symbol: str
    """the instrument as its venue writes it, such as EURUSD"""
    venue: str
    """where it trades or is quoted, such as OANDA"""
    seq: int
    """the source's own sequence, rising within a source"""
    ts_event: int
    """the time at which the source quoted the price"""
    bid: float
    """price"""
    ask: float
    """price"""
    bid_size: float | None = None
    """units offered at the bid; null where the source states none"""
    ask_size: float | None = None
    """units offered at the ask; null where the source states none"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            symbol=record["symbol"],
            venue=record["venue"],
            seq=record["seq"],
            ts_event=record["ts_event"],
            bid=record["bid"],
            ask=record["ask"],
            bid_size=record["bid_size"],
            ask_size=record["ask_size"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "symbol": self.symbol,
            "venue": self.venue,
            "seq": self.seq,
            "ts_event": self.ts_event,
            "bid": self.bid,
            "ask": self.ask,
            "bid_size": self.bid_size,
            "ask_size": self.ask_size,
        }

    def in_range(self) -> bool:
        return (
            1 <= len(self.symbol) <= 256
            and 1 <= len(self.venue) <= 256
            and 0 <= self.ts_event <= 253370764800000000
            and 1e-10 <= self.bid <= 1000000000000.0
            and 1e-10 <= self.ask <= 1000000000000.0
            and (self.bid_size is None or 0.0 <= self.bid_size <= 1000000000000.0)
            and (self.ask_size is None or 0.0 <= self.ask_size <= 1000000000000.0)
            and self.bid <= self.ask
            and self.ask - self.bid <= 100000000.0
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade(Event):
    """A trade that happened at a venue. ts_ingest is the record's timestamp."""

    SCHEMA: ClassVar[str] = "tradewind.market.Trade"
    VERSION: ClassVar[int] = 1
    RANGES: ClassVar[Mapping[str, str]] = {
        "symbol": "name",
        "venue": "name",
        "seq": "any",
        "ts_event": "time",
        "trade_id": "label",
        "price": "price",
        "size": "size",
    }

    symbol: str
    """the instrument as its venue writes it, such as EURUSD"""
    venue: str
    """where it trades or is quoted, such as OANDA"""
    seq: int
    """the source's own sequence, rising within a source"""
    ts_event: int
    """the time of the trade"""
    trade_id: str
    """the venue's own id"""
    price: float
    """price"""
    size: float
    """units"""
    aggressor: Literal["UNKNOWN", "BUY", "SELL"]
    """the side that took liquidity"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            symbol=record["symbol"],
            venue=record["venue"],
            seq=record["seq"],
            ts_event=record["ts_event"],
            trade_id=record["trade_id"],
            price=record["price"],
            size=record["size"],
            aggressor=record["aggressor"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "symbol": self.symbol,
            "venue": self.venue,
            "seq": self.seq,
            "ts_event": self.ts_event,
            "trade_id": self.trade_id,
            "price": self.price,
            "size": self.size,
            "aggressor": self.aggressor,
        }

    def in_range(self) -> bool:
        return (
            1 <= len(self.symbol) <= 256
            and 1 <= len(self.venue) <= 256
            and 0 <= self.ts_event <= 253370764800000000
            and len(self.trade_id) <= 256
            and 1e-10 <= self.price <= 1000000000000.0
            and 0.0 <= self.size <= 1000000000000.0
        )
