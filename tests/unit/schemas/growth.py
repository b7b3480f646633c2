"""Schemas as a later version may have them: each enum with a symbol more, each record with an optional field more."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tradewind.schemas.avsc import committed
from tradewind.schemas.codec.avro_type import ArrayType, AvroType, EnumType, OptionalType, RecordType
from tradewind.schemas.event import UNKNOWN

SYMBOL, FIELD = "ADDED", "added"


def grown(schema: Any) -> Any:
    """Return a schema with a symbol more in each enum and a field more in each record that it defines.

    A named type that stands again is a reference by its name, and has grown where it is defined.
    """
    if isinstance(schema, list):
        return [grown(branch) for branch in schema]
    if not isinstance(schema, dict):
        return schema
    same = {key: grown(value) if key in {"type", "items", "values"} else value for key, value in schema.items()}
    if schema.get("type") == "enum":
        same["symbols"] = [*schema["symbols"], SYMBOL]
    if schema.get("type") == "record":
        more = {"name": FIELD, "type": ["null", "string"], "default": None, "doc": "what a later version added"}
        same["fields"] = [*map(grown, schema["fields"]), more]
    return same


def grown_texts() -> dict[str, str]:
    """Return the text that a later version of each event would register, by full name."""
    return {file.full_name: json.dumps(grown(json.loads(file.text))) for file in committed()}


def put_grown(root: Path) -> None:
    """Write all committed schemas into a folder, each with a version more, which has grown."""
    for file in committed():
        folder = root / file.domain
        folder.mkdir(exist_ok=True)
        (folder / file.path.name).write_text(file.path.read_text("utf-8"), "utf-8")
        later = folder / f"{file.name}.v{file.version + 1}.avsc"
        later.write_text(json.dumps(grown(file.schema)), "utf-8")


def as_known(kind: AvroType, value: Any) -> Any:
    """Return what a reader of an older type takes a value for: no field and no symbol that it does not know."""
    match kind:
        case OptionalType(of):
            return None if value is None else as_known(of, value)
        case ArrayType(items):
            return tuple(as_known(items, item) for item in value)
        case RecordType(fields=fields):
            return {field.name: as_known(field.type, value[field.name]) for field in fields}
        case EnumType(symbols):
            return value if value in symbols else UNKNOWN
    return value


def all_added(kind: AvroType, value: Any) -> Any:
    """Return a value with the added symbol in every enum, and something in every added field."""
    match kind:
        case OptionalType(of):
            return None if value is None else all_added(of, value)
        case ArrayType(items):
            return tuple(all_added(items, item) for item in value)
        case RecordType(fields=fields):
            return {
                field.name: "more" if field.name == FIELD else all_added(field.type, value[field.name])
                for field in fields
            }
        case EnumType():
            return SYMBOL
    return value


def listed(value: Any) -> Any:
    """Return a value with lists in place of tuples, as other implementations have arrays."""
    if isinstance(value, Mapping):
        return {key: listed(item) for key, item in value.items()}
    return [listed(item) for item in value] if isinstance(value, tuple | list) else value
