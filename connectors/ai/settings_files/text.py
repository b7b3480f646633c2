"""The text of a settings file, YAML or JSON, as a document. Errors tell the place, and nothing of what stands there."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import yaml

MOST_BYTES = 1024 * 1024
"""Of a file: a thousand entries of a kilobyte."""
LEFT_AS_TEXT = "tag:yaml.org,2002:timestamp"


class NotReadable(ValueError):
    """A text that is neither YAML nor JSON; the message says where, and what is wrong with it."""


def document_of(text: str, *, is_json: bool = False) -> Any:
    """Return the document of a text. Numbers with a point are decimals. Raises `NotReadable`."""
    if len(text) > MOST_BYTES:
        raise NotReadable(f"it has {len(text):,} characters, and the most is {MOST_BYTES:,}: apply it in parts")
    try:
        return _json(text) if is_json else yaml.load(text, _Loader)  # noqa: S506 - a safe loader
    except NotReadable:
        raise
    except json.JSONDecodeError as error:
        raise NotReadable(f"line {error.lineno}, column {error.colno}: no JSON: {error.msg}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = "" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}: "
        raise NotReadable(f"{where}no YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, RecursionError, ValueError, ArithmeticError) as error:
        raise NotReadable(f"neither YAML nor JSON: {type(error).__name__}") from None


def _json(text: str) -> Any:
    return json.loads(text, parse_float=Decimal, object_pairs_hook=_once, parse_constant=_refused)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise NotReadable(f"{next(name for name in names if names.count(name) > 1)!r} stands twice in one object")
    return found


def _refused(word: str) -> Any:
    raise NotReadable(f"{word} is no JSON")


class _Loader(yaml.SafeLoader):
    """Reads decimals exactly, dates as texts, and no name twice."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's
        first: [(tag, pattern) for tag, pattern in known if tag != LEFT_AS_TEXT]
        for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's
        """Return an object; a name that stands twice is an error, as one of the two would be lost."""
        seen: set[Any] = set()
        for key, _ in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else None
            if name in seen and name != "<<":
                raise yaml.MarkedYAMLError(problem="a name stands twice in one object", problem_mark=key.start_mark)
            seen.add(name)
        return super().construct_mapping(node, deep)


def _decimal(_loader: _Loader, node: yaml.ScalarNode) -> Decimal:
    return Decimal(node.value.replace("_", ""))


_Loader.add_constructor("tag:yaml.org,2002:float", _decimal)
