"""Bars before the start of a range: the strategy sees the newest of them, and what it says of them is not ordered.

A bar belongs to the warm-up if it ended by the start. The bar during which the range begins is whole, and is the first
one that may lead to an order. The strategy sees the warm-up bars of an instrument right before the instrument's first
other bar, and none without one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from tradewind.processors.batch import Columns, Segment, rows_of
from tradewind.schemas.event import Event
from tradewind.schemas.market import Bar, Heartbeat
from tradewind.streams.backtest.stages import rows
from tradewind.topics import BARS

MOST_BARS: Final = 100_000  # of an instrument: 70 days of minutes, and some 100 MB
SILENCE_US: Final = 4 * 86_400_000_000
"""How much further back quotes are read than the bars would reach without silence: a long weekend."""
Name = tuple[str, str]
"""Symbol and venue."""


@dataclass(slots=True)
class WarmUp:
    """The newest `bars` bars of each instrument that ended by `start`."""

    start: int
    """µs."""
    bars: int
    interval_s: int
    """Of the strategy."""
    see: Callable[[Segment], None]
    """Gets the bars, one segment for each instrument."""
    seen: dict[Name, int] = field(default_factory=dict)
    """How many the strategy saw of each instrument."""
    _waiting: dict[Name, deque[Bar]] = field(default_factory=dict)

    def after(self, segments: Iterable[Segment]) -> Iterator[Segment]:
        """Yield what follows the warm-up, unchanged; the strategy sees each instrument's warm-up before that."""
        for segment in segments:
            if isinstance(segment, Columns):
                early = segment.frame["ts_end"] <= self.start
                if not early.any():
                    self._begin({(symbol, venue) for symbol, venue in _names(segment.frame)})
                    yield segment
                    continue
            yield from self._split(rows_of(segment).events)

    def _split(self, events: Sequence[Event]) -> Iterator[Segment]:
        later: list[Event] = []
        for event in events:
            if isinstance(event, Bar) and event.ts_end <= self.start:
                self._keep(event)
            elif not isinstance(event, Heartbeat) or event.ts_event >= self.start:
                later.append(event)
        self._begin({(event.symbol, event.venue) for event in later if isinstance(event, Bar | Heartbeat)})
        yield from rows(BARS.name, later)

    def _keep(self, bar: Bar) -> None:
        if bar.interval_s == self.interval_s:
            name = bar.symbol, bar.venue
            self._waiting.setdefault(name, deque(maxlen=self.bars)).append(bar)

    def _begin(self, names: Iterable[Name]) -> None:
        for name in sorted(names):
            waiting = self._waiting.pop(name, None)
            if waiting:
                self.seen[name] = len(waiting)
                for segment in rows(BARS.name, waiting):
                    self.see(segment)


def _names(frame: pl.DataFrame) -> Iterator[Name]:
    yield from frame.select("symbol", "venue").unique().iter_rows()
