"""Timings that do not fit each other are refused; what follows from others keeps the distance that it must have."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.streams.runtime.timings import USUAL, Timings, in_ms

SECONDS = st.floats(1e-3, 1e4)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"session_s": 0.9}, "transaction_s is at most twice session_s, 1.8 s, not 10: a successor would wait"),
        ({"silence_s": 12.0}, "transaction_s is at most half of silence_s, 6 s, not 10: a successor"),
        ({"hung_s": 2.0}, "attend_s is at most a third of hung_s, 0.666667 s, not 1: the group would expel"),
        ({"longest_pause_s": 0.1}, "pause_s is at most longest_pause_s, 0.1 s, not 0.2: pauses grow from it"),
    ],
)
def test_times_that_contradict_each_other_are_refused(wrong: dict[str, float], message: str) -> None:
    """With both names, the bound, and what would go wrong."""
    with pytest.raises(ValueError, match=message):
        Timings(**wrong)


@pytest.mark.parametrize("name", [field.name for field in fields(Timings)])
@pytest.mark.parametrize("wrong", [0.0, -1.0, float("nan")])
def test_every_time_is_more_than_nothing(name: str, wrong: float) -> None:
    """A time of none would be a wait that never ends, or one that is over before it begins."""
    with pytest.raises(ValueError, match=f"{name} is more than 0 s"):
        Timings(**{name: wrong})


@given(SECONDS, st.floats(0.01, 2.0), SECONDS)
def test_what_follows_keeps_its_distance(session_s: float, part: float, hung_s: float) -> None:
    """Whatever the session, the transaction and the time after which a worker hangs."""
    transaction_s = part * session_s
    of = Timings(
        session_s=session_s,
        transaction_s=transaction_s,
        hung_s=hung_s,
        attend_s=hung_s / 3,
        silence_s=2 * transaction_s,
    )
    assert 3 * of.heartbeat_s < of.session_s
    assert of.revoke_s + of.hurried_abort_s < of.rebalance_s, "members are waited for until they have let go"
    assert of.transaction_s < of.offsets_s < of.abort_s
    assert of.patience_s < of.hung_s
    assert of.standing_s < of.hung_s


def test_a_session_of_seconds_is_what_the_client_is_given_in_milliseconds() -> None:
    """Whole ones, and not cut off: 0.3 times 1.5 s is a little less than 450 ms in binary."""
    short = Timings(session_s=1.5, transaction_s=2.0)
    assert [in_ms(of) for of in (short.session_s, short.heartbeat_s, short.rebalance_s)] == [1500, 450, 3000]
    assert in_ms(USUAL.heartbeat_s) == 3000
