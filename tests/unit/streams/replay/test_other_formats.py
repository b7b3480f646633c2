"""What a version with another format of state did may differ, is said so, and is gone past; nothing else is."""

from __future__ import annotations

import pytest
from runtime.records import CODEC, NOWHERE

from tradewind.schemas.runtime import StateSnapshot
from tradewind.streams.replay.beginning import Contents
from tradewind.streams.replay.difference import Difference, Kind
from tradewind.streams.replay.verify import _Verification
from tradewind.streams.runtime.agent import Agent
from tradewind.topics import TICKS

AGENT = Agent("a", (TICKS,), (), lambda state, segment: [])
PART = StateSnapshot(agent="a", partition=0, sequence=0, part=0, parts=1, inputs=(), state_digest=b"", data=b"")


def differing(sequence: int, kind: Kind = "state") -> Difference:
    """Return a difference in an entry."""
    return Difference(kind, sequence, {}, "one", "another")


def verification(
    monkeypatch: pytest.MonkeyPatch, contents: Contents, outcomes: dict[int, Difference | None]
) -> _Verification:
    """Return a verification of a journal whose runs from an entry have an outcome."""

    def compare(self: _Verification, begin: int, *_: object) -> Difference | None:
        self._result.entries, self._result.last = 2, begin + 1
        return outcomes[begin]

    monkeypatch.setattr(_Verification, "_scan", lambda *_: contents)
    monkeypatch.setattr(_Verification, "_snapshot", lambda *_: {})
    monkeypatch.setattr(_Verification, "_compare", compare)
    monkeypatch.setitem(_Verification._run.__globals__, "ends", lambda _, at, which: dict.fromkeys(at, 0))
    return _Verification(lambda _: AGENT, NOWHERE, CODEC, 0)


def of_two_versions(*snapshots: int) -> Contents:
    """Return what a journal holds that another version wrote up to entry 4."""
    found = Contents(format="2+0", first=0, last=9, from_nothing=True, other_format="1+0", last_of_other=4)
    for sequence in snapshots:
        found.add(sequence, StateSnapshot.from_dict({**PART.to_dict(), "sequence": sequence}), {})
    return found


def test_it_goes_on_with_the_snapshot_that_was_taken_when_the_format_began(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was compared is what this version did; a note tells of the rest."""
    found = verification(monkeypatch, of_two_versions(2, 5), {0: differing(3), 5: None}).run(None)
    assert (found.equal, found.first, found.last, found.entries) == (True, 5, 6, 2)
    assert "entries up to 4 were made by a version that writes state in format 1+0" in found.notes[0]


@pytest.mark.parametrize(
    ("contents", "different", "wanted"),
    [
        (of_two_versions(5), differing(6), None),
        (of_two_versions(5), differing(3, "input"), None),
        (of_two_versions(5), differing(3, "journal"), None),
        (of_two_versions(5), differing(3), 0),
        (of_two_versions(2), differing(3), None),
        (of_two_versions(5), differing(5), None),
    ],
)
def test_other_differences_stand(
    monkeypatch: pytest.MonkeyPatch, contents: Contents, different: Difference, wanted: int | None
) -> None:
    """In entries of this version, of what was read, where it was asked for, or where there is no way past."""
    found = verification(monkeypatch, contents, {0: different}).run(wanted)
    assert not found.equal
    assert found.difference == different
