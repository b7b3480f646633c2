"""Curves of any length in a few thousand points, without losing an extreme."""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import itemgetter
from typing import Final

MOST_POINTS: Final = 5_000
"""Of a curve: twice as many as a wide screen has columns."""
POINTS: Final = 4  # of a bucket: its first, lowest, highest and last value
MOST_BUCKETS: Final = MOST_POINTS // POINTS
Point = tuple[int, float]
"""Time, µs, and value."""
Numbered = tuple[int, int, float]
"""A point behind its number: values of one time stay in their order."""
Bucket = tuple[Numbered, Numbered, Numbered, Numbered]


@dataclass(slots=True)
class Thinned:
    """Takes values in the order of time, and keeps at most `MOST_POINTS` of them.

    Values are put into buckets of equal count. If there are too many buckets, neighbours become one. Each bucket keeps
    its first, lowest, highest and last value, so every extreme stays.
    """

    _size: int = 1
    _seen: int = 0
    _buckets: list[Bucket] = field(default_factory=list)
    _filled: int = 0
    """Values in the last bucket."""

    def add(self, ts: int, value: float) -> None:
        """Take a value."""
        point = self._seen, ts, value
        alone: Bucket = (point, point, point, point)
        self._seen += 1
        if self._filled and self._filled < self._size:
            self._buckets[-1] = _joined(self._buckets[-1], alone)
            self._filled += 1
            return
        if len(self._buckets) == MOST_BUCKETS:
            pairs = zip(self._buckets[::2], self._buckets[1::2], strict=True)
            self._buckets = [_joined(*pair) for pair in pairs]
            self._size *= 2
        self._buckets.append(alone)
        self._filled = 1

    def points(self) -> list[Point]:
        """Return the points that are kept, in the order of time."""
        return [(ts, value) for bucket in self._buckets for _, ts, value in sorted(set(bucket))]


def _joined(one: Bucket, other: Bucket) -> Bucket:
    low = min(one[1], other[1], key=itemgetter(2))
    high = max(one[2], other[2], key=itemgetter(2))
    return one[0], low, high, other[3]
