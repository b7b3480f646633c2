"""Records one by one: what is written is read, by us and by others, and nothing else is taken for a record."""

from __future__ import annotations

import io
import json
import math
from dataclasses import fields, replace
from decimal import Decimal
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.schemas.strategies import events, examples
from tradewind.schemas.codec import MODELS, SCHEMAS, Codec, EncodeError, UndecodableRecord
from tradewind.schemas.event import Event
from tradewind.schemas.execution import Fill
from tradewind.schemas.market import Heartbeat, Tick, Trade
from tradewind.schemas.risk import Decision
from tradewind.schemas.runtime import DeadLetter

IDS = {name: number for number, name in enumerate(MODELS, 100)}
FRAME = 5


def no_other(schema_id: int) -> str:
    """Know no schema beside the newest."""
    raise KeyError(schema_id)


CODEC = Codec(IDS, no_other)
TICK = Tick(symbol="EURUSD", venue="OANDA", seq=7, ts_event=1_700_000_000_000_000, bid=1.1, ask=1.2, bid_size=5.0)
TRADE = Trade(symbol="EURUSD", venue="OANDA", seq=7, ts_event=1, trade_id="t1", price=1.1, size=2.0, aggressor="SELL")
FILL = Fill(
    event_id="0" * 32,
    tenant_id="acme",
    ts_event=1,
    ts_ingest=2,
    correlation_id="c",
    causation_id="d",
    order_id="o",
    account_id="a",
    deployment="d",
    symbol="EURUSD",
    venue="OANDA",
    side="BUY",
    quantity=Decimal("1000"),
    price=Decimal("1.0812345678"),
    fee=Decimal("0.1"),
    liquidity="TAKER",
    quote_seq=9,
    strategy="trend",
)


def same(one: Any, other: Any) -> bool:
    """Compare values as they are on the wire: NaN is NaN."""
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other and type(one) is type(other))


def without_times(schema: Any) -> Any:
    """Return a schema with times as longs, for fastavro would make datetimes of them."""
    if isinstance(schema, dict):
        kept = {key: without_times(value) for key, value in schema.items()}
        return "long" if kept.get("logicalType") == "timestamp-micros" else kept
    return [without_times(item) for item in schema] if isinstance(schema, list) else schema


PARSED = {name: fastavro.parse_schema(without_times(json.loads(texts[-1]))) for name, texts in SCHEMAS.items()}


@pytest.mark.parametrize("name", MODELS)
@given(data=st.data())
@examples(15)
def test_every_model_returns_from_its_bytes(name: str, data: st.DataObject) -> None:
    """An event that was encoded decodes to itself, with the same types."""
    event = data.draw(events(name))
    decoded = CODEC.decode(CODEC.encode(event))
    assert type(decoded) is type(event)
    assert same(decoded.to_dict(), event.to_dict())


@pytest.mark.parametrize("name", MODELS)
@given(data=st.data())
@examples(10)
def test_fastavro_reads_and_writes_the_same_bytes(name: str, data: st.DataObject) -> None:
    """Another implementation reads what we write, and writes what we read."""
    event = data.draw(events(name))
    value = CODEC.encode(event)
    theirs = fastavro.schemaless_reader(io.BytesIO(value[FRAME:]), PARSED[name], None)
    assert same(type(event).from_dict(theirs).to_dict(), event.to_dict())
    out = io.BytesIO()
    fastavro.schemaless_writer(out, PARSED[name], event.to_dict())
    assert same(CODEC.decode(value[:FRAME] + out.getvalue()).to_dict(), event.to_dict())


@pytest.mark.parametrize("name", MODELS)
@given(data=st.data())
@examples(15)
def test_any_bytes_are_a_record_or_undecodable(name: str, data: st.DataObject) -> None:
    """No bytes make the codec fail in another way than by saying that they are no record."""
    frame = CODEC.encode(data.draw(events(name)))[:FRAME]
    body = data.draw(st.binary(max_size=200))
    try:
        assert type(CODEC.decode(frame + body)) is MODELS[name]
    except UndecodableRecord as error:
        assert error.reason.startswith(name)  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize("event", [TICK, TRADE, FILL], ids=lambda event: type(event).__name__)
def test_no_beginning_of_a_record_is_a_record(event: Event) -> None:
    """A record that was cut short anywhere is undecodable, and so is one that something follows."""
    value = CODEC.encode(event)
    for size in range(len(value)):
        with pytest.raises(UndecodableRecord):
            CODEC.decode(value[:size])
    with pytest.raises(UndecodableRecord, match=r"1 bytes follow it, from byte \d+"):
        CODEC.decode(value + b"\0")


def test_errors_say_what_is_wrong_and_where() -> None:
    """The reason of a dead letter names the field, the byte and the fault."""
    value = CODEC.encode(TRADE)
    with pytest.raises(UndecodableRecord, match=r"byte 0 is 0x01"):
        CODEC.decode(b"\1" + value[1:])
    with pytest.raises(UndecodableRecord, match=r"3 bytes, where a frame alone has 5"):
        CODEC.decode(value[:3])
    with pytest.raises(UndecodableRecord, match=r"the registry has no schema 9"):
        CODEC.decode(b"\0\0\0\0\x09" + value[FRAME:])
    with pytest.raises(UndecodableRecord, match=r"Trade.aggressor, at byte \d+: 3 is no index of the enum's 3 symbols"):
        CODEC.decode(value[:-1] + b"\6")
    with pytest.raises(UndecodableRecord, match=r"Trade.aggressor, at byte \d+: -1 is no index"):
        CODEC.decode(value[:-1] + b"\1")
    with pytest.raises(UndecodableRecord, match=r"Trade.symbol, at byte 5: not UTF-8"):
        CODEC.decode(value.replace(b"EURUSD", b"EUR\xff\xfeD"))
    with pytest.raises(UndecodableRecord, match=r"Trade.symbol, at byte 5: a length of -4"):
        CODEC.decode(value[:FRAME] + b"\7" + value[FRAME + 1 :])
    with pytest.raises(UndecodableRecord, match=r"Trade.symbol, at byte 5: the record ends too early"):
        CODEC.decode(value[:FRAME] + b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01" + value[FRAME + 1 :])
    beat = CODEC.encode(Heartbeat(symbol="A", venue="B", ts_event=1, ts_ingest=2))
    with pytest.raises(UndecodableRecord, match=r"Heartbeat.closing, at byte \d+: 0x02 is no boolean"):
        CODEC.decode(beat[:-2] + b"\2" + beat[-1:])
    with pytest.raises(UndecodableRecord, match="an integer of more than 64 bits"):
        CODEC.decode(beat[: FRAME + 4] + b"\xff" * 9 + b"\2" + beat[FRAME + 5 :])
    tick = CODEC.encode(replace(TICK, ask_size=None))
    for branch in (b"\1", b"\3", b"\4", b"\x80\0"):  # the last one is null's, written longer than it needs
        with pytest.raises(UndecodableRecord, match=r"Tick.ask_size, at byte \d+: no branch of the union"):
            CODEC.decode(tick[:-1] + branch)


def test_an_array_may_not_claim_more_items_than_bytes() -> None:
    """A count of items from outside takes no memory before the items are there."""
    letter = DeadLetter(
        event_id="i", agent="a", error="POISON", reason="r", topic="t", partition=0, offset=0, ts_ingest=0, headers=()
    )
    value = CODEC.encode(letter)
    with pytest.raises(UndecodableRecord, match=r"DeadLetter.headers, at byte \d+: the record ends too early"):
        CODEC.decode(value[:-2] + b"\xfe\xff\xff\xff\x7f")
    sized = value[:-2] + b"\1\x06\2k\0\0" + value[-1:]  # one item, in a block that states its size
    assert CODEC.decode(sized) == replace(letter, headers=({"key": "k", "value": None},))


DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, places=10, min_value=-(10**27), max_value=10**27)


@given(quantity=DECIMALS)
@examples(50)
def test_decimals_keep_their_value_and_get_ten_decimals(quantity: Decimal) -> None:
    """Money is exact, however many zeros it was written with."""
    decoded = CODEC.decode(CODEC.encode(replace(FILL, quantity=quantity)))
    assert isinstance(decoded, Fill)
    assert decoded.quantity == quantity
    assert decoded.quantity.as_tuple().exponent == -10


@pytest.mark.parametrize(
    ("quantity", "reason"),
    [
        (Decimal("0.00000000001"), "more than 10 decimals"),
        (Decimal("1E+28"), "more than 38 digits"),
        (Decimal("-1E+999999"), "more than 38 digits"),
        (Decimal("1E-999999"), "more than 10 decimals"),
        (Decimal("NaN"), "not a finite Decimal"),
        (Decimal("sNaN"), "not a finite Decimal"),
        (Decimal("Infinity"), "not a finite Decimal"),
        (1.5, "not a finite Decimal"),
        (None, "not a finite Decimal"),
    ],
)
def test_decimals_that_cannot_be_exact_are_refused(quantity: Any, reason: str) -> None:
    """No amount is rounded on its way out."""
    with pytest.raises(EncodeError, match=f"tradewind.execution.Fill.quantity: .*{reason}"):
        CODEC.encode(replace(FILL, quantity=quantity))


def test_decimals_of_the_widest_value_pass() -> None:
    """38 digits are what the schema promises."""
    widest = Decimal("9999999999999999999999999999.9999999999")
    assert CODEC.decode(CODEC.encode(replace(FILL, quantity=widest, price=widest.copy_negate()))) == replace(
        FILL, quantity=widest, price=widest.copy_negate()
    )
    assert CODEC.decode(CODEC.encode(replace(FILL, quantity=Decimal("1.50000000000000")))) == replace(
        FILL, quantity=Decimal("1.5")
    )


def test_a_decimal_of_other_bytes_is_undecodable() -> None:
    """A decimal has at least one byte and at most 38 digits."""
    record = {**FILL.to_dict(), "quantity": b"", "price": b"\1", "fee": b"\0"}
    schema = json.loads(json.dumps(without_times(json.loads(SCHEMAS[Fill.SCHEMA][-1]))).replace('"logicalType"', '"x"'))
    for raw, reason in ((b"", "no bytes"), (b"\x7f" * 17, "more than 38 digits")):
        out = io.BytesIO()
        fastavro.schemaless_writer(out, fastavro.parse_schema(schema), {**record, "quantity": raw})
        with pytest.raises(UndecodableRecord, match=f"Fill.quantity.*a decimal of {reason}"):
            CODEC.decode(CODEC.encode(FILL)[:FRAME] + out.getvalue())


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (replace(TICK, seq=2**63), "Tick.seq: 9223372036854775808 cannot be encoded: not an integer of 64 bits"),
        (replace(TICK, seq=1.0), "Tick.seq: 1.0 cannot be encoded"),
        (replace(TICK, symbol=None), "Tick.symbol: None cannot be encoded"),
        (replace(TICK, symbol="\ud800"), "Tick.symbol: .* surrogates"),
        (replace(TICK, ask="1.2"), "Tick.ask: '1.2' cannot be encoded"),
        (replace(TICK, bid_size="x"), "Tick.bid_size: 'x' cannot be encoded"),
        (replace(TRADE, aggressor="HOLD"), "Trade.aggressor: 'HOLD' cannot be encoded: not one of BUY, SELL"),
        (replace(TRADE, aggressor=[]), "Trade.aggressor"),
        (Heartbeat(symbol="A", venue="B", ts_event=1, ts_ingest=2, closing=1), "Heartbeat.closing: 1 cannot"),
    ],
)
def test_an_event_that_its_schema_cannot_hold_is_refused_by_field(event: Event, reason: str) -> None:
    """The producer learns which field of which model was wrong."""
    with pytest.raises(EncodeError, match=f"tradewind.market.{reason}"):
        CODEC.encode(event)


def test_codes_of_an_array_are_checked_too() -> None:
    """A wrong item names its field."""
    decision = {field.name: getattr(FILL, field.name, "x") for field in fields(Decision)}
    decision |= {"outcome": "DENIED", "codes": ("NO_SUCH",), "order_type": "MARKET", "time_in_force": "DAY"}
    decision |= {
        "quote_ts": 1,
        "quote_bid": Decimal(1),
        "quote_ask": Decimal(1),
        "limit_price": None,
        "expire_ts": None,
    }
    with pytest.raises(EncodeError, match=r"Decision.codes: .* cannot be encoded: not one of STALE_PRICE"):
        CODEC.encode(Decision(**decision))


def test_doubles_of_any_value_pass() -> None:
    """The codec does not judge prices."""
    for price in (math.nan, math.inf, -math.inf, -0.0, 5e-324):
        decoded = CODEC.decode(CODEC.encode(replace(TICK, bid=price, ask_size=price)))
        assert isinstance(decoded, Tick)
        assert same(decoded.to_dict(), replace(TICK, bid=price, ask_size=price).to_dict())
