"""Run a processor in memory: on events, or on segments that are cut anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, pairwise
from typing import TypeVar

import numpy as np
import polars as pl

from tradewind.processors.batch import Columns, Processor, Rows, Segment, State, events_of, part
from tradewind.schemas.event import Event
from tradewind.schemas.market import Tick
from tradewind.streams.backtest.state import BacktestState
from tradewind.topics import TICKS

E = TypeVar("E", bound=Event)


class MemoryState(BacktestState):
    """State in memory, which notices that a value is read as another model than it was put."""

    def get(self, key: str, model: type[E]) -> E | None:
        """Return the value, or None where there is none; raises `TypeError` where it is of another model."""
        value = self.values.get(key)
        if value is not None and not isinstance(value, model):
            raise TypeError(f"state {key!r} is a {type(value).__name__}, read as a {model.__name__}")
        return value


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


def columns(ticks: Iterable[Tick], topic: str = TICKS.name) -> Columns:
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


def cut(segments: Iterable[Segment], places: Iterable[int]) -> Iterator[Segment]:
    """Yield the same records in smaller segments: a cut before each of the places, counted over all records."""
    wanted = sorted(set(places))
    passed = 0
    for segment in segments:
        own = [place - passed for place in wanted if passed < place < passed + len(segment)]
        for start, stop in pairwise([0, *own, len(segment)]):
            yield part(segment, start, stop)
        passed += len(segment)
