"""How a lag has moved: over several partitions, in few points, and which way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.processors.health.states import Seen
from tradewind.processors.health.trend import slope, trend


def window(*lags: int) -> list[Seen]:
    """Return a look a second."""
    return [Seen(float(at), 100, 100 + lag, lag, 0.0) for at, lag in enumerate(lags)]


def test_partitions_are_added_up_at_each_look() -> None:
    """A partition that was seen later counts from then on."""
    found = trend([window(1, 2, 3), window(10, 20, 30)])
    assert found.points == ((0.0, 11), (1.0, 22), (2.0, 33))
    assert found.per_s == pytest.approx(11)
    assert trend([]).points == ()
    assert trend([window(5, 9)]).per_s is None


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=120), st.integers(1, 40))
def test_few_points_hold_the_last_look(lags: list[int], points: int) -> None:
    """In the order of time, and no more than were asked for."""
    found = trend([window(*lags)], points).points
    assert 1 <= len(found) <= points
    assert found[-1] == (float(len(lags) - 1), lags[-1])
    assert list(found) == sorted(found)


@given(st.floats(-1e4, 1e4), st.integers(0, 10**6), st.integers(3, 60))
def test_a_straight_line_has_its_own_slope(rise: float, begin: int, count: int) -> None:
    """And a lag that does not move has none."""
    assert slope([(float(at), begin) for at in range(count)]) == pytest.approx(0)
    line = [(float(at), round(begin + rise * at)) for at in range(count)]
    assert slope(line) == pytest.approx(rise, abs=1)
