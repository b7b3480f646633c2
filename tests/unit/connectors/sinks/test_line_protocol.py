"""Line protocol: what a line looks like, and what may not become one."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.connectors.sinks.line_protocol import Field, Layout, escape_tag, lines
from tradewind.connectors.sinks.sink import PoisonBatch

LAYOUT = Layout(
    tags=("symbol",),
    fields=(
        Field("seq", "long"),
        Field("bid", "double"),
        Field("size", "double", nullable=True),
        Field("id", "string"),
    ),
    time="ts",
)
ROW = {"symbol": "EURUSD", "seq": 1, "bid": 1.08, "size": 2.0, "id": "a", "ts": 1_398_902_400_000_001}


def frame(*rows: dict[str, object]) -> pl.DataFrame:
    """Make rows that differ from `ROW` as told."""
    return pl.DataFrame(
        [{**ROW, **row} for row in rows],
        schema={"symbol": str, "seq": pl.Int64, "bid": float, "size": float, "id": str, "ts": pl.Int64},
    )


def test_a_line_holds_tags_fields_and_microseconds() -> None:
    """Integers carry an i, strings quotes, doubles their shortest form; the time is in µs."""
    assert (
        lines(frame({}), "ticks", LAYOUT) == b'ticks,symbol=EURUSD seq=1i,bid=1.08,size=2.0,id="a" 1398902400000001\n'
    )


def test_a_null_is_left_out_of_its_line_alone() -> None:
    """A null field is absent; the lines before and after have theirs."""
    assert lines(frame({"size": None}, {}), "t", LAYOUT).decode().splitlines() == [
        't,symbol=EURUSD seq=1i,bid=1.08,id="a" 1398902400000001',
        't,symbol=EURUSD seq=1i,bid=1.08,size=2.0,id="a" 1398902400000001',
    ]


def test_what_separates_is_escaped_in_tags() -> None:
    """Commas, spaces, equals signs and backslashes have a backslash before them; others stand as they are."""
    assert escape_tag(r"a,b c=d\e") == r"a\,b\ c\=d\\e"
    assert lines(frame({"symbol": "a b"}), "t", LAYOUT).startswith(rb"t,symbol=a\ b seq=")


def test_quotes_and_backslashes_are_escaped_in_strings() -> None:
    """A string field cannot end its own quotes."""
    assert rb'id="x\"y\\z"' in lines(frame({"id": 'x"y\\z'}), "t", LAYOUT)


@pytest.mark.parametrize("column", ["symbol", "id"])
@given(before=st.integers(0, 5), control=st.sampled_from([*map(chr, range(32)), "\x7f"]))
def test_a_control_character_names_its_row(column: str, before: int, control: str) -> None:
    """A control character would end a line or a field: the row is refused, and the right one."""
    rows = frame(*[{}] * before, {column: f"a{control}b"}, {})
    with pytest.raises(PoisonBatch) as refused:
        lines(rows, "t", LAYOUT)
    assert refused.value.index == before


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_doubles_are_written_exactly(values: list[float]) -> None:
    """The text of a double reads back as the same double."""
    text = lines(frame(*({"bid": value} for value in values)), "t", LAYOUT).decode()
    assert [float(line.split("bid=")[1].split(",")[0]) for line in text.splitlines()] == values


@given(st.lists(st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1), min_size=1))
def test_a_tag_never_breaks_its_line(symbols: list[str]) -> None:
    """There is one line for each event, and each tag reads back as the symbol it was."""
    found = lines(frame(*({"symbol": symbol} for symbol in symbols)), "t", LAYOUT).decode().split("\n")
    assert len(found) == len(symbols) + 1
    for line, symbol in zip(found, symbols, strict=False):
        assert _tag(line) == symbol


def _tag(line: str) -> str:
    text, index = "", len("t,symbol=")
    while line[index] != " ":
        if line[index] == "\\":
            index += 1
        text += line[index]
        index += 1
    return text
