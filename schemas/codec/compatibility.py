"""Refuse versions of a schema that cannot read each other's records, in both directions.

The registry's rule, FULL_TRANSITIVE, says the same; this says it before a schema is committed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import fastavro

from tradewind.schemas.avsc import SchemaFile, SchemaFileError
from tradewind.schemas.codec.avro_type import (
    NO_DEFAULT,
    ArrayType,
    AvroType,
    EnumType,
    OptionalType,
    RecordType,
    UnsupportedSchema,
    default_value,
    parse_record,
    refuse_foreign,
)
from tradewind.schemas.codec.row_reader import value_reader


def check_versions(files: Sequence[SchemaFile]) -> None:
    """Raise `SchemaFileError` if a schema is not Avro, not for events, or incompatible with another version."""
    versions: dict[str, list[tuple[SchemaFile, RecordType]]] = {}
    for file in files:
        versions.setdefault(file.full_name, []).append((file, _parsed(file)))
    for of_one in versions.values():
        for (older, was), (newer, now) in combinations(of_one, 2):
            _refuse(newer, f"cannot read what version {older.version} wrote", refusals(was, now))
            _refuse(newer, f"version {older.version} could not read what it writes", refusals(now, was))


def _parsed(file: SchemaFile) -> RecordType:
    try:
        fastavro.parse_schema(file.schema)
        record = parse_record(file.text)
        refuse_foreign(record)
        for field in record.fields:
            if field.default is not NO_DEFAULT:
                default_value(field.type, field.default)
    except fastavro.schema.UnknownType as error:
        raise SchemaFileError(f"{file.path}: not Avro: there is no type {error.name}") from error
    except fastavro.schema.SchemaParseException as error:
        raise SchemaFileError(f"{file.path}: not Avro: {error}") from error
    except (UnsupportedSchema, ValueError) as error:
        raise SchemaFileError(f"{file.path}: {error}") from error
    return record


def _refuse(newer: SchemaFile, what: str, reasons: Iterator[str]) -> None:
    found = list(reasons)
    if found:
        raise SchemaFileError(f"{newer.path}: {what}: {'; '.join(found)}")


def refusals(writer: AvroType, reader: AvroType, where: str = "") -> Iterator[str]:
    """Say why records of one type cannot all be read as another: nothing where they can."""
    match writer, reader:
        case RecordType(), RecordType():
            yield from _refused_fields(writer, reader, where)
        case EnumType(), EnumType():
            unknown = [symbol for symbol in writer.symbols if symbol not in reader.symbols]
            if unknown and reader.default is None:
                yield f"{where} does not know {', '.join(unknown)}"
        case ArrayType(), ArrayType():
            yield from refusals(writer.items, reader.items, f"{where}[]")
        case OptionalType(), OptionalType():
            yield from refusals(writer.of, reader.of, where)
        case OptionalType(), _:
            yield f"{where} may be null"
        case _, OptionalType():
            yield from refusals(writer, reader.of, where)
        case _:
            try:
                value_reader(writer, reader, where)
            except UnsupportedSchema as error:
                yield str(error)


def _refused_fields(writer: RecordType, reader: RecordType, where: str) -> Iterator[str]:
    written = {field.name: field for field in writer.fields}
    for field in reader.fields:
        path = f"{where}.{field.name}".lstrip(".")
        if field.name in written:
            yield from refusals(written[field.name].type, field.type, path)
        elif field.default is NO_DEFAULT:
            yield f"{path} has no default for records without it"
