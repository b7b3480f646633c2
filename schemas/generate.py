"""Generate the event models of every domain from its `.avsc` files.

`python -m tradewind.schemas.generate` writes `schemas/<domain>/__init__.py`; with `--check` it only compares and exits 1
where one is out of date.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
FILE_NAME = re.compile(r"^(?P<name>[a-z_]+)\.v(?P<version>\d+)\.avsc$")
PRIMITIVES = {"string": "str", "long": "int", "int": "int", "double": "float", "boolean": "bool", "bytes": "bytes"}
Schema = dict[str, Any]


class SchemaFileError(ValueError):
    """A schema file that models cannot be generated from; the message names the file and the field."""


def newest(folder: Path) -> dict[str, tuple[int, Schema]]:
    """Return the newest version of each schema in a domain's folder: name -> (version, schema)."""
    found: dict[str, tuple[int, Schema]] = {}
    for path in sorted(folder.glob("*.avsc")):
        match = FILE_NAME.match(path.name)
        if match is None:
            raise SchemaFileError(f"{path}: name it <event>.v<number>.avsc")
        name, version = match["name"], int(match["version"])
        if version > found.get(name, (0, {}))[0]:
            found[name] = (version, json.loads(path.read_text("utf-8")))
    return found


def annotation(schema: Any, where: str) -> str:
    """Return the Python annotation of an Avro type."""
    match schema:
        case str() if schema in PRIMITIVES:
            return PRIMITIVES[schema]
        case ["null", other]:
            return f"{annotation(other, where)} | None"
        case {"logicalType": "decimal"}:
            return "Decimal"
        case {"type": "enum", "symbols": symbols}:
            return "Literal[" + ", ".join(f'"{symbol}"' for symbol in symbols) + "]"
        case {"type": "array", "items": items}:
            return f"tuple[{annotation(items, where)}, ...]"
        case {"type": "record", "fields": fields}:
            inner = sorted({annotation(field["type"], where) for field in fields})
            return f"Mapping[str, {' | '.join(inner)}]"
        case {"type": str(kind)} if kind in PRIMITIVES:
            return PRIMITIVES[kind]
    raise SchemaFileError(f"{where}: no Python type for {schema!r}")


def wrapped(container: str, field: Schema, value: str) -> str:
    """Return the expression that copies a field; arrays are tuples in models and lists in Avro."""
    schema = field["type"]
    return f"{container}({value})" if isinstance(schema, dict) and schema.get("type") == "array" else value


def model(schema: Schema, version: int) -> str:
    """Return the source of one model."""
    name, fields = schema["name"], schema["fields"]
    required = [field for field in fields if "default" not in field]
    optional = [field for field in fields if "default" in field]
    lines = [
        "",
        "",
        "@dataclass(frozen=True, slots=True, kw_only=True)",
        f"class {name}(Event):",
        f'    """{schema["doc"]}"""',
        "",
        f'    SCHEMA: ClassVar[str] = "{schema["namespace"]}.{name}"',
        f"    VERSION: ClassVar[int] = {version}",
        "",
    ]
    for field in [*required, *optional]:
        default = f" = {field['default']!r}" if "default" in field else ""
        kind = annotation(field["type"], f"{name}.{field['name']}")
        lines += [
            f"    {field['name']}: {kind}{default}",
            f'    """{field["doc"]}"""',
        ]
    lines += [
        "",
        "    @classmethod",
        "    def from_dict(cls, record: Mapping[str, Any]) -> Self:",
        "        return cls(",
    ]
    for field in fields:
        value = f'record["{field["name"]}"]'
        lines.append(f"            {field['name']}={wrapped('tuple', field, value)},")
    lines += ["        )", "", "    def to_dict(self) -> dict[str, Any]:", "        return {"]
    for field in fields:
        value = f"self.{field['name']}"
        lines.append(f'            "{field["name"]}": {wrapped("list", field, value)},')
    return "\n".join([*lines, "        }"])


def module(domain: str, schemas: dict[str, tuple[int, Schema]]) -> str:
    """Return the source of one domain's models."""
    bodies = [model(schema, version) for _, (version, schema) in sorted(schemas.items())]
    text = "\n".join(bodies)
    typing = ["Any", "ClassVar", *(["Literal"] if "Literal[" in text else []), "Self"]
    head = [
        f'"""Event models of the {domain} domain. Generated from the .avsc files beside it by schemas/generate.py."""',
        "",
        "from __future__ import annotations",
        "",
        "from collections.abc import Mapping",
        "from dataclasses import dataclass",
        *(["from decimal import Decimal"] if "Decimal" in text else []),
        f"from typing import {', '.join(typing)}",
        "",
        "from tradewind.schemas.event import Event",
        "",
        "__all__ = [" + ", ".join(f'"{schema["name"]}"' for _, (_, schema) in sorted(schemas.items())) + "]",
    ]
    return "\n".join(head) + "\n" + text + "\n"


def domains() -> list[Path]:
    """Return the folders that hold schemas."""
    return sorted({path.parent for path in ROOT.glob("*/*.avsc")})


def main() -> int:
    """Write or, with --check, compare the models; returns the exit code."""
    stale = []
    for folder in domains():
        target, text = folder / "__init__.py", module(folder.name, newest(folder))
        if target.exists() and target.read_text("utf-8") == text:
            continue
        stale.append(str(target.relative_to(ROOT.parent)))
        if "--check" not in sys.argv:
            target.write_text(text, "utf-8")
    if stale and "--check" in sys.argv:
        print("out of date, run `./dev generate`:", *stale, sep="\n  ", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
