"""Judges the figures of two revisions, each measured several times: what became slower by more than is allowed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

LEAST_THROUGHPUT = 0.9
"""What a throughput must be at least, for one of the older revision: medians of three differ by less on a quiet
machine."""
MOST_LATENCY = 1.15
"""What a latency may be at most, for one of the older revision."""
LATENCIES = ("ns", "µs", "ms", "s")
"""Units of figures of which less is better; of those that end with `/s`, more is."""
Verdict = Literal["ok", "WORSE", "MISSING", "new", "not judged"]
BAD: tuple[Verdict, ...] = ("WORSE", "MISSING")
Run = Mapping[str, tuple[float, str]]
"""The figures of one run: name -> (value, unit)."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of both revisions, in the order of the runs."""

    name: str
    unit: str
    before: tuple[float, ...]
    now: tuple[float, ...]
    ratio: float | None
    """The median of `now` for one of `before`; None where one of them has no figure of the name."""
    verdict: Verdict

    @property
    def bad(self) -> bool:
        """Whether the newer revision fails by it."""
        return self.verdict in BAD

    @property
    def noise(self) -> float:
        """How far a revision's own runs lie apart, for one of their median: of the revision where they do most."""
        return max(map(_spread, (self.before, self.now)))

    @property
    def overlaps(self) -> bool:
        """Whether runs of the two lie among each other, so that a ratio may be chance."""
        return (
            bool(self.before and self.now) and min(self.before) <= max(self.now) and min(self.now) <= max(self.before)
        )


def judged(before: Sequence[Run], now: Sequence[Run]) -> list[Figure]:
    """Return all figures with their verdicts; a figure that some run of a revision lacks is one that it has not."""
    names = dict.fromkeys(name for run in (*before, *now) for name in run)
    return [_figure(name, _values(before, name), _values(now, name), _unit(name, (*now, *before))) for name in names]


def _figure(name: str, before: tuple[float, ...], now: tuple[float, ...], unit: str) -> Figure:
    if not before or not now:
        return Figure(name, unit, before, now, None, "MISSING" if before else "new")
    was, is_ = median(before), median(now)
    ratio = is_ / was if was else (1.0 if is_ == was else math.inf)
    verdict: Verdict = "not judged"
    if unit.endswith("/s"):
        verdict = "ok" if ratio >= LEAST_THROUGHPUT else "WORSE"  # nan is no figure, and fails
    elif unit in LATENCIES:
        verdict = "ok" if ratio <= MOST_LATENCY else "WORSE"
    return Figure(name, unit, before, now, ratio, verdict)


def _values(runs: Sequence[Run], name: str) -> tuple[float, ...]:
    found = tuple(run[name][0] for run in runs if name in run)
    return found if len(found) == len(runs) else ()


def _unit(name: str, runs: Sequence[Run]) -> str:
    return next(run[name][1] for run in runs if name in run)


def _spread(values: Sequence[float]) -> float:
    return (max(values) - min(values)) / abs(median(values)) if values and median(values) else 0.0
