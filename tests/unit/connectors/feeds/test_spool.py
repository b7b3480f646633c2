"""A spool gives back what it took, instrument by instrument, and its digest does not depend on where rows were cut."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
from backtesting import frame_of
from hypothesis import given
from hypothesis import strategies as st
from processing import SECOND, tick

from tradewind.connectors.feeds import Bounds, SourcePosition
from tradewind.connectors.feeds.files.spool import Spool, SpoolFeed
from tradewind.schemas.market import Tick

SYMBOLS = ("EURUSD", "XAUUSD", "BTCUSDT")
QUOTES = st.lists(st.tuples(st.sampled_from(SYMBOLS), st.integers(0, 9), st.none() | st.integers(0, 3)), min_size=1)


def spooled(folder: str, ticks: Sequence[Tick], bounds: Sequence[int], **sizes: int) -> list[SpoolFeed]:
    """Spool ticks in frames."""
    found = Spool(Path(folder), **sizes)
    for start, stop in pairwise(bounds):
        found.add(frame_of(ticks[start:stop]))
    return found.feeds("test")


def read(feed: SpoolFeed, done: int = 0, most: int = 3) -> pl.DataFrame:
    """Return what a feed has after some records."""
    blocks = [block.ticks for block in feed.read(SourcePosition(done), Bounds(most, 2**62))]
    assert all(0 < block.height <= most for block in blocks)
    return pl.concat(blocks) if blocks else frame_of([])


@given(QUOTES, st.sets(st.integers(1, 30)), st.integers(1, 5), st.integers(1, 9))
def test_each_instruments_quotes_come_back_in_order(
    drawn: list[tuple[str, int, int | None]], places: set[int], part: int, waiting: int
) -> None:
    """However they came in frames, were spilled or are read."""
    ticks = [
        tick(SECOND * at, symbol=symbol, seq=number, bid_size=None if size is None else float(size))
        for number, (symbol, at, size) in enumerate(drawn)
    ]
    cut = sorted({0, len(ticks), *(place for place in places if place < len(ticks))})
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        whole = spooled(other, ticks, [0, len(ticks)])
        feeds = spooled(one, ticks, cut, part_rows=part, most_waiting=waiting)
        assert [feed.source for feed in feeds] == [feed.source for feed in whole]
        for symbol, feed in zip(sorted({tick.symbol for tick in ticks}), feeds, strict=True):
            own = frame_of([tick for tick in ticks if tick.symbol == symbol])
            assert read(feed).equals(own)
            assert read(feed, own.height // 2).equals(own[own.height // 2 :])


def test_another_quote_is_another_source(tmp_path: Path) -> None:
    """Each column counts, and so does a size that is not stated."""
    changes = ({}, {"bid": 0.5}, {"ask": 9.0}, {"seq": 2}, {"bid_size": 0.0}, {"ask_size": 0.0}, {"venue": "X"})
    sources = {
        spooled(str(tmp_path / str(number)), [tick(SECOND), tick(SECOND, **change)], [0, 2])[0].source  # type: ignore[arg-type]
        for number, change in enumerate(changes)
    }
    assert len(sources) == len(changes)
