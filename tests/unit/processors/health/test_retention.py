"""How fast a topic grows, and how long a record of it stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.processors.health.retention import Kept, Sample, growth_per_s, kept


def test_what_retention_removes_does_not_hide_what_comes_in() -> None:
    """A look in which a partition became smaller tells nothing of its growth."""
    assert growth_per_s([(0, 0), (10, 100), (20, 40), (30, 140)]) == 10
    assert growth_per_s([(0, 100), (10, 0)]) is None
    assert growth_per_s([(0, 100)]) is None
    assert growth_per_s([]) is None


def test_a_record_stays_until_the_fastest_partition_is_full() -> None:
    """Records of other partitions stay longer."""
    found = kept({0: [(0, 0), (10, 1_000)], 1: [(0, 500), (10, 600)]}, 2, 2_000)
    assert found == Kept(bytes=1_600, bytes_per_s=110, limit_bytes=4_000, full=0.5, keeps_s=20)


def test_a_topic_without_a_limit_keeps_all() -> None:
    """And one that nothing comes into keeps what it has: no time can be told."""
    grows = kept({0: [(0, 0), (10, 1_000)]}, 1, None)
    assert (grows.limit_bytes, grows.full, grows.keeps_s, grows.bytes_per_s) == (None, None, None, 100)
    assert kept({0: [(0, 500), (10, 500)]}, 1, 1_000).keeps_s is None


def test_what_was_not_told_is_not_taken_for_nothing() -> None:
    """A partition whose broker is away makes the size of the topic unknown."""
    found = kept({0: [(0, 0), (10, 1_000)], 1: []}, 2, 1_000)
    assert (found.bytes, found.full, found.bytes_per_s) == (None, None, None)
    assert found.keeps_s == pytest.approx(10)


@given(st.lists(st.tuples(st.integers(1, 100), st.integers(0, 10_000)), min_size=1, max_size=30))
def test_growth_is_what_was_added_over_its_time(steps: list[tuple[int, int]]) -> None:
    """As long as nothing is removed."""
    samples: list[Sample] = [(0.0, 5)]
    for took, added in steps:
        samples.append((samples[-1][0] + took, samples[-1][1] + added))
    total, time = sum(added for _, added in steps), sum(took for took, _ in steps)
    assert growth_per_s(samples) == pytest.approx(total / time)
