"""The built-in strategy: two moving averages cross, by more than the market's own noise.

    EMA_t = EMA_{t-1} + alpha * (x_t - EMA_{t-1}),  alpha = 2 / (span + 1)

Source: John J. Murphy, Technical Analysis of the Financial Markets (1999), chapter 9 (moving averages and the double
crossover method); the weight 2 / (span + 1) gives the average the same mean age as a simple one over `span` bars. The
first price starts both. The filter is ours: a gap counts only above `band` standard deviations of the bars' returns
(`volatility.py`), so that a market that goes nowhere gives no signals.
"""

from __future__ import annotations

import math
from typing import ClassVar

from tradewind.processors.signals.strategy import JSON, Direction, Strategy, View
from tradewind.processors.signals.volatility import next_variance
from tradewind.schemas.market import Bar

FULL_STRENGTH_GAP = 1.0  # a gap of one standard deviation of a bar takes all of the tenant's risk


class EmaCrossover(Strategy):
    """LONG when the fast average rises above the slow one, SHORT when it falls below, once until it crosses back."""

    name: ClassVar[str] = "ema_crossover"
    interval_s: ClassVar[int] = 60

    def __init__(self, fast: int = 2, slow: int = 8, band: float = 0.05) -> None:
        """Take spans, in bars, and the gap that counts, in standard deviations; raises `ValueError` for others."""
        if not 1 <= fast < slow or not band >= 0:
            raise ValueError(
                f"spans of {fast} and {slow} bars, band {band}: needs 1 <= fast < slow and a band of 0 or more"
            )
        self.fast, self.slow, self.band = fast, slow, band

    def on_bar(self, memory: dict[str, JSON], bar: Bar) -> View | None:
        """Update both averages; answer when the gap turns."""
        price = bar.mid_close
        if not memory:
            memory.update(fast=price, slow=price, close=price, variance=0.0, bars=1, side=None)
            return None
        memory["fast"] += 2 / (self.fast + 1) * (price - memory["fast"])
        memory["slow"] += 2 / (self.slow + 1) * (price - memory["slow"])
        memory["variance"] = next_variance(memory["variance"], memory["close"], price)
        memory["close"] = price
        memory["bars"] = min(memory["bars"] + 1, self.slow)
        deviation = math.sqrt(memory["variance"]) * price
        gap = memory["fast"] - memory["slow"]
        if memory["bars"] < self.slow or deviation == 0 or abs(gap) <= self.band * deviation:
            return None
        side: Direction = "LONG" if gap > 0 else "SHORT"
        if side == memory["side"]:
            return None
        memory["side"] = side
        strength = min(abs(gap) / (FULL_STRENGTH_GAP * deviation), 1.0)
        return View(
            side,
            strength,
            f"EMA {self.fast} is {abs(gap) / deviation:.2f} sd {'above' if gap > 0 else 'below'} EMA {self.slow}",
        )


class FastEmaCrossover(EmaCrossover):
    """The same on bars of one second: it has its first view seconds after a feed begins."""

    name: ClassVar[str] = "ema_crossover_1s"
    interval_s: ClassVar[int] = 1

    def __init__(self, fast: int = 3, slow: int = 8, band: float = 0.5) -> None:
        """Take spans, in bars, and the gap that counts, in standard deviations; raises `ValueError` for others."""
        super().__init__(fast, slow, band)
