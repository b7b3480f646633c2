"""An owner of the clock tells each second once, and never goes back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tradewind.connectors.clock.keeper import SECOND_US, Beat


@given(st.lists(st.integers(0, 20 * SECOND_US), max_size=40))
def test_seconds_are_told_once_and_in_order(times: list[int]) -> None:
    """Whatever the clock of the machine does; no second that it shows for the first time is left out."""
    beat = Beat()
    told = [second for at in times if (second := beat.due(at)) is not None]
    assert told == sorted(set(told))
    assert all(second % SECOND_US == 0 for second in told)
    rising = [at - at % SECOND_US for at in times]
    assert told == [at for n, at in enumerate(rising) if at > max([0, *rising[:n]])]
