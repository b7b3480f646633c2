"""Read the committed `.avsc` files, and refuse those that break the rules of their folder.

A file is `schemas/<domain>/<event>.v<number>.avsc`: the record `tradewind.<domain>.<Event>`, documented in each
field. Versions count from 1 without gaps, and stay: records that they wrote are in Kafka. The newest version of each
event may state ranges and rules (`ranges.py`), which are no part of what is registered. Each enum begins with the
symbol `UNKNOWN`, which is its default (docs/adr/0025-unknown-symbols.md).
"""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tradewind.schemas.event import UNKNOWN
from tradewind.schemas.ranges import RANGE_KEY, RULES_KEY, UnknownRange, range_of, rule_of

ROOT = Path(__file__).resolve().parent
FILE_NAME = re.compile(r"^(?P<name>[a-z][a-z0-9]*(_[a-z0-9]+)*)\.v(?P<version>[1-9]\d*)\.avsc$")
FIELD_NAME = re.compile(r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$")
NAMESPACE = "tradewind"
Schema = dict[str, Any]


class SchemaFileError(ValueError):
    """A schema file that breaks a rule; the message names the file, the field and what to do."""


@dataclass(frozen=True, slots=True)
class SchemaFile:
    """One committed version of one event."""

    path: Path
    domain: str
    name: str
    """Of the event, as files write it: `kill_switch`."""
    version: int
    schema: Schema

    @property
    def full_name(self) -> str:
        """Name of the record: `tradewind.risk.KillSwitch`. Also its subject in the registry."""
        return f"{self.schema['namespace']}.{self.schema['name']}"

    @property
    def text(self) -> str:
        """The schema as it is registered: neither whitespace nor ranges make a new version."""
        fields = [{key: value for key, value in field.items() if key != RANGE_KEY} for field in self.schema["fields"]]
        known = {**self.schema, "fields": fields}
        known.pop(RULES_KEY, None)
        return json.dumps(known, separators=(",", ":"), ensure_ascii=False)

    @property
    def ranges(self) -> dict[str, str]:
        """Name of a field -> name of the range that it states."""
        return {field["name"]: field[RANGE_KEY] for field in self.schema["fields"] if RANGE_KEY in field}

    @property
    def rules(self) -> tuple[str, ...]:
        """What holds between fields."""
        return tuple(self.schema.get(RULES_KEY, ()))


def committed(root: Path = ROOT) -> tuple[SchemaFile, ...]:
    """Return every committed schema, by domain, name and version, the oldest first; raises `SchemaFileError`."""
    files = [_read(path) for path in sorted(root.glob("*/*.avsc"))]
    stray = [*root.glob("*.avsc"), *root.glob("*/*/**/*.avsc")]
    if stray:
        raise SchemaFileError(f"{stray[0]}: a schema belongs in schemas/<domain>/")
    files.sort(key=lambda file: (file.domain, file.name, file.version))
    last: dict[tuple[str, str], int] = {}
    for file in files:
        expected = last.get((file.domain, file.name), 0) + 1
        if file.version != expected:
            raise SchemaFileError(f"{file.path}: version {expected} is missing; versions count from 1, and stay")
        last[file.domain, file.name] = file.version
    return tuple(files)


def newest(files: tuple[SchemaFile, ...]) -> dict[str, SchemaFile]:
    """Return the newest version of each event: full name -> file."""
    return {file.full_name: file for file in files}


def _read(path: Path) -> SchemaFile:
    match = FILE_NAME.match(path.name)
    if match is None:
        raise SchemaFileError(f"{path}: name it <event>.v<number>.avsc, in small letters, digits and underscores")
    try:
        schema = json.loads(path.read_text("utf-8"), object_pairs_hook=_without_twins)
    except ValueError as error:
        raise SchemaFileError(f"{path}: not JSON: {error}") from error
    if not isinstance(schema, dict) or schema.get("type") != "record":
        raise SchemaFileError(f"{path}: an event is a record")
    record = "".join(part.capitalize() for part in match["name"].split("_"))
    for key, wanted in (("namespace", f"{NAMESPACE}.{path.parent.name}"), ("name", record)):
        if schema.get(key) != wanted:
            raise SchemaFileError(f"{path}: its {key} is {schema.get(key)!r}; by its place it is {wanted!r}")
    _check_doc(schema, f"{path}")
    fields = schema.get("fields")
    if not isinstance(fields, list) or not fields:
        raise SchemaFileError(f"{path}: it has no fields")
    for field in fields:
        _check_field(field, path)
    _check_rules(schema, path)
    return SchemaFile(path, path.parent.name, match["name"], int(match["version"]), schema)


def _check_field(field: Any, path: Path) -> None:
    if not isinstance(field, dict) or "type" not in field:
        raise SchemaFileError(f"{path}: {json.dumps(field)[:200]} is no field")
    name = str(field.get("name"))
    if FIELD_NAME.match(name) is None or keyword.iskeyword(name):
        raise SchemaFileError(f"{path}: {name}: name a field in small letters, as Python can")
    _check_doc(field, f"{path}: {name}")
    _check_range(field, f"{path}: {name}")
    _check_enums(field["type"], f"{path}: {name}")


def kind_of(schema: Any) -> str:
    """Return what a range is asked for: the name of a type, of its values where it may be null, or `decimal`."""
    match schema:
        case ["null", other] | [other, "null"]:
            return kind_of(other)
        case {"logicalType": "decimal"}:
            return "decimal"
        case {"type": kind}:
            return str(kind)
    return str(schema)


def _check_enums(schema: Any, where: str) -> None:
    """Refuse an enum without `UNKNOWN`, however deep it lies: no version could ever give it another symbol."""
    match schema:
        case list():
            for branch in schema:
                _check_enums(branch, where)
        case {"type": "enum"}:
            if schema.get("default") != UNKNOWN or [*schema.get("symbols", ())][:1] != [UNKNOWN]:
                raise SchemaFileError(
                    f"{where}: enum {schema.get('name')} needs {UNKNOWN} as its first symbol and its default: without "
                    "it no later version can add a symbol, for older readers would refuse the records"
                )
        case {"type": "record", "fields": list(fields)}:
            for field in fields:
                _check_enums(field.get("type"), f"{where}.{field.get('name')}")
        case {"type": "array", "items": inner} | {"type": "map", "values": inner}:
            _check_enums(inner, where)
        case {"type": dict() | list() as inner}:
            _check_enums(inner, where)


def _check_range(field: Schema, where: str) -> None:
    if RANGE_KEY not in field:
        return
    try:
        range_of(field[RANGE_KEY], kind_of(field["type"]))
    except UnknownRange as error:
        raise SchemaFileError(f"{where}: {error}") from error


def _check_rules(schema: Schema, path: Path) -> None:
    names = {field["name"] for field in schema["fields"]}
    for text in schema.get(RULES_KEY, ()):
        try:
            rule = rule_of(str(text))
        except UnknownRange as error:
            raise SchemaFileError(f"{path}: {error}") from error
        unknown = sorted({*rule.fields} - names)
        if unknown:
            raise SchemaFileError(f"{path}: rule {text!r} is about {', '.join(unknown)}, which the record lacks")


def _check_doc(described: Mapping[str, Any], where: str) -> None:
    doc = described.get("doc")
    if not isinstance(doc, str) or not doc.strip():
        raise SchemaFileError(f"{where}: it has no doc; say what it is, with its unit")
    if '"' in doc[-1:] or "\\" in doc or '"""' in doc or "\n" in doc:
        raise SchemaFileError(f"{where}: its doc ends in a quote or holds a backslash or a new line")


def _without_twins(pairs: list[tuple[str, Any]]) -> Schema:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError(f"a key stands twice among {', '.join(key for key, _ in pairs)}")
    return found
