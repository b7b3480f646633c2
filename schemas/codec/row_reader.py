"""Decode one record: readers compiled once for each schema that a writer used.

fastavro's reader is as fast, but takes what is no record of ours: a negative enum index as a symbol from the end, any
byte as true, integers of any length; and its errors name no field. Evolution follows Avro's schema resolution: fields
by name, defaults of the newest schema for what a writer did not know, int to long to double, a symbol unknown to the
reader to the enum's default. Beyond it, `timestamp-millis` and `-nanos` are read as `timestamp-micros`; a number of any
other meaning cannot be read.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

from tradewind.schemas.codec.avro_type import (
    NO_DEFAULT,
    TIME,
    ArrayType,
    AvroType,
    DecimalType,
    EnumType,
    OptionalType,
    Plain,
    RecordType,
    UnsupportedSchema,
    default_value,
    is_ours,
)
from tradewind.schemas.codec.errors import UndecodableRecord
from tradewind.schemas.codec.passing import passing
from tradewind.schemas.codec.wire import (
    FRAME_BYTES,
    INT_MAX,
    INT_MIN,
    LONG_MAX,
    LONG_MIN,
    decimal_from_bytes,
    read_long,
)
from tradewind.schemas.event import US_PER_MS, Event

Read: TypeAlias = Callable[[bytes, int], tuple[Any, int]]
"""(data, position) -> (value, position after it)."""
E = TypeVar("E", bound=Event)

PAST_THE_END = "the record ends too early"
DOUBLE_BYTES = 8
NS_PER_US = 1000
DOUBLE = struct.Struct("<d")
SKIPPED = "\0"  # begins the names of fields that the reader no longer has


def compile_reader(writer: RecordType, newest: RecordType, model: type[E]) -> Callable[[bytes], E]:
    """Return what decodes a framed record of the writer's schema as the model.

    Raises `UnsupportedSchema` where no record of the writer's schema can be read as the newest. The returned function
    raises `UndecodableRecord`.
    """
    steps, names, absent = _plan(writer, newest)
    dropped = [name for name in names if name.startswith(SKIPPED)]
    read_fields = _record_reader(steps)

    def decode(value: bytes) -> E:
        values, position = read_fields(value, FRAME_BYTES)
        if position != len(value):
            raise UndecodableRecord(f"{writer.name}: {len(value) - position} bytes follow it, from byte {position}")
        record = dict(zip(names, values, strict=True))
        for name in dropped:
            del record[name]
        return model(**record, **absent)

    return decode


def read_field(writer: RecordType, name: str, value: bytes) -> Any:
    """Return what a framed record says in one field, as its writer means it: the symbols of an enum are the writer's.

    Raises `UndecodableRecord`, and `KeyError` where the writer has no such field.
    """
    alone = RecordType(writer.name, tuple(field for field in writer.fields if field.name == name))
    steps, names, _ = _plan(writer, alone)
    values, _ = _record_reader(steps)(value, FRAME_BYTES)
    return dict(zip(names, values, strict=True))[name]


def _plan(writer: RecordType, newest: RecordType) -> tuple[list[tuple[str, Read, bool]], list[str], dict[str, Any]]:
    """Return the steps that read a record, the names of what they read, and defaults of what was not written."""
    targets = {field.name: field for field in newest.fields}
    steps: list[tuple[str, Read, bool]] = []
    names: list[str] = []
    doubles: list[str] = []
    for field in writer.fields:
        target = targets.pop(field.name, None)
        kind = field.type if target is None else target.type
        where = f"{writer.name}.{field.name}"
        names.append(SKIPPED + field.name if target is None else field.name)
        if target is None and not is_ours(field.type):
            _flush(doubles, steps)
            steps.append((where, passing(field.type), False))
            continue
        if field.type == kind == Plain("double"):
            doubles.append(where)
            continue
        _flush(doubles, steps)
        steps.append((where, value_reader(field.type, kind, where), False))
    _flush(doubles, steps)
    absent = {}
    for name, missing in targets.items():
        if missing.default is NO_DEFAULT:
            raise UnsupportedSchema(f"{newest.name}.{name} has no default, and the writer has no such field")
        absent[name] = default_value(missing.type, missing.default)
    return steps, names, absent


def _flush(doubles: list[str], steps: list[tuple[str, Read, bool]]) -> None:
    """Turn a run of doubles into one step: a bar has thirteen in a row."""
    if doubles:
        steps.append((" .. ".join({doubles[0]: None, doubles[-1]: None}), _doubles_reader(len(doubles)), True))
        doubles.clear()


def _record_reader(steps: list[tuple[str, Read, bool]]) -> Callable[[bytes, int], tuple[list[Any], int]]:
    def read(data: bytes, position: int) -> tuple[list[Any], int]:
        values: list[Any] = []
        where = ""
        try:
            for where, step, several in steps:  # noqa: B007 - the handlers name the field that they stopped at
                value, position = step(data, position)
                if several:
                    values.extend(value)
                else:
                    values.append(value)
        except UndecodableRecord as error:
            raise UndecodableRecord(f"{where}, at byte {position}: {error.reason}") from None
        except (IndexError, struct.error):
            raise UndecodableRecord(f"{where}, at byte {position}: {PAST_THE_END}") from None
        except RecursionError:
            raise UndecodableRecord(f"{where}, at byte {position}: records within it are nested too deeply") from None
        except UnicodeDecodeError as error:
            raise UndecodableRecord(f"{where}, at byte {position}: not UTF-8 ({error.reason})") from None
        return values, position

    return read


def value_reader(writer: AvroType, reader: AvroType, where: str) -> Read:
    """Return what reads a value that was written as one type and is wanted as another; raises `UnsupportedSchema`."""
    match writer, reader:
        case OptionalType(), _:
            return _optional_reader(writer, reader, where)
        case _, OptionalType():
            return value_reader(writer, reader.of, where)
        case Plain(), Plain():
            plain = _plain_reader(writer, reader)
            if plain is not None:
                return plain
        case DecimalType(), DecimalType() if writer.scale == reader.scale:
            return _decimal_reader(writer.scale)
        case EnumType(), EnumType():
            return _enum_reader(writer, reader)
        case ArrayType(), ArrayType():
            return _array_reader(value_reader(writer.items, reader.items, where))
        case RecordType(), RecordType():
            return _nested_reader(writer, reader)
    raise UnsupportedSchema(f"{where}: {writer} cannot be read as {reader}")


def _plain_reader(writer: Plain, reader: Plain) -> Read | None:
    """Return what reads a primitive value; None where its type, or what its number means, is another one.

    A number without a logical type is what the newest schema says, as Avro resolves it. Times are converted where
    nothing is to be guessed: those of a local clock have no zone.
    """
    if writer.logical is not None and writer.logical != reader.logical:
        return TIMES.get(writer.logical) if reader.logical == TIME else None
    match writer.name, reader.name:
        case "string", "string":
            return read_string
        case ("bytes", "bytes") | ("string", "bytes"):
            return read_bytes
        case "bytes", "string":
            return read_string
        case "long", "long":
            return read_long
        case "int", "int" | "long":
            return read_int
        case "int" | "long", "double":
            whole = read_int if writer.name == "int" else read_long
            return lambda data, position: _as_double(whole(data, position))
        case "double", "double":
            return _double_reader
        case "boolean", "boolean":
            return read_boolean
    return None


def _read_millis(data: bytes, position: int) -> tuple[int, int]:
    number, position = read_long(data, position)
    if not LONG_MIN <= number * US_PER_MS <= LONG_MAX:
        raise UndecodableRecord(f"{number} ms are more than 64 bits of µs")
    return number * US_PER_MS, position


def _read_nanos(data: bytes, position: int) -> tuple[int, int]:
    number, position = read_long(data, position)
    return number // NS_PER_US, position


TIMES: dict[str | None, Read] = {"timestamp-millis": _read_millis, "timestamp-nanos": _read_nanos}
"""Logical types of times that are read as `TIME`; of nanoseconds what is below a µs is left out."""


def _as_double(read: tuple[int, int]) -> tuple[float, int]:
    return float(read[0]), read[1]


def read_string(data: bytes, position: int) -> tuple[str, int]:
    """Read UTF-8 text."""
    size = data[position]
    if size & 0x81:
        size, position = _read_size(data, position)
    else:
        size >>= 1
        position += 1
    end = position + size
    if end > len(data):
        raise IndexError
    return data[position:end].decode(), end


def read_bytes(data: bytes, position: int) -> tuple[bytes, int]:
    """Read bytes."""
    size, position = _read_size(data, position)
    end = position + size
    if end > len(data):
        raise IndexError
    return data[position:end], end


def _read_size(data: bytes, position: int) -> tuple[int, int]:
    size, position = read_long(data, position)
    if size < 0:
        raise UndecodableRecord(f"a length of {size}")
    return size, position


def read_int(data: bytes, position: int) -> tuple[int, int]:
    """Read an integer of 32 bits."""
    number, position = read_long(data, position)
    if not INT_MIN <= number <= INT_MAX:
        raise UndecodableRecord(f"{number} is no int of 32 bits")
    return number, position


def read_boolean(data: bytes, position: int) -> tuple[bool, int]:
    """Read one byte that is 0 or 1."""
    byte = data[position]
    if byte > 1:
        raise UndecodableRecord(f"{byte:#04x} is no boolean")
    return byte == 1, position + 1


def _doubles_reader(count: int) -> Read:
    unpack, size = struct.Struct(f"<{count}d").unpack_from, count * DOUBLE_BYTES
    return lambda data, position: (unpack(data, position), position + size)


def _double_reader(data: bytes, position: int) -> tuple[float, int]:
    return DOUBLE.unpack_from(data, position)[0], position + DOUBLE_BYTES


def _decimal_reader(scale: int) -> Read:
    def read(data: bytes, position: int) -> tuple[Any, int]:
        raw, position = read_bytes(data, position)
        return decimal_from_bytes(raw, scale), position

    return read


def _enum_reader(writer: EnumType, reader: EnumType) -> Read:
    known = writer.read_as(reader)

    def read(data: bytes, position: int) -> tuple[str, int]:
        index, position = read_long(data, position)
        if not 0 <= index < len(known):
            raise UndecodableRecord(f"{index} is no index of the enum's {len(known)} symbols")
        symbol = known[index]
        if symbol is None:
            raise UndecodableRecord(f"the reader does not know {writer.symbols[index]}")
        return symbol, position

    return read


def _optional_reader(writer: OptionalType, reader: AvroType, where: str) -> Read:
    nullable = isinstance(reader, OptionalType)
    read_value = value_reader(writer.of, reader.of if isinstance(reader, OptionalType) else reader, where)
    null, present = 2 * writer.null_branch, 2 * (1 - writer.null_branch)  # as the byte that stands for it

    def read(data: bytes, position: int) -> tuple[Any, int]:
        branch = data[position]
        if branch == present:
            return read_value(data, position + 1)
        if branch != null:
            raise UndecodableRecord("no branch of the union")
        if not nullable:
            raise UndecodableRecord("null, where the reader wants a value")
        return None, position + 1

    return read


def _array_reader(read_item: Read) -> Read:
    def read(data: bytes, position: int) -> tuple[tuple[Any, ...], int]:
        items: list[Any] = []
        while True:
            count, position = read_long(data, position)
            if count == 0:
                return tuple(items), position
            if count < 0:  # a writer may state the block's size in bytes, for those who skip it
                count = -count
                _, position = _read_size(data, position)
            if count > len(data) - position:  # every item that events have takes at least one byte
                raise IndexError
            for _ in range(count):
                item, position = read_item(data, position)
                items.append(item)

    return read


def _nested_reader(writer: RecordType, reader: RecordType) -> Read:
    steps, names, absent = _plan(writer, reader)
    dropped = [name for name in names if name.startswith(SKIPPED)]
    read_fields = _record_reader(steps)

    def read(data: bytes, position: int) -> tuple[dict[str, Any], int]:
        values, position = read_fields(data, position)
        record = dict(zip(names, values, strict=True)) | absent
        for name in dropped:
            del record[name]
        return record, position

    return read
