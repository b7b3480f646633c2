"""Which set of a sweep is the best, and what that is worth after so many trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from tradewind.processors.performance.deflated import Deflated, deflated
from tradewind.streams.backtest.errors import BadInput
from tradewind.streams.backtest.sweeps.outcomes import Outcome

BY: Final = "sharpe"
OTHERWISE: Final = "total_return"
"""What ranks sets where the range is too short for ratios of a year."""
HIGHER_IS_BETTER: Final = (
    "sharpe",
    "sortino",
    "calmar",
    "total_return",
    "annual_return",
    "profit_factor",
    "win_rate",
    "max_drawdown",
)
"""Metrics that may rank sets; a drawdown is 0 or below."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """Sets from the best to the worst."""

    by: str
    """The metric."""
    note: str
    """Why it is not the one that was asked for; empty if it is."""
    numbers: Sequence[int]
    """Numbers of sets, the best first; without those that failed, or have no value."""
    deflated: Deflated | str
    """The deflated Sharpe ratio of the best one, or why there is none."""

    def to_json(self) -> Mapping[str, Any]:
        """Return the ranking as JSON."""
        of = self.deflated
        told = {"why": of} if isinstance(of, str) else asdict(of)
        return {"by": self.by, "note": self.note, "order": [*self.numbers], "deflated_sharpe": told}


def ranked(found: Mapping[int, Outcome], by: str = BY) -> Ranking:
    """Rank sets by a metric. Of equal values, the set that was given first comes first.

    Raises `BadInput` for a metric by which nothing is ranked.
    """
    if by not in HIGHER_IS_BETTER:
        raise BadInput(f"sets are not ranked by {by!r}; they are by: {', '.join(HIGHER_IS_BETTER)}")
    sound = {number: one for number, one in sorted(found.items()) if not one.failed}
    used, note = by, ""
    if sound and all(one.metrics[by] is None for one in sound.values()):
        used, note = OTHERWISE, f"no set has a value of {by}, so sets are ranked by {OTHERWISE}"
    values = {number: one.metrics[used] for number, one in sound.items()}
    order = sorted((-value, number) for number, value in values.items() if value is not None)
    numbers = [number for _, number in order]
    if not numbers:
        return Ranking(used, note, (), "no set was run to its end")
    best = sound[numbers[0]]
    if not best.returns:
        return Ranking(used, note, numbers, "the equity of the best set was 0 or below, so it has no returns")
    sharpes = [ratio for one in sound.values() if (ratio := one.daily_sharpe) is not None]
    return Ranking(used, note, numbers, deflated(best.returns, sharpes))
