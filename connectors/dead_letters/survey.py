"""Look at all dead letters of an owner without keeping them, and decide which of them to send again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from sys import intern

from tradewind.connectors.dead_letters.fit import is_cut
from tradewind.connectors.dead_letters.owner import Returns
from tradewind.connectors.dead_letters.reasons import kind_of_reason
from tradewind.connectors.dead_letters.wanted import EVERY, Wanted
from tradewind.schemas.runtime import DeadLetter, Redriven

Origin = tuple[str, int, int]
"""Topic, partition and offset."""


class Standing(Enum):
    """What has become of a letter."""

    WAITING = "waiting"
    REDRIVEN = "redriven"
    FAILED_AGAIN = "failed again"
    """A later letter of the same record says so, and stands for it from then on."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is remembered of a letter: some 400 bytes, whatever its record's size."""

    event_id: str
    agent: str
    error: str
    reason: str
    """The kind of reason, numbers left out."""
    origin: Origin
    attempt: int
    ts_ingest: int
    """µs."""
    cut: bool
    """The letter does not hold the whole value, which did not fit."""

    @classmethod
    def of(cls, letter: DeadLetter) -> Entry:
        """Remember a letter."""
        return cls(
            event_id=letter.event_id,
            agent=intern(letter.agent),
            error=intern(letter.error),
            reason=intern(kind_of_reason(letter.reason)),
            origin=(intern(letter.topic), letter.partition, letter.offset),
            attempt=letter.attempt,
            ts_ingest=letter.ts_ingest,
            cut=is_cut(letter.reason),
        )


@dataclass(slots=True)
class Survey:
    """All letters of one owner at one time."""

    marks: Mapping[str, Redriven]
    """By the letter's id: those that were sent back."""
    entries: dict[str, Entry] = field(default_factory=dict)
    """The wanted letters by id: one that was written twice is one."""
    attempts: dict[Origin, int] = field(default_factory=dict)
    """The latest attempt at each record, wanted or not."""

    def standing(self, entry: Entry) -> Standing:
        """Return what has become of a letter."""
        if self.attempts[entry.origin] > entry.attempt:
            return Standing.FAILED_AGAIN
        return Standing.REDRIVEN if entry.event_id in self.marks else Standing.WAITING

    def times(self, entry: Entry) -> int:
        """Return how often a letter has been sent back."""
        mark = self.marks.get(entry.event_id)
        return 0 if mark is None else mark.times


def survey(letters: Iterable[DeadLetter], marks: Mapping[str, Redriven], wanted: Wanted = EVERY) -> Survey:
    """Look at letters, in the order in which they were written."""
    found = Survey(marks)
    for letter in letters:
        origin = (letter.topic, letter.partition, letter.offset)
        found.attempts[origin] = max(letter.attempt, found.attempts.get(origin, 0))
        if wanted.takes(letter):
            found.entries[letter.event_id] = Entry.of(letter)
    return found


@dataclass(slots=True)
class Plan:
    """Which of the wanted letters to send, and why not the others."""

    send: dict[str, Entry] = field(default_factory=dict)
    """By id."""
    times: dict[str, int] = field(default_factory=dict)
    """How often each of them had been sent when it was chosen."""
    redriven: int = 0
    """Sent already."""
    failed_again: int = 0
    """Stood for by a later letter of the same record."""
    cut: int = 0
    """Without the whole value."""
    unread: int = 0
    """Of topics, or partitions, that the agent does not read."""


def plan(found: Survey, returns: Returns, *, again: bool = False) -> Plan:
    """Choose the letters to send: of each record the latest only, and with `again` those that were sent before too."""
    chosen = Plan()
    for event_id, entry in found.entries.items():
        standing = found.standing(entry)
        topic, partition, _ = entry.origin
        if standing is Standing.FAILED_AGAIN:
            chosen.failed_again += 1
        elif standing is Standing.REDRIVEN and not again:
            chosen.redriven += 1
        elif entry.cut:
            chosen.cut += 1
        elif topic not in returns.inputs or not 0 <= partition < returns.redrive.partitions:
            chosen.unread += 1
        else:
            chosen.send[event_id] = entry
            chosen.times[event_id] = found.times(entry)
    return chosen
