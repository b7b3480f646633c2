"""Reads objects field by field, and says of each wrong one where it stands and what it should be.

Names may be written as `base_url` or as `baseUrl`. A path is written as the file writes it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

SHOWN: Final = 60  # characters of a value that an error quotes
DEEPEST: Final = 32  # objects within objects; a YAML file may refer to itself
_HUMP: Final = re.compile(r"(?<=[a-z0-9])([A-Z])")


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with a settings file."""

    path: str
    """Such as `providers[0].models[1].name`; empty for the file."""
    text: str


class Unfit(ValueError):
    """A value that its place does not take; the message says what it takes."""


Parse: TypeAlias = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an object: a value, a list of objects, or a group of further fields."""

    parse: Parse | None = None
    default: Any = None
    required: bool = False
    items: Mapping[str, Field] | None = None
    group: Mapping[str, Field] | None = None
    bare: Parse | None = None
    """Of items: makes an object of one that is written as a text."""
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """An object that was read."""

    path: str
    values: dict[str, Any]
    spelled: Mapping[str, str]
    """Name of a field -> how the file writes it."""
    usable: bool = True
    """Whether each required field is there and fits. Other fields that do not fit have their defaults."""

    def at(self, name: str) -> str:
        """Return the path of a field."""
        return f"{self.path}.{self.spelled.get(name, name)}"


def snake(key: str) -> str:
    """Return a name as we write it: `baseUrl` is `base_url`."""
    return _HUMP.sub(r"_\1", key).lower().replace("-", "_")


def objects(value: Any, field: Field, path: str, flaws: list[Flaw]) -> list[Found]:
    """Return the usable objects of a list; what is wrong with them and the others is added to the flaws."""
    assert field.items is not None
    if not isinstance(value, list | tuple):
        flaws.append(Flaw(path, "expected a list"))
        return []
    found = []
    for at, given in enumerate(value):
        here, item = f"{path}[{at}]", given
        if field.bare is not None and isinstance(item, str):
            try:
                item = field.bare(item)
            except Unfit as unfit:
                flaws.append(Flaw(here, f"{unfit}, not {_shown(item)}"))
                continue
        made = read_object(item, field.items, here, flaws)
        if made.usable:
            found.append(made)
    return found


def read_object(value: Any, fields: Mapping[str, Field], path: str, flaws: list[Flaw]) -> Found:
    """Return an object with the defaults of what it leaves out; what is wrong with it is added to the flaws."""
    if not isinstance(value, Mapping):
        flaws.append(Flaw(path, "expected an object"))
        return Found(path, {}, {}, usable=False)
    names = {alias: name for name, field in fields.items() for alias in (name, *field.aliases)}
    spelled: dict[str, str] = {}
    for key in value:
        name = names.get(snake(key)) if isinstance(key, str) else None
        if name is None:
            flaws.append(Flaw(f"{path}.{key}", f"unknown; there are {', '.join(fields)}"))
        elif name in spelled:
            flaws.append(Flaw(f"{path}.{key}", f"given twice, also as {spelled[name]}"))
        else:
            spelled[name] = key
    made: dict[str, Any] = {}
    usable = True
    for name, field in fields.items():
        here, before = f"{path}.{spelled.get(name, name)}", len(flaws)
        if name in spelled:
            made[name] = _value(value[spelled[name]], field, here, flaws)
        else:
            made[name] = field.default
            if field.required:
                flaws.append(Flaw(here, "missing"))
        if field.required and any(flaw.path == here for flaw in flaws[before:]):
            usable = False
    return Found(path, made, spelled, usable)


def _value(value: Any, field: Field, path: str, flaws: list[Flaw]) -> Any:
    if field.items is not None:
        return objects(value, field, path, flaws)
    if field.group is not None:
        return read_object(value, field.group, path, flaws)
    assert field.parse is not None
    try:
        return field.parse(value)
    except Unfit as unfit:
        flaws.append(Flaw(path, f"{unfit}, not {_shown(value)}"))
        return field.default


def _shown(value: Any) -> str:
    return json.dumps(value, default=str, ensure_ascii=False)[:SHOWN]
