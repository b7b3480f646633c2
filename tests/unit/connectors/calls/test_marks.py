"""Marks: what a claim's metadata says, whatever was claimed and done."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.connectors.calls.marks import WINDOW, Marks, MarksUnreadable, marks_of

METADATA_BYTES = 4096
"""What a broker takes (`offset.metadata.max.bytes`)."""
OFFSETS = st.sets(st.integers(0, WINDOW - 1), max_size=200)


@given(floor=st.integers(0, 2**40), claimed=OFFSETS, done=OFFSETS)
def test_marks_come_back_as_they_were_written(floor: int, claimed: set[int], done: set[int]) -> None:
    """Of any claims and attempts within a window."""
    marks = Marks(floor).claim(floor + one for one in claimed).finish(floor + one for one in done)
    assert marks_of(marks.offset, marks.encode()) == marks
    assert all(marks.is_done(floor + one) for one in done)
    assert all(marks.is_claimed(floor + one) for one in claimed | done)
    lowest = min(set(range(WINDOW + 1)) - done)
    assert marks.floor == floor + lowest
    assert marks.offset == floor + min(set(range(WINDOW + 1)) - (claimed | done))


def test_the_metadata_has_one_size_that_a_broker_takes() -> None:
    """Whatever it holds."""
    full = Marks(2**60).claim(range(2**60 + 1, 2**60 + WINDOW))
    assert len(full.encode()) == len(Marks(0).encode()) < METADATA_BYTES


def test_an_offset_without_metadata_begins_there() -> None:
    """A person's tool has set it."""
    assert marks_of(7, "") == Marks(7)


@pytest.mark.parametrize("metadata", ["hello", "c1:", "c1:!!", Marks(5).encode(), Marks(7).encode()[:-4]])
def test_metadata_of_others_is_refused_with_what_to_do(metadata: str) -> None:
    """Taken for no claims, calls would be sent again."""
    with pytest.raises(MarksUnreadable, match=r"offset 7 is no claim.*without metadata"):
        marks_of(7, metadata)


@pytest.mark.parametrize("offsets", [[4], [5 + WINDOW], [5, 5]])
def test_a_claim_outside_the_window_or_twice_is_a_bug(offsets: list[int]) -> None:
    """It would be marked nowhere."""
    with pytest.raises(AssertionError):
        Marks(5).claim(offsets)
