"""Quotes of several sources as one stream in event time, block by block.

The feeds are those of `./dev feed`. The files of one series, such as the days of an instrument, follow one another.
Series are merged by event time. Quotes of a series stay in the order of their arrival, as on a topic: which of them are
late is for the market agent to say.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from tradewind.connectors.feeds import Bounds, Feed, SourcePosition
from tradewind.connectors.feeds.feed import Block
from tradewind.connectors.feeds.publishing.together import in_series
from tradewind.streams.backtest.errors import DamagedSource

BLOCK = Bounds(records=65_536, span_us=2**62)
"""Some 5 MB of quotes: the cost of a call no longer counts, and memory stays small."""
REACHED = "reached"
LOWEST = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True)
class Range:
    """Which quotes count: event times from `start` up to and without `stop`, µs, and symbols. None sets no limit."""

    start: int | None = None
    stop: int | None = None
    symbols: frozenset[str] = frozenset()
    warmup_us: int = 0
    """How far before `start` quotes are read, for bars that strategies only see."""

    @property
    def reads_from(self) -> int | None:
        """The event time from which on quotes are read, µs."""
        return None if self.start is None else self.start - self.warmup_us

    def counted(self, ticks: pl.DataFrame) -> pl.DataFrame:
        """Return the quotes that were read and are not before the start."""
        if self.start is None or not self.warmup_us:
            return ticks
        return ticks.filter(pl.col("ts_event") >= self.start)

    def of(self, ticks: pl.DataFrame) -> pl.DataFrame:
        """Return the quotes that are read."""
        conditions = []
        if self.reads_from is not None:
            conditions.append(pl.col("ts_event") >= self.reads_from)
        if self.stop is not None:
            conditions.append(pl.col("ts_event") < self.stop)
        if self.symbols:
            conditions.append(pl.col("symbol").is_in(sorted(self.symbols)))
        return ticks.filter(*conditions) if conditions else ticks


@dataclass(slots=True)
class Source:
    """What was read of one feed."""

    name: str
    source: str
    """The feed's own identity: of a file, its name and digest."""
    ticks: int = 0
    """Quotes in the range."""
    outside: int = 0
    """Quotes that the range leaves out, those of a warm-up included."""
    trades: int = 0
    """Of which no backtest makes use."""
    rejected: int = 0
    first_rejection: str = ""
    skipped: int = 0
    """Records of kinds that are neither quotes nor trades."""
    unknown: int = 0
    """Those of them whose kind the feed does not know."""
    first_unknown: str = ""
    first: int | None = None
    """Event time of the first quote of the source, µs."""
    last: int | None = None

    def note(self, block: Block) -> None:
        """Count what a block has beside quotes."""
        self.trades += block.trades.height
        self.rejected += block.rejected_count
        self.skipped += block.skipped
        if block.rejected and not self.first_rejection:
            first = block.rejected[0]
            self.first_rejection = f"line {first.line:,}: {first.reason}"
        for name, kind in block.kinds.items():
            if not kind.known:
                self.unknown += kind.count
                self.first_unknown = self.first_unknown or f"line {kind.line:,}, {name}: {kind.text}"

    def beside(self) -> list[str]:
        """Return what the source has beside quotes and trades, and the first of each."""
        found = []
        if self.rejected:
            found.append(f"{self.rejected:,} rejected lines, the first: {self.first_rejection}")
        if self.unknown:
            found.append(f"{self.unknown:,} records of unknown kinds, the first: {self.first_unknown}")
        if known := self.skipped - self.unknown:
            found.append(f"{known:,} records that are neither quotes nor trades")
        return found

    def refuse_damage(self) -> None:
        """Raise `DamagedSource` where more was rejected than read, or all that the source has is something else."""
        read = self.ticks + self.outside + self.trades
        if self.rejected > read or (self.skipped and not read):
            raise DamagedSource(
                f"{self.name} has {read:,} quotes and trades, and {'; '.join(self.beside())}. Correct the file, or "
                "choose another --source"
            )


@dataclass(slots=True)
class Ticks:
    """The quotes of feeds within a range; read once."""

    feeds: Sequence[Feed]
    within: Range
    sources: list[Source] = field(init=False)
    """What was read so far, in the order in which the feeds were given."""

    def __post_init__(self) -> None:
        self.sources = [Source(feed.name, feed.source) for feed in self.feeds]

    def blocks(self) -> Generator[pl.DataFrame, None, None]:
        """Yield frames of quotes, columns as in `TICK_COLUMNS`, none empty. Raises `FeedError` and `DamagedSource`."""
        told = {feed.name: source for feed, source in zip(self.feeds, self.sources, strict=True)}
        streams = [self._read(parts, told) for parts in in_series(self.feeds)]
        yield from streams[0] if len(streams) == 1 else merged(streams)

    def _read(self, parts: Sequence[Feed], told: dict[str, Source]) -> Iterator[pl.DataFrame]:
        for feed in parts:
            source = told[feed.name]
            for block in feed.read(SourcePosition(), BLOCK):
                source.note(block)
                if block.ticks.is_empty():
                    continue
                if self._is_past(block.ticks):
                    return
                kept = self.within.of(block.ticks)
                _note(source, block.ticks, self.within.counted(kept).height)
                if kept.height:
                    yield kept
            source.refuse_damage()

    def _is_past(self, ticks: pl.DataFrame) -> bool:
        stop = self.within.stop
        return stop is not None and _time(ticks["ts_event"].min()) >= stop


def _note(source: Source, ticks: pl.DataFrame, kept: int) -> None:
    first, last = _time(ticks["ts_event"].min()), _time(ticks["ts_event"].max())
    source.ticks += kept
    source.outside += ticks.height - kept
    source.first = first if source.first is None else min(source.first, first)
    source.last = last if source.last is None else max(source.last, last)


def _time(value: object) -> int:
    assert isinstance(value, int)
    return value


def merged(streams: Sequence[Iterator[pl.DataFrame]]) -> Iterator[pl.DataFrame]:
    """Yield the rows of several streams by the event time that each stream has reached; each keeps its own order.

    Of equal times, the stream that is named first comes first. Holds one block of each stream.
    """
    waiting = {number: frame for number, stream in enumerate(streams) if (frame := _next(stream, LOWEST)) is not None}
    while waiting:
        bound = min(_time(frame[REACHED][-1]) for frame in waiting.values())
        parts = []
        for number, frame in tuple(waiting.items()):
            rows = int(frame[REACHED].search_sorted(bound, side="right"))
            parts.append(frame[:rows])
            if rows < frame.height:
                waiting[number] = frame[rows:]
                continue
            following = _next(streams[number], _time(frame[REACHED][-1]))
            if following is None:
                del waiting[number]
            else:
                waiting[number] = following
        yield pl.concat(parts).sort(REACHED, maintain_order=True).drop(REACHED)


def _next(stream: Iterator[pl.DataFrame], reached: int) -> pl.DataFrame | None:
    """Return the next block with the time that its stream has reached at each row, µs."""
    frame = next(stream, None)
    if frame is None:
        return None
    times = np.maximum.accumulate(np.maximum(frame["ts_event"].to_numpy(), reached))
    return frame.with_columns(pl.Series(REACHED, times))
