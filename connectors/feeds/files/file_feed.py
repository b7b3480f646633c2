"""A feed of a file of lines: parses whole chunks, and cuts them into blocks as small as the pace needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from tradewind.connectors.feeds.feed import TICK_COLUMNS, TRADE_COLUMNS, Block, Bounds, SourcePosition
from tradewind.connectors.feeds.files.archive import CHUNK_LINES, Chunk, Opener, chunks
from tradewind.connectors.feeds.files.misplaced import Micros
from tradewind.connectors.feeds.files.parsed import SKIPPED, TICK, TRADE, UNKNOWN, Parsed, in_order

LOWEST = np.iinfo(np.int64).min
TICK_FIELDS, TRADE_FIELDS = list(TICK_COLUMNS), list(TRADE_COLUMNS)


@dataclass(frozen=True, slots=True)
class FileFeed:
    """The lines of a file as a feed; `SourcePosition.record` counts lines.

    To go on from a position the file is parsed from its beginning, without publishing: whether a line's time is
    misplaced depends on the lines around it, and must not depend on where the feed was stopped.
    """

    name: str
    source: str
    opener: Opener
    parse: Callable[[Chunk], Parsed]
    series: str
    begins_us: int
    live: bool = False
    chunk_lines: int = CHUNK_LINES
    """Lines that are parsed at once, at most."""

    def read(self, position: SourcePosition, bounds: Bounds) -> Iterator[Block]:
        """Yield the blocks after a position."""
        reached: int | None = None
        for chunk in chunks(self.opener, self.chunk_lines):
            if not chunk.lines:
                continue
            parsed = self.parse(chunk)
            rows, reached_after = in_order(parsed.rows, reached)
            if chunk.first + len(chunk.lines) - 1 > position.record:
                yield from _blocks(parsed, rows, position.record, bounds, reached)
            reached = reached_after


def _blocks(parsed: Parsed, rows: pl.DataFrame, done: int, bounds: Bounds, reached: int | None) -> Iterator[Block]:
    """Cut the lines after number `done` of a chunk into blocks."""
    timed = rows["kind"].is_in([TICK, TRADE]).fill_null(value=False).to_numpy()
    times = np.where(timed, rows["ts_event"].fill_null(0).to_numpy(), LOWEST)
    high = np.maximum.accumulate(np.maximum(times, LOWEST if reached is None else reached))
    begin = max(done + 1 - parsed.first, 0)
    for start, end in _cuts(high, begin, bounds):
        part = rows[start:end]
        told = int(high[end - 1])
        yield Block(
            next=SourcePosition(parsed.first + end - 1),
            ticks=part.filter(pl.col("kind") == TICK).select(TICK_FIELDS) if timed[start:end].any() else _NO_TICKS,
            trades=_trades(part),
            rejected=parsed.rejections(part),
            rejected_count=part["kind"].null_count(),
            skipped=int(part["kind"].is_in([SKIPPED, UNKNOWN]).sum()) if "what" in part.columns else 0,
            kinds=parsed.kinds(part) if "what" in part.columns else {},
            ts_event=None if told == LOWEST else told,
        )


_NO_TICKS = pl.DataFrame(schema=TICK_COLUMNS)
_NO_TRADES = pl.DataFrame(schema=TRADE_COLUMNS)


def _trades(part: pl.DataFrame) -> pl.DataFrame:
    """Return the trades among rows; a format without trades has no columns for them."""
    if "trade_id" not in part.columns:
        return _NO_TRADES
    return part.filter(pl.col("kind") == TRADE).select(TRADE_FIELDS)


def _cuts(high: Micros, begin: int, bounds: Bounds) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of runs of rows of at most `bounds.records` rows and `bounds.span_us` of event time."""
    start, total = begin, len(high)
    timeless = int(np.searchsorted(high, LOWEST, side="right"))  # rows before the first that tells a time
    while start < total:
        end = min(start + bounds.records, total)
        if timeless < total:
            # The times reached never go back, so that what the span covers is found by bisection; one row at least.
            late = np.searchsorted(high, high[max(start, timeless)] + bounds.span_us, side="right")
            end = min(end, max(int(late), start + 1))
        yield start, end
        start = end
