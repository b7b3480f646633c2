"""Run processors in memory, without a broker: for tests of strategies and of the whole pipeline.

    from tradewind import Signal, Strategy, View
    from tradewind.testing import Pipeline

    class Rising(Strategy):
        name = "rising"
        interval_s = 1

        def on_bar(self, memory, bar):
            before, memory["close"] = memory.get("close"), bar.mid_close
            return View("LONG", 1.0, "closed higher") if before and bar.mid_close > before else None

    def test_it_buys_what_rises():
        outcome = Pipeline(strategies=[Rising()]).run(ticks)
        assert outcome.of(Signal)

`ticks` are `Tick` events in the order of their arrival. Every agent runs as it does on Kafka, the simulated venue
included.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from typing import TypeVar

import numpy as np
import polars as pl

from tradewind.processors.batch import Columns, Processor, Rows, Segment, State, events_of
from tradewind.processors.execution.venue import TICKS, execution
from tradewind.processors.identity import instrument
from tradewind.processors.market.bars import GRACE_US, bars
from tradewind.processors.portfolio.positions import portfolio
from tradewind.processors.portfolio.sizing import sizing
from tradewind.processors.risk.agent import risk
from tradewind.processors.signals.agent import signals
from tradewind.processors.signals.ema import BUILT_IN
from tradewind.processors.signals.strategy import Strategy
from tradewind.processors.tenancy.tenant import DEFAULT_TENANTS, Tenant
from tradewind.schemas.event import Event
from tradewind.schemas.execution import Fill, OrderEvent
from tradewind.schemas.market import Heartbeat, Tick
from tradewind.schemas.risk import KillSwitch
from tradewind.schemas.signals import Signal

E = TypeVar("E", bound=Event)

SEGMENT_RECORDS = 4_096  # about one fetch of ticks
LATENCY_US = 50_000  # as the settings have it


class MemoryState:
    """State in memory: what a task's state is to a processor, without the changelog."""

    def __init__(self) -> None:
        self.values: dict[str, Event] = {}

    def get(self, key: str, model: type[E]) -> E | None:
        """Return the value, or None where there is none; raises `TypeError` where it is of another model."""
        value = self.values.get(key)
        if value is not None and not isinstance(value, model):
            raise TypeError(f"state {key!r} is a {type(value).__name__}, read as a {model.__name__}")
        return value

    def put(self, key: str, value: Event) -> None:
        """Set a value."""
        self.values[key] = value

    def delete(self, key: str) -> None:
        """Remove a value; does nothing where there is none."""
        self.values.pop(key, None)

    def keys(self, prefix: str) -> Iterator[str]:
        """Iterate over the keys with a prefix, sorted."""
        return iter(sorted(key for key in self.values if key.startswith(prefix)))


def rows(
    events: Iterable[Event], topic: str = "test", ts_ingest: Sequence[int] | None = None, first_offset: int = 0
) -> Iterator[Segment]:
    """Yield events as segments of rows, one for each unbroken run of a model.

    `ts_ingest` are record timestamps, µs; unless given, those that the events state, or their `ts_event`.
    """
    offset = first_offset
    for _, run_of in groupby(events, type):
        run_events = list(run_of)
        count = len(run_events)
        at = offset - first_offset
        stamps = ts_ingest[at : at + count] if ts_ingest is not None else [_ts_ingest(event) for event in run_events]
        yield Rows(topic, 0, run_events, np.arange(offset, offset + count), np.array(stamps, np.int64))
        offset += count


def columns(ticks: Iterable[Tick], topic: str = TICKS) -> Columns:
    """Return ticks as one segment of columns, as the market agent gets them."""
    records = [tick.to_dict() for tick in ticks]
    sizes: dict[str, type[pl.DataType]] = {"bid_size": pl.Float64, "ask_size": pl.Float64}
    frame = pl.DataFrame(records, schema_overrides=sizes, infer_schema_length=None)
    stamps = np.array([record["ts_event"] for record in records], np.int64)
    return Columns(topic, 0, Tick, frame, np.arange(len(records)), stamps)


def run(processor: Processor, events: Iterable[Event] | Segment, state: State | None = None) -> list[Event]:
    """Return what a processor makes of events, or of one segment; `state` is a new `MemoryState` unless given."""
    kept = MemoryState() if state is None else state
    segments = [events] if isinstance(events, Rows | Columns) else rows(events)
    return [event for segment in segments for event in events_of(processor(kept, segment))]


def _ts_ingest(event: Event) -> int:
    stated = getattr(event, "ts_ingest", None)
    return int(event.ts_event if stated is None else stated)  # type: ignore[attr-defined]  # every event has a time


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a pipeline sent, in the order of its agents."""

    events: list[Event]

    def of(self, model: type[E]) -> list[E]:
        """Return the events of one model, in order."""
        return [event for event in self.events if type(event) is model]


class Pipeline:
    """Every agent of the trading path, joined as Kafka joins them, with the runtime's Hold before the venue.

    Each call of `feed` is one batch of every agent: order events reach risk after the requests of the same batch, as
    they do when ticks are replayed at full speed.
    """

    def __init__(
        self,
        strategies: Iterable[Strategy] | None = None,
        tenants: Iterable[Tenant] = DEFAULT_TENANTS,
        grace_us: int = GRACE_US,
        latency_us: int = LATENCY_US,
        segment_records: int = SEGMENT_RECORDS,
    ) -> None:
        known = tuple(tenants)
        self._agents: dict[str, Processor] = {
            "market": bars(grace_us=grace_us),
            "signals": signals(BUILT_IN if strategies is None else strategies),
            "sizing": sizing(known),
            "risk": risk(known),
            "execution": execution(latency_us),
            "portfolio": portfolio(),
        }
        self.states = {name: MemoryState() for name in self._agents}
        """The state of each agent, by its name."""
        self._latency_us = latency_us
        self._segment_records = segment_records
        self._held: deque[Segment] = deque()
        self._reached: dict[str, int] = {}

    def command(self, switch: KillSwitch) -> None:
        """Give risk a command; it holds for all requests that follow."""
        self._ask("risk", [switch])

    def run(self, ticks: Iterable[Tick | Heartbeat] | Columns) -> Outcome:
        """Feed ticks, then the closing heartbeat of each instrument; return all that was sent."""
        segments = [ticks] if isinstance(ticks, Columns) else list(rows(ticks, TICKS))
        ends: dict[tuple[str, str], int] = {}
        sent: list[Event] = []
        for segment in segments:
            for symbol, venue, ts_event in _coordinates(segment):
                ends[symbol, venue] = max(ts_event, ends.get((symbol, venue), ts_event))
            for start in range(0, len(segment), self._segment_records):
                sent += self.feed(_part(segment, start, start + self._segment_records))
        closing = [
            Heartbeat(symbol=symbol, venue=venue, ts_event=ts_event, ts_ingest=ts_event, closing=True)
            for (symbol, venue), ts_event in sorted(ends.items())
        ]
        return Outcome(sent + [event for segment in rows(closing, TICKS) for event in self.feed(segment)])

    def feed(self, segment: Segment) -> list[Event]:
        """Take ticks or heartbeats; return what every agent sent, heartbeats and late ticks among it."""
        market = events_of(self._agents["market"](self.states["market"], segment))
        bars_sent = [event for event in market if not isinstance(event, Tick)]
        signals_sent = self._ask("signals", bars_sent)
        requests = self._ask("sizing", [event for event in signals_sent if isinstance(event, Signal | Heartbeat)])
        decisions = self._ask("risk", requests)
        for event in decisions:
            if isinstance(event, Heartbeat):
                name = instrument(event.symbol, event.venue)
                self._reached[name] = max(event.ts_event, self._reached.get(name, event.ts_event))
        executed = self._ask("execution", decisions)
        self._held.append(segment)
        for released in self._released():
            executed += events_of(self._agents["execution"](self.states["execution"], released))
        self._ask("risk", [event for event in executed if isinstance(event, OrderEvent)])
        fills = [event for event in executed if isinstance(event, Fill)]
        positions = self._ask("portfolio", [*bars_sent, *fills])
        return [*market, *signals_sent, *requests, *decisions, *executed, *positions]

    def _ask(self, name: str, events: Iterable[Event]) -> list[Event]:
        return run(self._agents[name], events, self.states[name])

    def _released(self) -> Iterator[Segment]:
        """Yield what the decisions have caught up with: a record at u once they reached u - latency."""
        while self._held:
            segment = self._held.popleft()
            free = len(segment)
            for row, (symbol, venue, ts_event) in enumerate(_coordinates(segment)):
                if ts_event - self._latency_us > self._reached.get(instrument(symbol, venue), -1):
                    free = row
                    break
            if free:
                yield _part(segment, 0, free)
            if free < len(segment):
                self._held.appendleft(_part(segment, free, len(segment)))
                return


def _coordinates(segment: Segment) -> Iterator[tuple[str, str, int]]:
    """Yield (symbol, venue, ts_event) of each record."""
    if isinstance(segment, Columns):
        yield from segment.frame.select("symbol", "venue", "ts_event").iter_rows()
        return
    for event in segment.events:
        record = event.to_dict()
        yield record["symbol"], record["venue"], record["ts_event"]


def _part(segment: Segment, start: int, stop: int) -> Segment:
    offsets, ts_ingest = segment.offsets[start:stop], segment.ts_ingest[start:stop]
    if isinstance(segment, Rows):
        return replace(segment, events=segment.events[start:stop], offsets=offsets, ts_ingest=ts_ingest)
    return replace(segment, frame=segment.frame[start:stop], offsets=offsets, ts_ingest=ts_ingest)


def cut(segments: Iterable[Segment], places: Iterable[int]) -> Iterator[Segment]:
    """Yield the same records in smaller segments: a cut before each of the places, counted over all records."""
    wanted = sorted(set(places))
    passed = 0
    for segment in segments:
        own = [place - passed for place in wanted if passed < place < passed + len(segment)]
        for start, stop in pairwise([0, *own, len(segment)]):
            yield _part(segment, start, stop)
        passed += len(segment)
