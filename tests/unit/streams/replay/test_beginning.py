"""Where a verification begins: as early as all inputs are there, from nothing or from a whole snapshot."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tradewind.schemas.runtime import JournalEntry, StateSnapshot
from tradewind.streams.replay.beginning import Contents, choose

LOW = {"market.ticks": 0}


def entry(sequence: int, first: int = 0, *, starts: bool = False, count: int = 1) -> JournalEntry:
    """Return an entry that read one range of ticks."""
    of = {"topic": "market.ticks", "first": first, "next": first + 1, "count": count}
    return JournalEntry(
        agent="a",
        partition=0,
        sequence=sequence,
        starts=({"topic": "market.ticks", "next": 0},) if starts else (),
        ranges=() if starts else ({**of, "digest": b"", "sum": 0, "moment": 0},),
        skipped=(),
        outputs=0,
        outputs_digest=b"",
        state_digest=b"",
    )


def part(sequence: int, number: int = 0, parts: int = 1) -> StateSnapshot:
    """Return a part of a snapshot."""
    return StateSnapshot(
        agent="a", partition=0, sequence=sequence, part=number, parts=parts, inputs=(), state_digest=b"", data=b""
    )


def contents(*events: JournalEntry | StateSnapshot, low: int = 0) -> Contents:
    """Return what a journal holds whose input begins at an offset."""
    found = Contents()
    for offset, event in enumerate(events):
        found.add(offset, event, {"market.ticks": low})
    return found


WHOLE = (entry(0, starts=True), entry(1, 0), part(2), entry(2, 1), entry(3, 2), part(4), entry(4, 3))


@pytest.mark.parametrize(
    ("low", "wanted", "begin"),
    [
        (0, None, 0),
        (0, 1, 0),
        (0, 2, 2),
        (0, 3, 2),
        (0, 99, 4),
        (1, None, 2),
        (1, 0, 2),
        (2, None, 4),
        (4, None, None),
    ],
)
def test_it_begins_as_early_as_possible_or_at_the_last_snapshot_before_what_is_wanted(
    low: int, wanted: int | None, begin: int | None
) -> None:
    """Inputs before `low` are gone, and with them all entries up to the last that read one of them."""
    assert choose(contents(*WHOLE, low=low), wanted) == begin


def test_a_snapshot_with_a_part_missing_is_none() -> None:
    """Its task moved on to another worker before it was sent whole."""
    found = contents(entry(7), part(8, 0, 2), entry(8), part(9, 0, 2), entry(9), part(9, 1, 2), entry(10))
    assert found.beginnings() == {9: 3}
    assert found.first == 7
    assert found.begins_with_snapshot(9)
    assert not found.begins_with_snapshot(8)


def test_a_task_with_state_before_its_journal_begins_with_its_snapshot_alone() -> None:
    """Its first entry has number 0 and did not begin from nothing."""
    assert contents(entry(0), entry(1)).beginnings() == {}
    assert contents(part(0), entry(0), entry(1)).beginnings() == {0: 0}


def test_ranges_of_markers_alone_are_never_gone() -> None:
    """There is nothing to be read again."""
    assert choose(contents(entry(0, starts=True), entry(1, 0, count=0), low=9), None) == 0


def test_entries_from_before_the_state_was_deleted_are_not_run() -> None:
    """Somebody had all processed again: the numbers begin anew."""
    found = contents(*WHOLE, entry(0, starts=True), entry(1, 0))
    assert (found.first_offset, found.last, found.beginnings()) == (7, 1, {0: 7})


def test_entries_in_another_format_are_known_by_the_last_of_them() -> None:
    """Those of versions that did not tell their format are not among them."""
    found = Contents(format="2+0")
    for sequence, written in enumerate(("", "1+0", "2+0", "1+0", "2+0")):
        found.add(sequence, replace(entry(sequence), format=written), LOW)
    assert (found.other_format, found.last_of_other) == ("1+0", 3)
    found.add(9, replace(entry(0, starts=True), format="2+0"), LOW)
    assert found.last_of_other == -1
