"""How much an instrument moves: the exponentially weighted variance of its returns.

    r_t = x_t / x_{t-1} - 1
    variance_t = DECAY * variance_{t-1} + (1 - DECAY) * r_t^2

Source: J.P. Morgan/Reuters, RiskMetrics Technical Document, 4th edition (1996), section 5.2, mean return taken as 0,
decay 0.94. The first return other than 0 starts it. Returns are plain ones and not logarithms, since only the four
operations and the square root give the same bits on every machine. Strictly one after the other, so that it does not
depend on how the bars are cut.
"""

from __future__ import annotations

from collections.abc import Iterable

DECAY = 0.94  # RiskMetrics' for daily returns: three quarters of the weight lie on the last 22 bars


def next_variance(variance: float, before: float, now: float) -> float:
    """Return the variance of returns per bar after a price; `variance` 0 means that none was kept yet.

    If the earlier price is 0, as in states of earlier versions, there is no return.
    """
    if before == 0:
        return variance
    squared = (now / before - 1) ** 2
    return squared if variance == 0 else DECAY * variance + (1 - DECAY) * squared


def variance_after(variance: float, before: float, closes: Iterable[float]) -> float:
    """Return what `next_variance` leads to, from price to price: the same bits, in less time."""
    for now in closes:
        if before != 0:
            squared = (now / before - 1) ** 2
            variance = squared if variance == 0 else DECAY * variance + (1 - DECAY) * squared
        before = now
    return variance
