"""Run quotes through the agents in event time: what is decided at t knows every order event before t, and none after.

The agents in front of risk depend on quotes alone, so they take a whole block at once. From each decision on, the venue
gets only quotes that arrived before the next one. The venue gets a quote as soon as the market agent knows that no
decision which could fill at it is still to come: all quotes of a block, but for a tick that is in doubt (`leaps.py`).

Memory is bounded by a block and by what the agents keep.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import merge
from operator import itemgetter
from typing import cast

import numpy as np
import polars as pl

from tradewind.connectors.feeds.feed import TICK_COLUMNS
from tradewind.connectors.kafka.ends import closing_ts
from tradewind.processors.batch import Columns, Output, Rows, Segment, Table, events_of
from tradewind.processors.market.bar_rows import BarSegment, read
from tradewind.processors.market.closed import ClosedBars
from tradewind.processors.market.leaps import weigh
from tradewind.processors.market.quotes import Ints, Quoted, Quotes
from tradewind.processors.portfolio.processor import MARK_INTERVAL_S
from tradewind.schemas.event import US_PER_MS, Event
from tradewind.schemas.execution import Fill, OrderEvent
from tradewind.schemas.market import Bar, Heartbeat, Mark, Tick
from tradewind.schemas.notifications import Alert
from tradewind.schemas.risk import Decision
from tradewind.schemas.signals import Signal
from tradewind.streams.backtest.stages import Stages, row, rows
from tradewind.streams.backtest.warmup import WarmUp
from tradewind.topics import BARS, DECISIONS, FILLS, MARKS, ORDER_EVENTS, ORDER_REQUESTS, SIGNALS, TICKS

LOWEST = np.iinfo(np.int64).min
FIRST_QUOTES = 1  # that the venue gets of those that concern an order; then ever more, while one is open
Name = tuple[str, str]
"""Symbol and venue."""
OPENING, ENDING = "ACCEPTED", frozenset({"FILLED", "EXPIRED", "CANCELED", "REJECTED"})


@dataclass(slots=True)
class Counts:
    """What passed."""

    ticks: int = 0
    bars: int = 0
    """Of the strategy's length, and of the length that values positions."""
    late: int = 0
    """Quotes that came after their bar had closed."""
    discarded: int = 0
    """Quotes far ahead of their instrument, with which the next one disagreed."""
    questions: int = 0
    """Questions to models, which nobody answers in a backtest."""


@dataclass(slots=True)
class _Placed:
    """The quotes of a block, and how far the time of each instrument had come at each of them."""

    segment: Quoted | None
    """None where there are no quotes."""
    places: Mapping[Name, tuple[Ints, Ints]]
    """(k,) rows of an instrument, and (k,) the time that it has reached at each, µs."""

    def __len__(self) -> int:
        return 0 if self.segment is None else len(self.segment)

    def place(self, name: Name, ts_event: int) -> int:
        """Return the row at which an instrument reaches a time; the end where it does not."""
        of = self.places.get(name)
        if of is None:
            return len(self)
        at = int(of[1].searchsorted(ts_event))
        return int(of[0][at]) if at < len(of[0]) else len(self)


@dataclass(slots=True)
class Engine:
    """The trading path in one process. Call `feed` for each block of quotes, then `close` once."""

    stages: Stages
    tell: Callable[[Event], None]
    """Gets each signal, request, decision, order event, fill, position and alert, and each bar that values positions,
    in event time."""
    start: int | None = None
    """Nothing is ordered on bars that ended by then, µs."""
    warmup_bars: int = 0
    """How many of those the strategy sees of each instrument."""
    counts: Counts = field(default_factory=Counts)
    _doubted: dict[Name, Tick] = field(default_factory=dict)
    """Quotes that the market agent doubts: the venue has not had them."""
    _reached: dict[Name, int] = field(default_factory=dict)
    """Event time of the newest quote that is not in doubt, µs."""
    _last: dict[Name, int] = field(default_factory=dict)
    """Event time of the newest quote, µs."""
    _approved: dict[str, tuple[Name, int]] = field(default_factory=dict)
    """Orders that go to the venue: the instrument, and the event time before which no quote concerns them, µs."""
    _open: dict[str, tuple[Name, int]] = field(default_factory=dict)
    """Orders at the venue, likewise."""
    _warmup: WarmUp | None = None

    def __post_init__(self) -> None:
        if self.start is not None and self.warmup_bars:
            self._warmup = WarmUp(self.start, self.warmup_bars, self.stages.interval_s, self._see)

    def feed(self, ticks: pl.DataFrame | Quoted) -> None:
        """Process a block of quotes (`quoted`), or of columns as in `TICK_COLUMNS`, in the order of their arrival.

        Raises `Refused` where an agent cannot process a record.
        """
        segment = ticks if isinstance(ticks, Quoted) else quoted(ticks)
        quotes = segment.quotes
        early = 0 if self._warmup is None else int((quotes.ts_event < self._warmup.start).sum())
        self.counts.ticks += len(segment) - early
        for symbol, venue, own in quotes.each():
            newest = int(quotes.ts_event[own].max())
            self._last[symbol, venue] = max(newest, self._last.get((symbol, venue), newest))
        outputs = self.stages.market.run(segment)
        certain, discarded = self._certain(segment)
        self.counts.discarded += discarded
        self.counts.late += _aside(outputs) - discarded
        self._run(outputs, self._placed(certain))

    def close(self) -> None:
        """End the source, one instrument after the other: every bar closes, and open orders expire."""
        for beat in closing_beats(self._last, self.stages.grace_us):
            outputs = self.stages.market.run(row(TICKS.name, beat))
            # The heartbeat is not before any quote of its instrument, so it agrees with the one that is in doubt.
            doubted = self._doubted.pop((beat.symbol, beat.venue), None)
            last = None if doubted is None else quoted(pl.DataFrame([doubted.to_dict()], schema=TICK_COLUMNS))
            self._run(outputs, self._placed(last))
            self._deliver(self.stages.execution.run(row(TICKS.name, beat)))

    @property
    def instruments(self) -> Sequence[Name]:
        """The instruments that had quotes, sorted."""
        return sorted(self._last)

    @property
    def ends(self) -> Mapping[Name, int]:
        """Event time of the newest quote of each instrument, µs."""
        return self._last

    def _run(self, outputs: Sequence[Output], quotes: _Placed) -> None:
        """Let decisions follow from a block, and give the venue the quotes between them."""
        marks: list[tuple[int, Event | Rows]] = []
        asked: list[tuple[int, Event | Rows]] = []
        segments = self._bars(outputs)
        for segment in segments if self._warmup is None else self._warmup.after(segments):
            self.counts.bars += len(segment) if segment.model is Bar else 0
            marks += _marks(segment, quotes)
            for event in events_of(self.stages.signals.run(segment)):
                if isinstance(event, Heartbeat):
                    continue  # a promise to agents that wait
                if isinstance(event, Signal):
                    asked.append((quotes.place((event.symbol, event.venue), event.ts_event), event))
                elif isinstance(event, Alert):  # names no instrument; comes after what was sent before it
                    asked.append((asked[-1][0] if asked else 0, event))
                else:
                    self.counts.questions += 1
        # By the place of the quote that closes the bar; of equal places, in the order in which they were decided.
        marks.sort(key=itemgetter(0))
        asked.sort(key=itemgetter(0))
        fed = 0
        for at, what in merge(marks, asked, key=itemgetter(0)):
            if at > fed:
                self._venue(quotes, fed, at)
                fed = at
            if isinstance(what, Event):
                self._ask(what)
            else:
                self.tell(what.events[0])
                self._deliver(self.stages.portfolio.run(what))
        self._venue(quotes, fed, len(quotes))

    def _bars(self, outputs: Iterable[Output]) -> Iterator[Segment]:
        """Yield what the market agent sends to strategies, as segments."""
        events: list[Event] = []
        for output in outputs:
            if isinstance(output, ClosedBars):
                yield from rows(BARS.name, events)
                events = []
                yield BarSegment(BARS.name, output, output.closed.ts_ingest // US_PER_MS * US_PER_MS)
            else:
                events += (event for event in events_of([output]) if not isinstance(event, Tick))
        yield from rows(BARS.name, events)

    def _see(self, segment: Segment) -> None:
        """Show the strategy bars of the warm-up. Of what follows, only that it failed counts."""
        for event in events_of(self.stages.signals.run(segment)):
            if isinstance(event, Alert):
                self.tell(event)

    @property
    def warmed(self) -> Mapping[Name, int]:
        """How many warm-up bars the strategy saw of each instrument that had any."""
        return {} if self._warmup is None else self._warmup.seen

    def _ask(self, event: Event) -> None:
        """Tell a signal or an alert, and take the signal through sizing and risk to the venue."""
        self.tell(event)
        if isinstance(event, Alert):
            return
        for request in self.stages.sizing.event(SIGNALS.name, event):
            self.tell(request)
            decisions = self.stages.risk.event(ORDER_REQUESTS.name, request)
            for decision in decisions:
                if isinstance(decision, Decision):
                    self.tell(decision)
                    self._note(decision)
                    self._deliver(self.stages.execution.event(DECISIONS.name, decision))

    def _note(self, decision: Decision) -> None:
        """Remember from when on quotes concern an order."""
        if decision.outcome == "APPROVED":
            eligible = decision.ts_event + self.stages.latency_us
            concerned = eligible if decision.expire_ts is None else min(eligible, decision.expire_ts)
            self._approved[decision.order_id] = (decision.symbol, decision.venue), concerned

    def _venue(self, quotes: _Placed, start: int, stop: int) -> None:
        """Give the venue those of the quotes of rows [start, stop) that concern an open order.

        The first of them ends most orders.
        """
        rows_ = FIRST_QUOTES
        while start < stop and self._open and quotes.segment is not None:
            start = max(start, min(quotes.place(*of) for of in set(self._open.values())))
            upto = min(start + rows_, stop)
            if start < upto:
                self._deliver(self.stages.execution.run(quotes.segment.between(start, upto)))
            start, rows_ = upto, rows_ * 16

    def _deliver(self, outputs: Iterable[Output]) -> None:
        """Tell what an agent sent, and give it to those who read it."""
        for event in cast("Iterable[Event]", outputs):
            if isinstance(event, Mark):
                self.stages.risk.event(MARKS.name, event)
                continue
            self.tell(event)
            if isinstance(event, OrderEvent):
                if event.status == OPENING:
                    self._open[event.order_id] = self._approved.pop(event.order_id)
                elif event.status in ENDING:
                    self._open.pop(event.order_id, None)
                self.stages.risk.event(ORDER_EVENTS.name, event)
            elif isinstance(event, Fill):
                self._deliver(self.stages.portfolio.event(FILLS.name, event))

    def _certain(self, segment: Quoted) -> tuple[Quoted | None, int]:
        """Return the quotes that the market agent takes, and how many it discards; what it doubts comes later.

        A quote that was in doubt comes right before the one that agreed with it, where its bars close.
        """
        quotes = segment.quotes
        watermarks = [self._reached.get(name) for name in quotes.instruments]
        doubted = [self._doubted.get(name) for name in quotes.instruments]
        weighed = weigh(segment, quotes, watermarks, doubted, self.stages.leap_us)
        if weighed is None:
            return segment, 0
        for name, tick in weighed.in_doubt.items():
            if tick is None:
                self._doubted.pop(name, None)
            else:
                self._doubted[name] = tick
        certain = quoted(_frame(weighed.quotes)) if len(weighed.quotes) else None
        return certain, len(weighed.discarded)

    def _placed(self, segment: Quoted | None) -> _Placed:
        """Return the quotes of a block with the time that each instrument has reached."""
        if segment is None:
            return _Placed(None, {})
        quotes = segment.quotes
        places: dict[Name, tuple[Ints, Ints]] = {}
        for symbol, venue, own in quotes.each():
            name = symbol, venue
            reached = np.maximum.accumulate(np.maximum(quotes.ts_event[own], self._reached.get(name, LOWEST)))
            self._reached[name] = int(reached[-1])
            places[name] = quotes.index[own], reached
        return _Placed(segment, places)


def quoted(frame: pl.DataFrame) -> Quoted:
    """Return one quote or more as the market agent and the venue get them; a record's time is whole milliseconds."""
    times = frame["ts_event"].to_numpy()
    stamps = times // US_PER_MS * US_PER_MS
    return Quoted.of(Columns(TICKS.name, 0, Tick, frame, np.zeros(len(times), np.int64), stamps))


def closing_beats(ends: Mapping[Name, int], grace_us: int) -> list[Heartbeat]:
    """Return what ends each instrument, by the event time of its newest quote, µs."""
    return [
        Heartbeat(symbol=symbol, venue=venue, ts_event=at, ts_ingest=at // US_PER_MS * US_PER_MS, closing=True)
        for (symbol, venue), ts in sorted(ends.items())
        for at in (closing_ts(ts, grace_us),)
    ]


def _frame(quotes: Quotes) -> pl.DataFrame:
    """Return quotes in the order in which they go on."""
    order = np.argsort(quotes.index, kind="stable")
    numbers = np.repeat(np.arange(len(quotes.instruments)), np.diff(np.array(quotes.bounds)))[order]
    symbols, venues = ([name[part] for name in quotes.instruments] for part in (0, 1))
    columns = {
        "symbol": pl.Series(symbols, dtype=pl.String).gather(numbers),
        "venue": pl.Series(venues, dtype=pl.String).gather(numbers),
        "seq": quotes.seq[order],
        "ts_event": quotes.ts_event[order],
        "bid": quotes.bid[order],
        "ask": quotes.ask[order],
        "bid_size": quotes.size[order],
        "ask_size": quotes.size[order],
    }
    return pl.DataFrame(columns, schema=TICK_COLUMNS)


def _aside(outputs: Iterable[Output]) -> int:
    """Return how many quotes the market agent sends aside."""
    return sum(isinstance(event, Tick) for one in outputs if not isinstance(one, Table) for event in events_of([one]))


def _marks(segment: Segment, quotes: _Placed) -> Iterator[tuple[int, Rows]]:
    """Yield the bars that value positions, each with its place."""
    if segment.model is not Bar:
        return
    bar_at, _ = read(segment)
    there: Iterable[int] = range(len(segment))
    if isinstance(segment, BarSegment):
        there = np.flatnonzero(segment.table.closed.candles.interval_s == MARK_INTERVAL_S).tolist()
    for at in there:
        bar = bar_at(at)
        if bar.interval_s == MARK_INTERVAL_S:
            yield quotes.place((bar.symbol, bar.venue), bar.ts_event), row(BARS.name, bar)
