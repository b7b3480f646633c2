"""How a reader's lag has moved, over all of its partitions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tradewind.processors.health.states import Seen

Point = tuple[float, int]
"""(time, s; records behind)."""


@dataclass(frozen=True, slots=True)
class Trend:
    """The last looks at a reader."""

    points: tuple[Point, ...]
    per_s: float | None
    """Records by which the lag grows each second, less than 0 where it shrinks; None before there were three looks."""


def trend(windows: Iterable[Sequence[Seen]], points: int = 30) -> Trend:
    """Return how the lag of some partitions together has moved: up to so many points, the last look among them."""
    lags: defaultdict[float, int] = defaultdict(int)
    for window in windows:
        for seen in window:
            lags[seen.at_s] += seen.lag
    moved = sorted(lags.items())
    step = max(1, -(-len(moved) // points))
    return Trend(tuple(moved[::-step][::-1]), slope(moved))


def slope(points: Sequence[Point]) -> float | None:
    """Return the rise per second of the straight line with the least squares; None of fewer than three points."""
    if len(points) < 3:
        return None
    begin = points[0][0]
    times = [at - begin for at, _ in points]
    mean_t, mean_v = sum(times) / len(times), sum(value for _, value in points) / len(points)
    spread = sum((at - mean_t) ** 2 for at in times)
    if spread == 0:
        return None
    return sum((at - mean_t) * (value - mean_v) for at, (_, value) in zip(times, points, strict=True)) / spread
