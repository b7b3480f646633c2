"""Keys in plain text: a settings file is kept, shown and sent around, so it names keys and never holds one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from tradewind.processors.ai.settings_file.fields import DEEPEST, Flaw, snake

HIDDEN: Final = "(hidden)"
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


def without_keys(value: Any, path: str, flaws: list[Flaw], depth: int = 0) -> Any:
    """Return a document in which `HIDDEN` stands for each key in plain text; the keys' places are added to the flaws.

    Whatever else is wrong with the document can then be said without telling a key.
    """
    if depth > DEEPEST:
        flaws.append(Flaw(path, f"more than {DEEPEST} objects within each other"))
        return None
    if isinstance(value, list | tuple):
        return [without_keys(item, f"{path}[{at}]", flaws, depth + 1) for at, item in enumerate(value)]
    if isinstance(value, Mapping):
        return {
            _named(key): _hidden(key, item, f"{path}.{_named(key)}".lstrip("."), flaws, depth)
            for key, item in value.items()
        }
    if isinstance(value, str) and LOOKS.search(value):
        flaws.append(Flaw(path, INSTEAD))
        return HIDDEN
    if isinstance(value, str) and ADDRESS.match(value):
        flaws.append(Flaw(path, IN_ADDRESS))
        return HIDDEN
    return value


def _hidden(key: Any, value: Any, path: str, flaws: list[Flaw], depth: int) -> Any:
    is_secret = isinstance(key, str) and snake(key) in SECRET
    if is_secret and value is not None and not (isinstance(value, str) and NAMED.fullmatch(value)):
        flaws.append(Flaw(path, INSTEAD))
        return HIDDEN
    return without_keys(value, path, flaws, depth + 1)


def _named(key: Any) -> Any:
    return HIDDEN if isinstance(key, str) and LOOKS.search(key) else key
