"""A simulated market: seeded quotes of EURUSD, XAUUSD and BTCUSDT on the venue SIM, with regimes, sessions and spreads.

Mid prices depend on the seed and the draw's number alone (`walk.py`), so that a simulator that was killed goes on as if
it had not been. Times come from the clock, and spreads from times: with a fixed start they too repeat.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from tradewind.connectors.clock.wall import clock_us
from tradewind.connectors.feeds.feed import Block, Bounds, FeedError, SourcePosition
from tradewind.connectors.feeds.simulator.sessions import is_open, spread_factor
from tradewind.connectors.feeds.simulator.walk import (
    CHUNK,
    INSTRUMENTS,
    Draws,
    Instrument,
    WalkState,
    draw,
    initial,
    joined,
)

VENUE = "SIM"
DEFAULT_RATE = 1000.0  # ticks a second over all instruments
HIGHEST_RATE = 1_000_000.0  # more than a broker takes
SPREAD_NOISE = 0.25  # standard deviation of the spread's logarithm
SIZE_NOISE = 0.8  # of a size's logarithm
VOLATILE_SPREAD = 0.5  # the spread grows with the square root of the regime's volatility
LONGEST_HISTORY_S = 3600.0  # of ticks that are all published before the first one of now
CLOCK_BACK_US = 60_000_000  # a clock that went back further than this is not waited for
CLOCK_STEP_US = 1000  # a clock that goes back (a step of NTP) is waited for in steps of this


@dataclass(frozen=True, slots=True)
class Simulator:
    """The feed. With `start_us` event time begins there and goes on by the rate; without, it is the wall clock's."""

    seed: int = 1
    rate: float = DEFAULT_RATE
    """Ticks a second, over the instruments that are open."""
    start_us: int | None = None
    count: int | None = None
    """Draws after which it ends; without, it never does."""
    sessions: bool = True
    """Whether Forex and gold close at weekends; without, they always trade."""
    history_s: float = 0.0
    """Seconds before its very first start whose ticks come at once, for strategies that need bars to begin with."""
    clock: Callable[[], int] = clock_us
    sleep: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        if not 0 < self.rate <= HIGHEST_RATE:
            raise FeedError(f"a rate of {self.rate:g} ticks/s: give one above 0, at most {HIGHEST_RATE:,.0f}")
        if not 0 <= self.history_s <= LONGEST_HISTORY_S:
            raise FeedError(f"a history of {self.history_s:g} s: give one of 0 to {LONGEST_HISTORY_S:,.0f}")
        if self.seed < 0:
            raise FeedError(f"a seed of {self.seed}: give a whole number from 0 on")

    @property
    def name(self) -> str:
        """Each seed is a feed of its own."""
        return f"simulator.{self.seed}"

    @property
    def source(self) -> str:
        """The seed, and where event time begins."""
        start = "" if self.start_us is None else f" from {self.start_us}"
        return f"simulator seed {self.seed}{start}"

    @property
    def live(self) -> bool:
        """Whether event time is the wall clock's."""
        return self.start_us is None

    def read(self, position: SourcePosition, bounds: Bounds) -> Iterator[Block]:
        """Yield blocks; a live simulator sleeps until the times of each have passed."""
        state: Mapping[str, Any] = json.loads(position.state) if position.state else {"reached": 0}
        before = WalkState.from_fields(state["walk"]) if "walk" in state else initial(self.rate)
        draws = _Draws(self.seed, self.rate, position.record, before)
        if self.start_us is not None:
            return self._timed(draws, bounds, self.start_us)
        return self._live(draws, bounds, state["reached"])

    def _timed(self, draws: _Draws, bounds: Bounds, start_us: int) -> Iterator[Block]:
        while self.count is None or draws.record < self.count:
            left = bounds.records if self.count is None else self.count - draws.record
            size = max(1, int(min(bounds.records, bounds.span_us * self.rate / 1e6, left)))
            numbers = np.arange(draws.record, draws.record + size)
            times = start_us + (numbers * (1e6 / self.rate)).astype(np.int64)
            yield self._block(draws, times, floor=int(times[-1]))

    def _live(self, draws: _Draws, bounds: Bounds, reached: int) -> Iterator[Block]:
        since = max(self.clock(), reached)
        if since > self.clock() + CLOCK_BACK_US:
            raise FeedError(
                f"the clock is {(since - self.clock()) / 1e6:,.0f} s behind the last tick of {self.name}: "
                "set it right, or use another seed"
            )
        if not reached and self.history_s:
            yield from self._history(draws, bounds, since)
        owed = 0.0
        while self.count is None or draws.record < self.count:
            self.sleep(bounds.span_us / 1e6)
            now = self.clock()
            if now <= since:
                self.sleep(CLOCK_STEP_US / 1e6)
                continue
            # Where publishing falls behind, no more than a second's ticks are owed: they would only come later still.
            share = self._open_share(now)
            owed = min(owed + (now - since) * self.rate / share / 1e6, self.rate / share + 1)
            size = min(int(owed), bounds.records)
            owed -= size
            times = since + np.arange(1, size + 1) * (now - since) // max(size, 1)
            since = now
            yield self._block(draws, times, floor=now)

    def _history(self, draws: _Draws, bounds: Bounds, until: int) -> Iterator[Block]:
        """Yield the blocks of the seconds before a time, at the rate, as fast as they are taken."""
        span_us = int(self.history_s * 1e6)
        total = int(self.history_s * self.rate)
        for first in range(0, total, bounds.records):
            numbers = np.arange(first, min(first + bounds.records, total))
            times = until - span_us + numbers * span_us // total
            yield self._block(draws, times, floor=int(times[-1]))

    def _open_share(self, now: int) -> float:
        """Return the share of draws whose instrument trades: as many more are drawn, so that the rate holds."""
        if not self.sessions:
            return 1.0
        moment = np.array([now])
        return sum(bool(is_open(instrument.calendar, moment)[0]) for instrument in INSTRUMENTS) / len(INSTRUMENTS)

    def _block(self, draws: _Draws, times: npt.NDArray[np.int64], floor: int) -> Block:
        first = draws.record
        ticks = self._quotes(draws.take(len(times)), times, first)
        state = json.dumps({"reached": floor, "walk": draws.state()}, separators=(",", ":"))
        closed = len(times) - ticks.height
        return Block(SourcePosition(draws.record, state), ticks, skipped=closed, ts_event=floor, floor=floor)

    def _quotes(self, part: Draws, times: npt.NDArray[np.int64], first: int) -> pl.DataFrame:
        """Turn draws into quotes of the instruments that trade, in order."""
        quotes = [quotes_of(instrument, part, times, first, index) for index, instrument in enumerate(INSTRUMENTS)]
        if self.sessions:
            quotes = [
                frame.filter(is_open(instrument.calendar, frame["ts_event"].to_numpy()))
                for frame, instrument in zip(quotes, INSTRUMENTS, strict=True)
            ]
        return pl.concat(quotes).sort("seq")


def quotes_of(
    instrument: Instrument, part: Draws, times: npt.NDArray[np.int64], first: int, index: int
) -> pl.DataFrame:
    """Return the quotes of an instrument, the `index`-th of the draws, at times (n,), µs; `first` numbers the draws."""
    mine = np.flatnonzero(part.which == index)
    at, mid, noise = times[mine], part.mid[mine], part.noise[mine]
    spread = instrument.spread_ticks * spread_factor(instrument.calendar, at)
    spread = spread * part.calm[mine] ** VOLATILE_SPREAD * np.exp(SPREAD_NOISE * noise[:, 0])
    ticks = np.maximum(np.rint(spread), 1)
    bid = np.rint(mid / instrument.tick - ticks / 2)
    sizes = np.maximum(np.rint(np.exp(SIZE_NOISE * noise[:, 1:]) * instrument.lot * 1000) / 1000, 0.001)
    return pl.DataFrame(
        {
            "symbol": pl.repeat(instrument.symbol, len(mine), eager=True),
            "venue": pl.repeat(VENUE, len(mine), eager=True),
            "seq": first + mine + 1,
            "ts_event": at,
            # Divided by a power of ten, a whole number of ticks is the double nearest to the price as it is written.
            "bid": bid / 10**instrument.digits,
            "ask": (bid + ticks) / 10**instrument.digits,
            "bid_size": sizes[:, 0],
            "ask_size": sizes[:, 1],
        }
    )


class _Draws:
    """Takes draws one after the other, from any position on."""

    def __init__(self, seed: int, rate: float, record: int, before: WalkState) -> None:
        self._seed = seed
        self._rate = rate
        self._before = before
        self._used = record - before.chunk * CHUNK
        if not 0 <= self._used <= CHUNK:
            raise FeedError(f"the simulator's state is of chunk {before.chunk}, its position {record:,}")
        self._part, self._after = draw(seed, before)

    @property
    def record(self) -> int:
        """Draws that were taken so far."""
        return self._before.chunk * CHUNK + self._used

    def state(self) -> Mapping[str, Any]:
        """Return the state before the chunk of the next draw."""
        return self._before.to_fields()

    def take(self, count: int) -> Draws:
        """Return the next draws."""
        parts, wanted = [], count
        while True:
            if self._used == CHUNK and wanted:
                # Another rate scales the draws from the next chunk on: this one was begun with the old rate.
                self._before = replace(self._after, rate=self._rate)
                self._part, self._after = draw(self._seed, self._before)
                self._used = 0
            size = min(wanted, CHUNK - self._used)
            parts.append(self._part.cut(self._used, self._used + size))
            self._used += size
            wanted -= size
            if not wanted:
                return joined(parts)
