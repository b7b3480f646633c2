"""Columns: what they say is what the rows say, and a batch with one bad record says so or is right."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.schemas.strategies import events, examples
from tradewind.schemas.codec import MODELS, Codec, EncodeError, MisalignedRecords, UndecodableRecord
from tradewind.schemas.codec.catalog import NEWEST
from tradewind.schemas.codec.flat import frame_schema
from tradewind.schemas.event import Event
from tradewind.schemas.execution import Fill
from tradewind.schemas.market import Bar, Heartbeat, Tick, Trade

FLAT = [name for name in MODELS if frame_schema(NEWEST[name]) is not None]
IDS = {name: number for number, name in enumerate(MODELS, 1)}
BLANK: dict[str, Any] = {"string": "x", "double": 1.0, "long": 1, "int": 1, "null": None}


def no_other(schema_id: int) -> str:
    """Know no schema beside the newest."""
    raise KeyError(schema_id)


CODEC = Codec(IDS, no_other, few_rows=0)
"""Its columns encode frames of any height."""
TICKS = [
    Tick(
        symbol=("EURUSD", "XAUUSD", "GER40")[row % 3],
        venue="OANDA",
        seq=row * 997 - 50,
        ts_event=1_700_000_000_000_000 + row * 1_013,
        bid=1.1 + row,
        ask=1.2 + row,
        bid_size=None if row % 5 == 0 else 1e6,
        ask_size=None if row % 7 == 0 else row / 3,
    )
    for row in range(300)
]


def rows_of(model: type[Event], values: Sequence[bytes]) -> list[dict[str, Any]]:
    """Decode one by one."""
    decoded = [CODEC.decode(value) for value in values]
    assert all(type(event) is model for event in decoded)
    return [event.to_dict() for event in decoded]


def same(frame: pl.DataFrame, rows: list[dict[str, Any]]) -> bool:
    """Compare a frame with rows, NaN being NaN."""

    def equal(one: Any, other: Any) -> bool:
        return one == other or (one != one and other != other)

    return frame.height == len(rows) and all(
        one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
        for one, other in zip(frame.to_dicts(), rows, strict=True)
    )


def test_the_lean_models_are_flat() -> None:
    """What the hot path carries can be read by columns."""
    assert {model.SCHEMA for model in (Tick, Trade, Heartbeat, Bar)} <= set(FLAT)


@pytest.mark.parametrize("name", FLAT)
@given(data=st.data())
@examples(25)
def test_columns_say_what_rows_say(name: str, data: st.DataObject) -> None:
    """A batch decodes to the same values by columns and by rows, in fixed types, and encodes to the same bytes."""
    model = MODELS[name]
    batch = data.draw(st.lists(events(name), max_size=8))
    values = [CODEC.encode(event) for event in batch]
    frame = CODEC.decode_columns(model, values)
    assert same(frame, rows_of(model, values))
    assert dict(frame.schema) == frame_schema(NEWEST[name])
    assert CODEC.encode_columns(model, frame) == values


def cut(value: bytes, place: int, octet: int) -> bytes:
    """Drop what follows a byte."""
    return value[:place]


def overwrite(value: bytes, place: int, octet: int) -> bytes:
    """Change a byte."""
    return value[:place] + bytes([octet]) + value[place + 1 :]


def insert(value: bytes, place: int, octet: int) -> bytes:
    """Put a byte in."""
    return value[:place] + bytes([octet]) + value[place:]


def remove(value: bytes, place: int, octet: int) -> bytes:
    """Take a byte out."""
    return value[:place] + value[place + 1 :]


@pytest.mark.parametrize("name", [Tick.SCHEMA, Trade.SCHEMA, Heartbeat.SCHEMA, Bar.SCHEMA])
@given(data=st.data())
@examples(120)
def test_a_corrupt_record_is_refused_by_both_ways_of_reading_or_by_none(name: str, data: st.DataObject) -> None:
    """Columns refuse what the rows refuse, and nothing else; what both take means the same to both."""
    model = MODELS[name]
    values = [CODEC.encode(event) for event in data.draw(st.lists(events(name), min_size=1, max_size=6))]
    damage = st.sampled_from((cut, overwrite, insert, remove))
    for _ in range(data.draw(st.integers(1, 3))):
        row = data.draw(st.integers(0, len(values) - 1))
        place = data.draw(st.integers(0, len(values[row])))
        values[row] = data.draw(damage)(values[row], place, data.draw(st.integers(0, 255)))
    try:
        rows = rows_of(model, values)
    except (UndecodableRecord, AssertionError):
        with pytest.raises(MisalignedRecords):
            CODEC.decode_columns(model, values)
        return
    assert same(CODEC.decode_columns(model, values), rows)


def test_errors_that_make_up_for_each_other_are_found() -> None:
    """A byte that moved from one record to its neighbour leaves the total as it was, and is found."""
    values = [CODEC.encode(tick) for tick in TICKS]
    longer = replace(TICKS[0], symbol="EURUSDX")
    shorter = replace(TICKS[1], symbol="XAUUS")
    claims_more = CODEC.encode(longer)[:12] + CODEC.encode(TICKS[0])[12:]
    claims_less = CODEC.encode(shorter)[:6] + CODEC.encode(TICKS[1])[6:]
    assert len(claims_more) + len(claims_less) == len(values[0]) + len(values[1])
    for pair in ([claims_more, claims_less], [claims_less, claims_more]):
        with pytest.raises(MisalignedRecords, match=r"record [01] of the batch"):
            CODEC.decode_columns(Tick, [*pair, *values[2:]])
    joined = values[0] + values[1]
    for place in (len(values[0]) - 1, len(values[0]) + 1):
        with pytest.raises(MisalignedRecords):
            CODEC.decode_columns(Tick, [joined[:place], joined[place:]])


@pytest.mark.parametrize("where", [0, 150, 299])
@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda value: value[:-1], "end: the record is shorter or longer than its fields"),
        (lambda value: value + b"\0", "end: the record is shorter or longer than its fields"),
        (lambda value: b"", "frame: not of schema"),
        (lambda value: value[:4], "frame: not of schema"),
        (lambda value: b"\1" + value[1:], "frame: not of schema"),
        (lambda value: value[:4] + b"\xee" + value[5:], "frame: not of schema"),
        (lambda value: value[:5] + b"\x7f" + value[6:], "Tick.symbol: a length outside of the record"),
        (
            lambda value: value[:5] + b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01" + value[6:],
            "Tick.symbol: a length outs",
        ),
        (lambda value: value[:5] + b"\xff" * 9 + b"\2" + value[6:], "Tick.symbol: an integer of more than 64 bits"),
        (lambda value: value.replace(b"OANDA", b"OAN\xffA"), "Tick.venue: not UTF-8"),
    ],
)
def test_a_bad_record_is_named(where: int, damage: Callable[[bytes], bytes], reason: str) -> None:
    """The first bad record of a batch is named with its field, wherever it stands."""
    values = [CODEC.encode(tick) for tick in TICKS]
    values[where] = damage(values[where])
    pattern = f"record {0 if 'frame' in reason and where == 0 else where} of the batch: "
    with pytest.raises(MisalignedRecords, match=pattern):
        CODEC.decode_columns(Tick, values)
    if where:
        with pytest.raises(MisalignedRecords, match=reason):
            CODEC.decode_columns(Tick, values)


def test_bytes_that_are_no_boolean_enum_int_or_branch_are_refused() -> None:
    """Every value is checked as the rows check it."""
    beat = CODEC.encode(Heartbeat(symbol="A", venue="B", ts_event=1, ts_ingest=2))
    with pytest.raises(
        MisalignedRecords, match=r"record 1 of the batch: tradewind.market.Heartbeat.closing: no boolean"
    ):
        CODEC.decode_columns(Heartbeat, [beat, beat[:-2] + b"\2" + beat[-1:]])
    trade = CODEC.encode(
        Trade(symbol="A", venue="B", seq=1, ts_event=1, trade_id="t", price=1.0, size=1.0, aggressor="BUY")
    )
    for index in (b"\1", b"\3", b"\6", b"\x7f"):
        with pytest.raises(MisalignedRecords, match=r"Trade.aggressor: no index of the enum's symbols"):
            CODEC.decode_columns(Trade, [trade, trade[:-1] + index])
    tick = CODEC.encode(TICKS[0])
    assert tick[-1:] == b"\0"  # no size
    for branch in (b"\1", b"\3", b"\4", b"\x80\0"):
        with pytest.raises(MisalignedRecords, match=r"Tick.ask_size: no branch of the union"):
            CODEC.decode_columns(Tick, [tick, tick[:-1] + branch])


def test_integers_may_be_written_longer_than_they_need() -> None:
    """Avro allows a varint with superfluous zeros; both ways of reading give its value."""
    beat = CODEC.encode(Heartbeat(symbol="A", venue="B", ts_event=1, ts_ingest=2))
    assert beat[9:10] == b"\2"
    longer = beat[:9] + b"\x82\x80\x80\x00" + beat[10:]
    assert same(CODEC.decode_columns(Heartbeat, [longer, beat]), rows_of(Heartbeat, [longer, beat]))


def test_a_batch_of_another_model_or_of_several_is_refused() -> None:
    """Columns are of one writer's schema; heartbeats among ticks are the caller's to part."""
    beat = CODEC.encode(Heartbeat(symbol="A", venue="B", ts_event=1, ts_ingest=2))
    tick = CODEC.encode(TICKS[0])
    with pytest.raises(MisalignedRecords, match=r"record 1 of the batch: frame: not of schema"):
        CODEC.decode_columns(Tick, [tick, beat])
    with pytest.raises(MisalignedRecords, match=r"a tradewind.market.Heartbeat, where tradewind.market.Tick is wanted"):
        CODEC.decode_columns(Tick, [beat, tick])
    with pytest.raises(TypeError, match="Fill is not flat"):
        CODEC.decode_columns(Fill, [])
    with pytest.raises(TypeError, match="Fill is not flat"):
        CODEC.encode_columns(Fill, pl.DataFrame())


def test_no_records_are_a_frame_without_rows() -> None:
    """An empty batch has its columns."""
    assert dict(CODEC.decode_columns(Tick, []).schema) == frame_schema(NEWEST[Tick.SCHEMA])
    assert CODEC.encode_columns(Tick, CODEC.decode_columns(Tick, [])) == []


@given(texts=st.lists(st.one_of(st.text(max_size=30), st.sampled_from(["", "x" * 255, "ü" * 200, "y" * 257]))))
@examples(150)
def test_texts_of_all_sizes_stand_side_by_side(texts: list[str]) -> None:
    """Texts are copied word by word without a byte of their neighbours."""
    beats = [Heartbeat(symbol=text, venue=text[::-1], ts_event=1, ts_ingest=2) for text in texts]
    values = [CODEC.encode(beat) for beat in beats]
    frame = CODEC.decode_columns(Heartbeat, values)
    assert frame["symbol"].to_list() == texts
    assert CODEC.encode_columns(Heartbeat, frame) == values


def test_columns_outlive_the_batch_that_they_came_from() -> None:
    """A column owns what it shows, whatever happens to the bytes."""
    frames = []
    for round_ in range(50):
        values = [CODEC.encode(replace(tick, venue=f"V{round_}-{'z' * (round_ % 20)}")) for tick in TICKS]
        frames.append(CODEC.decode_columns(Tick, values))
        del values
    for round_, frame in enumerate(frames):
        assert frame["venue"].unique().to_list() == [f"V{round_}-{'z' * (round_ % 20)}"]
        assert frame["symbol"].to_list() == [tick.symbol for tick in TICKS]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda frame: frame.drop("bid"), "Tick.bid: the frame has no such column"),
        (lambda frame: frame.with_columns(pl.lit(None, pl.Float64).alias("ask")), "Tick.ask: row 0 is null"),
        (lambda frame: frame.with_columns(pl.col("bid").cast(pl.Float32)), "Tick.bid: a column of Float32"),
        (
            lambda frame: frame.with_columns(pl.col("ts_event").cast(pl.Datetime("us"))),
            "Tick.ts_event: a column",
        ),
        (lambda frame: frame.with_columns(pl.lit(2**63, pl.UInt64).alias("seq")), "Tick.seq: .*conversion"),
        (lambda frame: frame.with_columns(pl.col("seq").cast(pl.String)), "Tick.seq: a column of String"),
    ],
)
def test_a_frame_that_the_schema_cannot_hold_is_refused(
    change: Callable[[pl.DataFrame], pl.DataFrame], reason: str
) -> None:
    """A feed learns which column was wrong."""
    frame = CODEC.decode_columns(Tick, [CODEC.encode(tick) for tick in TICKS])
    with pytest.raises(EncodeError, match=f"tradewind.market.{reason}"):
        CODEC.encode_columns(Tick, change(frame))


def test_frames_may_hold_categories_and_smaller_integers() -> None:
    """Categories are written as their text, and integers of any width as integers."""
    values = [CODEC.encode(tick) for tick in TICKS]
    frame = CODEC.decode_columns(Tick, values).with_columns(
        pl.col("symbol").cast(pl.Categorical), pl.col("seq").cast(pl.Int32), pl.lit(None).alias("bid_size"), x=pl.lit(1)
    )
    expected = [CODEC.encode(replace(tick, bid_size=None)) for tick in TICKS]
    assert CODEC.encode_columns(Tick, frame) == expected
    chunked = pl.concat([frame[:100], frame[100:]], rechunk=False)
    assert CODEC.encode_columns(Tick, chunked) == expected


def test_a_few_rows_are_encoded_one_by_one_and_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where columns take any row, or refuse it, so do a few rows: their bytes and their errors are the same."""
    frame = pl.DataFrame([tick.to_dict() for tick in TICKS[:5]], schema=frame_schema(NEWEST[Tick.SCHEMA]))
    whole = [
        frame,
        frame.with_columns(pl.col("seq").cast(pl.Int32), pl.col("symbol").cast(pl.Categorical)),
        frame.with_columns(further=1),
    ]
    refused = [
        frame.drop("ask_size"),
        frame.with_columns(pl.col("bid").cast(pl.String)),
        frame.with_columns(seq=pl.Series([1, 2, None, 4, 5])),
    ]
    by_columns = [CODEC.encode_columns(Tick, each) for each in whole]
    errors = []
    for each in refused:
        with pytest.raises(EncodeError) as error:
            CODEC.encode_columns(Tick, each)
        errors.append(str(error.value))
    by_rows = Codec(IDS, no_other, few_rows=5)
    assert [by_rows.encode_columns(Tick, each) for each in whole] == by_columns
    for each, text in zip(refused, errors, strict=True):
        with pytest.raises(EncodeError) as error:
            by_rows.encode_columns(Tick, each)
        assert str(error.value) == text


def test_integers_of_32_bits_and_symbols_are_checked_in_frames() -> None:
    """What does not fit is refused with its row."""
    bar = Bar(
        **{field.name: BLANK[getattr(field.type, "name", "null")] for field in NEWEST[Bar.SCHEMA].fields},
    )
    frame = CODEC.decode_columns(Bar, [CODEC.encode(bar)] * 2)
    with pytest.raises(EncodeError, match=r"Bar.interval_s: row 1 is 2147483648: not an integer of 32 bits"):
        CODEC.encode_columns(Bar, frame.with_columns(pl.Series("interval_s", [1, 2**31])))
    trade = Trade(symbol="A", venue="B", seq=1, ts_event=1, trade_id="t", price=1.0, size=1.0, aggressor="BUY")
    trades = CODEC.decode_columns(Trade, [CODEC.encode(trade)])
    with pytest.raises(EncodeError, match=r"Trade.aggressor: row 0 is 'HOLD': not one of BUY, SELL"):
        CODEC.encode_columns(Trade, trades.with_columns(pl.lit("HOLD").alias("aggressor")))


def test_doubles_of_any_value_pass() -> None:
    """NaN and infinities are the feeds' to judge."""
    prices = [math.nan, math.inf, -math.inf, -0.0, 5e-324]
    values = [CODEC.encode(replace(TICKS[0], bid=price, ask_size=price)) for price in prices]
    frame = CODEC.decode_columns(Tick, values)
    assert CODEC.encode_columns(Tick, frame) == values
    assert str(frame["bid"].to_list()) == str(prices)
