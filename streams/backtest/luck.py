"""How much of a result is luck: its trades and days drawn again, and what sudden moves would have cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Final

import polars as pl

from tradewind.processors.performance.days import NEW_YORK_DAYS, UTC_DAYS
from tradewind.processors.performance.ratios import returns_of
from tradewind.processors.simulation.bands import DRAWS, Band, Bands, of_days, of_trades
from tradewind.processors.simulation.bootstrap import MOST_DRAWS
from tradewind.processors.simulation.stress import hits
from tradewind.streams.backtest.errors import BadInput

SEED: Final = 1
MOST_TRADES: Final = 200_000
"""That are drawn again: 2,000 draws of so many take some 20 s."""
LONGEST_BLOCK: Final = 1e6


def luck(
    summary: Mapping[str, Any],
    trades: pl.DataFrame,
    equity: pl.DataFrame,
    daily: pl.DataFrame,
    *,
    draws: int = DRAWS,
    seed: int = SEED,
    block: float = 0.0,
) -> Mapping[str, Any]:
    """Return what a result comes to if its trades and its days are drawn again, and what moves would have cost.

    `block` is the mean length of a block; 0 is the cube root of the count. A series that cannot be drawn says why.
    Raises `BadInput` for numbers that are out of range.
    """
    if not 1 <= draws <= MOST_DRAWS or seed < 0 or not (block == 0 or 1 <= block <= LONGEST_BLOCK):
        raise BadInput(
            f"{draws:,} draws, seed {seed}, blocks of {block:g}: give 1 to {MOST_DRAWS:,} draws, a seed of 0 or more, "
            f"and blocks of 1 to {LONGEST_BLOCK:,.0f}"
        )
    capital = float(summary["capital"])
    profits = trades["profit"].cast(pl.Float64).to_list()
    amounts = [capital, *daily["equity"].to_list()]
    per_year = next(days.per_year for days in (UTC_DAYS, NEW_YORK_DAYS) if days.name == summary["session_days_end"])
    symbols = [name.partition(".")[0] for name in summary["instruments"]]
    return {
        "trades": _drawn(len(profits), "trades", lambda: of_trades(profits, capital, seed, draws, block)),
        "days": {"why": "the equity was 0 or below"}
        if min(amounts) <= 0
        else _drawn(
            len(amounts) - 1, "days", lambda: of_days(returns_of(amounts), capital, per_year, seed, draws, block)
        ),
        "moves": [asdict(hit) for hit in hits(equity["exposure"].cast(pl.Float64).to_numpy(), capital, symbols)],
    }


def _drawn(count: int, kind: str, bands: Callable[[], Bands]) -> Mapping[str, Any]:
    if count > MOST_TRADES:
        return {"why": f"{count:,} {kind}; at most {MOST_TRADES:,} are drawn again"}
    try:
        found = bands()
    except ValueError as error:
        return {"why": str(error).replace("values;", f"{kind};")}
    return {
        "count": found.count,
        "draws": found.draws,
        "block": found.block,
        "seed": found.seed,
        "loss": found.loss,
        "total_return": _band(found.total_return),
        "max_drawdown": _band(found.max_drawdown),
        "sharpe": None if found.sharpe is None else _band(found.sharpe),
        "fan": {
            "steps": found.fan.steps,
            "observed": found.fan.observed,
            "levels": {f"{level:g}": of for level, of in found.fan.levels.items()},
        },
    }


def _band(of: Band) -> Mapping[str, Any]:
    return {"observed": of.observed, "levels": {f"{level:g}": value for level, value in of.levels.items()}}
