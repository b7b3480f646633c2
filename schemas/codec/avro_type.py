"""The Avro types that events are made of, parsed once from a schema.

Supported: string, bytes, long, int, double, boolean, decimal (bytes), enum, array, record, and the union of null with
one of them. `timestamp-micros` is its long: models hold times as whole µs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal, TypeAlias, cast

from tradewind.schemas.codec.wire import DECIMAL_DIGITS, decimal_from_bytes

PlainName: TypeAlias = Literal["string", "bytes", "long", "int", "double", "boolean"]
PLAIN: Final = ("string", "bytes", "long", "int", "double", "boolean")
NO_DEFAULT: Final = object()
DEFAULT_BYTES = "iso-8859-1"  # how JSON spells bytes in a default: one character a byte


class UnsupportedSchema(ValueError):
    """A schema with a type that events do not use; the message names the field."""


@dataclass(frozen=True, slots=True)
class Plain:
    """A primitive type."""

    name: PlainName


@dataclass(frozen=True, slots=True)
class DecimalType:
    """An exact number with a fixed count of decimals."""

    scale: int


@dataclass(frozen=True, slots=True)
class EnumType:
    """One of a few words."""

    symbols: tuple[str, ...]
    default: str | None
    """What a reader takes a symbol for that it does not know."""


@dataclass(frozen=True, slots=True)
class ArrayType:
    """Any number of items of one type."""

    items: AvroType


@dataclass(frozen=True, slots=True)
class OptionalType:
    """A value, or null."""

    of: AvroType
    null_branch: int
    """Place of null in the union: 0 or 1."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a record."""

    name: str
    type: AvroType
    default: Any
    """As the schema's JSON has it, or `NO_DEFAULT`."""


@dataclass(frozen=True, slots=True)
class RecordType:
    """Named fields in their order."""

    name: str
    """With its namespace."""
    fields: tuple[Field, ...]


AvroType: TypeAlias = Plain | DecimalType | EnumType | ArrayType | OptionalType | RecordType


def parse_record(text: str) -> RecordType:
    """Parse the JSON text of a record's schema; raises `UnsupportedSchema`."""
    try:
        parsed = _parse(json.loads(text), "", "schema", {})
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
        raise UnsupportedSchema(f"not an Avro schema: {type(error).__name__}: {error}") from error
    if not isinstance(parsed, RecordType):
        raise UnsupportedSchema("not the schema of a record")
    return parsed


def _parse(schema: Any, namespace: str, where: str, names: dict[str, AvroType]) -> AvroType:
    match schema:
        case str() if schema in PLAIN:
            return Plain(cast("PlainName", schema))
        case str() if _full_name(schema, namespace) in names:
            return names[_full_name(schema, namespace)]
        case [first, second] if "null" in (first, second) and first != second:
            null_branch = 0 if first == "null" else 1
            return OptionalType(_parse(schema[1 - null_branch], namespace, where, names), null_branch)
        case {"type": "bytes", "logicalType": "decimal"}:
            if schema["precision"] > DECIMAL_DIGITS:
                raise UnsupportedSchema(f"{where}: a decimal of more than {DECIMAL_DIGITS} digits")
            return DecimalType(int(schema.get("scale", 0)))
        case {"type": "enum"}:
            symbols = EnumType(tuple(schema["symbols"]), schema.get("default"))
            return names.setdefault(_own_name(schema, namespace), symbols)
        case {"type": "array"}:
            return ArrayType(_parse(schema["items"], namespace, where, names))
        case {"type": "record"}:
            return _parse_record(schema, namespace, names)
        case {"type": str(kind)} if kind in PLAIN:
            return Plain(cast("PlainName", kind))
    raise UnsupportedSchema(f"{where}: events do not use {json.dumps(schema)[:200]}")


def _parse_record(schema: Mapping[str, Any], namespace: str, names: dict[str, AvroType]) -> RecordType:
    name = _own_name(schema, namespace)
    inner = name.rpartition(".")[0]
    if not schema["fields"]:
        raise UnsupportedSchema(f"{name} has no fields")
    fields = tuple(
        Field(
            field["name"],
            _parse(field["type"], inner, f"{name}.{field['name']}", names),
            field.get("default", NO_DEFAULT),
        )
        for field in schema["fields"]
    )
    if len({field.name for field in fields}) != len(fields):
        raise UnsupportedSchema(f"{name} has two fields of one name")
    record = RecordType(name, fields)
    names[name] = record
    return record


def _own_name(schema: Mapping[str, Any], namespace: str) -> str:
    return _full_name(schema["name"], schema.get("namespace", namespace))


def _full_name(name: str, namespace: str) -> str:
    return name if "." in name or not namespace else f"{namespace}.{name}"


def default_value(kind: AvroType, default: Any) -> Any:
    """Return a default, given as JSON, as models hold it; raises `ValueError` where it is not of the type."""
    match kind, default:
        case OptionalType(null_branch=0), None:
            return None
        case OptionalType(null_branch=1), _:
            return default_value(kind.of, default)
        case (Plain("string"), str()) | (Plain("boolean"), bool()):
            return default
        case Plain("bytes"), str():
            return default.encode(DEFAULT_BYTES)
        case Plain("long" | "int"), int() if not isinstance(default, bool):
            return default
        case Plain("double"), int() | float() if not isinstance(default, bool):
            return float(default)
        case DecimalType(), str():
            return _default_decimal(default, kind.scale)
        case EnumType(), str() if default in kind.symbols:
            return default
        case ArrayType(), list():
            return tuple(default_value(kind.items, item) for item in default)
    raise ValueError(f"{default!r} is no default of {kind}")


def _default_decimal(text: str, scale: int) -> Decimal:
    return decimal_from_bytes(text.encode(DEFAULT_BYTES), scale)
