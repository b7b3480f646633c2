"""Find a topic by its name."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from tradewind.topics.topic import Topic


class UnknownTopic(LookupError):
    """No topic has this name; the message lists those there are."""


def topic_named(name: str, topics: Iterable[Topic]) -> Topic:
    """Return the topic of a name; raises `UnknownTopic`."""
    by_name = {topic.name: topic for topic in topics}
    if name in by_name:
        return by_name[name]
    close = get_close_matches(name, by_name, n=1)
    hint = f" (did you mean {close[0]}?)" if close else ""
    raise UnknownTopic(f"there is no topic {name!r}{hint}; topics are: {', '.join(sorted(by_name))}")
