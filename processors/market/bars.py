"""Ticks become bars: each closes by event time, once, and quotes that come after that are late.

Event time is per instrument (docs/architecture.md). Of every quote one thing is true: it is in one bar of every
interval, or it is late, whole: a quote that any of its bars has closed without is in none of them. A closing
heartbeat closes every bar of its instrument, for nothing follows from its source; what still comes for those bars is
late.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt

from tradewind.processors.batch import Processor, Rows, Segment, State, rows_of
from tradewind.processors.identity import derive_id, instrument
from tradewind.processors.market.candles import SECOND_US, SPREAD_SCALE, VOLUME_SCALE, Candle, Prices, fold, joined
from tradewind.processors.market.quotes import Ints, Quotes, quotes_of, tick_at
from tradewind.schemas.event import Event
from tradewind.schemas.market import Bar, BarsState, Heartbeat, Tick

INTERVALS_S = (1, 60)
GRACE_US = 500_000
INTERVAL_MAX_S = 86_400  # a day; a longer bar would hold its quotes back for longer than any session


def bars(intervals_s: Iterable[int] = INTERVALS_S, grace_us: int = GRACE_US) -> Processor:
    """Return the market agent's processor: ticks and heartbeats -> bars, heartbeats, late ticks.

    `grace_us` is how long after its end, in event time, a bar still takes quotes. Raises `ValueError` for intervals
    that are no whole seconds from 1 to `INTERVAL_MAX_S`, and `PoisonRecord` for a tick that is no quote.
    """
    intervals = tuple(sorted(set(intervals_s)))
    if not intervals or intervals[0] < 1 or intervals[-1] > INTERVAL_MAX_S or grace_us < 0:
        raise ValueError(
            f"bars of {intervals} s with a grace of {grace_us} µs: use 1 to {INTERVAL_MAX_S} s, and 0 µs or more"
        )

    def process(state: State, segment: Segment) -> list[Event]:
        if not len(segment):
            return []
        if segment.model is Tick:
            return _on_ticks(state, segment, intervals, grace_us)
        if segment.model is Heartbeat:
            return _on_heartbeats(state, rows_of(segment), grace_us)
        raise TypeError(f"bars are made of ticks and heartbeats, not of {segment.model.__name__} ({segment.topic})")

    return process


class _Closing(NamedTuple):
    """A candle that closes; sorts in the order in which bars are sent."""

    at: int
    """Place in the segment of the record that closes it."""
    ts_end: int
    interval_s: int
    ts_event: int
    symbol: str
    venue: str
    candle: Candle


def _on_ticks(state: State, segment: Segment, intervals: tuple[int, ...], grace_us: int) -> list[Event]:
    quotes = quotes_of(segment)
    known = [state.get(_key(*name), BarsState) for name in quotes.instruments]
    watermark = _watermarks(quotes, known)
    late = _late(quotes, watermark, intervals, grace_us)
    candles = _candles(quotes, late, known, intervals)
    closing: list[_Closing] = []
    for (symbol, venue, rows), own in zip(quotes.each(), candles, strict=True):
        reached = watermark[rows]
        due = np.array([candle.ts_end for candle in own], np.int64) + grace_us
        places = np.searchsorted(reached, due).tolist()  # the first record whose time closes the candle
        still_open = []
        for candle, place in zip(own, places, strict=True):
            if place == len(reached):
                still_open.append(candle)
                continue
            at, time = int(quotes.index[rows][place]), int(reached[place])
            closing.append(_Closing(at, candle.ts_end, candle.interval_s, time, symbol, venue, candle))
        _keep(state, symbol, venue, int(reached[-1]), still_open)
    return _sent(segment, closing, None if late is None else np.sort(quotes.index[late]))


def _watermarks(quotes: Quotes, known: list[BarsState | None]) -> Ints:
    """Return (n,) the event time of its instrument after each quote, µs."""
    watermark = quotes.ts_event.copy()
    for (_, _, rows), before in zip(quotes.each(), known, strict=True):
        own = watermark[rows]
        if before is not None and before.watermark > own[0]:
            own[0] = before.watermark
        np.maximum.accumulate(own, out=own)
    return watermark


def _late(quotes: Quotes, watermark: Ints, intervals: tuple[int, ...], grace_us: int) -> npt.NDArray[np.bool_] | None:
    """Return (n,) whether a quote comes after one of its bars closed; None where none does."""
    behind = np.flatnonzero(watermark > quotes.ts_event)
    if not len(behind):
        return None
    late = np.zeros(len(quotes), np.bool_)
    times, reached = quotes.ts_event[behind], watermark[behind]
    for interval_s in intervals:
        interval = interval_s * SECOND_US
        late[behind] |= times // interval * interval + interval + grace_us <= reached
    return late if late.any() else None


def _candles(
    quotes: Quotes, late: npt.NDArray[np.bool_] | None, known: list[BarsState | None], intervals: tuple[int, ...]
) -> list[list[Candle]]:
    """Return, for each instrument, the open candles with the segment's quotes added."""
    lengths = np.diff(np.array(quotes.bounds))
    prices = Prices.of(
        np.repeat(np.arange(len(lengths)), lengths), quotes.ts_event, quotes.bid, quotes.ask, quotes.size
    )
    if late is not None:
        prices = prices.take(~late)
    own: list[dict[tuple[int, int], Candle]] = [_opened(before) for before in known]
    if len(prices.ts_event):
        for interval_s in intervals:
            numbers, folded = fold(prices, interval_s)
            for number, candle in zip(numbers.tolist(), folded, strict=True):
                key = (candle.interval_s, candle.ts_start)
                earlier = own[number].get(key)
                own[number][key] = candle if earlier is None else joined(earlier, candle)
    return [list(candles.values()) for candles in own]


def _opened(before: BarsState | None) -> dict[tuple[int, int], Candle]:
    if before is None:
        return {}
    candles = map(Candle.from_state, before.open)
    return {(candle.interval_s, candle.ts_start): candle for candle in candles}


def _key(symbol: str, venue: str) -> str:
    return f"bars/{instrument(symbol, venue)}"


def _keep(state: State, symbol: str, venue: str, watermark: int, candles: list[Candle]) -> None:
    open_bars = tuple(candle.to_state() for candle in sorted(candles))
    kept = BarsState(symbol=symbol, venue=venue, watermark=watermark, open=open_bars)
    state.put(_key(symbol, venue), kept)


def _on_heartbeats(state: State, segment: Rows, grace_us: int) -> list[Event]:
    sent: list[Event] = []
    for at, event in enumerate(segment.events):
        heartbeat = cast("Heartbeat", event)
        symbol, venue = heartbeat.symbol, heartbeat.venue
        before = state.get(_key(symbol, venue), BarsState)
        watermark = heartbeat.ts_event if before is None else max(before.watermark, heartbeat.ts_event)
        candles = list(_opened(before).values())
        if heartbeat.closing and candles:
            # So that none of these bars is ever opened again.
            closed_by = max(watermark, *(candle.ts_end + grace_us for candle in candles))
        else:
            closed_by = watermark
        due = [candle for candle in candles if candle.ts_end + grace_us <= closed_by]
        closing = [_Closing(at, candle.ts_end, candle.interval_s, watermark, symbol, venue, candle) for candle in due]
        _keep(state, symbol, venue, closed_by, [candle for candle in candles if candle.ts_end + grace_us > closed_by])
        sent += [*_sent(segment, closing, None), heartbeat]
    return sent


def _sent(segment: Segment, closing: list[_Closing], late: Ints | None) -> list[Event]:
    """Return bars and late ticks by the records that caused them; a heartbeat goes before bars that close together."""
    events: list[Event] = []
    late_at = [] if late is None else late.tolist()
    told = 0
    previous = -1
    for one in sorted(closing):
        while told < len(late_at) and late_at[told] < one.at:
            events.append(tick_at(segment, late_at[told]))
            told += 1
        ts_ingest = int(segment.ts_ingest[one.at])
        if one.at != previous:
            previous = one.at
            events.append(Heartbeat(symbol=one.symbol, venue=one.venue, ts_event=one.ts_event - 1, ts_ingest=ts_ingest))
        events.append(_bar(one, ts_ingest))
    return events + [tick_at(segment, at) for at in late_at[told:]]


def _bar(closing: _Closing, ts_ingest: int) -> Bar:
    candle = closing.candle
    name = instrument(closing.symbol, closing.venue)
    event_id = derive_id("Bar", name, candle.interval_s, candle.ts_start, 0)
    return Bar(
        event_id=event_id,
        ts_event=closing.ts_event,
        ts_ingest=ts_ingest,
        correlation_id=event_id,  # ticks have no ids: a chain starts with its bar
        causation_id=event_id,
        symbol=closing.symbol,
        venue=closing.venue,
        interval_s=candle.interval_s,
        ts_start=candle.ts_start,
        ts_end=closing.ts_end,
        mid_open=candle.mid_open,
        mid_high=candle.mid_high,
        mid_low=candle.mid_low,
        mid_close=candle.mid_close,
        bid_open=candle.bid_open,
        bid_high=candle.bid_high,
        bid_low=candle.bid_low,
        bid_close=candle.bid_close,
        ask_open=candle.ask_open,
        ask_high=candle.ask_high,
        ask_low=candle.ask_low,
        ask_close=candle.ask_close,
        spread_mean=candle.spread_sum / (SPREAD_SCALE * candle.quotes),
        count=candle.quotes,
        volume=candle.volume_sum / VOLUME_SCALE,
        quote_ts=candle.quote_ts,
    )
