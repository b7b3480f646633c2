"""Of the heartbeats that a task sends in one transaction, only the newest of each key and partition goes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tradewind.streams.runtime.commit.outbox import Outgoing
from tradewind.streams.runtime.work.newest import keep_newest

MESSAGES = st.lists(
    st.builds(
        lambda partition, key, reached: Outgoing("t", partition, key, b"", 0, None, reached),
        st.integers(0, 1),
        st.sampled_from([b"a", b"b"]),
        st.none() | st.integers(0, 5),
    )
)


@given(MESSAGES, MESSAGES)
def test_the_furthest_time_of_each_key_stays_where_it_was_reached_last(
    before: list[Outgoing], own: list[Outgoing]
) -> None:
    """All else stays, in its order; so does what other tasks sent before."""
    messages = [*before, *own]
    keep_newest(messages, len(before))
    assert messages[: len(before)] == before
    kept = messages[len(before) :]
    needed = [
        one
        for at, one in enumerate(own)
        if one.reached is None
        or not any(
            later[1:3] == one[1:3] and later.reached is not None and later.reached >= one.reached
            for later in own[at + 1 :]
        )
    ]
    assert kept == needed


def test_an_end_of_a_source_before_a_promise_hides_no_promise() -> None:
    """A closing heartbeat may be of an earlier time than the promise before it."""
    promise, end = (Outgoing("t", 0, b"a", b"", 0, None, reached) for reached in (9, 5))
    messages = [promise, end]
    keep_newest(messages, 0)
    assert messages == [promise, end]
