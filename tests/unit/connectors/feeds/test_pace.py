"""When blocks are due."""

from __future__ import annotations

import pytest

from tradewind.connectors.feeds import FeedError
from tradewind.connectors.feeds.publishing.pace import BLOCK_S, Pace

SECOND = 1_000_000


def test_at_full_speed_nothing_waits() -> None:
    """Blocks are as large as a transaction should be."""
    pace = Pace(None, live=False)
    assert pace.wait_s(1) == 0
    assert pace.wait_s(10**15) == 0


def test_event_time_passes_as_many_times_faster() -> None:
    """At ten times the speed, ten seconds of events take one."""
    pace = Pace(10, live=False)
    assert pace.wait_s(0) <= 0
    assert pace.wait_s(10 * SECOND) == pytest.approx(1, abs=0.1)
    assert pace.bounds.span_us == BLOCK_S * 10 * SECOND


def test_a_live_feed_has_its_own_pace() -> None:
    """Whatever speed is asked for."""
    pace = Pace(None, live=True)
    assert pace.wait_s(10**18) == 0


@pytest.mark.parametrize("speed", [0, -1, float("nan"), float("inf")])
def test_a_speed_that_cannot_be_is_refused(speed: float) -> None:
    """The message says what can."""
    with pytest.raises(FeedError, match="give one above 0"):
        Pace(speed, live=False)
