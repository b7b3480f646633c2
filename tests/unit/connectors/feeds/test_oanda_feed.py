"""Quotes of OANDA: what is sound is read exactly, what is not is told line by line."""

from __future__ import annotations

import zipfile
from pathlib import Path

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tradewind.connectors.feeds.feed import Block, Bounds, DamagedSource, SourcePosition, UnknownFormat, UnknownSymbol
from tradewind.connectors.feeds.files.archive import BOM, LINE_BYTES, Chunk
from tradewind.connectors.feeds.files.oanda import open_oanda, parse
from tradewind.connectors.feeds.files.parsed import Parsed

MIDNIGHT = 1_398_902_400_000_000  # 2014-05-01
ALL = Bounds(10_000, 2**62)


def quotes(folder: Path, content: bytes, member: str = "20140501_eurusd_tick_quote.csv") -> Path:
    """Write an archive."""
    path = folder / "quotes.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, content)
    return path


def read(path: Path) -> list[Block]:
    """Read a file whole."""
    return list(open_oanda(path).read(SourcePosition(), ALL))


def parsed(*lines: str) -> Parsed:
    """Parse lines."""
    return parse(Chunk(1, list(lines)), "EURUSD", MIDNIGHT)


def reason(line: str) -> str | None:
    """Return why a line is rejected."""
    found = parsed("1,1.1,1.2", line)
    rejections = found.rejections(found.rows)
    return rejections[0].reason if rejections else None


def test_a_quote_is_read_exactly() -> None:
    """Times keep their microseconds, prices are the doubles nearest to what is written, sizes are unknown."""
    row = parsed("86392230.686,1284.031,1284.341").rows.row(0, named=True)
    assert row["ts_event"] == MIDNIGHT + 86_392_230_686
    assert (row["bid"], row["ask"], row["bid_size"], row["ask_size"]) == (1284.031, 1284.341, None, None)
    assert (row["symbol"], row["venue"], row["seq"]) == ("EURUSD", "OANDA", 1)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "empty line"),
        ("  ", "empty line"),
        ("1,1.1", "2 columns"),
        ("1,1.1,1.2,1.3", "4 columns"),
        ("time,bid,ask", "a header, where quotes have none: 'time,bid,ask'"),
        ("soon1,1.1,1.2", "time is not a positive number: 'soon1'"),
        ("1,nan,1.2", "bid is not a positive number: 'nan'"),
        ("1,1.1,inf", "ask is not a positive number: 'inf'"),
        ("1,-1.1,1.2", "bid is not a positive number: '-1.1'"),
        ("1,0,1.2", "a price is not above zero"),
        ("1,1.1,0.000", "a price is not above zero"),
        ("1,1.3,1.2", "crossed"),
        ("1,1e5,1.2", "bid is not a positive number"),
        ("1,1.1,1.2e", "ask is not a positive number"),
        ("86400000,1.1,1.2", "past the end of the day"),
        ("1,99999999999999,99999999999999", "bid is not a positive number"),
        ("1,١.١,1.2", "bid is not a positive number"),
        ("\ufffd,1.1,1.2", "not UTF-8"),
    ],
)
def test_a_bad_line_is_rejected_with_its_reason(line: str, said: str) -> None:
    """Each kind of garbage has its own words."""
    found = reason(line)
    assert found is not None
    assert said in found


def test_good_lines_around_a_bad_one_are_published(tmp_path: Path) -> None:
    """A bad line costs itself, and is told with its number."""
    (block,) = read(quotes(tmp_path, b"1,1.1,1.2\ngarbage\r\n3,1.1,1.2\r\n4,1.1,1.2"))
    assert block.ticks["seq"].to_list() == [1, 3, 4]
    assert (block.rejected_count, block.rejected[0].line, block.next.record) == (1, 2, 4)


def test_times_that_go_back_a_little_keep_their_place(tmp_path: Path) -> None:
    """A fraction of a second is accepted, in the order of the file."""
    (block,) = read(quotes(tmp_path, b"1000,1.1,1.2\n900,1.1,1.2\n1000,1.1,1.2"))
    assert block.ticks["ts_event"].to_list() == [MIDNIGHT + ms * 1000 for ms in (1000, 900, 1000)]


def test_one_time_far_ahead_does_not_cost_the_lines_after_it(tmp_path: Path) -> None:
    """The outlier is rejected, not all that follows it."""
    (block,) = read(quotes(tmp_path, b"1000,1.1,1.2\n80000000,1.1,1.2\n2000,1.1,1.2\n3000,1.1,1.2"))
    assert block.ticks["seq"].to_list() == [1, 3, 4]
    assert "later than the next line" in block.rejected[0].reason


def test_a_time_far_back_is_rejected(tmp_path: Path) -> None:
    """Its bars have long closed."""
    (block,) = read(quotes(tmp_path, b"50000000,1.1,1.2\n1,1.1,1.2\n50000001,1.1,1.2"))
    assert block.ticks["seq"].to_list() == [1, 3]
    assert "earlier than a line before" in block.rejected[0].reason


def test_a_truncated_archive_publishes_nothing(tmp_path: Path) -> None:
    """Whatever its length, half an archive is refused when it is opened."""
    whole = quotes(tmp_path, b"".join(b"%d,1.1,1.2\n" % n for n in range(5000))).read_bytes()
    for length in (0, 10, 100, len(whole) // 2, len(whole) - 1):
        (tmp_path / "quotes.zip").write_bytes(whole[:length])
        with pytest.raises(DamagedSource, match="nothing was published"):
            open_oanda(tmp_path / "quotes.zip")


def test_a_flipped_bit_in_an_archive_publishes_nothing(tmp_path: Path) -> None:
    """The checksum is compared before the first line is published."""
    path = quotes(tmp_path, b"".join(b"%d,1.1,1.2\n" % n for n in range(5000)))
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 3] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(DamagedSource, match="nothing was published"):
        open_oanda(path)


def test_an_unknown_symbol_is_told_with_the_known_ones(tmp_path: Path) -> None:
    """Nothing is published, and the message says how to allow it."""
    path = quotes(tmp_path, b"1,1.1,1.2", "20140501_eurxxx_tick_quote.csv")
    with pytest.raises(UnknownSymbol, match=r"unknown symbol EURXXX; known are .*EURUSD.*--symbol"):
        open_oanda(path)
    assert open_oanda(path, frozenset({"EURXXX"})).name == "quotes.zip"


@pytest.mark.parametrize("member", ["quotes.csv", "20140501_eurusd_second_trade.csv", "20149901_eurusd_tick_quote.csv"])
def test_a_file_without_a_date_is_refused(tmp_path: Path, member: str) -> None:
    """The date stands only in the name inside the archive."""
    with pytest.raises(UnknownFormat, match=r"only in the name|is not a date"):
        open_oanda(quotes(tmp_path, b"1,1.1,1.2", member))


def test_an_archive_of_several_files_is_refused(tmp_path: Path) -> None:
    """Which of them is meant cannot be known."""
    path = quotes(tmp_path, b"1,1.1,1.2")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("another.csv", b"")
    with pytest.raises(UnknownFormat, match="has 2 files"):
        open_oanda(path)


def test_a_line_without_end_is_rejected_in_bounded_memory(tmp_path: Path) -> None:
    """What is longer than any line is cut, and counted as one."""
    content = b"1,1.1,1.2\n" + b"7" * (8 * LINE_BYTES) + b"\n3,1.1,1.2\n"
    (block,) = read(quotes(tmp_path, content))
    assert block.ticks["seq"].to_list() == [1, 3]
    assert "longer than" in block.rejected[0].reason


def test_an_empty_file_has_no_blocks(tmp_path: Path) -> None:
    """There is nothing to publish, and no error."""
    assert read(quotes(tmp_path, b"")) == []


lines = st.one_of(
    st.binary(max_size=40),
    st.builds(
        lambda ms, bid, spread: f"{ms},{bid:.5f},{bid + spread:.5f}".encode(),
        st.integers(-10, 86_400_010),
        st.floats(-1, 2000),
        st.floats(-1, 1),
    ),
)


@given(st.lists(lines, max_size=30), st.booleans())
@example([BOM], False)
def test_any_bytes_are_read_and_every_line_is_accounted_for(
    tmp_path_factory: pytest.TempPathFactory, content: list[bytes], ended: bool
) -> None:
    """Lines read = ticks + rejected, and each tick is a quote that could be."""
    body = b"\n".join(content) + (b"\n" if ended else b"")
    blocks = read(quotes(tmp_path_factory.mktemp("any"), body))
    ticks = sum(block.ticks.height for block in blocks)
    rejected = sum(block.rejected_count for block in blocks)
    body = body.removeprefix(BOM)
    count = body.count(b"\n") + (not body.endswith(b"\n") and body != b"")
    assert ticks + rejected == count
    assert (blocks[-1].next.record if blocks else 0) == count
    for block in blocks:
        assert len(block.rejected) == min(block.rejected_count, 20)
        good = block.ticks.filter((pl.col("bid") > 0) & (pl.col("bid") <= pl.col("ask")))
        assert good.height == block.ticks.height
        assert block.ticks["ts_event"].is_between(MIDNIGHT, MIDNIGHT + 86_400_000_000).all()
