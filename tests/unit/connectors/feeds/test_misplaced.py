"""Which time of a source is wrong, where two do not go together."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tradewind.connectors.feeds.files.misplaced import BACKWARD_US, misplaced

S = 1_000_000


def kept(seconds: list[int], reached: int | None = None) -> list[int]:
    """Return the times that are accepted."""
    ahead, back = misplaced(np.array(seconds, dtype=np.int64) * S, None if reached is None else reached * S)
    return [second for second, a, b in zip(seconds, ahead, back, strict=True) if not a and not b]


def test_small_steps_back_are_kept() -> None:
    """Streams that are merged interleave."""
    assert kept([10, 9, 11, 8, 12]) == [10, 9, 11, 8, 12]


def test_one_spike_is_dropped() -> None:
    """Whatever comes after it is good."""
    assert kept([10, 11, 90, 12, 13]) == [10, 11, 12, 13]
    assert kept([90, 10, 11]) == [10, 11]
    assert kept([10, 90, 11, 90, 12, 13]) == [10, 11, 12, 13]


def test_one_dip_is_dropped() -> None:
    """Whatever comes before and after it is good."""
    assert kept([50, 51, 1, 52]) == [50, 51, 52]
    assert kept([50, 1, 51]) == [50, 51]
    assert kept([1, 51, 52], reached=50) == [51, 52]


def test_a_gap_forward_is_no_error() -> None:
    """Markets close."""
    assert kept([1, 2, 80_000, 80_001]) == [1, 2, 80_000, 80_001]


@given(st.lists(st.integers(0, 86_400 * S), max_size=40), st.none() | st.integers(0, 86_400 * S))
def test_what_is_kept_never_goes_far_back(times: list[int], reached: int | None) -> None:
    """Whatever the times, an accepted one is within the bound of every accepted one before it."""
    ahead, back = misplaced(np.array(times, dtype=np.int64), reached)
    assert not (ahead & back).any()
    good = np.array(times, dtype=np.int64)[~(ahead | back)]
    if len(good):
        highest = np.maximum.accumulate(np.concatenate(([good[0] if reached is None else reached], good)))[:-1]
        assert (good >= highest - BACKWARD_US).all()
