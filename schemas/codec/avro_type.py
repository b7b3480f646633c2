"""Avro types, parsed once from a schema.

Events are made of string, bytes, long, int, double, boolean, decimal (bytes), enum, array, record, and the union of
null with one of them; models hold `timestamp-micros` as whole µs. The others are parsed so that a field of a writer
that the newest schema does not have can be passed over.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal, TypeAlias, cast

from tradewind.schemas.codec.wire import DECIMAL_DIGITS, decimal_from_bytes

PlainName: TypeAlias = Literal["string", "bytes", "long", "int", "double", "boolean", "float", "null"]
OURS: Final = ("string", "bytes", "long", "int", "double", "boolean")
PLAIN: Final = (*OURS, "float", "null")
LOGICAL: Final[Mapping[str, tuple[str, ...]]] = {
    "long": (
        *("timestamp-millis", "timestamp-micros", "timestamp-nanos", "time-micros"),
        *("local-timestamp-millis", "local-timestamp-micros", "local-timestamp-nanos"),
    ),
    "int": ("date", "time-millis"),
}
"""Of each type, the logical types that change what its number means; Avro has readers ignore those that they do not
know. A `uuid` is its text."""
TIME: Final = "timestamp-micros"
WIDE: Final = f"a decimal of more than {DECIMAL_DIGITS} digits"
NO_DEFAULT: Final = object()
DEFAULT_BYTES = "iso-8859-1"  # how JSON spells bytes in a default: one character a byte


class UnsupportedSchema(ValueError):
    """A schema with a type that events do not use; the message names the field."""


@dataclass(frozen=True, slots=True)
class Plain:
    """A primitive type."""

    name: PlainName
    logical: str | None = None
    """One of `LOGICAL`: what the number means. Or `WIDE`, of bytes."""

    def __str__(self) -> str:
        """Return what a person calls it."""
        return self.logical or f"a plain {self.name}"


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

    @property
    def written(self) -> tuple[str, ...]:
        """The symbols that events may hold when they are encoded: all but the default, which only readers use."""
        return tuple(symbol for symbol in self.symbols if symbol != self.default)

    def read_as(self, reader: EnumType) -> tuple[str | None, ...]:
        """Return what each symbol of this writer is to a reader: None where it has no word for it."""
        return tuple(symbol if symbol in reader.symbols else reader.default for symbol in self.symbols)


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


@dataclass(frozen=True, slots=True)
class FixedType:
    """So many bytes."""

    size: int


@dataclass(frozen=True, slots=True)
class MapType:
    """Any number of values of one type, by text."""

    values: AvroType


@dataclass(frozen=True, slots=True)
class UnionType:
    """One of several types, other than null and one more."""

    branches: tuple[AvroType, ...]


@dataclass(frozen=True, slots=True)
class Recursive:
    """A record within itself."""

    name: str


AvroType: TypeAlias = (
    Plain | DecimalType | EnumType | ArrayType | OptionalType | RecordType | FixedType | MapType | UnionType | Recursive
)


def is_ours(kind: AvroType) -> bool:
    """Return whether events use a type."""
    match kind:
        case Plain(name, logical):
            return name in OURS and logical in {None, TIME}
        case FixedType() | MapType() | UnionType() | Recursive():
            return False
        case OptionalType(of=inner) | ArrayType(items=inner):
            return is_ours(inner)
        case RecordType(fields=fields):
            return bool(fields) and all(is_ours(field.type) for field in fields)
    return True


def refuse_foreign(record: RecordType) -> None:
    """Raise `UnsupportedSchema` where a record is not made of what events use; it names the field."""
    if not record.fields:
        raise UnsupportedSchema(f"{record.name} has no fields")
    for field in record.fields:
        if not is_ours(field.type):
            raise UnsupportedSchema(f"{record.name}.{field.name}: events do not use {field.type}")


def parse_record(text: str) -> RecordType:
    """Parse the JSON text of a record's schema; raises `UnsupportedSchema`."""
    try:
        parsed = _parse(json.loads(text), "", "schema", {})
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        if isinstance(error, UnsupportedSchema):
            raise
        raise UnsupportedSchema(f"not an Avro schema: {type(error).__name__}: {error}") from error
    if not isinstance(parsed, RecordType):
        raise UnsupportedSchema("not the schema of a record")
    return parsed


def _parse(schema: Any, namespace: str, where: str, names: dict[str, AvroType]) -> AvroType:
    if isinstance(schema, dict):
        return _parse_complex(schema, namespace, where, names)
    match schema:
        case str() if schema in PLAIN:
            return Plain(cast("PlainName", schema))
        case str() if _full_name(schema, namespace) in names:
            return names[_full_name(schema, namespace)]
        case [first, second] if "null" in (first, second) and first != second:
            null_branch = 0 if first == "null" else 1
            return OptionalType(_parse(schema[1 - null_branch], namespace, where, names), null_branch)
        case list():
            return UnionType(tuple(_parse(branch, namespace, where, names) for branch in schema))
    raise UnsupportedSchema(f"{where}: there is no type {json.dumps(schema)[:200]}")


def _parse_complex(schema: Mapping[str, Any], namespace: str, where: str, names: dict[str, AvroType]) -> AvroType:
    match schema:
        case {"type": "bytes", "logicalType": "decimal"}:
            return Plain("bytes", WIDE) if schema["precision"] > DECIMAL_DIGITS else DecimalType(schema.get("scale", 0))
        case {"type": "fixed"}:
            return names.setdefault(_own_name(schema, namespace), FixedType(int(schema["size"])))
        case {"type": "map"}:
            return MapType(_parse(schema["values"], namespace, where, names))
        case {"type": "enum"}:
            symbols = EnumType(tuple(schema["symbols"]), schema.get("default"))
            return names.setdefault(_own_name(schema, namespace), symbols)
        case {"type": "array"}:
            return ArrayType(_parse(schema["items"], namespace, where, names))
        case {"type": "record"}:
            return _parse_record(schema, namespace, names)
        case {"type": str(kind)} if kind in PLAIN:
            logical = schema.get("logicalType")
            return Plain(cast("PlainName", kind), logical if logical in LOGICAL.get(kind, ()) else None)
    return _parse(schema["type"], namespace, where, names)


def _parse_record(schema: Mapping[str, Any], namespace: str, names: dict[str, AvroType]) -> RecordType:
    name = _own_name(schema, namespace)
    inner = name.rpartition(".")[0]
    names[name] = Recursive(name)
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
