"""Quotes and bars on disk, block by block, for any number of runs that read the same.

The bars of a block are what the market agent sent for it. A run gets them in the place of its own market agent, so
that its strategy, sizes, limits, orders and fills are those of a run alone. Memory is bounded by a block.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from tradewind.connectors.feeds.feed import TICK_COLUMNS
from tradewind.connectors.feeds.publishing.encoding import last_times
from tradewind.connectors.settings import Settings
from tradewind.processors.batch import Columns, Output, Processor, Segment, State
from tradewind.processors.market.candles import SECOND_US
from tradewind.processors.market.processor import bars
from tradewind.processors.portfolio.processor import MARK_INTERVAL_S
from tradewind.schemas.event import US_PER_MS
from tradewind.schemas.market import Tick
from tradewind.streams.backtest.engine import closing_beats
from tradewind.streams.backtest.stages import Stage, rows
from tradewind.topics import TICKS

BARS: Final = ".bars"
TICK_FILE: Final = ".arrow"


@dataclass(frozen=True, slots=True)
class Prepared:
    """Quotes and bars in a folder."""

    folder: Path
    blocks: int
    closings: int
    """Calls of the market agent that end the source."""
    ticks: int
    ends: Mapping[tuple[str, str], int]
    """Symbol and venue -> event time of the newest quote, µs."""

    def symbols(self, start: int | None) -> set[str]:
        """Return the symbols that are quoted from a time on."""
        return {symbol for (symbol, _), ts_event in self.ends.items() if start is None or ts_event >= start}

    def quotes(self) -> Iterator[pl.DataFrame]:
        """Yield the blocks of quotes."""
        for number in range(self.blocks):
            yield pl.read_ipc(_path(self.folder, number, TICK_FILE))

    def market(self) -> Processor:
        """Return what stands in for the market agent, for one run: it returns what the agent sent, call by call."""
        calls = self._calls()

        def process(state: State, segment: Segment) -> Sequence[Output]:  # noqa: ARG001 - a processor's signature
            return next(calls)

        return process

    def _calls(self) -> Iterator[Sequence[Output]]:
        for number in range(self.blocks + self.closings):
            yield pickle.loads(_path(self.folder, number, BARS).read_bytes())  # noqa: S301 - written by `prepare`


def prepare(
    blocks: Iterable[pl.DataFrame], folder: Path, settings: Settings, intervals_s: Iterable[int], *, beats: bool
) -> Prepared:
    """Write blocks of quotes, and their bars of these lengths, to a folder; return them."""
    grace_us, leap_us = settings.bar_grace_ms * US_PER_MS, settings.tick_leap_s * SECOND_US
    agent = Stage("market", bars({*intervals_s, MARK_INTERVAL_S}, grace_us, leap_us, beats=beats))
    ends: dict[tuple[str, str], int] = {}
    count = ticks = 0
    for block in blocks:
        for name, ts_event in last_times(block).items():
            ends[name] = max(ts_event, ends.get(name, ts_event))
        block.select(*TICK_COLUMNS).write_ipc(_path(folder, count, TICK_FILE))
        _keep(folder, count, agent.run(_segment(block)))
        count, ticks = count + 1, ticks + block.height
    closings = 0
    for segment in rows(TICKS.name, closing_beats(ends, grace_us)):
        _keep(folder, count + closings, agent.run(segment))
        closings += 1
    return Prepared(folder, count, closings, ticks, ends)


def _segment(block: pl.DataFrame) -> Columns:
    times = block["ts_event"].to_numpy()
    return Columns(TICKS.name, 0, Tick, block, np.zeros(len(times), np.int64), times // US_PER_MS * US_PER_MS)


def _keep(folder: Path, number: int, outputs: Sequence[Output]) -> None:
    _path(folder, number, BARS).write_bytes(pickle.dumps(outputs, pickle.HIGHEST_PROTOCOL))


def _path(folder: Path, number: int, kind: str) -> Path:
    return folder / f"{number:06}{kind}"
