"""Keys in plain text: a settings file is kept, shown and sent around, so it names keys and never holds one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from tradewind.processors.ai.settings_file.fields import DEEPEST, Flaw, snake

HIDDEN: Final = "(hidden)"
MOST_VALUES: Final = 100_000  # a thousand entries with a hundred each; a YAML file may multiply what it refers to
NAMED: Final = re.compile(r"\$\{([A-Za-z0-9][A-Za-z0-9._-]{0,63})\}")
"""`${OPENAI_API_KEY}`: the id of a key."""
SECRET: Final = frozenset({"api_key", "apikey", "key", "secret", "token", "password", "authorization"})
"""Fields that hold a key, whatever it looks like."""
LOOKS: Final = re.compile(
    r"(?:\b(?:sk|pk|rk)-[\w-]{8,}|\bAIza[\w-]{10,}|\b(?:gsk|hf|ghp|nvapi|pplx|xai)[-_]\w{10,}|\bAKIA[0-9A-Z]{12,}|\bBearer\s+\S{8,})"
)
"""What keys of known providers look like, wherever they stand."""
ADDRESS: Final = re.compile(r"[a-z]+://(?:[^/?#]*@|[^?#]*\?)", re.IGNORECASE)
"""An address with a password, or with parameters, which may be keys."""
INSTEAD: Final = (
    "a key in plain text: write ${OPENAI_API_KEY}, or any other id, and add the key of that id by "
    "./dev ai keys add OPENAI_API_KEY"
)
IN_ADDRESS: Final = "an address with a password or parameters, which may be a key: leave them out, and use apiKey"


def without_keys(document: Any, flaws: list[Flaw]) -> Any:
    """Return a document in which `HIDDEN` stands for each key in plain text; the keys' places are added to the flaws.

    Whatever else is wrong with the document can then be said without telling a key.
    """
    return _Search(flaws).through(document, "", 0)


class _Search:
    """A search through a document."""

    def __init__(self, flaws: list[Flaw]) -> None:
        self._flaws, self._values = flaws, 0

    def through(self, value: Any, path: str, depth: int) -> Any:
        """Return a value without keys."""
        self._values += 1
        if depth > DEEPEST or self._values > MOST_VALUES:
            much = f"{DEEPEST} objects within each other" if depth > DEEPEST else f"{MOST_VALUES:,} values"
            if self._values <= MOST_VALUES + 1:  # to say so once is enough
                self._flaws.append(Flaw(path, f"more than {much}"))
            return None
        if isinstance(value, list | tuple):
            return [self.through(item, f"{path}[{at}]", depth + 1) for at, item in enumerate(value)]
        if isinstance(value, Mapping):
            return {_named(key): self._field(key, item, path, depth) for key, item in value.items()}
        if isinstance(value, str) and ADDRESS.match(value):
            return self._hide(path, IN_ADDRESS)
        if isinstance(value, str) and LOOKS.search(value):
            return self._hide(path, INSTEAD)
        return value

    def _field(self, key: Any, value: Any, path: str, depth: int) -> Any:
        here = f"{path}.{_named(key)}".lstrip(".")
        is_secret = isinstance(key, str) and snake(key) in SECRET
        if is_secret and value is not None and not (isinstance(value, str) and NAMED.fullmatch(value)):
            return self._hide(here, INSTEAD)
        return self.through(value, here, depth + 1)

    def _hide(self, path: str, why: str) -> str:
        self._flaws.append(Flaw(path, why))
        return HIDDEN


def _named(key: Any) -> Any:
    return HIDDEN if isinstance(key, str) and LOOKS.search(key) else key
