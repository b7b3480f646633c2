"""Other data after a time: what a strategy that does not know the future cannot notice before."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

Kind = Literal["reversed", "raised", "lowered", "ended"]
KINDS: Final[tuple[Kind, ...]] = ("reversed", "raised", "lowered", "ended")
CHANGES: Final[dict[Kind, tuple[float, float]]] = {
    "reversed": (-8.0, 0.0),
    "raised": (1.0, 0.05),
    "lowered": (1.0, -0.05),
}
"""What each move since the last known quote is multiplied by, and what is added to it, in logarithms of mids.

What was known of a move when a strategy decided does not outweigh eight times its rest.
"""
FARTHEST: Final = 3.0  # of a logarithm: prices stay within a factor of 20
SMALLEST: Final = 1e-8
DIGITS: Final = 8  # of a price: as many as a venue quotes, and fewer than events may have


def other_after(ticks: pl.DataFrame, at: int, kind: Kind) -> pl.DataFrame:
    """Return quotes in which all that are later than `at`, µs, are others; columns as in `TICK_COLUMNS`.

    Times, instruments and the order of arrival stay, so that the same quotes are late or in doubt. `reversed` turns
    each price's way from the instrument's last quote up to `at` around. `raised` and `lowered` let all prices jump.
    `ended` leaves the later quotes out.
    """
    later = ticks["ts_event"].to_numpy() > at
    if kind == "ended":
        return ticks.filter(pl.Series(~later))
    names = ticks.select(pl.struct("symbol", "venue").rank("dense")).to_series().to_numpy()
    bid, ask = ticks["bid"].to_numpy().copy(), ticks["ask"].to_numpy().copy()
    for name in np.unique(names[later]):
        own = names == name
        _change(bid, ask, own & later, _anchor(bid, ask, own, later), *CHANGES[kind])
    return ticks.with_columns(pl.Series("bid", bid), pl.Series("ask", ask))


def _anchor(
    bid: npt.NDArray[np.float64], ask: npt.NDArray[np.float64], own: npt.NDArray[np.bool_], later: npt.NDArray[np.bool_]
) -> float:
    known = np.flatnonzero(own & ~later)
    at = known[-1] if len(known) else np.flatnonzero(own)[0]
    return float(bid[at] + ask[at]) / 2


def _change(  # noqa: PLR0917 - a step of the loop above
    bid: npt.NDArray[np.float64],
    ask: npt.NDArray[np.float64],
    rows: npt.NDArray[np.bool_],
    anchor: float,
    factor: float,
    jump: float,
) -> None:
    if anchor <= 0:
        return  # no way from such a price has a logarithm
    mid = np.maximum((bid[rows] + ask[rows]) / 2, SMALLEST)
    moved = anchor * np.exp(np.clip(factor * np.log(mid / anchor) + jump, -FARTHEST, FARTHEST))
    for side in (bid, ask):
        side[rows] = np.maximum(np.round(side[rows] * moved / mid, DIGITS), SMALLEST)
