"""Keys of providers, by their ids: events carry ids alone, and only the caller sees a key."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import SecretStr

from tradewind.connectors.settings import PREFIX

HIDDEN = "***"
SHORTEST_KEY = 8
"""Characters: a shorter text may stand in an answer by chance, so that hiding it would garble the answer."""


class NoKey(LookupError):
    """There is no key of an id; the message says where to put one."""


class Keys:
    """The keys that this process was given."""

    def __init__(self, keys: Mapping[str, SecretStr]) -> None:
        self._keys = {id_.lower(): key for id_, key in keys.items()}

    def key(self, key_id: str) -> str:
        """Return the key of an id; raises `NoKey`. Ids differ in more than case, as names of variables do."""
        if (found := self._keys.get(key_id.lower())) is None:
            raise NoKey(f"the caller has no key {key_id!r}: set {PREFIX}AI__KEYS__{key_id.upper()} and start it again")
        return found.get_secret_value()


def hidden(text: str, key: str | None) -> str:
    """Return a text without the key: some providers repeat it in their errors."""
    return text if key is None or len(key) < SHORTEST_KEY else text.replace(key, HIDDEN)
