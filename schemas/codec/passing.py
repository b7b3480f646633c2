"""Pass over a value of any Avro type: of a field that the writer's schema has, and the newest does not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from tradewind.schemas.codec.avro_type import (
    ArrayType,
    AvroType,
    DecimalType,
    EnumType,
    FixedType,
    MapType,
    OptionalType,
    Plain,
    RecordType,
    Recursive,
    UnionType,
)
from tradewind.schemas.codec.errors import UndecodableRecord
from tradewind.schemas.codec.wire import read_long

Pass: TypeAlias = Callable[[bytes, int], int]
"""(data, position) -> position after the value; raises `IndexError` at the data's end, or `UndecodableRecord`."""
WIDTHS: Final = {"null": 0, "boolean": 1, "float": 4, "double": 8}


def passing(kind: AvroType) -> Callable[[bytes, int], tuple[None, int]]:
    """Return what passes over a value of a type, as a reader of nothing."""
    over = _pass(kind, {})
    return lambda data, position: (None, over(data, position))


def _pass(kind: AvroType, records: dict[str, list[Pass]]) -> Pass:
    """Return what passes over a value; `records` has the fields of those that it is within."""
    return _simple(kind) or _compound(kind, records)


def _simple(kind: AvroType) -> Pass | None:
    match kind:
        case Plain(name) if name in WIDTHS:
            return _bytes(WIDTHS[name])
        case Plain("string" | "bytes") | DecimalType():
            return _sized
        case Plain() | EnumType():
            return lambda data, position: read_long(data, position)[1]
        case FixedType(size):
            return _bytes(size)
    return None


def _compound(kind: AvroType, records: dict[str, list[Pass]]) -> Pass:
    match kind:
        case OptionalType(of, null_branch):
            branches = [_pass(of, records)]
            branches.insert(null_branch, _bytes(0))
            return _union(branches)
        case UnionType(branches=kinds):
            return _union([_pass(branch, records) for branch in kinds])
        case ArrayType(items):
            return _blocks(_pass(items, records), empty=_is_empty(items))
        case MapType(values):
            value = _pass(values, records)
            return _blocks(lambda data, position: value(data, _sized(data, position)), empty=False)
        case RecordType(name, fields):
            own = records[name] = []
            own += [_pass(field.type, records) for field in fields]
            return _all(own)
        case Recursive(name):
            return _all(records[name])
    raise AssertionError(f"no way to pass over {kind}")


def _is_empty(kind: AvroType) -> bool:
    """Return whether values take no bytes: an array may claim any number of them."""
    match kind:
        case Plain("null") | FixedType(0):
            return True
        case RecordType(fields=fields):
            return all(_is_empty(field.type) for field in fields)
    return False


def _bytes(count: int) -> Pass:
    def over(data: bytes, position: int) -> int:
        if position + count > len(data):
            raise IndexError
        return position + count

    return over


def _sized(data: bytes, position: int) -> int:
    size, position = read_long(data, position)
    if size < 0:
        raise UndecodableRecord(f"a length of {size}")
    if position + size > len(data):
        raise IndexError
    return position + size


def _all(fields: Sequence[Pass]) -> Pass:
    def over(data: bytes, position: int) -> int:
        for field in fields:
            position = field(data, position)
        return position

    return over


def _union(branches: Sequence[Pass]) -> Pass:
    def over(data: bytes, position: int) -> int:
        branch, position = read_long(data, position)
        if not 0 <= branch < len(branches):
            raise UndecodableRecord(f"no branch {branch} of the union")
        return branches[branch](data, position)

    return over


def _blocks(item: Pass, *, empty: bool) -> Pass:
    """Return what passes over an array or a map: blocks that state their count, and some their bytes."""

    def over(data: bytes, position: int) -> int:
        while True:
            count, position = read_long(data, position)
            if count == 0:
                return position
            if count < 0:
                position = _sized(data, position)
            elif not empty:
                for _ in range(count):
                    position = item(data, position)

    return over
