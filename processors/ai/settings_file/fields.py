"""Reads objects field by field, and says of each wrong one where it stands and what it should be.

Names may be written as `base_url` or as `baseUrl`. A path is written as the file writes it. A name that the file lacks
is written as the file writes its other names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

SHOWN: Final = 60  # characters of a value that an error quotes
DEEPEST: Final = 32  # objects within objects; a YAML file may refer to itself
_HUMP: Final = re.compile(r"(?<=[a-z0-9])([A-Z])")
_GAP: Final = re.compile(r"_([a-z])")


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with a settings file."""

    path: str
    """Such as `providers[0].models[1].name`; empty for the file."""
    text: str


class Unfit(ValueError):
    """A value that its place does not take; the message says what it takes."""


@dataclass(frozen=True, slots=True)
class Implied:
    """Key of a field that the file does not write as one: its path is that of its object."""

    name: str


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
    camel: bool = False
    """Whether the file writes names as `baseUrl`."""

    def at(self, name: str) -> str:
        """Return the path of a field."""
        return f"{self.path}.{self.called(name)}".removesuffix(".")

    def called(self, name: str) -> str:
        """Return the name of a field as the file writes it, or would write it."""
        return self.spelled.get(name, written(name, camel=self.camel))


def snake(key: str) -> str:
    """Return a name as we write it: `baseUrl` is `base_url`."""
    return _HUMP.sub(r"_\1", key).lower().replace("-", "_")


def written(name: str, *, camel: bool) -> str:
    """Return a name of ours as a file writes it."""
    return _GAP.sub(lambda found: found[1].upper(), name) if camel else name


def writes_camel(document: Any, fields: Mapping[str, Field]) -> bool:
    """Return whether any name of a field in a document is written as `baseUrl`. The document has no endless depth."""
    known = {alias for name, field in _every(fields) for alias in (name, *field.aliases)}
    waiting = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list | tuple):
            waiting += value
        elif isinstance(value, Mapping):
            if any(isinstance(key, str) and _HUMP.search(key) and snake(key) in known for key in value):
                return True
            waiting += value.values()
    return False


def _every(fields: Mapping[str, Field]) -> Iterator[tuple[str, Field]]:
    for name, field in fields.items():
        yield name, field
        yield from _every(field.items or field.group or {})


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the objects of one file, and keeps what is wrong with them."""

    flaws: list[Flaw]
    camel: bool = False
    """Whether the file writes names as `baseUrl`."""

    def objects(self, value: Any, field: Field, path: str) -> list[Found]:
        """Return the usable objects of a list; what is wrong with them and the others is added to the flaws."""
        assert field.items is not None
        if not isinstance(value, list | tuple):
            self.flaws.append(Flaw(path, "expected a list"))
            return []
        found = []
        for at, given in enumerate(value):
            here, item = f"{path}[{at}]", given
            if field.bare is not None and isinstance(item, str):
                try:
                    item = field.bare(item)
                except Unfit as unfit:
                    self.flaws.append(Flaw(here, f"{unfit}, not {_shown(item)}"))
                    continue
            made = self.object(item, field.items, here)
            if made.usable:
                found.append(made)
        return found

    def object(self, value: Any, fields: Mapping[str, Field], path: str) -> Found:
        """Return an object with the defaults of what it leaves out; its flaws are added to the others."""
        if not isinstance(value, Mapping):
            self.flaws.append(Flaw(path, "expected an object"))
            return Found(path, {}, {}, usable=False, camel=self.camel)
        keys = self._keys(value, fields, path)
        spelled = {name: "" if isinstance(key, Implied) else key for name, key in keys.items()}
        found = Found(path, {}, spelled, camel=self.camel)
        usable = True
        for name, field in fields.items():
            here, before = found.at(name), len(self.flaws)
            if name in keys:
                found.values[name] = self._value(value[keys[name]], field, here)
            else:
                found.values[name] = field.default
                if field.required:
                    self.flaws.append(Flaw(here, "missing"))
            if field.required and any(flaw.path == here for flaw in self.flaws[before:]):
                usable = False
        return found if usable else replace(found, usable=False)

    def _keys(self, value: Mapping[Any, Any], fields: Mapping[str, Field], path: str) -> dict[str, Any]:
        """Return the key of each field that an object has."""
        names = {alias: name for name, field in fields.items() for alias in (name, *field.aliases)}
        keys: dict[str, Any] = {}
        for key in value:
            name = key.name if isinstance(key, Implied) else names.get(snake(key)) if isinstance(key, str) else None
            if name is None:
                known = ", ".join(written(one, camel=self.camel) for one in fields)
                self.flaws.append(Flaw(f"{path}.{key}", f"unknown; there are {known}"))
            elif name in keys:
                self.flaws.append(Flaw(f"{path}.{key}", f"given twice, also as {keys[name]}"))
            else:
                keys[name] = key
        return keys

    def _value(self, value: Any, field: Field, path: str) -> Any:
        if field.items is not None:
            return self.objects(value, field, path)
        if field.group is not None:
            return self.object(value, field.group, path)
        assert field.parse is not None
        try:
            return field.parse(value)
        except Unfit as unfit:
            self.flaws.append(Flaw(path, f"{unfit}, not {_shown(value)}"))
            return field.default


def _shown(value: Any) -> str:
    return json.dumps(value, default=str, ensure_ascii=False)[:SHOWN]
