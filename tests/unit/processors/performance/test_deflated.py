"""The deflated Sharpe ratio: the authors' own example, and its limits."""

from __future__ import annotations

import math

import pytest

from tradewind.processors.performance.deflated import Deflated, daily_sharpe, deflated, expected_maximum, probability


@pytest.mark.parametrize(("trials", "expected", "value"), [(100, 0.1132, 0.9004), (46, None, 0.9505)])
def test_it_has_the_values_of_the_paper(trials: int, expected: float | None, value: float) -> None:
    """Bailey and Lopez de Prado (2014), their numerical example.

    Five years of 250 days, an annual ratio of 2.5, a variance of the trials' annual ratios of 1/2, skewness -3 and
    kurtosis 10: after 100 trials 0.9004, and after 46 trials 0.9505.
    """
    found = expected_maximum(1 / 2 / 250, trials)
    if expected is not None:
        assert found == pytest.approx(expected, abs=5e-5)
    assert probability(2.5 / math.sqrt(250), found, 1250, -3, 10) == pytest.approx(value, abs=5e-5)


def test_it_is_made_of_the_best_trials_returns() -> None:
    """Moments by hand: thirty days of 3 % and ten of -1 % have mean 2 %, skewness -2/sqrt(3) and kurtosis 7/3."""
    returns = [0.03, 0.03, 0.03, -0.01] * 10
    found = deflated(returns, [daily_sharpe(returns) or 0.0, 0.5, 0.1])
    assert isinstance(found, Deflated)
    assert (found.skewness, found.kurtosis) == (pytest.approx(-2 / math.sqrt(3)), pytest.approx(7 / 3))
    assert found.sharpe == pytest.approx(0.02 / (0.03**0.5 * 0.1 * math.sqrt(40 / 39)))
    assert (found.trials, found.days) == (3, 40)
    assert deflated(returns, [found.sharpe, -3.0, 3.0] * 5).value < found.value < 1  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("returns", "sharpes", "why"),
    [
        ([0.01, 0.02] * 10, [1.0, 2.0], "20 session days; the ratio needs 30"),
        ([0.01] * 40, [1.0, 2.0], "all daily returns are equal"),
        ([0.01, 0.02] * 20, [1.0], "there is one trial: nothing was chosen"),
    ],
)
def test_what_has_no_ratio_says_why(returns: list[float], sharpes: list[float], why: str) -> None:
    """Too few days, equal returns, one trial."""
    assert deflated(returns, sharpes) == why
