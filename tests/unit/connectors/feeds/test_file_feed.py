"""A file as a feed: the same records for the same position, in blocks as small as the pace needs."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from days.recorded import ALL, Recording
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.connectors.feeds.feed import Bounds, Feed, SourcePosition
from tradewind.connectors.feeds.files.binance import open_binance
from tradewind.connectors.feeds.files.file_feed import FileFeed
from tradewind.connectors.feeds.files.oanda import open_oanda

FOREVER = 2**62


def opened(file: Recording) -> FileFeed:
    """Open a recorded file; skips where it is not there."""
    path = file.needed()
    return open_oanda(path) if path.suffix == ".zip" else open_binance(path)


@pytest.mark.parametrize("file", ALL, ids=lambda file: file.path.name)
def test_a_recording_is_read_whole(file: Recording) -> None:
    """Every quote and trade is there, and nothing is rejected."""
    ticks, trades, skipped = file.ticks, file.trades, file.skipped
    blocks = list(opened(file).read(SourcePosition(), Bounds(20_000, FOREVER)))
    assert sum(block.ticks.height for block in blocks) == ticks
    assert sum(block.trades.height for block in blocks) == trades
    assert sum(block.skipped for block in blocks) == skipped
    assert sum(block.rejected_count for block in blocks) == 0
    assert blocks[-1].next.record == ticks + trades + skipped


def written(path: Path, content: bytes) -> FileFeed:
    """Write and open a file of quotes."""
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("20140501_eurusd_tick_quote.csv", content)
    return open_oanda(path)


def ticks_of(feed: Feed, position: SourcePosition, bounds: Bounds) -> pl.DataFrame:
    """Return what a feed gives from a position on."""
    return pl.concat(block.ticks for block in feed.read(position, bounds))


times = st.lists(st.integers(0, 30_000), min_size=1, max_size=60)


@given(times, st.integers(1, 20), st.integers(1, 20_000_000), st.data())
@settings(deadline=None)
def test_a_feed_that_is_stopped_anywhere_goes_on_as_if_it_were_not(
    tmp_path_factory: pytest.TempPathFactory, times: list[int], records: int, span_us: int, data: st.DataObject
) -> None:
    """Whatever the blocks' sizes, what comes before a position and what comes after it make the whole."""
    content = "\n".join(f"{ms},1.1,1.2" if ms % 7 else "garbage" for ms in times).encode()
    feed = replace(written(tmp_path_factory.mktemp("any") / "quotes.zip", content), chunk_lines=8)
    whole = list(feed.read(SourcePosition(), Bounds(10_000, FOREVER)))
    blocks = list(feed.read(SourcePosition(), Bounds(records, span_us)))
    at = data.draw(st.integers(0, len(blocks) - 1))
    rest = list(feed.read(blocks[at].next, Bounds(7, FOREVER)))
    expected = pl.concat(block.ticks for block in whole)
    assert pl.concat(block.ticks for block in blocks).equals(expected)
    assert pl.concat([*(block.ticks for block in blocks[: at + 1]), *(block.ticks for block in rest)]).equals(expected)
    assert sum(b.rejected_count for b in blocks) == sum(b.rejected_count for b in whole)
    assert blocks[-1].next.record == len(times)


@given(times, st.integers(1, 10), st.integers(1, 20_000_000))
@settings(deadline=None)
def test_blocks_keep_their_bounds(
    tmp_path_factory: pytest.TempPathFactory, times: list[int], records: int, span_us: int
) -> None:
    """A block has no more records and event time than asked for."""
    content = "\n".join(f"{ms},1.1,1.2" for ms in times).encode()
    feed = replace(written(tmp_path_factory.mktemp("any") / "quotes.zip", content), chunk_lines=8)
    blocks = list(feed.read(SourcePosition(), Bounds(records, span_us)))
    before, reached = 0, 0
    for block in blocks:
        assert 0 < block.next.record - before <= records
        before = block.next.record
        late = [ts for ts in block.ticks["ts_event"].to_list() if ts > reached]
        assert max(late, default=0) - (late[0] if late else 0) <= span_us
        reached = max([reached, *late])


def test_a_file_is_known_by_its_name_and_content(tmp_path: Path) -> None:
    """Another file of the same name is another source."""
    first = written(tmp_path / "quotes.zip", b"1,1.1,1.2")
    second = written(tmp_path / "quotes.zip", b"1,1.1,1.3")
    assert first.name == second.name == "quotes.zip"
    assert first.source != second.source
