"""How many seconds a reader is behind, from how the end of its partition has moved."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

Sample = tuple[float, int]
"""(time, s; the end of the partition at that time)."""


def seconds_behind(samples: Sequence[Sample], position: int, now: float) -> float | None:
    """Return the age in seconds of the record at `position`, the first that was not read.

    `samples` come in the order of time, and their ends do not fall. Between two of them the end is taken to have moved
    evenly. Returns 0 for a reader at the end, and None where the record is older than the first sample.
    """
    if not samples:
        return None
    if position >= samples[-1][1]:
        return 0.0
    after = bisect_right(samples, position, key=lambda sample: sample[1])
    if after == 0:
        return None
    (begun, first), (ended, last) = samples[after - 1], samples[after]
    arrived = begun + (ended - begun) * (position - first) / (last - first)
    return max(0.0, now - arrived)
