"""Ratios of a series of daily returns, as their authors define them. The riskless return and the target are 0.

    r_t   = E_t / E_(t-1) - 1                                   E_0 is the starting capital
    annual return  = (E_n / E_0)^(P/n) - 1                      P: session days of a year
    volatility     = s(r) sqrt(P)                               s: with n - 1
    Sharpe         = mean(r) / s(r) sqrt(P)                     Sharpe (1994)
    Sortino        = mean(r) P / (sqrt(mean(min(r, 0)^2)) sqrt(P))
    drawdown_t     = E_t / max(E_0 ... E_t) - 1
    Calmar         = annual return / |largest drawdown|

Sources: William F. Sharpe, The Sharpe Ratio, Journal of Portfolio Management 21 (1994), equations 3 to 6. Frank A.
Sortino and Lee N. Price, Performance Measurement in a Downside Risk Framework, Journal of Investing 3 (1994): the
downside deviation is over all returns, not over the negative ones alone. Terry W. Young, Calmar Ratio: A Smoother Tool,
Futures 20 (1991).

Ratios are floats: they are estimates, and no order depends on them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


def returns_of(equity: Sequence[float]) -> list[float]:
    """Return the n returns of n + 1 amounts, all above 0."""
    return [now / before - 1 for before, now in pairwise(equity)]


def mean(values: Sequence[float]) -> float:
    """Return the mean of one value or more."""
    return math.fsum(values) / len(values)


def deviation(values: Sequence[float]) -> float:
    """Return the standard deviation of two values or more, with n - 1."""
    middle = mean(values)
    return math.sqrt(math.fsum((value - middle) ** 2 for value in values) / (len(values) - 1))


def annual_return(equity: Sequence[float], per_year: int) -> float:
    """Return the growth of a year that n + 1 amounts, all above 0, come to."""
    return float((equity[-1] / equity[0]) ** (per_year / (len(equity) - 1)) - 1)


def volatility(returns: Sequence[float], per_year: int) -> float:
    """Return the standard deviation of the returns of a year."""
    return deviation(returns) * math.sqrt(per_year)


def sharpe(returns: Sequence[float], per_year: int) -> float | None:
    """Return the Sharpe ratio; None if all returns are equal."""
    spread = deviation(returns)
    return None if spread == 0 else mean(returns) / spread * math.sqrt(per_year)


def sortino(returns: Sequence[float], per_year: int) -> float | None:
    """Return the Sortino ratio; None if no return is negative."""
    downside = math.sqrt(mean([min(value, 0.0) ** 2 for value in returns]))
    return None if downside == 0 else mean(returns) * per_year / (downside * math.sqrt(per_year))


@dataclass(frozen=True, slots=True)
class Drawdown:
    """The largest fall from a peak, and the longest time below one."""

    depth: float
    """0 or below: -0.1 is a fall by a tenth."""
    length: int
    """Most steps from a peak to the first amount that reaches it again, or to the end."""


def drawdown(equity: Sequence[float]) -> Drawdown:
    """Return the drawdown of amounts, of which the first is the starting capital."""
    peak, at, depth, length = equity[0], 0, 0.0, 0
    for step, amount in enumerate(equity):
        if amount >= peak:
            length = max(length, step - at if step - at > 1 else 0)
            peak, at = amount, step
        else:
            length = max(length, step - at)
            depth = min(depth, amount / peak - 1)
    return Drawdown(depth, length)


def calmar(annual: float, depth: float) -> float | None:
    """Return the Calmar ratio of an annual return and the largest drawdown; None if there was none."""
    return None if depth == 0 else annual / abs(depth)
