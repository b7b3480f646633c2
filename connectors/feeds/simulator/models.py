"""Quotes whose prices follow a model (`processors/simulation/paths.py`), on the simulator's instruments and sessions.

Quotes come at even times, the instruments in turn. Spreads and sizes are those of the simulator: they widen with the
hour and with the volatility of the minute.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from tradewind.connectors.feeds.feed import NO_TICKS, Block, Bounds, FeedError, SourcePosition
from tradewind.connectors.feeds.simulator.sessions import is_open
from tradewind.connectors.feeds.simulator.simulator import HIGHEST_RATE, quotes_of
from tradewind.connectors.feeds.simulator.walk import INSTRUMENTS, Draws
from tradewind.processors.simulation.paths import Kind, Model, PathState, begin, minute

MINUTE_US: Final = 60_000_000
SECOND_US: Final = 1_000_000
NOISES: Final = len(INSTRUMENTS)
"""The stream of the noise of spreads and sizes, after those of the instruments' paths."""
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ModelMarket:
    """A feed of quotes from a start up to, and without, a stop. Raises `FeedError` for a rate that is out of range."""

    kind: Kind
    seed: int
    rate: float
    """Quotes a second, over all instruments."""
    start_us: int
    stop_us: int
    live: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.rate <= HIGHEST_RATE:
            raise FeedError(f"a rate of {self.rate:g} ticks/s: give one above 0, at most {HIGHEST_RATE:,.0f}")
        if self.seed < 0:
            raise FeedError(f"a seed of {self.seed}: give a whole number from 0 on")

    @property
    def name(self) -> str:
        """Each model and seed is a feed of its own."""
        return f"simulator.{self.kind}.{self.seed}"

    @property
    def source(self) -> str:
        """What the quotes are a function of."""
        return f"simulator {self.kind} seed {self.seed}, {self.rate:g} quotes/s from {self.start_us} to {self.stop_us}"

    def read(self, position: SourcePosition, bounds: Bounds) -> Iterator[Block]:
        """Yield the blocks after a position; the quotes before it are made again, and left out."""
        done = 0
        for ticks in self._minutes():
            for part in ticks.iter_slices(bounds.records) if ticks.height else ():
                done += part.height
                kept = part[max(part.height - (done - position.record), 0) :] if done > position.record else NO_TICKS
                if kept.height:
                    yield Block(SourcePosition(done), kept)

    def _minutes(self) -> Iterator[pl.DataFrame]:
        """Yield the quotes of some minutes at a time: a frame for each would cost more than its quotes."""
        models = [Model(self.kind, one.volatility) for one in INSTRUMENTS]
        states = [begin(model, one.price) for model, one in zip(models, INSTRUMENTS, strict=True)]
        total = math.ceil((self.stop_us - self.start_us) * self.rate / SECOND_US)
        first, number = 0, 0
        waiting: list[pl.DataFrame] = []
        while first < total:
            begins = self.start_us + number * MINUTE_US
            stop = min(math.ceil((number + 1) * 60 * self.rate), total)
            times = self.start_us + np.rint(np.arange(first, stop) * SECOND_US / self.rate).astype(np.int64)
            ticks, states = self._minute(models, states, number, times, first, begins)
            waiting.append(ticks)
            if sum(part.height for part in waiting) >= MOST_WAITING:
                yield pl.concat(waiting)
                waiting = []
            first, number = stop, number + 1
        if waiting:
            yield pl.concat(waiting)

    def _minute(  # noqa: PLR0917 - a step of the loop above
        self, models: list[Model], states: list[PathState], number: int, times: Ints, first: int, begins: int
    ) -> tuple[pl.DataFrame, list[PathState]]:
        which = np.arange(first, first + len(times)) % len(INSTRUMENTS)
        mid, calm = np.empty(len(times)), np.empty(len(times))
        after = []
        for index, (model, state) in enumerate(zip(models, states, strict=True)):
            mine = which == index
            offsets = (times[mine] - begins) / SECOND_US
            path, later = minute(model, state, number, offsets, self.seed, index)
            mid[mine] = np.exp(path)
            calm[mine] = math.sqrt(state.variance / model.minute_variance)
            after.append(later)
        generator = np.random.Generator(np.random.Philox(key=self.seed, counter=[0, 0, NOISES, number]))
        draws = Draws(which, mid, calm, generator.standard_normal((len(times), 3)))
        return _open(draws, times, first), after


MOST_WAITING: Final = 20_000  # quotes, some 1 MB


def _open(draws: Draws, times: Ints, first: int) -> pl.DataFrame:
    """Return the quotes of the instruments that trade, in order."""
    frames = []
    for index, instrument in enumerate(INSTRUMENTS):
        frame = quotes_of(instrument, draws, times, first, index)
        frames.append(frame.filter(pl.Series(is_open(instrument.calendar, frame["ts_event"].to_numpy()))))
    return pl.concat(frames).sort("seq")
