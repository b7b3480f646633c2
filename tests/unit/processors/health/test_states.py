"""What a reader's past means: each state by its rule, and none of the known false alarms."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.processors.health.lag_time import seconds_behind
from tradewind.processors.health.states import (
    CALM_S,
    LASTS_S,
    SMALL_S,
    STALLED_S,
    STOPPED_S,
    WORST,
    Seen,
    State,
    catch_up_s,
    state_of,
    worst,
)


def steady(seconds: int, *, reads: int, comes: int, begin_lag: int = 0, lag_s: float | None = None) -> list[Seen]:
    """Return a look a second of a reader that reads so many records a second, while so many come in."""
    looks = []
    for second in range(seconds + 1):
        end = 10_000 + comes * second
        position = min(end, 10_000 - begin_lag + reads * second)
        lag = end - position
        age = lag_s if lag_s is not None else lag / comes if comes else float(second)
        looks.append(Seen(float(second), position, end, lag, 0.0 if lag == 0 else age))
    return looks


CASES: dict[str, tuple[list[Seen], State]] = {
    "nothing was seen": ([], "UNKNOWN"),
    "it reads all": (steady(20, reads=10, comes=10), "OK"),
    "silence for a while": (steady(20, reads=0, comes=0), "OK"),
    "silence for long": (steady(int(CALM_S), reads=0, comes=0), "IDLE"),
    "a steady lag of a moment": (steady(60, reads=1_000, comes=1_000, begin_lag=900), "OK"),
    "the first record after a silence": (
        [*steady(60, reads=0, comes=0), Seen(61.0, 10_000, 10_001, 1, 0.5)],
        "OK",
    ),
    "a lag that grows": (steady(60, reads=5, comes=10, begin_lag=60), "WARNING"),
    "a lag that shrinks": (steady(60, reads=15, comes=10, begin_lag=600), "CATCHING_UP"),
    "a moment of load": (steady(int(LASTS_S) - 2, reads=5, comes=10, begin_lag=30), "OK"),
    "it stands for some seconds": (steady(int(STALLED_S), reads=0, comes=10, begin_lag=1), "STALLED"),
    "it stands for longer": (steady(int(STOPPED_S), reads=0, comes=10, begin_lag=1), "STOPPED"),
    "it stands before one record": (steady(int(STOPPED_S), reads=0, comes=0, begin_lag=1), "STOPPED"),
    "it went back": ([Seen(0.0, 9, 10, 1, 1.0), Seen(1.0, 3, 10, 7, 1.0), Seen(2.0, 10, 10, 0, 0.0)], "REWOUND"),
    "one look": ([Seen(0.0, 0, 10, 10, 60.0)], "OK"),
}


@pytest.mark.parametrize(("window", "state"), CASES.values(), ids=CASES.keys())
def test_a_state_follows_from_what_was_seen(window: list[Seen], state: State) -> None:
    """By the rule of its module."""
    assert state_of(window) == state


def test_an_intent_explains_a_position_that_stands_and_nothing_else() -> None:
    """What is held is no alarm; a reader that reads is not held."""
    assert state_of(steady(60, reads=0, comes=10, begin_lag=1), "HELD") == "HELD"
    assert state_of(steady(60, reads=0, comes=10, begin_lag=1), "RESTORING") == "RESTORING"
    assert state_of(steady(60, reads=10, comes=10), "HELD") == "OK"


def test_a_frozen_reader_is_stopped_within_fifteen_seconds_and_well_after_the_thaw() -> None:
    """The window before it was frozen does not hold it back, nor that of the freeze afterwards."""
    flow = steady(60, reads=10, comes=10, lag_s=0.4)
    frozen = [Seen(60.0 + s, 10_600, 10_600 + 10 * s, 10 * s, float(s)) for s in range(1, 16)]
    states = [state_of([*flow, *frozen[:count]]) for count in range(1, 16)]
    assert "STOPPED" in states[:14]
    end = 10_600 + 160
    assert state_of([*flow, *frozen, Seen(76.0, end, end, 0, 0.0)]) == "OK"


def test_several_partitions_are_as_well_as_the_worst() -> None:
    """And nobody is well of whom nothing is known."""
    assert worst(["OK", "STOPPED", "IDLE"]) == "STOPPED"
    assert worst(["IDLE", "OK"]) == "OK"
    assert worst([]) == "UNKNOWN"
    assert len(set(WORST)) == len(WORST)


def test_the_time_to_catch_up_follows_from_both_speeds() -> None:
    """None where the lag does not shrink."""
    assert catch_up_s(steady(10, reads=15, comes=10, begin_lag=600)) == pytest.approx(110)
    assert catch_up_s(steady(10, reads=10, comes=10, begin_lag=600)) is None
    assert catch_up_s(steady(10, reads=10, comes=10)) == 0.0
    assert catch_up_s([]) is None
    assert SMALL_S < LASTS_S < STOPPED_S


def test_the_age_of_a_record_is_told_from_how_the_end_moved() -> None:
    """Evenly between two looks; not at all before the first."""
    samples = [(100.0, 1_000), (101.0, 2_000), (102.0, 2_000), (103.0, 2_001)]
    assert seconds_behind(samples, 2_001, 104.0) == 0.0
    assert seconds_behind(samples, 2_000, 104.0) == pytest.approx(2.0)
    assert seconds_behind(samples, 1_500, 104.0) == pytest.approx(3.5)
    assert seconds_behind(samples, 1_000, 104.0) == pytest.approx(4.0)
    assert seconds_behind(samples, 999, 104.0) is None
    assert seconds_behind([], 0, 104.0) is None


LOOK = st.tuples(st.integers(0, 30), st.integers(0, 30))
"""(records that came, records that were read) in a second."""


def looks(steps: list[tuple[int, int]]) -> list[Seen]:
    """Return what is seen of a reader that never goes back and never reads what is not there."""
    end = position = 100
    seen = [Seen(0.0, position, end, 0, 0.0)]
    for at, (came, read) in enumerate(steps, 1):
        end += came
        position = min(end, position + read)
        lag = end - position
        seen.append(Seen(float(at), position, end, lag, 0.0 if lag == 0 else None))
    return seen


@given(st.lists(LOOK, max_size=80))
def test_who_has_read_all_is_well_whatever_was_before(steps: list[tuple[int, int]]) -> None:
    """Nobody is alarmed by a reader without a lag."""
    end = 100 + sum(came for came, _ in steps)
    last = Seen(float(len(steps) + 1), end, end, 0, 0.0)
    assert state_of([*looks(steps), last]) in {"OK", "IDLE"}


@given(st.lists(LOOK, max_size=80), st.integers(1, 50))
def test_who_has_just_read_does_not_stand(steps: list[tuple[int, int]], read: int) -> None:
    """Whatever the lag: a reader that moves is neither stalled nor stopped."""
    before = looks(steps)
    last = before[-1]
    moved = Seen(last.at_s + 1, last.position + read, last.end + read + 5, last.end + 5 - last.position, 60.0)
    assert state_of([*before, moved]) in {"OK", "WARNING", "CATCHING_UP"}


@given(st.lists(LOOK, max_size=60), st.integers(1, 50))
def test_who_does_not_read_is_stopped_in_time_and_held_only_by_intent(steps: list[tuple[int, int]], came: int) -> None:
    """From any past: STALLED after `STALLED_S`, STOPPED after `STOPPED_S`, and never before."""
    before = looks(steps)
    last = before[-1]
    states: list[State] = []
    window = list(before)
    for second in range(1, int(STOPPED_S) + 2):
        end = last.end + came * second
        window.append(Seen(last.at_s + second, last.position, end, end - last.position, float(second)))
        states.append(state_of(window))
    stood = next((at for at, seen in enumerate(reversed(before)) if seen.position != last.position or not seen.lag), 0)
    assert states[-1] == "STOPPED"
    assert state_of(window, "HELD") == "HELD"
    if stood <= 1:
        assert not {"STALLED", "STOPPED"} & set(states[: int(STALLED_S) - 1])


@given(st.lists(LOOK, min_size=2, max_size=40), st.integers(1, 100), st.integers(0, 40))
def test_who_goes_back_is_rewound_even_without_a_lag(steps: list[tuple[int, int]], back: int, after: int) -> None:
    """For as long as the window shows it."""
    before = looks(steps)
    last = before[-1]
    window = [*before, Seen(last.at_s + 1, last.position - back, last.end, last.end - last.position + back, 1.0)]
    window += [Seen(last.at_s + 2 + at, last.end, last.end, 0, 0.0) for at in range(after)]
    assert state_of(window) == "REWOUND"
