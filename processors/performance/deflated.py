"""The deflated Sharpe ratio: how likely the best of many Sharpe ratios is above what luck alone would have found.

    SR0 = sqrt(V) ((1 - g) z(1 - 1/N) + g z(1 - 1/(N e)))
    DSR = Z((SR - SR0) sqrt(T - 1) / sqrt(1 - s SR + (k - 1)/4 SR^2))

SR is the best ratio, not of a year but of a day, of T days whose returns have the skewness s and the kurtosis k (3 for
normal returns). N is the number of trials, V the variance of their ratios, g the Euler-Mascheroni constant, Z the
normal distribution and z its inverse. SR0 is the greatest ratio that N trials without any skill are expected to have.

Source: David H. Bailey and Marcos Lopez de Prado, The Deflated Sharpe Ratio: Correcting for Selection Bias, Backtest
Overfitting, and Non-Normality, Journal of Portfolio Management 40 (2014). It takes the trials as independent. Those of
a sweep are alike, so the true value is higher: the ratio errs on the side of caution.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

from tradewind.processors.performance.metrics import FEWEST_DAYS
from tradewind.processors.performance.ratios import deviation, mean

EULER_MASCHERONI: Final = 0.5772156649015329
NORMAL: Final = NormalDist()


@dataclass(frozen=True, slots=True)
class Deflated:
    """A deflated Sharpe ratio, and what it was made of; ratios are those of a day."""

    value: float
    """From 0 to 1: 0.95 is what the authors ask for."""
    sharpe: float
    expected: float
    """SR0: the greatest ratio that is expected without skill."""
    trials: int
    days: int
    skewness: float
    kurtosis: float


def expected_maximum(variance: float, trials: int) -> float:
    """Return the greatest ratio that trials without skill are expected to have; `variance` is that of their ratios."""
    if trials < 2:
        return 0.0
    highest = NORMAL.inv_cdf(1 - 1 / trials)
    next_highest = NORMAL.inv_cdf(1 - 1 / (trials * math.e))
    return math.sqrt(variance) * ((1 - EULER_MASCHERONI) * highest + EULER_MASCHERONI * next_highest)


def probability(sharpe: float, expected: float, days: int, skewness: float, kurtosis: float) -> float | None:
    """Return how likely the true ratio is above `expected`; None where the moments contradict each other."""
    spread = 1 - skewness * sharpe + (kurtosis - 1) / 4 * sharpe**2
    if spread <= 0:
        return None
    return NORMAL.cdf((sharpe - expected) * math.sqrt(days - 1) / math.sqrt(spread))


def daily_sharpe(returns: Sequence[float]) -> float | None:
    """Return the Sharpe ratio of a day; None if there are too few returns, or all are equal."""
    if len(returns) < 2:
        return None
    spread = deviation(returns)
    return None if spread == 0 else mean(returns) / spread


def deflated(returns: Sequence[float], sharpes: Sequence[float]) -> Deflated | str:
    """Return the deflated ratio of the best trial, by its daily returns, or the reason why there is none.

    `sharpes` are the daily ratios of all trials, the best one included.
    """
    days, sharpe = len(returns), daily_sharpe(returns)
    if days < FEWEST_DAYS:
        return f"{days} session days; the ratio needs {FEWEST_DAYS}"
    if sharpe is None:
        return "all daily returns are equal"
    if len(sharpes) < 2:
        return "there is one trial: nothing was chosen"
    skewness, kurtosis = _moments(returns)
    expected = expected_maximum(deviation(sharpes) ** 2, len(sharpes))
    value = probability(sharpe, expected, days, skewness, kurtosis)
    if value is None:
        return f"skewness {skewness:.2f} and kurtosis {kurtosis:.2f} leave no standard error"
    return Deflated(value, sharpe, expected, len(sharpes), days, skewness, kurtosis)


def _moments(values: Sequence[float]) -> tuple[float, float]:
    """Return the skewness and the kurtosis of values that are not all equal."""
    middle = mean(values)
    second, third, fourth = (mean([(value - middle) ** power for value in values]) for power in (2, 3, 4))
    return third / second**1.5, fourth / second**2
