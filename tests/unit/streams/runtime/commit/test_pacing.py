"""Transactions keep apart what they cost, and never meet the markers of the one before."""

import pytest

from tradewind.streams.runtime.commit.pacing import MARKERS_S, TASK_S, TASKS_S, Pacing


def test_the_first_transaction_waits_for_nothing() -> None:
    """Whatever the clock says when a worker starts."""
    assert Pacing().rest_s(100.0) < 0
    assert Pacing(latency_s=1.0).rest_s(100.0) < 0


@pytest.mark.parametrize(("tasks", "apart"), [(1, TASK_S), (2, 2 * TASK_S), (4, TASKS_S), (12, TASKS_S)])
def test_the_more_tasks_a_transaction_moved_the_longer_the_next_one_waits(tasks: int, apart: float) -> None:
    """Up to a limit, for a worker may have many."""
    pacing = Pacing()
    pacing.note_begin(100.0, tasks)
    pacing.note_end(100.001)
    assert pacing.rest_s(100.0) == pytest.approx(apart)
    assert pacing.rest_s(100.0 + apart) == pytest.approx(0, abs=1e-9)


def test_an_agent_may_say_how_far_apart() -> None:
    """The number of tasks does not count then."""
    pacing = Pacing(latency_s=0.5)
    pacing.note_begin(100.0, 12)
    assert pacing.rest_s(100.2) == pytest.approx(0.3)
    none = Pacing(latency_s=0.0)
    none.note_begin(100.0, 12)
    assert none.rest_s(100.0) == 0


def test_one_that_took_long_is_followed_once_its_markers_are_written() -> None:
    """A backlog waits for them, too, and for nothing else."""
    pacing = Pacing()
    pacing.note_begin(100.0, 1)
    pacing.note_end(101.0)
    for rest_s in (pacing.rest_s, pacing.markers_s):
        assert rest_s(101.0) == pytest.approx(MARKERS_S)
        assert rest_s(101.0 + MARKERS_S) == pytest.approx(0, abs=1e-9)
    pacing.note_begin(102.0, 4)
    assert pacing.rest_s(102.0) == pytest.approx(TASKS_S)
    assert pacing.markers_s(102.0) < 0
