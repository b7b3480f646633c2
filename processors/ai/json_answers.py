"""Answers in JSON: which schemas may be asked for, and whether an answer matches its schema.

The work is bounded before it begins. A schema is a tree of few nodes, without patterns and without references to
anywhere else, and it is not checked against an answer with too many values.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from referencing import Registry

from tradewind.schemas.ai import AiAttempt, AiRequest

MOST_SCHEMA_BYTES: Final = 65_536  # providers refuse larger ones
MOST_NODES: Final = 1_000  # of a schema, each reference counted as what it leads to; providers refuse more
DEEPEST: Final = 32  # levels of a schema
MOST_WORK: Final = 500_000  # nodes of the schema times values of the answer: a second or two at the most
MOST_ERROR: Final = 300  # characters of what is wrong with an answer: some quote all of it
MOST_ANSWER: Final = 8_192  # characters of an answer that is shown to the model again
CACHED: Final = 256  # schemas: each prompt has one
REPAIR: Final = (
    "Your answer does not match the JSON Schema: {}. Answer again, with JSON that matches it and nothing else."
)
DEFINITIONS: Final = frozenset({"$defs", "definitions"})
"""What they hold counts where it is used."""
LISTS: Final = frozenset({"prefixItems", "anyOf", "oneOf", "allOf"})
"""Keywords with a list of schemas."""
SINGLE: Final = frozenset({"items", "additionalProperties", "propertyNames", "not", "if", "then", "else"})
"""Keywords with one schema."""
VALUES: Final = frozenset({"enum", "const"})
PLAIN: Final = frozenset(
    {
        "type", "required", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
        "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties",
        "title", "description", "default", "examples", "format", "$schema", "$comment",
    }
)  # fmt: skip
LOCAL: Final = ("#/$defs/", "#/definitions/")
"""How references begin."""


class UnsoundSchema(ValueError):
    """A JSON Schema that no answer is checked by; the message says where and why."""


@dataclass(frozen=True, slots=True)
class Matching:
    """An answer that may be given."""

    json: str | None
    """The answer as JSON; None where none was asked for."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """An answer that does not match its schema."""

    error: str


def check_schema(schema: Any) -> int:
    """Return how many nodes a schema has; raises `UnsoundSchema` if no answer can be checked by it in bounded time."""
    size = len(json.dumps(schema).encode())
    if size > MOST_SCHEMA_BYTES:
        raise UnsoundSchema(f"it takes {size:,} bytes, above {MOST_SCHEMA_BYTES:,}")
    nodes = 0
    if not isinstance(schema, Mapping):
        raise UnsoundSchema("it is no object")
    for _ in _nodes(schema, _Walk(schema, "$")):
        nodes += 1
        if nodes > MOST_NODES:
            raise UnsoundSchema(f"it has more than {MOST_NODES:,} nodes, with what its references lead to")
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise UnsoundSchema(f"{error.json_path}: {error.message[:MOST_ERROR]}") from None
    return nodes


@dataclass(frozen=True, slots=True)
class _Walk:
    """Where a walk through a schema is."""

    root: Mapping[str, Any]
    path: str
    depth: int = 0
    within: tuple[str, ...] = ()
    """References that led here."""

    def to(self, step: str, *referred: str) -> _Walk:
        return _Walk(self.root, f"{self.path}{step}", self.depth + 1, (*self.within, *referred))


def _nodes(node: Any, at: _Walk) -> Iterator[None]:
    """Yield once for each node below and including one, with those that references lead to."""
    yield
    if isinstance(node, bool):
        return
    if not isinstance(node, Mapping):
        raise UnsoundSchema(f"{at.path} is no schema")
    if at.depth > DEEPEST:
        raise UnsoundSchema(f"{at.path} is more than {DEEPEST} levels deep")
    for word, value in node.items():
        if word in VALUES:
            yield from (None for _ in range(_count(json.dumps(value))))
            continue
        for part, step in _parts(word, value, at):
            yield from _nodes(part, step)


def _parts(word: str, value: Any, at: _Walk) -> Iterator[tuple[Any, _Walk]]:
    """Yield the schemas of a keyword; nothing where its value has another form, which the schema of schemas refuses."""
    step = f".{word}"
    if word == "$ref":
        yield _referred(value, at, step), at.to(step, value)
    elif word == "properties" and isinstance(value, Mapping):
        yield from ((part, at.to(f"{step}.{name}")) for name, part in value.items())
    elif word in LISTS and isinstance(value, list):
        yield from ((part, at.to(f"{step}[{number}]")) for number, part in enumerate(value))
    elif word in SINGLE:
        yield value, at.to(step)
    elif word not in PLAIN | LISTS | DEFINITIONS | {"properties"}:
        raise UnsoundSchema(f"{at.path}{step}: this keyword is not checked here: leave it out")


def _referred(value: Any, at: _Walk, step: str) -> Any:
    start = next((start for start in LOCAL if isinstance(value, str) and value.startswith(start)), None)
    if start is None:
        raise UnsoundSchema(f"{at.path}{step} is {value!r}: a reference begins with {' or '.join(LOCAL)}")
    if value in at.within:
        raise UnsoundSchema(f"{at.path}{step}: {value} refers to itself")
    name = value.removeprefix(start).replace("~1", "/").replace("~0", "~")
    found = at.root.get(start[2:-1], {})
    if not isinstance(found, Mapping) or name not in found:
        raise UnsoundSchema(f"{at.path}{step}: there is no {value}")
    return found[name]


def judged(request: AiRequest, attempt: AiAttempt) -> Matching | Mismatch:
    """Return whether an answer matches the schema of its request. A call of tools is no answer yet."""
    if request.json_schema is None or (attempt.tool_calls and not attempt.text.strip()):
        return Matching(None)
    return _checked(request.json_schema, attempt.text)


def matches(schema: Any, text: str) -> bool:
    """Return whether a text is JSON that matches a schema; None is the schema of any text."""
    return schema is None or isinstance(_checked(json.dumps(schema), text), Matching)


def _checked(schema: str, text: str) -> Matching | Mismatch:
    validator, nodes = _validator(schema)
    try:
        found = json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        return Mismatch(f"it is no JSON: {error}"[:MOST_ERROR])
    if nodes * _count(text) > MOST_WORK:
        return Mismatch("it has too many values to be checked")
    try:
        first = next(iter(validator.iter_errors(found)), None)
    except (ArithmeticError, RecursionError) as error:
        return Mismatch(f"it cannot be checked: {type(error).__name__}: {error}"[:MOST_ERROR])
    if first is not None:
        return Mismatch(_shortened(f"{first.json_path}: {first.message}"))
    return Matching(json.dumps(found, separators=(",", ":"), ensure_ascii=False))


def repaired(request: AiRequest, attempt: AiAttempt, mismatch: Mismatch) -> AiRequest:
    """Return a request that shows the model its answer, and what is wrong with it."""
    plain = {"name": None, "tool_call_id": None, "tool_calls": (), "images": ()}
    said = ({"role": "ASSISTANT", "content": attempt.text[:MOST_ANSWER], **plain},) if attempt.text.strip() else ()
    asked = {"role": "USER", "content": REPAIR.format(mismatch.error), **plain}
    return replace(request, messages=(*request.messages, *said, asked))


@lru_cache(CACHED)
def _validator(schema: str) -> tuple[Draft202012Validator, int]:
    parsed = json.loads(schema)
    return Draft202012Validator(parsed, registry=Registry()), check_schema(parsed)


def _shortened(error: str) -> str:
    """Return an error without the middle of what it quotes: it begins with the value, and ends with what is wrong."""
    half = MOST_ERROR // 2
    return error if len(error) <= MOST_ERROR else f"{error[:half]} … {error[-half:]}"


def _count(text: str) -> int:
    """Return an upper bound of how many values a JSON text has."""
    return 1 + sum(map(text.count, ",[{"))


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")


def _finite(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError(f"{text[:40]} is too large a number")
    return number
