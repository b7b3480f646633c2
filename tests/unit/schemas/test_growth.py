"""Every schema can grow: with a symbol more in each enum and a field more in each record, versions read each other."""

from __future__ import annotations

import io
import json
import runpy
from pathlib import Path
from types import MappingProxyType
from typing import Any

import fastavro
import pytest

from tests.unit.schemas.growth import all_added, as_known, grown_texts, listed, put_grown
from tradewind.connectors.sinks.loop.money_columns import frame_of_rows
from tradewind.schemas import generate
from tradewind.schemas.avsc import committed
from tradewind.schemas.codec import MODELS, SCHEMAS, Codec
from tradewind.schemas.codec import codec as codec_module
from tradewind.schemas.codec.avro_type import EnumType, OptionalType, RecordType, parse_record
from tradewind.schemas.codec.catalog import NEWEST
from tradewind.schemas.codec.column_reader import column_reader
from tradewind.schemas.codec.compatibility import check_versions
from tradewind.schemas.codec.flat import frame_schema
from tradewind.schemas.event import UNKNOWN, Event
from tradewind.schemas.golden import Golden, goldens, sample

LATER = grown_texts()
IDS = {name: number for number, name in enumerate(MODELS, 1)}
LATER_IDS = {name: 1000 + number for name, number in IDS.items()}
GOLDENS = {golden.file.full_name: golden for golden in goldens()}


def resolve(schema_id: int) -> str:
    """Return the text of a schema of either version."""
    texts = {number: SCHEMAS[name][-1] for name, number in IDS.items()}
    return (texts | {number: LATER[name] for name, number in LATER_IDS.items()})[schema_id]


def whole_times(schema: Any) -> Any:
    """Return a schema with times as longs, for fastavro would make datetimes of them."""
    if isinstance(schema, dict):
        kept = {key: whole_times(value) for key, value in schema.items()}
        return "long" if kept.get("logicalType") == "timestamp-micros" else kept
    return [whole_times(item) for item in schema] if isinstance(schema, list) else schema


def parsed(text: str) -> Any:
    """Return a schema as fastavro takes it."""
    return fastavro.parse_schema(whole_times(json.loads(text)))


def newer_record(name: str) -> tuple[Any, bytes]:
    """Return what a later version says in every enum and record, and its bytes as fastavro writes them."""
    kind = parse_record(LATER[name])
    said = all_added(kind, sample(kind, name))
    out = io.BytesIO()
    fastavro.schemaless_writer(out, parsed(LATER[name]), said)
    return said, out.getvalue()


def framed(schema_id: int, body: bytes) -> bytes:
    """Return a record with its frame."""
    return b"\0" + schema_id.to_bytes(4, "big") + body


def test_a_later_version_of_everything_is_accepted(tmp_path: Path) -> None:
    """A symbol more in each enum, an optional field more in each record, records within records too."""
    put_grown(tmp_path)
    check_versions(committed(tmp_path))
    assert generate.main([], tmp_path) == 0


@pytest.mark.parametrize("name", MODELS)
def test_this_version_reads_what_a_later_one_writes(name: str) -> None:
    """Symbols that it does not know are UNKNOWN to it, wherever they stand; fields are left out."""
    said, body = newer_record(name)
    codec = Codec(IDS, resolve)
    expected = MODELS[name](**as_known(NEWEST[name], said))
    assert codec.decode(framed(LATER_IDS[name], body)) == expected
    read = fastavro.schemaless_reader(io.BytesIO(body), parsed(LATER[name]), parsed(SCHEMAS[name][-1]))
    assert listed(read) == listed(expected.to_dict())


@pytest.mark.parametrize("name", [name for name in MODELS if frame_schema(NEWEST[name]) is not None])
def test_columns_read_what_a_later_version_writes(name: str) -> None:
    """By columns, not row by row: an upgrade would otherwise slow down whoever has not had it."""
    said, body = newer_record(name)
    assert column_reader(parse_record(LATER[name]), NEWEST[name]) is not None
    codec, model = Codec(IDS, resolve), MODELS[name]
    frame = codec.decode_columns(model, [framed(LATER_IDS[name], body)] * 3)
    assert frame.to_dicts() == [as_known(NEWEST[name], said)] * 3


def test_sinks_read_what_a_later_version_writes() -> None:
    """Decimals and lists of codes as columns, too."""
    codec = Codec(IDS, resolve)
    for name in ("tradewind.risk.Decision", "tradewind.execution.Fill", "tradewind.execution.OrderEvent"):
        _, body = newer_record(name)
        event = codec.decode(framed(LATER_IDS[name], body))
        row = frame_of_rows(MODELS[name], [event]).row(0, named=True)
        found = [row[field.name] for field in NEWEST[name].fields if isinstance(field.type, EnumType)]
        assert set(found) == {UNKNOWN}


def test_an_enum_that_may_be_null_is_read_by_columns() -> None:
    """Null, a symbol that is known, and one that is not; null may be the other branch."""
    symbols = ("UNKNOWN", "A", "B")
    reader = parse_record(_of(["null", {"type": "enum", "name": "E", "symbols": symbols, "default": "UNKNOWN"}]))
    later = {"type": "enum", "name": "E", "symbols": ("NEW", *symbols), "default": "UNKNOWN"}
    for kind in (["null", later], [later, "null"]):
        writer = parse_record(_of(kind))
        found = column_reader(writer, reader)
        assert found is not None
        schema = fastavro.parse_schema(json.loads(_of(kind)))
        values = []
        for value in (None, "NEW", "B"):
            out = io.BytesIO()
            fastavro.schemaless_writer(out, schema, {"e": value})
            values.append(framed(7, out.getvalue()))
        assert found.decode(values, 7)["e"].to_list() == [None, "UNKNOWN", "B"]
    assert column_reader(parse_record(_of(later)), reader) is None, "null on one side only is read row by row"


def _of(kind: Any) -> str:
    return json.dumps({"type": "record", "name": "R", "namespace": "test", "fields": [{"name": "e", "type": kind}]})


@pytest.fixture
def later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Codec:
    """Make this process one of a later version, whose schemas have grown, and return its codec."""
    put_grown(tmp_path)
    assert generate.main([], tmp_path) == 0
    models: dict[str, type[Event]] = {}
    known: dict[str, tuple[RecordType, ...]] = {}
    for file in committed(tmp_path):
        module = runpy.run_path(str(tmp_path / file.domain / "__init__.py"))
        models[file.full_name] = module[file.schema["name"]]
        known[file.full_name] = (*known.get(file.full_name, ()), parse_record(file.text))
    newest = {name: versions[-1] for name, versions in known.items()}
    for attribute, value in (("MODELS", models), ("KNOWN", known), ("NEWEST", newest)):
        monkeypatch.setattr(codec_module, attribute, MappingProxyType(value))
    return Codec(LATER_IDS, resolve)


def test_a_later_version_reads_what_this_one_writes(later: Codec) -> None:
    """Fields that this version does not write have their defaults, by rows, by columns and in other implementations."""
    for name, golden in GOLDENS.items():
        value = framed(IDS[name], golden.body())
        event = later.decode(value)
        assert listed(event.to_dict()) == listed(_with_defaults(parse_record(LATER[name]), golden)), name
        read = fastavro.schemaless_reader(io.BytesIO(golden.body()), parsed(SCHEMAS[name][-1]), parsed(LATER[name]))
        assert listed(read) == listed(event.to_dict()), name
        if frame_schema(NEWEST[name]) is not None:
            frame = later.decode_columns(type(event), [value] * 3)
            assert frame.to_dicts() == [event.to_dict()] * 3, name  # flat: no tuples


def _with_defaults(kind: RecordType, golden: Golden) -> dict[str, Any]:
    """Return what a golden message says, with null in every field that a later version added."""

    def more(of: Any, value: Any) -> Any:
        match of:
            case OptionalType():
                return None if value is None else more(of.of, value)
            case RecordType(fields=fields):
                return {field.name: more(field.type, value.get(field.name)) for field in fields}
        if isinstance(value, tuple):
            return tuple(more(of.items, item) for item in value)
        return value

    found: dict[str, Any] = more(kind, golden.says())
    return found
