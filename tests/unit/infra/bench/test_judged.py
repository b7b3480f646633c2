"""A revision fails by a throughput below 0.9 or a latency above 1.15 of the older one's, or by a lost figure."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from tradewind.infra.bench.parts.compare.judged import Figure, Run, judged


def one(unit: str, before: Sequence[float], now: Sequence[float]) -> Figure:
    """Judge one figure."""
    (found,) = judged([{"it": (of, unit)} for of in before], [{"it": (of, unit)} for of in now])
    return found


@pytest.mark.parametrize(
    ("unit", "before", "now", "verdict"),
    [
        ("ticks/s", 100.0, 90.0, "ok"),
        ("ticks/s", 100.0, 89.9, "WORSE"),
        ("ticks/s", 100.0, 300.0, "ok"),
        ("ms", 100.0, 115.0, "ok"),
        ("ms", 100.0, 115.1, "WORSE"),
        ("s", 100.0, 1.0, "ok"),
        ("ns", 100.0, 200.0, "WORSE"),
        ("MiB", 100.0, 500.0, "not judged"),
        ("bytes", 100.0, 1.0, "not judged"),
        ("ticks/s", 0.0, 0.0, "ok"),
        ("ms", 0.0, 5.0, "WORSE"),
        ("ticks/s", 100.0, math.nan, "WORSE"),
        ("ms", 100.0, math.nan, "WORSE"),
    ],
)
def test_a_figure_is_judged_by_its_unit(unit: str, before: float, now: float, verdict: str) -> None:
    """More of a rate is better, less of a time; memory is shown alone. What is no number fails."""
    found = one(unit, [before], [now])
    assert found.verdict == verdict
    assert found.bad == (verdict == "WORSE")


def test_medians_are_compared_and_one_bad_run_is_no_verdict() -> None:
    """Of three, the middle one; noise is the spread of the revision where it is larger."""
    found = one("ticks/s", [100.0, 102.0, 98.0], [10.0, 100.0, 101.0])
    assert (found.verdict, found.ratio) == ("ok", 1.0)
    assert found.noise == pytest.approx(0.91)
    assert found.overlaps


def test_runs_that_lie_apart_are_no_chance() -> None:
    """Which is told of a figure that is worse."""
    assert not one("ms", [10.0, 11.0], [20.0, 21.0]).overlaps
    assert one("ms", [10.0, 11.0, 30.0], [20.0, 21.0, 22.0]).overlaps


def test_a_lost_figure_fails_and_a_new_one_does_not() -> None:
    """A figure that one of the runs lacks is lost."""
    old: list[Run] = [{"both": (1.0, "ms"), "lost": (1.0, "ms")}, {"both": (1.0, "ms"), "lost": (1.0, "ms")}]
    new: list[Run] = [
        {"both": (1.0, "ms"), "new": (1.0, "ms")},
        {"both": (1.0, "ms"), "new": (1.0, "ms"), "lost": (1.0, "ms")},
    ]
    found = {of.name: of for of in judged(old, new)}
    assert {name: of.verdict for name, of in found.items()} == {"both": "ok", "lost": "MISSING", "new": "new"}
    assert [name for name, of in found.items() if of.bad] == ["lost"]
    assert found["lost"].ratio is None
