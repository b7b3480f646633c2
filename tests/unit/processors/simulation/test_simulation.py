"""Draws and paths are functions of their seed, and have the moments that their authors give them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.processors.simulation.bands import of_days, of_trades
from tradewind.processors.simulation.bootstrap import drawn, mean_block
from tradewind.processors.simulation.paths import YEAR_S, Kind, Model, begin, minute
from tradewind.processors.simulation.stress import hits

MINUTES = 4_000
ENDS = np.array([], np.float64)


def all_drawn(values: list[float], draws: int, block: float, seed: int = 1) -> np.ndarray:
    """Return all series at once."""
    return np.concatenate([*drawn(np.array(values), draws, block, seed)])


@given(st.integers(1, 40), st.floats(1, 20), st.integers(0, 2**32))
@settings(deadline=None, max_examples=50)
def test_a_drawn_series_has_the_same_values_and_length(count: int, block: float, seed: int) -> None:
    """Each value is one of the original, and follows the one before it unless a block begins."""
    found = all_drawn([float(n) for n in range(count)], 5, block, seed)
    assert found.shape == (5, count)
    assert set(found.ravel().tolist()) <= set(map(float, range(count)))
    assert np.array_equal(found, all_drawn([float(n) for n in range(count)], 5, block, seed))


def test_blocks_have_their_mean_length_and_places_are_even() -> None:
    """Politis and Romano (1994): a block ends with probability 1/b; the first value is drawn evenly."""
    found = all_drawn([float(n) for n in range(50)], 4_000, 5.0)
    follows = (found[:, 1:] - found[:, :-1]) % 50 == 1
    # A new block begins at the next value by chance, once in 50.
    assert follows.mean() == pytest.approx(0.8 + 0.2 / 50, abs=0.005)
    assert found.mean() == pytest.approx(24.5, abs=0.2)
    assert np.bincount(found[:, 0].astype(int), minlength=50).min() > 40
    assert mean_block(1_000) == pytest.approx(10)
    assert np.all(all_drawn([1.0, 2.0], 3, 1e9) != 0)


def test_dependence_within_blocks_widens_the_bands() -> None:
    """Runs of wins and of losses: drawing them one by one would promise too much."""
    profits = ([100.0] * 50 + [-90.0] * 50) * 4
    alone, together = of_trades(profits, 100_000, 1, 2_000, 1), of_trades(profits, 100_000, 1, 2_000, 10)
    for level in (0.05, 0.95):
        middle = alone.total_return.observed
        assert abs(together.total_return.levels[level] - middle) > 1.5 * abs(alone.total_return.levels[level] - middle)
    assert together.max_drawdown.levels[0.05] < alone.max_drawdown.levels[0.05]


def test_bands_of_trades_by_hand() -> None:
    """Equal trades have one outcome; without luck there is no loss, and the fan is a line."""
    found = of_trades([10.0] * 20, 1_000, 7, 100)
    assert [*found.total_return.levels.values()] == pytest.approx([0.2] * 5)
    assert (found.loss, found.max_drawdown.observed) == (0, 0)
    assert found.fan.steps[0] == 0
    assert found.fan.observed == pytest.approx([1_000 + 10 * step for step in found.fan.steps])
    assert found.sharpe is None


def test_bands_of_days_hold_what_was_observed() -> None:
    """The mean of many draws is near the series, and its Sharpe ratio is the usual one."""
    returns = np.random.default_rng(3).normal(0.001, 0.01, 250)
    found = of_days(returns.tolist(), 100.0, 252, 1)
    assert found.total_return.observed == pytest.approx(np.prod(1 + returns) - 1)
    assert found.sharpe is not None
    assert found.sharpe.observed == pytest.approx(returns.mean() / returns.std(ddof=1) * math.sqrt(252))
    assert found.total_return.levels[0.05] < found.total_return.observed < found.total_return.levels[0.95]
    assert found.sharpe.levels[0.25] < found.sharpe.observed < found.sharpe.levels[0.75]
    with pytest.raises(ValueError, match="9 values; drawing them again needs 10"):
        of_trades([1.0] * 9, 100.0, 1)
    with pytest.raises(ValueError, match=r"0 draws of 10 values in blocks of 0\.5"):
        all_drawn([1.0] * 10, 0, 0.5)


def returns_of(model: Model, seed: int = 1, count: int = MINUTES) -> np.ndarray:
    """Return the logarithmic returns of minutes."""
    state, found = begin(model, 100.0), []
    for number in range(count):
        _, after = minute(model, state, number, ENDS, seed)
        found.append(after.log_price - state.log_price)
        state = after
    return np.array(found)


@pytest.mark.parametrize("kind", ["gbm", "merton", "garch"])
def test_a_path_is_a_function_of_its_state_and_seed(kind: Kind) -> None:
    """Where it is looked at changes nothing of the price's law: steps go from offset to offset."""
    model = Model(kind, 0.5)
    state = begin(model, 100.0)
    offsets = np.array([0.0, 1.5, 59.9])
    one, other = minute(model, state, 3, offsets, 7), minute(model, state, 3, offsets, 7)
    assert np.array_equal(one[0], other[0])
    assert one[1] == other[1]
    assert not np.array_equal(one[0], minute(model, state, 3, offsets, 8)[0])
    assert not np.array_equal(one[0], minute(model, state, 4, offsets, 7)[0])
    assert not np.array_equal(one[0], minute(model, state, 3, offsets, 7, stream=1)[0])
    assert one[0][0] == pytest.approx(math.log(100.0), abs=1e-3 if kind == "merton" else 1e-12)


def test_gbm_has_its_drift_and_volatility() -> None:
    """The mean of a minute's logarithm is (m - s^2/2) dt, and its variance s^2 dt; returns are normal."""
    dt = 60 / YEAR_S
    found = returns_of(Model("gbm", 0.5, drift=2_000.0))
    assert found.mean() == pytest.approx((2_000 - 0.125) * dt, abs=4 * 0.5 * math.sqrt(dt / MINUTES))
    assert found.var() == pytest.approx(0.25 * dt, rel=0.1)
    assert abs(_kurtosis(found) - 3) < 0.4


def test_merton_adds_the_variance_of_its_jumps_and_no_drift() -> None:
    """Variance s^2 + l (j^2 + d^2) a year, tails fatter than normal; the price's own mean stays."""
    jumps = 0.02 / (60 / YEAR_S)  # one in 50 minutes
    model = Model("merton", 0.1, jumps=jumps, jump_mean=-0.004, jump_deviation=0.003)
    found = returns_of(model)
    wanted = (0.01 + jumps * (0.004**2 + 0.003**2)) * 60 / YEAR_S
    assert found.var() == pytest.approx(wanted, rel=0.35)
    assert _kurtosis(found) > 10
    assert np.exp(found).mean() - 1 == pytest.approx(0, abs=4 * math.sqrt(wanted / MINUTES))


def test_garch_has_clusters_and_its_volatility_in_the_long_run() -> None:
    """Bollerslev (1986): kurtosis 3 (1 - (a + b)^2) / (1 - (a + b)^2 - 2 a^2); squares are correlated."""
    found = returns_of(Model("garch", 0.5, alpha=0.15, beta=0.8), count=4 * MINUTES)
    assert found.var() == pytest.approx(0.25 * 60 / YEAR_S, rel=0.2)
    squares = found**2
    assert np.corrcoef(squares[1:], squares[:-1])[0, 1] > 0.1
    assert abs(np.corrcoef(found[1:], found[:-1])[0, 1]) < 0.05
    assert _kurtosis(found) > 3.4


def _kurtosis(values: np.ndarray) -> float:
    centred = values - values.mean()
    return float((centred**4).mean() / (centred**2).mean() ** 2)


def test_numbers_that_are_no_model_are_refused() -> None:
    """In words."""
    for wrong in ({"volatility": 0.0}, {"alpha": 0.5, "beta": 0.5}, {"jumps": -1.0}):
        with pytest.raises(ValueError, match="a volatility above 0, jumps and a deviation of 0 or more"):
            Model(**{"kind": "garch", "volatility": 0.5, **wrong})


def test_moves_hit_the_largest_and_the_average_position() -> None:
    """By hand: 10 % of 30,000 is 3 % of 100,000; a worst day counts for its instrument alone."""
    found = hits(np.array([0.0, 10_000.0, 30_000.0]), 100_000, ["XAUUSD"])
    ten = next(hit for hit in found if hit.move == 0.1)
    assert (ten.at_largest, ten.at_average) == (pytest.approx(0.03), pytest.approx(0.02))
    assert found[-1].name.startswith("15 April 2013")
    assert len(hits(np.array([1.0]), 1, ["XAUUSD", "EURUSD"])) == len(found) - 1
    assert hits(np.array([0.0]), 1, ["EURUSD"]) == []
