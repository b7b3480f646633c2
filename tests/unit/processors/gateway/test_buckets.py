"""A bucket never gives more than its burst and what has come back since, and gives all of that."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tradewind.processors.gateway.buckets import US_PER_S, Bucket, Policy

POLICIES = st.builds(Policy, st.just("p"), st.integers(1, 1_000), st.integers(1, 5_000))


@given(POLICIES, st.lists(st.tuples(st.integers(0, 3 * US_PER_S), st.integers(1, 500)), max_size=40))
def test_no_more_is_taken_than_has_come(policy: Policy, asked: list[tuple[int, int]]) -> None:
    """However the questions are spread; and whoever is refused finds a token when the bucket says."""
    now = 0
    bucket = Bucket.full(policy, now)
    taken = 0
    for pause, wanted in asked:
        now += pause
        found = bucket.take(wanted, now)
        taken += found
        assert found <= wanted
        assert taken <= policy.burst + policy.per_s * now / US_PER_S + 1e-6
        if found < wanted:
            assert bucket.next_s() > 0
            later = now + int(bucket.next_s() * US_PER_S) + 1
            assert Bucket(policy, bucket.tokens, bucket.at_us).take(1, later) == 1


def test_an_idle_bucket_is_full_and_no_fuller() -> None:
    """After its window, or after a day."""
    policy = Policy("p", 10, 25)
    bucket = Bucket.full(policy, 0)
    assert (bucket.take(100, 0), bucket.take(1, 0), policy.window_s) == (25, 0, 3)
    assert bucket.take(100, policy.window_s * US_PER_S) == 25
    assert bucket.take(100, 86_400 * US_PER_S) == 25
