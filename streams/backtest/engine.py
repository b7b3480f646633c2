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
from tradewind.connectors.feeds.publishing.encoding import last_times
from tradewind.connectors.kafka.ends import closing_ts
from tradewind.processors.batch import Columns, Output, Rows, Segment, Table, events_of
from tradewind.processors.market.leaps import weigh
from tradewind.processors.market.quotes import Ints, Quoted, Quotes, quotes_of
from tradewind.processors.portfolio.processor import MARK_INTERVAL_S
from tradewind.schemas.event import US_PER_MS, Event
from tradewind.schemas.execution import Fill, OrderEvent
from tradewind.schemas.market import Bar, Heartbeat, Tick
from tradewind.schemas.notifications import Alert
from tradewind.schemas.risk import Decision
from tradewind.schemas.signals import Signal
from tradewind.streams.backtest.stages import Stages, rows
from tradewind.streams.backtest.warmup import WarmUp
from tradewind.topics import BARS, DECISIONS, FILLS, ORDER_EVENTS, ORDER_REQUESTS, SIGNALS, TICKS

LOWEST = np.iinfo(np.int64).min
FIRST_QUOTES = 64  # that the venue gets after a decision; then four times as many, while an order is open
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

    segment: Columns
    quotes: Quotes | None
    """None where there are no quotes."""
    places: Mapping[Name, tuple[Ints, Ints]]
    """(k,) rows of an instrument, and (k,) the time that it has reached at each, µs."""

    def place(self, name: Name, ts_event: int) -> int:
        """Return the row at which an instrument reaches a time; the end where it does not."""
        of = self.places.get(name)
        if of is None:
            return len(self.segment)
        at = int(of[1].searchsorted(ts_event))
        return int(of[0][at]) if at < len(of[0]) else len(self.segment)

    def between(self, start: int, stop: int) -> Columns:
        """Return the quotes of rows [start, stop)."""
        whole = self.segment
        offsets, ts_ingest = whole.offsets[start:stop], whole.ts_ingest[start:stop]
        assert self.quotes is not None  # there is a row
        quotes = self.quotes.between(start, stop)
        return Quoted(whole.topic, 0, Tick, whole.frame[start:stop], offsets, ts_ingest, quotes)


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
    _open: set[str] = field(default_factory=set)
    """Orders at the venue."""
    _warmup: WarmUp | None = None

    def __post_init__(self) -> None:
        if self.start is not None and self.warmup_bars:
            self._warmup = WarmUp(self.start, self.warmup_bars, self.stages.interval_s, self._see)

    def feed(self, ticks: pl.DataFrame) -> None:
        """Process a block of quotes, columns as in `TICK_COLUMNS`, in the order of their arrival.

        Raises `Refused` where an agent cannot process a record.
        """
        self.counts.ticks += ticks.height if self._warmup is None else int((ticks["ts_event"] >= self.start).sum())
        for name, ts_event in last_times(ticks).items():
            self._last[name] = max(ts_event, self._last.get(name, ts_event))
        segment = _segment(ticks)
        quotes = quotes_of(segment)
        segment = _quoted(segment, quotes)
        outputs = self.stages.market.run(segment)
        certain, discarded = self._certain(segment, quotes)
        self.counts.discarded += discarded
        self.counts.late += _aside(outputs) - discarded
        self._run(outputs, self._placed(certain))

    def close(self) -> None:
        """End the source: every bar closes, and open orders expire."""
        beats = closing_beats(self._last, self.stages.grace_us)
        outputs = [one for segment in rows(TICKS.name, beats) for one in self.stages.market.run(segment)]
        # The heartbeats are not before any quote, so they agree with those that are in doubt.
        doubted = [tick.to_dict() for _, tick in sorted(self._doubted.items())]
        self._doubted.clear()
        self._run(outputs, self._placed(_segment(pl.DataFrame(doubted, schema=TICK_COLUMNS))))
        for segment in rows(TICKS.name, beats):
            self._deliver(self.stages.execution.run(segment))

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
            marks += _marks(segment, quotes.place)
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
        self._venue(quotes, fed, len(quotes.segment))

    def _bars(self, outputs: Iterable[Output]) -> Iterator[Segment]:
        """Yield what the market agent sends to strategies, as segments."""
        events: list[Event] = []
        for output in outputs:
            if isinstance(output, Table):
                yield from rows(BARS.name, events)
                events = []
                yield _columns(output)
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
        for request in self.stages.sizing.events(SIGNALS.name, [event]):
            self.tell(request)
            decisions = self.stages.risk.events(ORDER_REQUESTS.name, [request])
            for decision in decisions:
                if isinstance(decision, Decision):
                    self.tell(decision)
                    self._deliver(self.stages.execution.events(DECISIONS.name, [decision]))

    def _venue(self, quotes: _Placed, start: int, stop: int) -> None:
        """Give the venue the quotes of rows [start, stop), until no order is open: then they change nothing.

        Most orders end at one of the next quotes.
        """
        rows_ = FIRST_QUOTES
        while stop > start and self._open:
            upto = min(start + rows_, stop)
            self._deliver(self.stages.execution.run(quotes.between(start, upto)))
            start, rows_ = upto, rows_ * 4

    def _deliver(self, outputs: Iterable[Output]) -> None:
        """Tell what an agent sent, and give it to those who read it."""
        for event in cast("Iterable[Event]", outputs):
            self.tell(event)
            if isinstance(event, OrderEvent):
                if event.status == OPENING:
                    self._open.add(event.order_id)
                elif event.status in ENDING:
                    self._open.discard(event.order_id)
                self.stages.risk.events(ORDER_EVENTS.name, [event])
            elif isinstance(event, Fill):
                self._deliver(self.stages.portfolio.events(FILLS.name, [event]))

    def _certain(self, segment: Columns, quotes: Quotes) -> tuple[Columns, int]:
        """Return the quotes that the market agent takes, and how many it discards; what it doubts comes later.

        A quote that was in doubt comes right before the one that agreed with it, where its bars close.
        """
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
        return _segment(_frame(weighed.quotes)), len(weighed.discarded)

    def _placed(self, segment: Columns) -> _Placed:
        """Return the quotes of a block with the time that each instrument has reached."""
        if not len(segment):
            return _Placed(segment, None, {})
        quotes = quotes_of(segment)
        places: dict[Name, tuple[Ints, Ints]] = {}
        for symbol, venue, own in quotes.each():
            name = symbol, venue
            reached = np.maximum.accumulate(np.maximum(quotes.ts_event[own], self._reached.get(name, LOWEST)))
            self._reached[name] = int(reached[-1])
            places[name] = quotes.index[own], reached
        return _Placed(segment, quotes, places)


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


def _segment(frame: pl.DataFrame) -> Columns:
    """Return quotes as the market agent and the venue get them; a record's time is whole milliseconds."""
    times = frame["ts_event"].to_numpy()
    return Columns(TICKS.name, 0, Tick, frame, np.zeros(len(times), np.int64), times // US_PER_MS * US_PER_MS)


def _quoted(segment: Columns, quotes: Quotes) -> Quoted:
    """Return a segment with its quotes."""
    return Quoted(segment.topic, 0, Tick, segment.frame, segment.offsets, segment.ts_ingest, quotes)


def _columns(table: Table) -> Columns:
    """Return bars as a segment."""
    frame = table.frame
    stamps = frame["ts_ingest"].to_numpy() // US_PER_MS * US_PER_MS
    return Columns(BARS.name, 0, table.model, frame, np.zeros(len(stamps), np.int64), stamps)


def _aside(outputs: Iterable[Output]) -> int:
    """Return how many quotes the market agent sends aside."""
    return sum(isinstance(event, Tick) for one in outputs if not isinstance(one, Table) for event in events_of([one]))


def _marks(segment: Segment, place: Callable[[Name, int], int]) -> Iterator[tuple[int, Rows]]:
    """Yield the bars that value positions, each with its place."""
    if segment.model is not Bar:
        return
    if isinstance(segment, Columns):
        frame = segment.frame.filter(pl.col("interval_s") == MARK_INTERVAL_S)
        bars = [Bar.from_dict(record) for record in frame.iter_rows(named=True)]
    else:
        bars = [bar for bar in cast("Sequence[Bar]", segment.events) if bar.interval_s == MARK_INTERVAL_S]
    for bar in bars:
        for one in rows(BARS.name, [bar]):
            yield place((bar.symbol, bar.venue), bar.ts_event), one
