"""Encode one event: writers compiled once for each model.

An event is encoded with the newest schema or not at all: `EncodeError` names the model, the field and the value.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any, TypeAlias

from tradewind.schemas.codec.avro_type import (
    ArrayType,
    AvroType,
    DecimalType,
    EnumType,
    OptionalType,
    Plain,
    RecordType,
    UnsupportedSchema,
)
from tradewind.schemas.codec.errors import EncodeError
from tradewind.schemas.codec.wire import (
    INT_MAX,
    INT_MIN,
    LONG_MAX,
    LONG_MIN,
    SHORT,
    decimal_to_bytes,
    frame,
    write_long,
)
from tradewind.schemas.event import Event

Write: TypeAlias = Callable[[Any], bytes]
SHOWN = 80  # characters of a value that an error quotes

Step: TypeAlias = tuple[int, int, Write]
"""(first field, how many fields, writer): several fields only for a run of doubles, whose writer takes a tuple."""


def compile_writer(record: RecordType, schema_id: int) -> Callable[[Event], bytes]:
    """Return what encodes an event of the record's model, framed; raises `EncodeError`."""
    names = tuple(field.name for field in record.fields)
    values_of: Callable[[Event], Any] = attrgetter(*names)
    single = len(names) == 1
    encode_fields = _fields_writer(record)
    head = frame(schema_id)

    def encode(event: Event) -> bytes:
        values = values_of(event)
        return head + encode_fields((values,) if single else values)

    return encode


def _fields_writer(record: RecordType) -> Callable[[tuple[Any, ...]], bytes]:
    steps = _steps(record)

    def write(values: tuple[Any, ...]) -> bytes:
        parts = []
        first = 0
        try:
            for first, count, step in steps:
                parts.append(step(values[first] if count == 1 else values[first : first + count]))
        except (ValueError, TypeError, AttributeError, KeyError, OverflowError, struct.error) as error:
            raise _refused(record, steps, values, first, error) from error
        return b"".join(parts)

    return write


def _steps(record: RecordType) -> list[Step]:
    steps: list[Step] = []
    fields = record.fields
    first = 0
    while first < len(fields):
        last = first
        while last < len(fields) and fields[last].type == Plain("double"):
            last += 1
        if last - first > 1:
            steps.append((first, last - first, _doubles_writer(last - first)))
            first = last
        else:
            steps.append((first, 1, value_writer(fields[first].type)))
            first += 1
    return steps


def _refused(
    record: RecordType, steps: list[Step], values: tuple[Any, ...], first: int, error: Exception
) -> EncodeError:
    count = next(step[1] for step in steps if step[0] == first)
    for index in range(first, first + count):
        field = record.fields[index]
        try:
            value_writer(field.type)(values[index])
        except (ValueError, TypeError, AttributeError, KeyError, OverflowError, struct.error) as cause:
            return EncodeError(f"{record.name}.{field.name}: {repr(values[index])[:SHOWN]} cannot be encoded: {cause}")
    return EncodeError(f"{record.name}: cannot be encoded: {error}")


def value_writer(kind: AvroType) -> Write:
    """Return what encodes a value of a type, or raises one of Python's errors that says what is wrong with it."""
    match kind:
        case Plain(name):
            return PLAIN_WRITERS[name]
        case DecimalType(scale):
            return lambda value: write_bytes(decimal_to_bytes(value, scale))
        case EnumType():
            return _enum_writer(kind)
        case OptionalType():
            return _optional_writer(kind)
        case ArrayType(items):
            return write_strings if items == Plain("string") else _array_writer(value_writer(items))
        case RecordType():
            return _nested_writer(kind)
    raise UnsupportedSchema(f"events do not use {kind}")


def write_string(value: str) -> bytes:
    """Encode text as UTF-8."""
    data = value.encode()
    size = len(data)
    return (SHORT[size << 1] if size < 64 else write_long(size)) + data


def write_strings(value: tuple[str, ...]) -> bytes:
    """Encode an array of texts; ids, which all have one length, at once: states write many with every order."""
    if not value:
        return SHORT[0]
    count, sizes = write_long(len(value)), set(map(len, value))
    size = sizes.pop()
    if not sizes and size < 64 and "".join(value).isascii():
        head = chr(size << 1)
        return count + (head + head.join(value)).encode() + SHORT[0]
    return b"".join([count, *map(write_string, value), SHORT[0]])


def write_bytes(value: bytes) -> bytes:
    """Encode bytes."""
    if not isinstance(value, bytes):
        raise TypeError("not bytes")
    return write_long(len(value)) + value


def write_checked_long(value: int) -> bytes:
    """Encode an integer of 64 bits."""
    if not isinstance(value, int) or not LONG_MIN <= value <= LONG_MAX:
        raise ValueError("not an integer of 64 bits")
    return write_long(value)


def write_int(value: int) -> bytes:
    """Encode an integer of 32 bits."""
    if not isinstance(value, int) or not INT_MIN <= value <= INT_MAX:
        raise ValueError("not an integer of 32 bits")
    return write_long(value)


def write_boolean(value: object) -> bytes:
    """Encode true or false."""
    if value is True:
        return b"\x01"
    if value is False:
        return b"\x00"
    raise TypeError("neither True nor False")


def _doubles_writer(count: int) -> Write:
    pack = struct.Struct(f"<{count}d").pack
    return lambda values: pack(*values)


PLAIN_WRITERS: Mapping[str, Write] = {
    "string": write_string,
    "bytes": write_bytes,
    "long": write_checked_long,
    "int": write_int,
    "double": struct.Struct("<d").pack,
    "boolean": write_boolean,
}


def _enum_writer(kind: EnumType) -> Write:
    encoded = {symbol: write_long(index) for index, symbol in enumerate(kind.symbols) if symbol in kind.written}

    def write(value: str) -> bytes:
        data = encoded.get(value)
        if data is None:
            raise ValueError(not_written(kind, value))
        return data

    return write


def not_written(kind: EnumType, value: object) -> str:
    """Return why a value is no symbol that an event may be encoded with."""
    if value is not None and value == kind.default:
        return "it stands for a symbol that this version did not know when it read it, and nothing is written instead"
    return f"not one of {', '.join(kind.written)}"


def _optional_writer(kind: OptionalType) -> Write:
    null, present = write_long(kind.null_branch), write_long(1 - kind.null_branch)
    inner = value_writer(kind.of)
    return lambda value: null if value is None else present + inner(value)


def _array_writer(write_item: Write) -> Write:
    def write(value: tuple[Any, ...]) -> bytes:
        if not value:
            return SHORT[0]
        return b"".join([write_long(len(value)), *map(write_item, value), SHORT[0]])

    return write


def _nested_writer(record: RecordType) -> Write:
    names = tuple(field.name for field in record.fields)
    encode_fields = _fields_writer(record)
    return lambda value: encode_fields(tuple([value[name] for name in names]))
