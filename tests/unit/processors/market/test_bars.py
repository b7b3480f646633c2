"""Bars close by event time, hold every quote once, and do not depend on how the ticks are cut."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from processing import (
    INSTRUMENTS,
    LEAP,
    SECOND,
    START,
    as_columns,
    assert_law,
    heartbeat,
    ingested,
    places,
    quote_streams,
    real_quotes,
    result,
    tick,
)

from tradewind.processors.batch import Columns
from tradewind.processors.identity import derive_id
from tradewind.processors.market.processor import bars
from tradewind.schemas.event import Event
from tradewind.schemas.market import Bar, Heartbeat, Tick
from tradewind.testing import MemoryState, columns, run

GRACE = 500_000


class Model:
    """Does what docs/architecture.md says of bars, record by record, in exact arithmetic."""

    def __init__(self, intervals: tuple[int, ...] = (1, 60)) -> None:
        self.intervals = intervals
        self.watermark: dict[Any, int] = {}
        self.promised: dict[Any, int] = {}
        self.held: dict[Any, dict[tuple[int, int], list[Tick]]] = {}
        self.doubted: dict[Any, Tick] = {}
        self.sent: list[tuple[Any, ...]] = []

    def arrive(self, event: Any, stamp: int) -> None:
        """Take a record in; a tick that leaps ahead of its instrument's time waits for one that agrees.

        Where there is no time yet, every tick leaps ahead of it.
        """
        name = (event.symbol, event.venue)
        waiting = self.doubted.pop(name, None)
        if isinstance(event, Heartbeat):
            first = name not in self.watermark
            if waiting is not None and waiting.ts_event <= event.ts_event + (LEAP if first else 0):
                self.take(waiting, stamp)
            elif waiting is not None and event.closing:
                self.sent.append(("late", waiting))
            elif waiting is not None:
                self.doubted[name] = waiting
            self.take(event, stamp)
            return
        leaps = name not in self.watermark or event.ts_event > self.watermark[name] + LEAP
        if waiting is None:
            if leaps:
                self.doubted[name] = event
            else:
                self.take(event, stamp)
        elif leaps and event.ts_event + LEAP < waiting.ts_event:
            self.sent.append(("late", waiting))
            self.doubted[name] = event
        else:
            if leaps:
                self.take(waiting, stamp)
            else:
                self.sent.append(("late", waiting))
            self.arrive(event, stamp)

    def take(self, event: Any, stamp: int) -> None:
        """Let a record do what it does."""
        name = (event.symbol, event.venue)
        now = max(self.watermark.get(name, event.ts_event), event.ts_event)
        mine = self.held.setdefault(name, {})
        closes = {key: start_end(key) + GRACE for key in mine}
        last = isinstance(event, Heartbeat) and event.closing
        due = sorted((key for key in mine if last or closes[key] <= now), key=lambda key: (start_end(key), key))
        ends = event.ts_event if last and event.ts_event == now else float("inf")
        times = [min(closes[key], ends) for key in due]
        closing_times = [closes[key] for key in due]
        for number, (key, at) in enumerate(zip(due, times, strict=True)):
            promise = at - 1 if at in times[number + 1 :] else following(at) - 1
            promise = following(max([now, *closing_times])) - 1 if number == len(due) - 1 else promise
            self.sent.append(("bar", name, at, stamp, *key, summary(mine.pop(key)), promise))
            self.promised[name] = max(promise, self.promised.get(name, -1))
        self.watermark[name] = max([now, *(closes[key] for key in due)])
        promise = following(self.watermark[name]) - 1
        if promise > self.promised.get(name, -1):
            self.sent.append(("heartbeat", name, promise, stamp))
            self.promised[name] = promise
        if last:
            self.sent.append(("heartbeat", name, event.ts_event, event.ts_ingest))
        if isinstance(event, Heartbeat):
            return
        keys = [(interval, event.ts_event // (interval * SECOND) * interval * SECOND) for interval in self.intervals]
        if any(start_end(key) + GRACE <= self.watermark[name] for key in keys):
            self.sent.append(("late", event))
        else:
            for key in keys:
                mine.setdefault(key, []).append(event)


def one_by_one(events: list[Any]) -> list[tuple[Any, ...]]:
    """Return what the model makes of records: an independent one, of one record after the other."""
    model = Model()
    for number, event in enumerate(events):
        model.arrive(event, 1_000 * (number + 1))
    return model.sent


def following(reached: float) -> int:
    """Return the first whole second and grace after a time."""
    at = int(reached) // SECOND * SECOND - SECOND + GRACE
    while at <= reached:
        at += SECOND
    return at


def start_end(key: tuple[int, int]) -> int:
    """Return the end of an interval."""
    return key[1] + key[0] * SECOND


def summary(quotes: list[Tick]) -> tuple[Any, ...]:
    """Return what a bar says of its quotes."""
    mids, bids, asks = [(q.bid + q.ask) / 2 for q in quotes], [q.bid for q in quotes], [q.ask for q in quotes]
    spread = sum(Fraction(round(Fraction((q.ask - q.bid) * 10**10))) for q in quotes) / 10**10 / len(quotes)
    volume = sum(Fraction(round(((q.bid_size or 0) + (q.ask_size or 0)) / 2 * 10**6)) for q in quotes) / 10**6
    prices = tuple((of[0], max(of), min(of), of[-1]) for of in (mids, bids, asks))
    return (*prices, float(spread), len(quotes), float(volume), quotes[-1].ts_event)


def plainly(events: list[Event]) -> list[tuple[Any, ...]]:
    """Return the processor's events in the model's form."""
    found: list[tuple[Any, ...]] = []
    for event in events:
        match event:
            case Heartbeat():
                found.append(("heartbeat", (event.symbol, event.venue), event.ts_event, event.ts_ingest))
            case Tick():
                found.append(("late", event))
            case Bar():
                prices = tuple(
                    tuple(getattr(event, f"{side}_{part}") for part in ("open", "high", "low", "close"))
                    for side in ("mid", "bid", "ask")
                )
                said = (*prices, event.spread_mean, event.count, event.volume, event.quote_ts)
                name = (event.symbol, event.venue)
                facts = (event.ts_event, event.ts_ingest, event.interval_s, event.ts_start, said, event.reached_ts)
                found.append(("bar", name, *facts))
    return found


@given(quote_streams())
def test_bars_are_what_a_model_makes_of_one_quote_after_the_other(stream: list[Any]) -> None:
    """Vectors or not: every bar, passing heartbeat and late tick, in order, as the architecture says."""
    assert plainly(result(bars(), as_columns(ingested(stream)))[0]) == one_by_one(stream)


@given(quote_streams(), places)
def test_cuts_change_nothing(stream: list[Any], cuts: list[int]) -> None:
    """f(a + b) = f(a) ; f(b), in columns."""
    assert_law(bars, as_columns(ingested(stream)), cuts)


@given(quote_streams())
def test_rows_and_columns_are_the_same(stream: list[Any]) -> None:
    """How ticks were decoded is nobody's business."""
    assert result(bars(), ingested(stream)) == result(bars(), as_columns(ingested(stream)))


@given(quote_streams())
def test_every_quote_is_in_one_bar_of_each_length_or_late(stream: list[Any]) -> None:
    """Nothing is lost and nothing is counted twice, once every source has closed."""
    ends = [heartbeat(START, closing=True, symbol=symbol, venue=venue) for symbol, venue in INSTRUMENTS]
    sent = result(bars(), ingested([*stream, *ends]))[0]
    late = sum(isinstance(event, Tick) for event in sent)
    quotes = sum(isinstance(event, Tick) for event in stream)
    made = [event for event in sent if isinstance(event, Bar)]
    for interval_s in (1, 60):
        assert sum(bar.count for bar in made if bar.interval_s == interval_s) + late == quotes
    assert len({bar.event_id for bar in made}) == len(made)


@given(quote_streams())
def test_no_bar_is_earlier_than_one_before_it(stream: list[Any]) -> None:
    """So a bar tells the time as a heartbeat does; feeds send no quote that is earlier than their heartbeats."""
    told: dict[Any, int] = {}
    for event in result(bars(), ingested([one for one in stream if isinstance(one, Tick)]))[0]:
        if isinstance(event, Bar):
            assert event.ts_event >= told.get((event.symbol, event.venue), 0)
            told[event.symbol, event.venue] = event.ts_event


def test_one_tick_from_the_far_future_closes_nothing_and_makes_nothing_late() -> None:
    """It is set aside when the next tick disagrees, and the bars are those without it."""
    sane = [tick(START + at * SECOND // 4, seq=at) for at in range(40)]
    astray = tick(START + 1000 * LEAP, seq=1000)
    sent = result(bars(), ingested([*sane[:20], astray, *sane[20:]]))[0]
    assert [event for event in sent if isinstance(event, Tick)] == [astray]
    told = lambda events: [event.to_dict() | {"ts_ingest": 0} for event in events if isinstance(event, Bar)]  # noqa: E731
    assert told(sent) == told(result(bars(), ingested(sane))[0])


@pytest.mark.parametrize("other", [[], [tick(START, symbol="XAUUSD")]])
def test_a_first_tick_from_the_far_future_closes_nothing_and_makes_nothing_late(other: list[Tick]) -> None:
    """An instrument has no time before its second tick or its first heartbeat: it goes, and the bars are as without."""
    sane = [tick(START + at * SECOND // 4, seq=at) for at in range(40)]
    astray = tick(START + 1000 * LEAP, seq=1000)
    sent = result(bars(), ingested([astray, *other, *sane]))[0]
    assert [event for event in sent if isinstance(event, Tick)] == [astray]
    told = lambda events: [event.to_dict() | {"ts_ingest": 0} for event in events if isinstance(event, Bar)]  # noqa: E731
    assert told(sent) == told(result(bars(), ingested([*other, *sane]))[0])


@pytest.mark.parametrize("behind", [0, SECOND, LEAP])
def test_a_first_tick_is_in_its_bar_once_a_heartbeat_tells_of_its_time(behind: int) -> None:
    """The one tick of an instrument; the heartbeat may be an hour older, as may the tick that would agree."""
    for closing in (False, True):
        beats = [heartbeat(START + LEAP - behind, closing=closing), heartbeat(START + 2 * LEAP, closing=True)]
        sent = result(bars((1,)), ingested([tick(START + LEAP), *beats]))[0]
        assert [event.count for event in sent if isinstance(event, Bar)] == [1]
        assert not [event for event in sent if isinstance(event, Tick)]


@pytest.mark.parametrize("closing", [False, True])
def test_a_first_tick_that_is_further_ahead_than_a_heartbeat_is_not_believed(closing: bool) -> None:
    """The heartbeat is the instrument's time then; a source that ends has no tick that would agree."""
    astray = tick(START + LEAP + 1)
    state = MemoryState()
    sent = run(bars((1,)), [astray, heartbeat(START, closing=closing)], state)
    assert [type(event) for event in sent] == ([Tick, Heartbeat] if closing else []) + [Heartbeat]
    sent += run(bars((1,)), [tick(START + 1), heartbeat(START + SECOND, closing=True)], state)
    assert [event for event in sent if isinstance(event, Tick)] == [astray]
    assert [event.ts_start for event in sent if isinstance(event, Bar)] == [START]


def test_a_first_tick_from_the_past_costs_one_tick_at_most() -> None:
    """Of two that disagree the earlier one is kept, for it makes nothing late."""
    sane = [tick(START + at * SECOND // 4, seq=at) for at in range(4)]
    past = tick(START - 1000 * LEAP, seq=1000)
    ends = heartbeat(START + LEAP, closing=True)
    first = result(bars((1,)), ingested([past, *sane, ends]))[0]
    second = result(bars((1,)), ingested([sane[0], past, *sane[1:], ends]))[0]
    counts = [[event.count for event in sent if isinstance(event, Bar)] for sent in (first, second)]
    assert counts == [[1, 4], [1, 3]]
    assert [event for event in second if isinstance(event, Tick)] == [sane[0]]


def test_after_a_night_no_tick_is_missing() -> None:
    """The first tick of the morning waits for the second, and is in its bar."""
    evening = [tick(START + at * SECOND // 4, seq=at) for at in range(8)]
    morning = [tick(START + 10 * LEAP + at * SECOND // 4, seq=8 + at) for at in range(8)]
    end = heartbeat(START + 11 * LEAP, closing=True)
    sent = result(bars((1,)), ingested([*evening, *morning, end]))[0]
    assert [event.count for event in sent if isinstance(event, Bar)] == [4, 4, 4, 4]
    assert not [event for event in sent if isinstance(event, Tick)]


@pytest.mark.parametrize("after", [0, 1, 40 * SECOND])
@pytest.mark.parametrize("what", [tick, heartbeat])
def test_a_bar_has_the_time_of_its_end_and_grace_whatever_closes_it(what: Any, after: int) -> None:
    """And it promises that no earlier bar than the next possible one follows; the last one, what its record adds."""
    end = START + SECOND
    sent = run(bars((1,)), [tick(START), tick(end + GRACE - 1), what(end + GRACE + after)])
    assert [event.ts_event for event in sent if isinstance(event, Heartbeat)] == [
        START + GRACE - 1,
        START + GRACE + SECOND - 1,
    ]
    made, *more = only_bars(sent)
    assert (made.ts_event, made.reached_ts) == (end + GRACE, end + GRACE + SECOND - 1)
    assert [(one.ts_event, one.reached_ts) for one in more] == (
        [(end + GRACE + SECOND, START + GRACE + 42 * SECOND - 1)] if after > 1 else []
    )
    assert made.event_id == derive_id("Bar", "EURUSD.OANDA", 1, START, 0)


def test_of_bars_of_one_time_the_last_one_promises() -> None:
    """The bar of a minute follows the bar of its last second."""
    sent = only_bars(run(bars(), [tick(START + 59 * SECOND), tick(START + 61 * SECOND)]))
    assert [(made.interval_s, made.ts_event - START, made.reached_ts - START) for made in sent] == [
        (1, 60 * SECOND + GRACE, 60 * SECOND + GRACE - 1),
        (60, 60 * SECOND + GRACE, 61 * SECOND + GRACE - 1),
    ]


def test_a_source_that_ends_before_its_instruments_time_dates_no_bar_back() -> None:
    """Its bars have the time that they would have had: another source goes on, and promises have been made."""
    sent = run(bars((1,)), [tick(START), tick(START + SECOND + 9), heartbeat(START + SECOND, closing=True)])
    assert [made.ts_event for made in only_bars(sent)] == [START + SECOND + GRACE, START + 2 * SECOND + GRACE]
    sent = run(bars((1,)), [tick(START), tick(START + SECOND + 9), heartbeat(START + SECOND + 10, closing=True)])
    assert [made.ts_event for made in only_bars(sent)] == [START + SECOND + 10] * 2


def only_bars(events: list[Event]) -> list[Bar]:
    """Return the bars among events."""
    return [event for event in events if isinstance(event, Bar)]


def test_a_quote_within_the_grace_is_in_its_bar_and_one_after_it_is_late() -> None:
    """Out of order is not late; late is whole, sizes and all."""
    early, straggler = tick(START + SECOND + 400_000), tick(START + 900_000, 3.0)
    late = tick(START + 950_000, 2.0, bid_size=7.0, seq=9)
    sent = run(bars((1,)), [tick(START), early, straggler, tick(START + 1_500_000), late])
    made = [event for event in sent if isinstance(event, Bar)]
    assert (made[0].count, made[0].bid_close, made[0].quote_ts) == (2, 3.0, START + 900_000)
    assert sent[-1] == late


def test_a_heartbeat_closes_bars_and_the_last_one_has_its_promise() -> None:
    """Silence closes bars as quotes do. A second heartbeat within the same second adds nothing."""
    sent = run(bars(), [tick(START), heartbeat(START + 70 * SECOND), heartbeat(START + 70 * SECOND + 1)])
    assert [type(event) for event in sent] == [Heartbeat, Bar, Bar]
    assert isinstance(sent[-1], Bar)
    assert sent[-1].reached_ts == START + 70 * SECOND + GRACE - 1


def test_a_source_that_ends_closes_every_bar_and_opens_none_of_them_again() -> None:
    """What comes after the end for a closed bar is late, not a second bar."""
    sent = run(bars(), [tick(START), heartbeat(START, closing=True), tick(START + 1), heartbeat(START, closing=True)])
    beats = [event for event in sent if isinstance(event, Heartbeat)]
    assert [type(event) for event in sent if event not in beats] == [Bar, Bar, Tick]
    assert [beat.ts_event for beat in beats if beat.closing] == [START, START]
    assert {made.ts_event for made in only_bars(sent)} == {START}


def test_a_wide_bar_sums_more_than_64_bits() -> None:
    """Sums are exact where a segment's sum leaves 64 bits."""
    quotes = [tick(START + number, 1.0, 1e8, bid_size=1e12, ask_size=1e12) for number in range(30)]
    made = only_bars(run(bars((1,)), [*quotes, heartbeat(START + 2 * SECOND)]))
    assert (made[0].spread_mean, made[0].volume) == (1e8 - 1, 30e12)


def test_intervals_are_checked() -> None:
    """A factory refuses what could never close."""
    with pytest.raises(ValueError, match="use 1 to"):
        bars((0, 1))
    with pytest.raises(TypeError, match="not of Bar"):
        run(bars(), only_bars(result(bars(), ingested([tick(START), heartbeat(START + 9 * SECOND)]))[0])[:1])


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("symbol", ["EURUSD", "XAUUSD"])
def test_a_real_day_is_whole(symbol: str, *, whole: bool) -> None:
    """Every quote of the day is in a bar of each length, and none is late."""
    day = real_quotes(symbol, whole=whole)
    quotes = len(day.frame)
    end = heartbeat(int(day.frame["ts_event"][-1]), closing=True, symbol=symbol)
    sent = result(bars(), [day, *ingested([end])])[0]
    counts: Counter[int] = Counter()
    for event in sent:
        if isinstance(event, Bar):
            counts[event.interval_s] += event.count
    assert counts == {1: quotes, 60: quotes}
    assert not any(isinstance(event, Tick) for event in sent)


def test_a_hundred_instruments_in_one_segment() -> None:
    """Many instruments are sorted, few are compared: the bars are the same as of each alone."""
    rng = np.random.default_rng(5)
    names = [f"S{number:02}" for number in rng.integers(0, 60, 3000)]
    ticks = [tick(START + 1000 * at, 1.0 + at / 1e4, symbol=name, venue=name[-1]) for at, name in enumerate(names)]
    segment = columns(ticks)
    assert isinstance(segment, Columns)
    together = [event for event in run(bars((1,)), segment) if isinstance(event, Bar)]
    for name in ("S00", "S07", "S59"):
        alone = run(bars((1,)), columns([one for one in ticks if one.symbol == name]))
        assert [event for event in together if event.symbol == name] == [one for one in alone if isinstance(one, Bar)]
