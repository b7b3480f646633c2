"""Ticks become bars. Each bar closes once, by event time; quotes that come after that are late.

Event time is kept per instrument (docs/architecture.md). A quote is in one bar of every interval, or it is late as a
whole: if any of its bars has closed, it is in none of them. A closing heartbeat closes every bar of its instrument,
because its source has ended. Later quotes of these bars are late.

A bar is dated at the end of its interval plus the grace, whichever record closes it. When an instrument's time passes
a second plus the grace, which is the time of any possible bar, the agent promises that nothing before the next one
follows. The last bar that a record closes carries the promise (`reached_ts`), or a heartbeat where it closes none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import NamedTuple, TypeVar, cast

import numpy as np
import numpy.typing as npt

from tradewind.processors.batch import Merged, Micros, Output, Processor, Rows, Segment, State, rows_of
from tradewind.processors.identity import instrument
from tradewind.processors.market.candles import SECOND_US, Candle, Candles, Prices, fold, joined
from tradewind.processors.market.closed import Closed, ClosedBars
from tradewind.processors.market.leaps import LEAP_US, doubt_key, weigh
from tradewind.processors.market.quotes import Ints, Quotes, quotes_of, tick_at
from tradewind.schemas.market import BarsState, Heartbeat, Tick
from tradewind.schemas.ranges import INTERVAL_MAX_S, LATER_END

INTERVALS_S = (1, 60)
NEVER = -1
Time = TypeVar("Time", int, Ints)
GRACE_US = 500_000


def bars(
    intervals_s: Iterable[int] = INTERVALS_S, grace_us: int = GRACE_US, leap_us: int = LEAP_US, *, beats: bool = True
) -> Processor:
    """Return the market agent's processor: ticks and heartbeats -> bars, heartbeats, late and discarded ticks.

    A bar takes quotes until `grace_us` of event time after its end, which is the time of the bar. Of the heartbeats
    only closing ones pass; the others become bars and promises (`next_decision`). If a tick is more than `leap_us`
    ahead of its instrument's watermark, another tick has to agree (`leaps.py`). Without `beats`, for a reader that
    waits for nobody, only bars promise something. Raises `ValueError` for intervals that are not whole seconds from 1
    to `INTERVAL_MAX_S`.
    """
    intervals = tuple(sorted(set(intervals_s)))
    if not intervals or intervals[0] < 1 or intervals[-1] > INTERVAL_MAX_S or grace_us < 0 or leap_us < 1:
        raise ValueError(
            f"bars of {intervals} s with a grace of {grace_us} µs and a leap of {leap_us} µs: use 1 to "
            f"{INTERVAL_MAX_S} s, 0 µs or more, and 1 µs or more"
        )

    rules = _Rules(intervals, grace_us, leap_us, beats)

    def process(state: State, segment: Segment) -> list[Output]:
        if not len(segment):
            return []
        if segment.model is Tick:
            return _on_ticks(state, segment, rules)
        if segment.model is Heartbeat:
            return _on_heartbeats(state, rows_of(segment), rules)
        raise TypeError(f"bars are made of ticks and heartbeats, not of {segment.model.__name__} ({segment.topic})")

    return process


def next_decision(reached: Time, grace_us: int) -> Time:
    """Return the first time after `reached` that a bar of any length can have, µs: a whole second plus the grace."""
    return ((reached - grace_us) // SECOND_US + 1) * SECOND_US + grace_us


class _Rules(NamedTuple):
    intervals: tuple[int, ...]
    """s, ascending."""
    grace_us: int
    leap_us: int
    beats: bool


def _on_ticks(state: State, segment: Segment, rules: _Rules) -> list[Output]:
    quotes = quotes_of(segment)
    known = [state.get(_key(*name), BarsState) for name in quotes.instruments]
    doubted = [state.get(doubt_key(*name), Tick) for name in quotes.instruments]
    watermarks = [None if of is None else of.watermark for of in known]
    weighed = weigh(segment, quotes, watermarks, doubted, rules.leap_us)
    if weighed is None:
        return _on_quotes(state, segment, quotes, rules)
    for name, tick in weighed.in_doubt.items():
        if tick is None:
            state.delete(doubt_key(*name))
        else:
            state.put(doubt_key(*name), tick)
    return _on_quotes(state, segment, weighed.quotes, rules, weighed.discarded)


def _on_one(state: State, tick: Tick, ts_ingest: int, rules: _Rules) -> list[Output]:
    """Process a doubted tick after the record that it waited for has agreed."""
    alone = Rows("", 0, [tick], np.zeros(1, np.int64), np.array([ts_ingest], np.int64))
    return _on_quotes(state, alone, quotes_of(alone), rules)


def _on_quotes(
    state: State, segment: Segment, quotes: Quotes, rules: _Rules, discarded: Sequence[tuple[int, Tick]] = ()
) -> list[Output]:
    """Return the outputs of quotes and, at their places, the discarded ticks."""
    if not len(quotes):
        return [tick for _, tick in sorted(discarded, key=itemgetter(0))]
    intervals, grace_us = rules.intervals, rules.grace_us
    known = [state.get(_key(*name), BarsState) for name in quotes.instruments]
    watermark = _watermarks(quotes, known)
    late = _late(quotes, watermark, intervals, grace_us)
    candles = _candles(quotes, late, known, intervals)
    places = np.full(len(candles.instrument), NEVER)
    due = candles.ts_end + grace_us
    bounds = np.searchsorted(candles.instrument, np.arange(len(known) + 1)).tolist()
    for number, (symbol, venue, rows) in enumerate(quotes.each()):
        own, reached = slice(bounds[number], bounds[number + 1]), watermark[rows]
        found = np.searchsorted(reached, due[own])  # the first record whose time closes the candle
        places[own] = np.where(found < len(reached), found + rows.start, NEVER)
        still_open = own.start + np.flatnonzero(found == len(reached))
        _keep(state, symbol, venue, int(reached[-1]), [candles.one(row) for row in still_open.tolist()])
    closing = np.flatnonzero(places != NEVER)
    order = np.lexsort((candles.interval_s[closing], candles.ts_end[closing], quotes.index[places[closing]]))
    closing = closing[order]
    closed_by = places[closing]
    promised = np.minimum(next_decision(watermark, grace_us) - 1, LATER_END)
    made = Closed(
        candles.take(closing),
        due[closing],
        _promises(due[closing], closed_by, promised[closed_by], grace_us),
        segment.ts_ingest[quotes.index[closed_by]],
        quotes.instruments,
    )
    made_bars = ClosedBars(made)
    told = np.empty(0, np.int64)
    if rules.beats:
        untold = _untold(quotes, promised, known, grace_us)
        untold[closed_by] = False  # the last bar that a record closes says it
        told = np.flatnonzero(untold)
    told = told[np.lexsort((told, quotes.index[told]))]  # as they are sent
    if late is None and not discarded and not len(told):
        return [made_bars] if len(closing) else []
    beats = _beats(quotes, told, promised[told], segment.ts_ingest)
    sending = np.concatenate((closed_by, told))
    at = quotes.index[sending]
    order = np.lexsort((sending, at))
    sent = Merged(made_bars, beats, (order >= len(closed_by)).tolist())
    if late is None and not discarded:
        return [sent] if len(closing) else [*beats]
    made_late = [] if late is None else [(row, tick_at(segment, row)) for row in quotes.index[late].tolist()]
    on_time = zip(at[order].tolist(), sent.events(), strict=True)
    # A record either passes a possible time of bars or is late, and comes after the tick that it disagrees with.
    return [event for _, event in sorted([*discarded, *on_time, *made_late], key=itemgetter(0))]


def _untold(quotes: Quotes, promised: Ints, known: list[BarsState | None], grace_us: int) -> npt.NDArray[np.bool_]:
    """Return (n,) whether the time of its instrument passes a possible time of bars with each quote."""
    untold = np.empty(len(quotes), np.bool_)
    untold[1:] = promised[1:] > promised[:-1]
    for (_, _, rows), before in zip(quotes.each(), known, strict=True):
        first = int(promised[rows.start])
        untold[rows.start] = before is None or first > next_decision(before.watermark, grace_us) - 1
    return untold


def _promises(times: Ints, records: Ints, promised: Ints, grace_us: int) -> Ints:
    """Return (n,) what each closed bar promises, µs.

    `records` tells apart the records that close the bars, and `promised` is what their times promise. The last bar of a
    record promises that. Of the others, the last one of a time promises that none before the next time follows.
    """
    last, of_record = np.ones((2, len(records)), np.bool_)
    of_record[:-1] = records[1:] != records[:-1]
    last[:-1] = of_record[:-1] | (times[1:] != times[:-1])
    of_time = np.where(last, next_decision(times, grace_us), times) - 1
    return np.minimum(np.where(of_record, promised, of_time), LATER_END)


def _beats(quotes: Quotes, rows: Ints, promised: Ints, ts_ingest: Micros) -> list[Heartbeat]:
    """Return the promises of some quotes."""
    numbers = np.searchsorted(np.array(quotes.bounds[1:]), rows, side="right").tolist()
    stamps = ts_ingest[quotes.index[rows]].tolist()
    return [
        Heartbeat(symbol=symbol, venue=venue, ts_event=ts_event, ts_ingest=stamp)
        for (symbol, venue), ts_event, stamp in zip(
            (quotes.instruments[number] for number in numbers), promised.tolist(), stamps, strict=True
        )
    ]


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
    """Return (n,) whether each quote is late; None if no quote is."""
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
) -> Candles:
    """Return the open candles with the segment's quotes added, sorted by instrument."""
    lengths = np.diff(np.array(quotes.bounds))
    prices = Prices.of(
        np.repeat(np.arange(len(lengths)), lengths), quotes.ts_event, quotes.bid, quotes.ask, quotes.size
    )
    if late is not None:
        prices = prices.take(~late)
    opened = [(number, candle) for number, before in enumerate(known) for candle in _opened(before)]
    before = Candles.of([number for number, _ in opened], [candle for _, candle in opened])
    folded = [fold(prices, interval_s) for interval_s in intervals] if len(prices.ts_event) else []
    return joined([before, *folded])


def _opened(before: BarsState | None) -> list[Candle]:
    return [] if before is None else [Candle.from_state(candle) for candle in before.open]


def _key(symbol: str, venue: str) -> str:
    return f"bars/{instrument(symbol, venue)}"


def _keep(state: State, symbol: str, venue: str, watermark: int, candles: list[Candle]) -> None:
    open_bars = tuple(candle.to_state() for candle in sorted(candles))
    kept = BarsState(symbol=symbol, venue=venue, watermark=watermark, open=open_bars)
    state.put(_key(symbol, venue), kept)


def _on_heartbeats(state: State, segment: Rows, rules: _Rules) -> list[Output]:
    grace_us = rules.grace_us
    sent: list[Output] = []
    for heartbeat, ts_ingest in zip(cast("Sequence[Heartbeat]", segment.events), segment.ts_ingest, strict=True):
        symbol, venue = heartbeat.symbol, heartbeat.venue
        sent += _on_doubted(state, heartbeat, int(ts_ingest), rules)
        before = state.get(_key(symbol, venue), BarsState)
        watermark = heartbeat.ts_event if before is None else max(before.watermark, heartbeat.ts_event)
        candles = _opened(before)
        closed_by = watermark
        if heartbeat.closing and candles:
            # So that none of these bars is ever opened again.
            closed_by = max(watermark, *(candle.ts_end + grace_us for candle in candles))
        due = [candle for candle in candles if candle.ts_end + grace_us <= closed_by]
        due.sort(key=lambda candle: (candle.ts_end, candle.interval_s))
        _keep(state, symbol, venue, closed_by, [candle for candle in candles if candle.ts_end + grace_us > closed_by])
        promised = min(next_decision(closed_by, grace_us) - 1, LATER_END)
        if due:
            # A closing heartbeat from before the instrument's time ends no source: others have gone on.
            latest = watermark if watermark == heartbeat.ts_event else closed_by
            zeros = np.zeros(len(due), np.int64)
            times = np.minimum([candle.ts_end + grace_us for candle in due], latest)
            reached = _promises(times, zeros, zeros + promised, grace_us)
            closed = Closed(Candles.of(zeros.tolist(), due), times, reached, zeros + ts_ingest, [(symbol, venue)])
            sent += ClosedBars(closed).events()
        elif rules.beats and (before is None or promised > next_decision(before.watermark, grace_us) - 1):
            sent.append(Heartbeat(symbol=symbol, venue=venue, ts_event=promised, ts_ingest=int(ts_ingest)))
        if heartbeat.closing:
            sent.append(heartbeat)
    return sent


def _on_doubted(state: State, heartbeat: Heartbeat, ts_ingest: int, rules: _Rules) -> list[Output]:
    """Return the outputs of a doubted tick at a heartbeat. A heartbeat agrees with ticks up to its own time.

    If the heartbeat is the first time of its instrument, it also agrees with a tick that is less than a leap ahead.
    Such a tick would not be in doubt if it came after the heartbeat.
    """
    symbol, venue = heartbeat.symbol, heartbeat.venue
    doubted = state.get(doubt_key(symbol, venue), Tick)
    if doubted is None:
        return []
    first = state.get(_key(symbol, venue), BarsState) is None
    agrees = doubted.ts_event <= heartbeat.ts_event + (rules.leap_us if first else 0)
    if not agrees and not heartbeat.closing:
        return []
    state.delete(doubt_key(symbol, venue))
    return _on_one(state, doubted, ts_ingest, rules) if agrees else [doubted]
