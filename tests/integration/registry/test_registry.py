"""A live registry: what is registered stays, what does not fit is refused, and Confluent's library agrees with ours."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient, record_subject_name_strategy
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from tests.unit.schemas.growth import all_added, as_known, grown_texts
from tradewind.connectors.registry import IncompatibleSchema, SchemaRegistry, UnknownSchema, open_codec
from tradewind.connectors.settings import Settings
from tradewind.schemas.codec import MODELS, SCHEMAS, Codec, UndecodableRecord
from tradewind.schemas.codec.avro_type import parse_record
from tradewind.schemas.codec.catalog import NEWEST
from tradewind.schemas.codec.row_writer import value_writer
from tradewind.schemas.event import Event
from tradewind.schemas.golden import goldens, sample
from tradewind.schemas.market import Heartbeat
from tradewind.schemas.risk import Decision

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CONTEXT = SerializationContext("any", MessageField.VALUE)


@pytest.fixture
def registry(settings: Settings) -> Iterator[SchemaRegistry]:
    """Give a client of the live registry."""
    with SchemaRegistry(settings) as client:
        yield client


@pytest.fixture
def confluent(settings: Settings) -> SchemaRegistryClient:
    """Give Confluent's own client of the same registry."""
    part = settings.registry
    options = {"url": part.url}
    if part.user is not None and part.password is not None:
        options["basic.auth.user.info"] = f"{part.user}:{part.password.get_secret_value()}"
    return SchemaRegistryClient(options)


def a_schema(name: str, *fields: dict[str, Any]) -> str:
    """Return the text of a record's schema."""
    return json.dumps({"type": "record", "name": name, "namespace": "test", "fields": list(fields)})


A = {"name": "a", "type": "string"}
B = {"name": "b", "type": "long"}


def samples() -> list[Event]:
    """Return one event of each model, with every field filled, and one with every nullable field null."""
    newest = [golden for golden in goldens() if golden.file.text == SCHEMAS[golden.file.full_name][-1]]
    assert len(newest) == len(MODELS)
    full = [MODELS[golden.file.full_name](**golden.says()) for golden in newest]
    return full + [
        replace(event, **{field["name"]: None for field in fields_of(event) if isinstance(field["type"], list)})
        for event in full
    ]


def fields_of(event: Event) -> list[dict[str, Any]]:
    """Return the fields of an event's schema."""
    fields: list[dict[str, Any]] = json.loads(SCHEMAS[event.SCHEMA][-1])["fields"]
    return fields


def with_whole_times(value: Any) -> Any:
    """Return a record with datetimes as µs, which is how models hold them."""
    if isinstance(value, datetime):
        return (value - EPOCH) // timedelta(microseconds=1)
    if isinstance(value, dict):
        return {key: with_whole_times(item) for key, item in value.items()}
    return [with_whole_times(item) for item in value] if isinstance(value, list) else value


def test_every_committed_version_is_known_by_its_id_and_no_other_is(
    registry: SchemaRegistry, settings: Settings
) -> None:
    """What the registry gives back is the schema that was registered: workers refuse states of unknown ones."""
    codec = open_codec(settings)
    for name, texts in SCHEMAS.items():
        for text in texts:
            assert codec.knows(registry.register({name: [text]})[name]), text
    name = "tradewind.runtime.TaskPosition"
    newer = json.loads(SCHEMAS[name][-1])
    newer["fields"].append({"name": "of_a_later_version", "type": "long", "default": 0})
    assert not Codec({}, lambda _: json.dumps(newer)).knows(1)


def test_every_committed_version_has_an_id_that_stays(registry: SchemaRegistry, settings: Settings) -> None:
    """Registering again, by another process or after a restart, gives the same ids."""
    ids = registry.register()
    assert set(ids) == set(MODELS)
    assert len(set(ids.values())) == len(ids)
    with SchemaRegistry(settings) as another:
        assert another.register() == ids
    for name, schema_id in ids.items():
        assert json.loads(registry.schema(schema_id)) == json.loads(SCHEMAS[name][-1])


def test_a_later_version_of_everything_is_accepted(registry: SchemaRegistry) -> None:
    """A symbol more in each enum and a field more in each record: by the rule that holds for all versions."""
    registry.register()
    for name, text in grown_texts().items():
        registry.check_compatible(name, text)


def test_an_enum_without_a_default_could_not_get_a_symbol(registry: SchemaRegistry) -> None:
    """Which is why each has one; the error says where else such a schema may come from."""
    name = f"R{secrets.token_hex(6)}"
    subject = f"test.{name}"
    kind = {"type": "enum", "name": "E", "symbols": ["A"]}
    registry.register({subject: [a_schema(name, {"name": "e", "type": kind})]})
    more = a_schema(name, {"name": "e", "type": {**kind, "symbols": ["A", "B"]}})
    with pytest.raises(IncompatibleSchema, match=r"of another format of Tradewind, .* use another registry"):
        registry.register({subject: [more]})


def test_confluents_deserializer_takes_a_later_versions_symbols_for_unknown(
    registry: SchemaRegistry, confluent: SchemaRegistryClient
) -> None:
    """With this version's schema as the reader's; fields that it does not know are left out."""
    name = Decision.SCHEMA
    kind = parse_record(grown_texts()[name])
    said = all_added(kind, sample(kind, name))
    subject = f"test.{secrets.token_hex(6)}"
    schema_id = registry.register({subject: [grown_texts()[name]]})[subject]
    value = b"\0" + schema_id.to_bytes(4, "big") + value_writer(kind)(said)
    read = AvroDeserializer(confluent, SCHEMAS[name][-1])(value, CONTEXT)
    expected = MODELS[name](**as_known(NEWEST[name], said))
    assert listed(with_whole_times(read)) == listed(expected.to_dict())
    assert (read["side"], read["codes"]) == ("UNKNOWN", ["UNKNOWN", "UNKNOWN"])


def test_versions_are_registered_in_their_order_and_the_newest_counts(registry: SchemaRegistry) -> None:
    """Each version has an id of its own, and registering all of them again changes none."""
    name = f"R{secrets.token_hex(6)}"
    first, second = a_schema(name, A), a_schema(name, A, B | {"default": 0})
    subject = f"test.{name}"
    older = registry.register({subject: [first]})[subject]
    newer = registry.register({subject: [first, second]})[subject]
    assert older != newer
    assert registry.register({subject: [first, second]})[subject] == newer
    assert registry.register({subject: [first]})[subject] == older


def test_a_schema_that_cannot_follow_is_refused_with_the_subject(registry: SchemaRegistry) -> None:
    """The registry enforces compatibility, and the error says where."""
    name = f"R{secrets.token_hex(6)}"
    subject = f"test.{name}"
    registry.check_compatible(subject, a_schema(name, A))
    registry.register({subject: [a_schema(name, A)]})
    registry.check_compatible(subject, a_schema(name, A, B | {"default": 0}))
    with pytest.raises(IncompatibleSchema, match=subject):
        registry.check_compatible(subject, a_schema(name, A, B))
    with pytest.raises(IncompatibleSchema, match=f"{subject} is incompatible with its versions in the registry"):
        registry.register({subject: [a_schema(name, A, B)]})


def test_an_id_that_the_registry_does_not_have_is_unknown(registry: SchemaRegistry, settings: Settings) -> None:
    """A false id is no error of the registry, and its record is a dead letter."""
    with pytest.raises(UnknownSchema, match="no schema 2147483646"):
        registry.schema(2**31 - 2)
    codec = open_codec(settings)
    with pytest.raises(UndecodableRecord, match="the registry has no schema 2147483646"):
        codec.decode(b"\0" + (2**31 - 2).to_bytes(4, "big") + b"\0")


def test_the_codec_resolves_the_ids_of_other_writers(registry: SchemaRegistry, settings: Settings) -> None:
    """What a writer with another version of a schema wrote is decoded by the schema that the registry has."""
    schema = json.loads(SCHEMAS[Heartbeat.SCHEMA][-1])
    schema["doc"] = f"another version {secrets.token_hex(6)}"
    schema["fields"] = schema["fields"][:-1]
    subject = f"test.{secrets.token_hex(6)}"
    schema_id = registry.register({subject: [json.dumps(schema)]})[subject]
    beat = Heartbeat(symbol="EURUSD", venue="OANDA", ts_event=1, ts_ingest=2)
    codec = open_codec(settings)
    value = b"\0" + schema_id.to_bytes(4, "big") + codec.encode(beat)[5:-1]
    assert codec.schema_id(value) == schema_id
    assert codec.model_of(schema_id) is Heartbeat
    assert codec.decode(value) == beat
    assert codec.decode_columns(Heartbeat, [value]).to_dicts() == [beat.to_dict()]


def listed(value: object) -> object:
    """Return a value with every sequence as a list: models hold tuples where the other library makes lists."""
    if isinstance(value, dict):
        return {key: listed(each) for key, each in value.items()}
    return [listed(each) for each in value] if isinstance(value, list | tuple) else value


def test_confluents_deserializer_reads_what_the_codec_wrote(
    settings: Settings, confluent: SchemaRegistryClient
) -> None:
    """A consumer with Confluent's library reads every model."""
    codec = open_codec(settings)
    read = AvroDeserializer(confluent, conf={"subject.name.strategy": record_subject_name_strategy})
    for event in samples():
        assert listed(with_whole_times(read(codec.encode(event), CONTEXT))) == listed(event.to_dict())


def test_the_codec_reads_what_confluents_serializer_wrote(settings: Settings, confluent: SchemaRegistryClient) -> None:
    """A producer with Confluent's library writes records of every model, under the same ids."""
    codec = open_codec(settings)
    for event in samples():
        write = AvroSerializer(
            confluent,
            SCHEMAS[event.SCHEMA][-1],
            conf={"auto.register.schemas": False, "subject.name.strategy": record_subject_name_strategy},
        )
        value = write(event.to_dict(), CONTEXT)
        assert codec.decode(value) == event
        assert codec.schema_id(value) == codec.schema_id(codec.encode(event))
        assert_same_bytes(codec, event, value)


def assert_same_bytes(codec: Codec, event: Event, value: bytes) -> None:
    """Compare bytes where Avro leaves no choice: a decimal may have leading sign bytes."""
    if not any(isinstance(item, Decimal) for item in event.to_dict().values()):
        assert codec.encode(event) == value
