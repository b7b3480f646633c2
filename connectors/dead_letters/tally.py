"""Count dead letters by what they have in common."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tradewind.connectors.dead_letters.survey import Entry, Standing, Survey


@dataclass(slots=True)
class Group:
    """Letters of one agent with one kind of error and of reason, from one topic, after as many attempts."""

    agent: str
    error: str
    topic: str
    attempt: int
    reason: str
    oldest: int
    """µs: when the first of the records came in."""
    newest: int
    """µs: when the last of the records came in."""
    letters: int = 0
    waiting: int = 0
    redriven: int = 0
    """Sent back to the agent, those among them that failed again: their later letters are in another group."""


def tally(found: Survey, entries: Iterable[Entry] | None = None) -> list[Group]:
    """Count the letters of a survey, or some of them, in groups: the largest first."""
    groups: dict[tuple[str, str, str, int, str], Group] = {}
    for entry in found.entries.values() if entries is None else entries:
        key = (entry.agent, entry.error, entry.origin[0], entry.attempt, entry.reason)
        group = groups.get(key)
        if group is None:
            group = groups[key] = Group(*key, oldest=entry.ts_ingest, newest=entry.ts_ingest)
        group.oldest, group.newest = min(group.oldest, entry.ts_ingest), max(group.newest, entry.ts_ingest)
        group.letters += 1
        if found.standing(entry) is Standing.WAITING:
            group.waiting += 1
        else:
            group.redriven += 1
    return sorted(groups.values(), key=lambda of: (-of.letters, of.error, of.topic, of.attempt, of.reason))
