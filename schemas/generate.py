"""Generate the event models of every domain from its `.avsc` files, and refuse schemas that break the rules.

`python -m tradewind.schemas.generate` writes `schemas/<domain>/__init__.py`; with `--check` it writes nothing and
exits 1 where one is out of date. Both refuse a file that breaks the rules of `avsc.py`, a type that events do not
use, and a version that cannot read what another version wrote, or the other way round.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from tradewind.schemas.avsc import ROOT, Schema, SchemaFile, SchemaFileError, committed, kind_of, newest
from tradewind.schemas.event import UNKNOWN
from tradewind.schemas.ranges import Ordered, Range, Rule, range_of, rule_of

PRIMITIVES = {"string": "str", "long": "int", "int": "int", "double": "float", "boolean": "bool", "bytes": "bytes"}
LINE_CHARACTERS = 120  # of the formatter
LONG_ENUMS = (
    ("tuple[Literal[", "], ...]", ("tuple[", "        Literal["), ("        ],", "        ...,", "    ]")),
    ("Literal[", "]", ("Literal[",), ("    ]",)),
    ("Literal[", "] | None", ("(", "        Literal["), ("        ]", "        | None", "    )")),
)
"""Begin and end of an annotation of many symbols -> the lines before and after its symbols."""
DEFAULT_BYTES = "iso-8859-1"  # how JSON spells bytes in a default: one character a byte


def annotation(schema: Any, where: str) -> str:
    """Return the Python annotation of an Avro type."""
    match schema:
        case str() if schema in PRIMITIVES:
            return PRIMITIVES[schema]
        case ["null", _]:
            return " | ".join(_alternatives(schema, where))
        case {"logicalType": "decimal"}:
            return "Decimal"
        case {"type": "enum", "symbols": symbols}:
            return "Literal[" + ", ".join(f'"{symbol}"' for symbol in symbols) + "]"
        case {"type": "array", "items": items}:
            return f"tuple[{annotation(items, where)}, ...]"
        case {"type": "record", "fields": fields}:
            inner = {each for field in fields for each in _alternatives(field["type"], where)}
            if "str" in inner:  # which says all that the symbols of an enum would
                inner = {each for each in inner if not each.startswith("Literal[")}
            return f"Mapping[str, {' | '.join(sorted(inner, key=lambda each: (each == 'None', each)))}]"
        case {"type": str(kind)} if kind in PRIMITIVES:
            return PRIMITIVES[kind]
    raise SchemaFileError(f"{where}: no Python type for {schema!r}")


def _alternatives(schema: Any, where: str) -> list[str]:
    """Return what stands in the annotation of an Avro type between bars, `None` last."""
    match schema:
        case ["null", other]:
            return [annotation(other, where), "None"]
    return [annotation(schema, where)]


def default(field: Schema, where: str) -> str:
    """Return the Python expression of a field's default."""
    value = field["default"]
    match field["type"], value:
        case ["null", _], None:
            return "None"
        case {"logicalType": "decimal", "scale": int(scale)}, str():
            unscaled = int.from_bytes(value.encode(DEFAULT_BYTES), "big", signed=True)
            return f'Decimal("{Decimal(unscaled).scaleb(-scale)}")'
        case "bytes", str():
            return "b" + _quoted(repr(value.encode(DEFAULT_BYTES))[1:])
        case "double", int() | float():
            return repr(float(value))
        case {"type": "array"}, []:
            return "()"
        case _, str():
            return _quoted(repr(value))
        case _, bool() | int():
            return repr(value)
    raise SchemaFileError(f"{where}: no Python expression for the default {value!r}")


def _quoted(text: str) -> str:
    """Return a literal with the quotes that the formatter gives it."""
    return text if '"' in text else f'"{text[1:-1]}"'


def wrapped(container: str, field: Schema, value: str) -> str:
    """Return the expression that copies a field; arrays are tuples in models and lists in Avro."""
    schema = field["type"]
    return f"{container}({value})" if isinstance(schema, dict) and schema.get("type") == "array" else value


def model(file: SchemaFile) -> str:
    """Return the source of one model."""
    schema = file.schema
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
        f'    SCHEMA: ClassVar[str] = "{file.full_name}"',
        f"    VERSION: ClassVar[int] = {file.version}",
        *stated(file),
        "",
    ]
    for field in [*required, *optional]:
        where = f"{file.path}: {field['name']}"
        given = f" = {default(field, where)}" if "default" in field else ""
        lines += [
            *_field_lines(field["name"], annotation(field["type"], where), given),
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
    return "\n".join([*lines, "        }", *in_range(file)])


def stated(file: SchemaFile) -> list[str]:
    """Return the lines that state a model's ranges and rules; none where it has none."""
    lines = []
    if file.ranges:
        lines += ["    RANGES: ClassVar[Mapping[str, str]] = {"]
        lines += [f'        "{name}": "{of}",' for name, of in file.ranges.items()]
        lines += ["    }"]
    if file.rules:
        lines += _laid_out("    RULES: ClassVar[tuple[str, ...]] = (", [f'"{rule}",' for rule in file.rules], ")")
    return lines


def in_range(file: SchemaFile) -> list[str]:
    """Return the lines of the method that checks all ranges and rules at once; none where nothing can fail."""
    fields = {field["name"]: field["type"] for field in file.schema["fields"]}
    conditions = [
        condition
        for name, of in file.ranges.items()
        if (condition := _condition(name, fields[name], range_of(of, kind_of(fields[name])))) is not None
    ]
    conditions += [_rule_condition(rule_of(rule), fields) for rule in file.rules]
    if not conditions:
        return []
    joined = f"        return {' and '.join(conditions)}"
    lines = [
        line
        for number, condition in enumerate(conditions)
        for line in _condition_lines(f"            {'and ' if number else ''}", condition)
    ]
    fits = len(joined) <= LINE_CHARACTERS
    return ["", "    def in_range(self) -> bool:", *([joined] if fits else ["        return (", *lines, "        )"])]


def _condition_lines(head: str, condition: str) -> list[str]:
    """Return a condition on one line, or one in brackets that is too long for that as the formatter lays it out."""
    if len(head) + len(condition) <= LINE_CHARACTERS or not condition.startswith("("):
        return [f"{head}{condition}"]
    first, _, second = condition[1:-1].partition(" or ")
    indent = " " * (len(head) - len(head.lstrip()))
    return [f"{head}(", f"{indent}    {first}", f"{indent}    or {second}", f"{indent})"]


def _field_lines(name: str, kind: str, given: str) -> list[str]:
    """Return a field on one line, or one of an enum with too many symbols for that as the formatter lays it out."""
    whole = f"    {name}: {kind}{given}"
    if len(whole) <= LINE_CHARACTERS:
        return [whole]
    for begin, end, head, tail in LONG_ENUMS:
        if kind.startswith(begin) and kind.endswith(end):
            symbols = kind.removeprefix(begin).removesuffix(end).split(", ")
            indent = " " * (len(tail[0]) - len(tail[0].lstrip()) + 4)
            listed = [f"{indent}{symbol}," for symbol in symbols]
            return [f"    {name}: {head[0]}", *head[1:], *listed, *tail[:-1], f"{tail[-1]}{given}"]
    return [whole]


def _laid_out(head: str, items: Sequence[str], tail: str) -> list[str]:
    """Return one item on the line of its bracket, and several on a line each, as the formatter does."""
    if len(items) == 1:
        return [f"{head}{items[0]}{tail}"]
    indent = " " * (len(head) - len(head.lstrip()))
    return [head, *(f"{indent}    {item}" for item in items), f"{indent}{tail}"]


def _condition(name: str, schema: Any, of: Range) -> str | None:
    """Return the expression that is true where a field is in its range; None where its type says so."""
    if of.low is None and of.high is None:
        return None
    text = kind_of(schema) == "string"
    value = f"len(self.{name})" if text else f"self.{name}"
    low = None if text and not of.low else of.low
    if low is None:
        held = f"{value} <= {_literal(of.high)}"
    elif of.high is None:
        held = f"{value} {'>' if of.above else '>='} {_literal(low)}"
    else:
        held = f"{_literal(low)} {'<' if of.above else '<='} {value} <= {_literal(of.high)}"
    return f"(self.{name} is None or {held})" if isinstance(schema, list) else held


def _literal(number: float | None) -> str:
    """Return a number as the formatter writes it."""
    return repr(number).replace("e+", "e")


def _rule_condition(rule: Rule, fields: Schema) -> str:
    if not isinstance(rule, Ordered):
        other = f"self.{rule.other}"
        return f'({other} == "{UNKNOWN}" or (self.{rule.field} is not None) == ({other} == "{rule.value}"))'
    less, more = f"self.{rule.less}", f"self.{rule.more}"
    held = f"{less} {'<' if rule.strict else '<='} {more}"
    if rule.apart is not None:
        held = f"{more} - {less} <= {_literal(rule.apart)}"
    unknown = [f"self.{name} is None" for name in rule.fields if isinstance(fields[name], list)]
    return f"({' or '.join([*unknown, held])})" if unknown else held


def module(domain: str, files: Sequence[SchemaFile]) -> str:
    """Return the source of one domain's models, given the newest version of each of its events."""
    text = "\n".join(model(file) for file in files)
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
        *_exported([f'"{file.schema["name"]}"' for file in files]),
    ]
    return "\n".join(head) + "\n" + text + "\n"


def _exported(names: Sequence[str]) -> list[str]:
    whole = f"__all__ = [{', '.join(names)}]"
    return [whole] if len(whole) <= LINE_CHARACTERS else ["__all__ = [", *(f"    {name}," for name in names), "]"]


def stale(files: Sequence[SchemaFile]) -> dict[Path, str]:
    """Return what should be written: the module of each domain whose text differs."""
    found = {}
    for domain in sorted({file.domain for file in files}):
        target = files[0].path.parents[1] / domain / "__init__.py"
        text = module(domain, [file for file in files if file.domain == domain])
        if not target.exists() or target.read_text("utf-8") != text:
            found[target] = text
    return found


def main(arguments: Sequence[str], root: Path = ROOT) -> int:
    """Write or, with --check, compare the models; returns the exit code."""
    try:
        files = committed(root)
        outdated = stale(list(newest(files).values()))
        if outdated and "--check" in arguments:
            print("out of date, run `./dev generate`:", *outdated, sep="\n  ", file=sys.stderr)
            return 1
        for target, text in outdated.items():
            target.write_text(text, "utf-8")
        # Only now, for the codec imports the models: a new domain has none before they are written.
        from tradewind.schemas.codec.compatibility import check_versions  # noqa: PLC0415

        check_versions(files)
    except SchemaFileError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
