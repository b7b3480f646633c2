"""The codec: which schema a record was written with, and what becomes of records of other versions."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import fastavro
import polars as pl
import pytest

from tradewind.schemas.codec import MODELS, SCHEMAS, Codec, EncodeError, MisalignedRecords, UndecodableRecord
from tradewind.schemas.codec.codec import RESOLVED_LIMIT
from tradewind.schemas.market import Heartbeat, Tick, Trade

OTHER = 77
BEAT = {"symbol": "A", "venue": "B", "ts_event": 1, "ts_ingest": 2}
TRADE = {"symbol": "A", "venue": "B", "seq": 3, "ts_event": 1, "trade_id": "t", "price": 1.5, "size": 2.0}


class Registry:
    """A registry of schemas by id, which counts what it is asked."""

    def __init__(self, **schemas: Any) -> None:
        self.texts = {int(key[1:]): json.dumps(schema) for key, schema in schemas.items()}
        self.asked: list[int] = []

    def __call__(self, schema_id: int) -> str:
        """Return a schema's text."""
        self.asked.append(schema_id)
        return self.texts[schema_id]


def written(schema: Any, record: dict[str, Any], schema_id: int = OTHER) -> bytes:
    """Frame what another implementation writes."""
    out = io.BytesIO()
    out.write(b"\0" + schema_id.to_bytes(4, "big"))
    fastavro.schemaless_writer(out, fastavro.parse_schema(json.loads(json.dumps(schema))), record)
    return out.getvalue()


def newest(model: type) -> Any:
    """Return a copy of the newest schema of a model, times as longs."""
    schema = json.loads(SCHEMAS[model.SCHEMA][-1])  # type: ignore[attr-defined]
    for field in schema["fields"]:
        if isinstance(field["type"], dict) and field["type"].get("logicalType") == "timestamp-micros":
            field["type"] = "long"
    return schema


def changed(model: type, change: Callable[[list[Any]], Any]) -> Any:
    """Return the newest schema with its list of fields changed."""
    schema = newest(model)
    schema["fields"] = change(schema["fields"])
    return schema


def codec_for(schema: Any) -> Codec:
    """Return a codec to which the schema is another id's."""
    return Codec({name: number for number, name in enumerate(MODELS, 100)}, Registry(_77=schema))


def test_a_frame_says_which_model_a_record_is() -> None:
    """The id in a record's frame is enough to know its model."""
    codec = Codec({Tick.SCHEMA: 7, Heartbeat.SCHEMA: 2**31 - 1}, Registry())
    value = codec.encode(Heartbeat(**BEAT))
    assert value[:5] == b"\0\x7f\xff\xff\xff"
    assert codec.schema_id(value) == 2**31 - 1
    assert codec.model_of(codec.schema_id(value)) is Heartbeat
    assert codec.decode(value) == Heartbeat(**BEAT)
    with pytest.raises(EncodeError, match="Trade has no schema id: register its schema first"):
        codec.encode(Trade(**TRADE, aggressor="BUY"))
    with pytest.raises(ValueError, match=r"no model of tradewind.no.Such"):
        Codec({"tradewind.no.Such": 1}, Registry())


def test_an_id_is_looked_up_once_and_the_newest_never() -> None:
    """The registry is not asked for each record, not even for ids that it does not know."""
    registry = Registry(_77=newest(Heartbeat))
    codec = Codec({Heartbeat.SCHEMA: 5}, registry)
    value = codec.encode(Heartbeat(**BEAT))
    for _ in range(3):
        codec.decode(value)
        assert codec.decode(written(newest(Heartbeat), BEAT | {"closing": True})) == Heartbeat(**BEAT, closing=True)
        with pytest.raises(UndecodableRecord, match="the registry has no schema 6"):
            codec.decode(b"\0\0\0\0\6" + value[5:])
    assert registry.asked == [OTHER, 6]


def test_a_flood_of_false_ids_takes_no_memory() -> None:
    """What is remembered of ids is bounded."""
    registry = Registry()
    codec = Codec({}, registry)
    for schema_id in range(1, RESOLVED_LIMIT + 50):
        with pytest.raises(UndecodableRecord):
            codec.model_of(schema_id)
    assert len(codec._resolved) == RESOLVED_LIMIT


def test_an_error_of_the_registry_is_not_the_records() -> None:
    """While the registry is away a record is not condemned: the error passes through, and the id is asked for again."""
    answers: list[Any] = [ConnectionError("away"), json.dumps(newest(Heartbeat))]

    def resolve(schema_id: int) -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    codec = Codec({}, resolve)
    value = written(newest(Heartbeat), BEAT | {"closing": False})
    with pytest.raises(ConnectionError):
        codec.decode(value)
    assert codec.decode(value) == Heartbeat(**BEAT)


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({**newest(Heartbeat), "name": "Nobody"}, "schema 77 is tradewind.market.Nobody, which is no event of ours"),
        ("string", "schema 77 cannot be read: not the schema of a record"),
        ({"type": "record"}, "schema 77 cannot be read: not an Avro schema: KeyError"),
        (changed(Heartbeat, lambda fields: fields[1:]), "Heartbeat.symbol has no default"),
        (changed(Heartbeat, lambda fields: [{"name": "symbol", "type": "long"}, *fields[1:]]), "cannot be read as"),
        (
            changed(Heartbeat, lambda fields: [*fields, {"name": "x", "type": {"type": "map", "values": "what"}}]),
            "x: there is no type",
        ),
    ],
)
def test_a_schema_that_is_not_ours_makes_its_records_undecodable(schema: Any, reason: str) -> None:
    """A foreign or unreadable schema is the record's fault, with the reason."""
    codec = codec_for(schema)
    with pytest.raises(UndecodableRecord, match=reason):
        codec.decode(b"\0\0\0\0\x4d\0")
    with pytest.raises(MisalignedRecords, match=reason):
        codec.decode_columns(Heartbeat, [b"\0\0\0\0\x4d\0"])


def test_fields_that_a_writer_did_not_know_get_their_defaults() -> None:
    """Records of an older version decode to the newest model, by rows and by columns."""
    older = changed(Heartbeat, lambda fields: [field for field in fields if field["name"] != "closing"][::-1])
    codec, value = codec_for(older), written(older, BEAT)
    assert codec.decode(value) == Heartbeat(**BEAT, closing=False)
    frame = codec.decode_columns(Heartbeat, [value, value])
    assert frame.to_dicts() == [Heartbeat(**BEAT).to_dict()] * 2
    assert frame.columns == list(Heartbeat(**BEAT).to_dict())


def test_nullable_fields_that_a_writer_did_not_know_are_null() -> None:
    """Absent sizes are null, and the column keeps its type."""
    older = changed(Tick, lambda fields: [field for field in fields if not field["name"].endswith("_size")])
    record = {"symbol": "A", "venue": "B", "seq": 1, "ts_event": 2, "bid": 1.0, "ask": 2.0}
    codec, value = codec_for(older), written(older, record)
    assert codec.decode(value) == Tick(**record)
    frame = codec.decode_columns(Tick, [value])
    assert frame.to_dicts() == [Tick(**record).to_dict()]
    assert frame.schema["ask_size"] == pl.Float64


def test_fields_that_the_newest_does_not_know_are_passed_over() -> None:
    """Records of a newer version decode to this one's model, by rows and by columns."""
    extra = [{"name": "note", "type": ["null", "string"]}, {"name": "depth", "type": "double"}]
    newer = changed(Heartbeat, lambda fields: [extra[0], *fields, extra[1]])
    codec = codec_for(newer)
    values = [written(newer, BEAT | {"closing": True, "note": note, "depth": 1.5}) for note in (None, "x" * 20)]
    assert [codec.decode(value) for value in values] == [Heartbeat(**BEAT, closing=True)] * 2
    assert codec.decode_columns(Heartbeat, values).to_dicts() == [Heartbeat(**BEAT, closing=True).to_dict()] * 2


def test_types_widen_as_avro_allows() -> None:
    """An int is read as a long, a long as a double, a value as a nullable one; by columns through the rows."""

    def narrow(fields: list[Any]) -> list[Any]:
        types = {"seq": "int", "bid": "long", "ask": "int", "bid_size": "double", "ask_size": ["double", "null"]}
        return [field | {"type": types.get(field["name"], field["type"])} for field in drop_defaults(fields)]

    older = changed(Tick, narrow)
    record = {
        "symbol": "A",
        "venue": "B",
        "seq": 1,
        "ts_event": 2,
        "bid": 3,
        "ask": 4,
        "bid_size": 5.0,
        "ask_size": None,
    }
    codec, value = codec_for(older), written(older, record)
    decoded = codec.decode(value)
    assert decoded == Tick(**record)
    assert isinstance(decoded, Tick)
    assert isinstance(decoded.bid, float)
    assert codec.decode_columns(Tick, [value]).to_dicts() == [Tick(**record).to_dict()]
    with pytest.raises(MisalignedRecords, match=r"record 1 of the batch: .*Tick.seq"):
        codec.decode_columns(Tick, [value, value[:9]])


def drop_defaults(fields: list[Any]) -> list[Any]:
    """Return fields without defaults, whose types may change then."""
    return [{key: value for key, value in field.items() if key != "default"} for field in fields]


def test_a_null_where_the_newest_wants_a_value_is_undecodable() -> None:
    """A field that became required takes no nulls of before."""

    def nullable(fields: list[Any]) -> list[Any]:
        return [field | {"type": ["null", "string"]} if field["name"] == "venue" else field for field in fields]

    older = changed(Heartbeat, nullable)
    codec = codec_for(older)
    assert codec.decode(written(older, BEAT | {"closing": False})) == Heartbeat(**BEAT)
    with pytest.raises(UndecodableRecord, match=r"Heartbeat.venue, at byte 7: null, where the reader wants a value"):
        codec.decode(written(older, BEAT | {"closing": False, "venue": None}))


def test_a_symbol_that_the_newest_does_not_know_is_unknown() -> None:
    """A newer writer's symbol is not taken for another, by rows and by columns; what it is can still be told."""

    def more(fields: list[Any]) -> list[Any]:
        sides = {"type": "enum", "name": "Aggressor", "symbols": ["NONE", "SELL", "BUY"]}
        return [field | {"type": sides} if field["name"] == "aggressor" else field for field in fields]

    newer = changed(Trade, more)
    codec = codec_for(newer)
    values = [written(newer, TRADE | {"aggressor": side}) for side in ("SELL", "NONE", "BUY")]
    assert [codec.decode(value) for value in values] == [
        Trade(**TRADE, aggressor=side) for side in ("SELL", "UNKNOWN", "BUY")
    ]
    assert codec.decode_columns(Trade, values)["aggressor"].to_list() == ["SELL", "UNKNOWN", "BUY"]
    assert [codec.written(value, "aggressor") for value in values] == [(OTHER, "SELL"), (OTHER, "NONE"), (OTHER, "BUY")]


@pytest.mark.parametrize("rows", [1, 100])
def test_a_symbol_that_was_not_known_is_not_written(rows: int) -> None:
    """Its meaning would be lost for those who do know it; one by one, and by columns."""
    codec, trade = codec_for(newest(Trade)), Trade(**TRADE, aggressor="UNKNOWN")
    wanted = r"Trade.aggressor: .*a symbol that this version did not know"
    with pytest.raises(EncodeError, match=wanted):
        codec.encode(trade)
    frame = pl.DataFrame([Trade(**TRADE, aggressor="BUY").to_dict()] * (rows - 1) + [trade.to_dict()])
    with pytest.raises(EncodeError, match=wanted):
        codec.encode_columns(Trade, frame)
    with pytest.raises(EncodeError, match="not one of BUY, SELL"):
        codec.encode(Trade(**TRADE, aggressor="HOLD"))  # type: ignore[arg-type]
