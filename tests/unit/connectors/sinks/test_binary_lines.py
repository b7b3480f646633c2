"""Binary lines say what lines of text say, whatever the tags and numbers; what text must refuse is left to it."""

from __future__ import annotations

import math
import struct

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tradewind.connectors.sinks.line_protocol import Field, Layout, lines
from tradewind.connectors.sinks.questdb.binary_lines import HEAD_BYTES, binary_lines, is_numeric
from tradewind.connectors.sinks.questdb.tables import TABLES
from tradewind.connectors.sinks.sink import PoisonBatch
from tradewind.schemas.market import Bar, Tick, Trade

LAYOUT = Layout(
    tags=("symbol", "venue"),
    fields=(Field("seq", "long"), Field("bid", "double"), Field("size", "double", nullable=True), Field("in", "time")),
    time="ts",
)
SCHEMA = {"symbol": pl.String, "venue": pl.String, "seq": pl.Int64, "bid": float, "size": float, "in": pl.Int64}
ROW: dict[str, object] = {"symbol": "A", "venue": "V", "seq": 1, "bid": 1.5, "size": 2.0, "in": 7, "ts": 8}
Read = list[tuple[str, dict[str, float | str | None], str]]

numbers = st.floats(allow_infinity=False, allow_nan=False)
whole = st.integers(0, 2**63 - 1)
text = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=8)


def test_a_long_tag_among_many_rows_is_left_to_text() -> None:
    """Lines of one length would take rows times the longest tag: 2 GB for 20,000 ticks and one of 100 kB."""
    told = frame(*[{}] * 100, {"symbol": "S" * (HEAD_BYTES + 1)})
    assert binary_lines(told, "t", LAYOUT) is None
    fits = "S" * (HEAD_BYTES - len("t,symbol=,venue=V seq="))
    assert binary_lines(frame({"symbol": fits}), "t", LAYOUT) is not None
    assert binary_lines(frame({"symbol": fits + "S"}), "t", LAYOUT) is None


def frame(*rows: dict[str, object]) -> pl.DataFrame:
    """Make rows that differ from `ROW` as told."""
    return pl.DataFrame([{**ROW, **row} for row in rows], schema={**SCHEMA, "ts": pl.Int64})


def of_binary(sent: bytes) -> Read:
    """Read lines as the protocol has it: a field's length is its own, so that a double may hold any byte."""
    found: Read = []
    at = 0
    while at < len(sent):
        end = at
        while sent[end : end + 1] != b" ":
            end += 2 if sent[end : end + 1] == b"\\" else 1
        head, at = sent[at:end].decode(), end + 1
        fields: dict[str, float | str | None] = {}
        while True:
            name_end = sent.index(b"=", at)
            name, at = sent[at:name_end].decode(), name_end + 1
            if sent[at : at + 2] == b"=\x10":
                (value,) = struct.unpack("<d", sent[at + 2 : at + 10])
                fields[name] = None if math.isnan(value) else value
                at += 10
            else:
                stop = min(sent.index(one, at) for one in (b",", b" ") if one in sent[at:])
                digits, at = sent[at:stop].decode(), stop
                fields[name] = f"{int(digits[:-1])}{digits[-1]}"
            at += 1
            if sent[at - 1 : at] == b" ":
                break
        end = sent.index(b"\n", at)
        found.append((head, fields, str(int(sent[at:end]))))
        at = end + 1
    return found


def of_text(sent: bytes) -> Read:
    """Read what `lines` gives of `LAYOUT`."""
    found: Read = []
    for line in sent.decode().split("\n")[:-1]:
        rest, time = line.rsplit(" ", 1)
        head, body = rest.rsplit(" ", 1)
        told = dict(part.split("=", 1) for part in body.split(","))
        size = told.get("size")
        fields: dict[str, float | str | None] = {"seq": told["seq"], "bid": float(told["bid"])}
        found.append((head, fields | {"size": None if size is None else float(size), "in": told["in"]}, time))
    return found


@given(
    st.lists(
        st.fixed_dictionaries(
            {"symbol": text, "venue": text, "seq": whole, "bid": numbers, "size": st.none() | numbers, "in": whole}
        ),
        min_size=1,
        max_size=12,
    )
)
@example([{"symbol": "\\", "venue": "a b\\"}])
def test_they_say_what_text_says(rows: list[dict[str, object]]) -> None:
    """The same tags, numbers to the last bit, nulls and times, in the same order."""
    told = frame(*rows)
    sent = binary_lines(told, "t", LAYOUT)
    assert sent is not None
    assert of_binary(sent) == of_text(lines(told, "t", LAYOUT))
    assert len(sent) % len(rows) == 0, "all lines have one length"


def test_a_line_reads_as_the_protocol_has_it() -> None:
    """Doubles are an equals sign, the byte 16 and eight bytes; zeros stand before the first integer alone."""
    sent = binary_lines(frame({}, {"symbol": "LONGER", "size": None}), "t", LAYOUT)
    size, none = struct.pack("<d", 2.0), struct.pack("<d", math.nan)
    bid = struct.pack("<d", 1.5)
    assert sent == (
        b"t,symbol=A,venue=V seq=000000001i,bid==\x10%b,size==\x10%b,in=0007t 0008\n" % (bid, size)
        + b"t,symbol=LONGER,venue=V seq=0001i,bid==\x10%b,size==\x10%b,in=0007t 0008\n" % (bid, none)
    )


@pytest.mark.parametrize("column", ["seq", "in", "ts"])
def test_a_negative_integer_is_left_to_text(column: str) -> None:
    """It has no place for a sign."""
    assert binary_lines(frame({}, {column: -1}), "t", LAYOUT) is None


@pytest.mark.parametrize("value", [math.inf, -math.inf])
def test_an_infinite_double_is_left_to_text(value: float) -> None:
    """QuestDB would keep it; of text it refuses it."""
    assert binary_lines(frame({}, {"bid": value}), "t", LAYOUT) is None


@pytest.mark.parametrize("before", [0, 3])
def test_a_control_character_is_refused_by_its_row(before: int) -> None:
    """As in text: the row is refused, and the right one."""
    with pytest.raises(PoisonBatch) as refused:
        binary_lines(frame(*[{}] * before, {"venue": "a\rb"}, {}), "t", LAYOUT)
    assert refused.value.index == before


def test_no_rows_are_no_lines() -> None:
    """An empty frame is nothing to send."""
    assert binary_lines(frame(), "t", LAYOUT) == b""


def test_layouts_with_text_are_written_as_text() -> None:
    """Ticks have none; trades and bars carry ids."""
    assert [is_numeric(TABLES[model].layout) for model in (Tick, Trade, Bar)] == [True, False, False]
