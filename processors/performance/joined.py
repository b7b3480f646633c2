"""Several runs, each after the last one, as one account: its curve and its sums."""

from __future__ import annotations

from collections.abc import Sequence

from tradewind.processors.money import exact
from tradewind.processors.performance.curve import Curve
from tradewind.processors.performance.trades import Traded


def joined_curve(curves: Sequence[Curve]) -> Curve:
    """Return the curve of runs that follow one another, of which each begins with the equity of the last one.

    If each curve's peak began with that of the last one, its drawdown is that of the whole. There is one run or more.
    """
    whole = Curve(curves[0].capital, curves[0].days)
    for curve in curves:
        if curve.first is None:
            continue
        whole.begin(curve.first)
        whole.last = max(whole.last, curve.last)
        whole.ends.update(curve.ends)
        whole.invested_us += curve.invested_us
        whole.exposure_us += curve.exposure_us
        whole.depth = min(whole.depth, curve.depth)
        whole.peak = max(whole.peak, curve.peak)
        whole.equity, whole.exposure = curve.equity, curve.exposure
    return whole


def joined_sums(parts: Sequence[Traded]) -> Traded:
    """Return the sums of all runs."""
    whole = Traded()
    with exact():
        for part in parts:
            for name in Traded.__slots__:
                setattr(whole, name, getattr(whole, name) + getattr(part, name))
    return whole
