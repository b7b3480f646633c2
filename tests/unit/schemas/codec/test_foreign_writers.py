"""Records of plain producers, whose schemas differ from ours: both readers convert, pass over or refuse the same."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import fastavro
import pytest

from tradewind.schemas.codec import SCHEMAS, Codec, UndecodableRecord
from tradewind.schemas.codec.errors import MisalignedRecords
from tradewind.schemas.event import Event
from tradewind.schemas.execution import Fill
from tradewind.schemas.market import Tick

FRAME = b"\0\0\0\0\x4d"
AT_US = 1_700_000_000_123_456
TICK = {"symbol": "EURUSD", "venue": "X", "seq": 7, "ts_event": AT_US, "bid": 1.1, "ask": 1.2, "bid_size": 5.0}
FILL = {
    **dict.fromkeys(
        ("event_id", "correlation_id", "causation_id", "order_id", "account_id", "deployment", "strategy"), "x"
    ),
    "tenant_id": "t",
    "ts_event": AT_US,
    "ts_ingest": AT_US,
    "symbol": "S",
    "venue": "V",
    "side": "BUY",
    "quantity": b"\x01",
    "price": b"\x02",
    "fee": b"\x00",
    "liquidity": "TAKER",
    "quote_seq": 1,
}


def without_logical(schema: Any) -> Any:
    """Return a schema that fastavro writes as it is given, without making times and decimals of Python's."""
    if isinstance(schema, dict):
        return {key: without_logical(value) for key, value in schema.items() if key != "logicalType"}
    return [without_logical(item) for item in schema] if isinstance(schema, list) else schema


def written(
    model: type[Event], record: Mapping[str, Any], types: Mapping[str, Any], extra: Mapping[str, tuple[Any, Any]]
) -> tuple[Codec, bytes]:
    """Return a codec that knows a producer's schema, and its record: fields of other types, and fields of its own."""
    schema = json.loads(SCHEMAS[model.SCHEMA][-1])
    for field in schema["fields"]:
        field["type"] = types.get(field["name"], field["type"])
    first, *rest = schema["fields"]
    own = [{"name": name, "type": kind} for name, (kind, _) in extra.items()]
    schema["fields"] = [*own[:1], first, *own[1:], *rest]
    out = io.BytesIO()
    values = {**record, **{name: value for name, (_, value) in extra.items()}}
    fastavro.schemaless_writer(out, fastavro.parse_schema(without_logical(schema)), values)
    return Codec({}, lambda _: json.dumps(schema)), FRAME + out.getvalue()


def read(codec: Codec, value: bytes, model: type[Event]) -> Event:
    """Return what both readers say, which must be the same."""
    try:
        event = codec.decode(value)
    except UndecodableRecord as error:
        if model is Tick:
            with pytest.raises(MisalignedRecords) as other:
                codec.decode_columns(Tick, [value])
            assert error.reason in str(other.value)  # noqa: PT017 - either outcome is right
        raise
    if model is Tick:
        frame = codec.decode_columns(Tick, [value, value])
        assert [Tick.from_dict(row) for row in frame.iter_rows(named=True)] == [event, event]
    return event


def long(logical: str) -> dict[str, str]:
    """Return a long of a logical type."""
    return {"type": "long", "logicalType": logical}


@pytest.mark.parametrize(
    ("kind", "number", "us"),
    [
        (long("timestamp-micros"), AT_US, AT_US),
        (long("timestamp-millis"), AT_US // 1000, AT_US // 1000 * 1000),
        (long("timestamp-nanos"), AT_US * 1000 + 999, AT_US),
        (long("timestamp-millis"), -1, -1000),
        (long("timestamp-nanos"), -1, -1),
        ("long", AT_US, AT_US),
        (long("something-of-ones-own"), AT_US, AT_US),
        ("int", 5, 5),
    ],
)
def test_a_time_is_read_in_its_own_unit(kind: Any, number: int, us: int) -> None:
    """Milliseconds and nanoseconds are converted; a number that states no unit has ours, as Avro resolves it."""
    event = read(*written(Tick, {**TICK, "ts_event": number}, {"ts_event": kind}, {}), Tick)
    assert event == Tick(**{**TICK, "ts_event": us})


def test_milliseconds_that_no_long_holds_as_microseconds_are_undecodable() -> None:
    """They do not wrap around."""
    codec, value = written(Tick, {**TICK, "ts_event": 2**62}, {"ts_event": long("timestamp-millis")}, {})
    with pytest.raises(UndecodableRecord, match=r"Tick.ts_event, at byte \d+: \d+ ms are more than 64 bits of µs"):
        read(codec, value, Tick)


@pytest.mark.parametrize(
    ("field", "kind", "value", "said"),
    [
        ("ts_event", long("local-timestamp-millis"), 1, "local-timestamp-millis cannot be read as timestamp-micros"),
        ("ts_event", long("local-timestamp-micros"), 1, "local-timestamp-micros cannot be read as timestamp-micros"),
        ("ts_event", long("local-timestamp-nanos"), 1, "local-timestamp-nanos cannot be read as timestamp-micros"),
        ("ts_event", long("time-micros"), 1, "time-micros cannot be read as timestamp-micros"),
        ("ts_event", {"type": "int", "logicalType": "time-millis"}, 1, "time-millis cannot be read as"),
        ("ts_event", {"type": "int", "logicalType": "date"}, 1, "date cannot be read as timestamp-micros"),
        ("ts_event", "string", "now", "a plain string cannot be read as timestamp-micros"),
        ("seq", long("timestamp-millis"), 1, "timestamp-millis cannot be read as a plain long"),
        ("bid", {"type": "int", "logicalType": "date"}, 1, "date cannot be read as a plain double"),
        ("symbol", {"type": "map", "values": "string"}, {}, "MapType"),
        ("symbol", {"type": "fixed", "name": "F", "size": 1}, b"x", "FixedType"),
        ("bid", ["double", "string"], 1.0, "UnionType"),
    ],
)
def test_a_field_of_another_meaning_makes_the_record_undecodable(field: str, kind: Any, value: Any, said: str) -> None:
    """The reason names the field, what it was written as, and what it should be."""
    codec, record = written(Tick, {**TICK, field: value}, {field: kind}, {})
    with pytest.raises(UndecodableRecord, match=said) as error:
        read(codec, record, Tick)
    assert f"Tick.{field}" in error.value.reason


def a_decimal(**changes: Any) -> dict[str, Any]:
    """Return the type of a decimal."""
    return {"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 10, **changes}


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        (a_decimal(precision=12), b"\x01", None),
        (a_decimal(scale=2), b"\x01", "scale=2"),
        (a_decimal(precision=60), b"\x01", "a decimal of more than 38 digits"),
        ("bytes", b"\x01", "a plain bytes cannot be read as"),
        ("double", 1.0, "a plain double cannot be read as"),
        (
            {"type": "fixed", "name": "D", "size": 4, "logicalType": "decimal", "precision": 9, "scale": 10},
            b"\0" * 4,
            "F",
        ),
        ({"type": "fixed", "name": "D", "size": 12, "logicalType": "duration"}, b"\0" * 12, "FixedType"),
    ],
)
def test_a_decimal_is_read_at_its_own_scale_or_not_at_all(kind: Any, value: Any, said: str | None) -> None:
    """Avro resolves decimals of one scale; the count of digits does not change a value."""
    codec, record = written(Fill, {**FILL, "quantity": value}, {"quantity": kind}, {})
    if said is None:
        event = read(codec, record, Fill)
        assert isinstance(event, Fill)
        assert event.quantity == Decimal("1E-10")
        return
    with pytest.raises(UndecodableRecord, match=said):
        read(codec, record, Fill)


NODE = {
    "type": "record",
    "name": "Node",
    "fields": [{"name": "value", "type": "int"}, {"name": "next", "type": ["null", "Node"]}],
}
EMPTY = {"type": "record", "name": "Empty", "fields": [{"name": "nothing", "type": "null"}]}
FOREIGN: dict[str, tuple[Any, Any]] = {
    "null": ("null", None),
    "float": ("float", 1.5),
    "int": ("int", -70_000),
    "text": ("string", "é" * 100),
    "bytes": ("bytes", b"\xff" * 100),
    "boolean": ("boolean", True),
    "fixed": ({"type": "fixed", "name": "Sixteen", "size": 16}, b"x" * 16),
    "uuid": ({"type": "fixed", "name": "Id", "size": 16, "logicalType": "uuid"}, b"x" * 16),
    "uuid text": ({"type": "string", "logicalType": "uuid"}, "0" * 36),
    "enum": ({"type": "enum", "name": "Word", "symbols": ["A", "B"]}, "B"),
    "map": ({"type": "map", "values": ["null", "double"]}, {"a": None, "b": 1.0}),
    "array of maps": ({"type": "array", "items": {"type": "map", "values": "long"}}, [{}, {"a": 2**62}]),
    "array of nulls": ({"type": "array", "items": "null"}, [None] * 1000),
    "array of empty records": ({"type": "array", "items": EMPTY}, [{"nothing": None}] * 3),
    "union": (["string", "long", "null", "boolean"], "one of them"),
    "union of one": (["long"], 5),
    "nullable union last": (["double", "null"], None),
    "nested": ({"type": "record", "name": "Box", "fields": [{"name": "of", "type": ["null", "float"]}]}, {"of": 1.0}),
    "recursive": (NODE, {"value": 1, "next": {"value": 2, "next": {"value": 3, "next": None}}}),
    "decimal": (a_decimal(precision=60, scale=3), b"\x7f" * 25),
    "date": ({"type": "int", "logicalType": "date"}, 19_000),
    "millis": (long("timestamp-millis"), 1),
    "local": (long("local-timestamp-nanos"), 1),
    "duration": ({"type": "fixed", "name": "Span", "size": 12, "logicalType": "duration"}, b"\1" * 12),
    "time": (long("time-micros"), 4),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_field_of_the_producers_own_is_passed_over(name: str) -> None:
    """Of whatever type: Avro's resolution ignores what the reader does not have."""
    kind, value = FOREIGN[name]
    codec, record = written(Tick, TICK, {}, {"first_own": (kind, value), "second_own": ("float", 2.0)})
    assert read(codec, record, Tick) == Tick(**TICK)
    for size in range(len(FRAME), len(record)):
        with pytest.raises(UndecodableRecord):
            codec.decode(record[:size])


def test_values_within_a_field_that_is_passed_over_stay_within_bounds() -> None:
    """An array of nothing may claim any count, and records within records any depth."""
    codec, _ = written(Tick, TICK, {}, {"own": ({"type": "array", "items": "null"}, [])})
    _, plain = written(Tick, TICK, {}, {})
    assert codec.decode(FRAME + b"\xfe" + b"\xff" * 7 + b"\x7f" + b"\0" + plain[len(FRAME) :]) == Tick(**TICK)
    codec, _ = written(Tick, TICK, {}, {"own": (NODE, {"value": 1, "next": None})})
    with pytest.raises(UndecodableRecord, match="nested too deeply"):
        codec.decode(FRAME + b"\2\2" * 100_000 + b"\2\0" + plain[len(FRAME) :])


def test_a_schema_that_is_nested_too_deeply_is_the_records_fault() -> None:
    """It is refused with a reason, whoever registered it."""
    kind = '{"type": "array", "items": ' * 5000 + '"long"' + "}" * 5000
    head = '{"type": "record", "name": "Tick", "namespace": "tradewind.market", "fields": '
    deep = head + '[{"name": "x", "type": ' + kind + "}]}"
    with pytest.raises(UndecodableRecord, match="cannot be read"):
        Codec({}, lambda _: deep).decode(FRAME + b"\0")
