"""How far luck carries: the outcomes of an account whose trades, or days, are drawn again, as bands."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tradewind.processors.simulation.bootstrap import Floats, drawn, mean_block

LEVELS: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
STEPS: Final = 200  # of a fan: as many as a chart shows
FEWEST: Final = 10
"""Values that are drawn again: fewer say nothing about others that might have been."""
DRAWS: Final = 2_000


@dataclass(frozen=True, slots=True)
class Band:
    """One measure over all draws."""

    observed: float
    levels: Mapping[float, float]
    """Share of draws -> what they are at or below."""


@dataclass(frozen=True, slots=True)
class Fan:
    """Equity over the steps of the series: what shares of draws are at or below."""

    steps: Sequence[int]
    """Values that have passed, from 0 on."""
    observed: Sequence[float]
    levels: Mapping[float, Sequence[float]]


@dataclass(frozen=True, slots=True)
class Bands:
    """What drawing a series again comes to."""

    count: int
    """Values of the series."""
    draws: int
    block: float
    """Mean length of a block."""
    seed: int
    total_return: Band
    max_drawdown: Band
    sharpe: Band | None
    """Of a year; None where steps are no days."""
    loss: float
    """Share of draws that end below the capital."""
    fan: Fan


def of_trades(profits: Sequence[float], capital: float, seed: int, draws: int = DRAWS, block: float = 0.0) -> Bands:
    """Return the bands of trades' profits, in the order of their exits. A block of 0 is `mean_block`.

    The quantities stay as they were: profits add up. Raises `ValueError` for fewer than `FEWEST` trades.
    """
    values = np.asarray(profits, np.float64)
    return _bands(values, capital, lambda part: capital + np.cumsum(part, axis=1), seed, draws, block, 0)


def of_days(  # noqa: PLR0917 - the last two may be left out
    returns: Sequence[float], capital: float, per_year: int, seed: int, draws: int = DRAWS, block: float = 0.0
) -> Bands:
    """Return the bands of daily returns, which compound. Raises `ValueError` for fewer than `FEWEST` days."""
    values = np.asarray(returns, np.float64)
    return _bands(values, capital, lambda part: capital * np.cumprod(1 + part, axis=1), seed, draws, block, per_year)


def _bands(  # noqa: PLR0917 - of both kinds of series
    values: Floats,
    capital: float,
    equity_of: Callable[[Floats], npt.NDArray[Any]],
    seed: int,
    draws: int,
    block: float,
    per_year: int,
) -> Bands:
    if len(values) < FEWEST:
        raise ValueError(f"{len(values)} values; drawing them again needs {FEWEST}")
    block = block or mean_block(len(values))
    at = np.unique(np.linspace(0, len(values), min(STEPS, len(values)) + 1).astype(np.int64))
    ends, falls, ratios, paths = [], [], [], []
    for part in drawn(values, draws, block, seed):
        equity = _from_capital(equity_of(part), capital)
        ends.append(equity[:, -1] / capital - 1)
        falls.append(_falls(equity))
        paths.append(equity[:, at])
        if per_year:
            ratios.append(_sharpes(part, per_year))
    own = values[np.newaxis]
    equity = _from_capital(equity_of(own), capital)
    total = np.concatenate(ends)
    sharpe = _sharpes(own, per_year)[0] if per_year else math.nan
    return Bands(
        count=len(values),
        draws=draws,
        block=block,
        seed=seed,
        total_return=_band(float(equity[0, -1] / capital - 1), total),
        max_drawdown=_band(float(_falls(equity)[0]), np.concatenate(falls)),
        sharpe=_band(float(sharpe), np.concatenate(ratios)) if per_year and math.isfinite(sharpe) else None,
        loss=float(np.mean(total < 0)),
        fan=_fan(at, equity[0], np.concatenate(paths)),
    )


def _from_capital(equity: npt.NDArray[Any], capital: float) -> Floats:
    return np.concatenate([np.full((len(equity), 1), capital), equity], axis=1)


def _falls(equity: Floats) -> Floats:
    """Return the largest drawdown of each row, 0 or below."""
    found: Floats = np.min(equity / np.maximum.accumulate(equity, axis=1) - 1, axis=1)
    return found


def _sharpes(returns: Floats, per_year: int) -> Floats:
    """Return the Sharpe ratio of each row, for a year; 0 where all its returns are equal."""
    spread = returns.std(axis=1, ddof=1)
    # A row of one value drawn again and again has no spread but for rounding.
    flat = spread <= 1e-15 * np.maximum(np.abs(returns).max(axis=1), 1e-300)
    found: Floats = np.where(flat, 0.0, returns.mean(axis=1) / np.where(flat, 1.0, spread) * math.sqrt(per_year))
    return found


def _band(observed: float, values: Floats) -> Band:
    found = np.quantile(values, LEVELS).tolist()
    return Band(observed, dict(zip(LEVELS, found, strict=True)))


def _fan(at: np.ndarray[tuple[int], np.dtype[np.int64]], own: Floats, paths: Floats) -> Fan:
    levels = np.quantile(paths, LEVELS, axis=0).tolist()
    return Fan(at.tolist(), own[at].tolist(), dict(zip(LEVELS, levels, strict=True)))
