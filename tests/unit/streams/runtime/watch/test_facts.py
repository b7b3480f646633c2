"""What is known of a worker is put together to lag, in records and in time."""

from __future__ import annotations

import time

import pytest

from tradewind.streams.runtime.watch.facts import Facts, Waiting
from tradewind.streams.runtime.watch.statistics import TaskSize

HELD, OTHER, THIRD = ("ticks", 0), ("bars", 0), ("bars", 1)


def ms_ago(seconds: float) -> int:
    """Return a moment, ms since 1970."""
    return int((time.time() - seconds) * 1000)


def size(held_ms: int | None) -> TaskSize:
    """Return a task that holds a record."""
    return TaskSize(1, 1, held_ms, None)


def test_lag_is_what_lies_between_the_position_and_the_end() -> None:
    """None for partitions that are others' by now; never negative, for ends are older than positions."""
    facts = Facts("ticks", positions={HELD: 5, OTHER: 9})
    facts.note_ends({HELD: 8, OTHER: 7, THIRD: 100}, 1.0)
    assert facts.lags() == {HELD: 3, OTHER: 0}
    assert facts.ends == {HELD: 8, OTHER: 7}
    assert facts.behind_since_s == {HELD: 1.0}
    del facts.positions[HELD]
    assert facts.lags() == {OTHER: 0}


def test_a_partition_is_behind_since_it_was_first_seen_so() -> None:
    """Once it has caught up it begins anew; a broker that does not tell of a partition says nothing of it."""
    facts = Facts(None, positions={HELD: 5, OTHER: 0})
    for at_s, end in ((1.0, 6), (2.0, 7)):
        facts.note_ends({HELD: end}, at_s)
    assert facts.behind_since_s == {HELD: 1.0}
    facts.note_ends({HELD: 5}, 3.0)
    facts.note_ends({HELD: 6, OTHER: 1}, 4.0)
    assert facts.behind_since_s == {HELD: 4.0, OTHER: 4.0}


@pytest.mark.parametrize(
    ("held_s", "in_hand_s", "waiting_s", "expected_s"),
    [(90, 60, 30, 90), (30, 90, 60, 90), (30, 60, 90, 90), (None, 60, 30, 60), (None, None, 30, 30)],
)
def test_lag_in_time_is_the_age_of_the_oldest_record_here(
    held_s: float | None, in_hand_s: float | None, waiting_s: float, expected_s: float
) -> None:
    """Held, in the batch that is run, or waiting."""
    facts = Facts("ticks", positions={HELD: 5}, ends={HELD: 8})
    facts.sizes = {0: size(None if held_s is None else ms_ago(held_s))}
    facts.in_hand_ms = {} if in_hand_s is None else {HELD: ms_ago(in_hand_s)}
    facts.waiting = {HELD: Waiting(1, ms_ago(waiting_s), paused=False)}
    assert facts.lag_times() == {HELD: pytest.approx(expected_s, abs=5)}


def test_what_is_held_is_old_for_the_held_input_alone() -> None:
    """The others of its task go on; and a record from the future is not negative lag."""
    facts = Facts("ticks", positions={HELD: 0, OTHER: 0, THIRD: 4}, ends={HELD: 1, OTHER: 1, THIRD: 4})
    facts.sizes = {0: size(ms_ago(90)), 1: size(ms_ago(90))}
    facts.behind_since_s = {OTHER: time.monotonic() - 20}
    facts.in_hand_ms = {THIRD: ms_ago(90)}
    times = facts.lag_times()
    assert times == {HELD: pytest.approx(90, abs=5), OTHER: pytest.approx(20, abs=5), THIRD: 0.0}
    facts.waiting = {OTHER: Waiting(1, ms_ago(-3600), paused=False)}
    assert facts.lag_times()[OTHER] == 0.0


def test_lag_that_nobody_has_seen_a_record_of_begins_now() -> None:
    """Nothing is known of when it came."""
    facts = Facts(None, positions={HELD: 0}, ends={HELD: 1}, waiting={HELD: Waiting(0, None, paused=False)})
    assert facts.lag_times() == {HELD: pytest.approx(0, abs=1)}


def test_an_assignment_begins_anew() -> None:
    """Counts stay: they are the process's."""
    facts = Facts(None, positions={HELD: 5}, sizes={0: size(1)}, in_hand_ms={HELD: 1}, sent=7)
    assert (Facts(None).sent, Facts(None).rebalances, Facts(None).progress().records) == (0, 0, 0)
    facts.waiting = {HELD: Waiting(1, 1, paused=True)}
    positions, sizes = {OTHER: 3}, {1: size(2)}
    facts.begin_anew(positions, sizes)
    assert (facts.positions, facts.sizes, facts.waiting, facts.in_hand_ms) == (positions, sizes, {}, {})
    assert facts.positions is not positions, "it is changed later"
    assert facts.sent == 7


def test_a_partition_stands_since_it_was_first_seen_at_its_position() -> None:
    """What is read behind it changes nothing; once it moves, or has caught up, it begins anew."""
    facts = Facts("ticks", positions={HELD: 5})
    for at_s, end in ((1.0, 6), (2.0, 9)):
        facts.note_ends({HELD: end}, at_s)
    assert facts.stands == {HELD: (5, 1.0)}
    facts.positions[HELD] = 6
    facts.note_ends({HELD: 9}, 3.0)
    assert facts.stands == {HELD: (6, 3.0)}
    facts.note_ends({HELD: 6}, 4.0)
    assert facts.stands == {}
