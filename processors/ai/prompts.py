"""Prompts: versioned texts with places for values. A prompt never changes under its name and version.

A file `name@version.toml` holds one prompt:

    request_type = "news_analysis"
    system = "You judge news for traders."
    user = "What does this mean for $symbol? $headline"
    max_tokens = 200
    json_schema = '{"type": "object", "properties": {"sentiment": {"type": "number"}}}'

`$name` is a place, and `$$` a dollar sign.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from string import Template
from typing import Any, Final

from tradewind.processors.ai.json_answers import UnsoundSchema, check_schema
from tradewind.processors.identity import derive_id
from tradewind.schemas.ranges import NAME_CHARACTERS, TEMPERATURE_MAX, TOKENS_MAX

NAME: Final = re.compile(r"^[a-z0-9][a-z0-9_-]{0,63}@[1-9][0-9]{0,5}$")
MOST_CHARACTERS: Final = 65_536  # of a prompt's file: values come on top, up to the 512 KiB of a request
VALUE_CHARACTERS: Final = 65_536  # of one value, such as the body of a news item
MOST_PLACES: Final = 64  # times that a $name stands in a prompt: filled, it has some 4 million characters at most
DEFAULT_TOKENS: Final = 1_000
Value = str | int | float
"""What may stand in a place."""


class PromptError(ValueError):
    """A prompt that cannot be read, found or filled; the message says which, why, and what to do."""


class UnknownPrompt(PromptError):
    """There is no prompt of this name and version."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt."""

    name: str
    """With its version: `name@version`."""
    user: str
    """The question, with places."""
    system: str = ""
    """What the model is told before, with places; empty for nothing."""
    request_type: str = "general"
    """Names the route."""
    max_tokens: int = DEFAULT_TOKENS
    json_schema: str | None = None
    """JSON Schema of the answer; None for free text."""
    temperature: float | None = None

    @property
    def places(self) -> frozenset[str]:
        """The names of the values that it needs."""
        return frozenset(name for text in (self.system, self.user) for name in Template(text).get_identifiers())

    @property
    def digest(self) -> str:
        """32 hex digits of all that the prompt says."""
        return derive_id("Prompt", *(str(getattr(self, each.name)) for each in fields(self)))

    def filled(self, values: Mapping[str, Value]) -> list[tuple[str, str]]:
        """Return role and text of each message; raises `PromptError` where values and places differ."""
        texts = self.checked(values)
        said = [("SYSTEM", self.system), ("USER", self.user)]
        return [(role, Template(text).substitute(texts)) for role, text in said if text]

    def checked(self, values: Mapping[str, Value]) -> dict[str, str]:
        """Return values as texts, by name; raises `PromptError` where they do not fit the places."""
        places = self.places
        if missing := sorted(places - values.keys()):
            raise PromptError(f"prompt {self.name} needs a value for {', '.join(missing)}")
        if surplus := sorted(str(name) for name in values.keys() - places):
            raise PromptError(
                f"prompt {self.name} has no place for {', '.join(surplus)}; its places: {', '.join(sorted(places))}"
            )
        texts = {}
        for name in sorted(values):
            value = values[name]
            if not isinstance(value, str | int | float):
                raise PromptError(f"prompt {self.name}: {name} is a {type(value).__name__}, no text and no number")
            texts[name] = text = str(value)
            if len(text) > VALUE_CHARACTERS:
                raise PromptError(
                    f"prompt {self.name}: {name} has {len(text):,} characters, above {VALUE_CHARACTERS:,}: cut it"
                )
        return texts


Prompts = Mapping[str, Prompt]
"""By `name@version`."""


def prompt_of(prompts: Prompts, name: str) -> Prompt:
    """Return a prompt; raises `UnknownPrompt`, which names those that there are."""
    found = prompts.get(name)
    if found is not None:
        return found
    close = get_close_matches(name, prompts, n=1)
    hint = f" (is it {close[0]}?)" if close else ""
    known = ", ".join(sorted(prompts)) or "none"
    raise UnknownPrompt(
        f"there is no prompt {name!r}{hint}; prompts are: {known}. Add a file {name}.toml (docs/asking.md)"
    )


def prompt_from(name: str, text: str) -> Prompt:
    """Return the prompt of a file; `name` is the file's name without `.toml`. Raises `PromptError`."""
    if not NAME.match(name):
        raise PromptError(f"{name!r} is no name of a prompt: it is name@version, such as news-sentiment@1")
    if len(text) > MOST_CHARACTERS:
        raise PromptError(f"prompt {name} has {len(text):,} characters, above {MOST_CHARACTERS:,}")
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PromptError(f"prompt {name} is no TOML: {error}") from None
    return _checked(name, found)


def _checked(name: str, found: dict[str, Any]) -> Prompt:
    known = {each.name for each in fields(Prompt)} - {"name"}
    if unknown := sorted(found.keys() - known):
        raise PromptError(f"prompt {name}: there is no field {unknown[0]!r}; fields are {', '.join(sorted(known))}")
    texts = {"user", "system", "request_type", "json_schema"}
    for field, value in found.items():
        if field in texts and not isinstance(value, str):
            raise PromptError(f"prompt {name}: {field} is no text")
    if not found.get("user"):
        raise PromptError(f"prompt {name}: user is missing: it is the question")
    if not 0 < len(found.get("request_type", "general")) <= NAME_CHARACTERS:
        raise PromptError(f"prompt {name}: request_type has 1 to {NAME_CHARACTERS} characters")
    tokens, temperature = found.get("max_tokens", DEFAULT_TOKENS), found.get("temperature")
    if isinstance(tokens, bool) or not isinstance(tokens, int) or not 1 <= tokens <= TOKENS_MAX:
        raise PromptError(f"prompt {name}: max_tokens is a whole number from 1 to {TOKENS_MAX:,}")
    if temperature is not None:
        if isinstance(temperature, bool) or not isinstance(temperature, int | float):
            raise PromptError(f"prompt {name}: temperature is no number")
        if not 0 <= temperature <= TEMPERATURE_MAX:
            raise PromptError(f"prompt {name}: temperature is from 0 to {TEMPERATURE_MAX:g}")
        found["temperature"] = float(temperature)
    _check_texts(name, found)
    return Prompt(name=name, **found)


def _check_texts(name: str, found: Mapping[str, Any]) -> None:
    places = 0
    for field in ("system", "user"):
        template = Template(found.get(field, ""))
        if not template.is_valid():
            raise PromptError(f"prompt {name}: {field} has a $ that begins no name: write $$ for a dollar sign")
        places += sum(bool(one["named"] or one["braced"]) for one in template.pattern.finditer(template.template))
    if places > MOST_PLACES:
        raise PromptError(f"prompt {name} has {places} places, above {MOST_PLACES}")
    if (schema := found.get("json_schema")) is not None:
        try:
            parsed = json.loads(schema)
        except (ValueError, RecursionError) as error:
            raise PromptError(f"prompt {name}: json_schema is no JSON: {error}") from None
        try:
            check_schema(parsed)
        except UnsoundSchema as unsound:
            raise PromptError(f"prompt {name}: json_schema: {unsound}") from None
