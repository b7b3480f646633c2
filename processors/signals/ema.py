"""The built-in strategy: two moving averages cross, by more than the market's own noise.

    EMA_t = EMA_{t-1} + alpha * (x_t - EMA_{t-1}),  alpha = 2 / (span + 1)

Source: John J. Murphy, Technical Analysis of the Financial Markets (1999), chapter 9 (moving averages and the double
crossover method); the weight 2 / (span + 1) gives the average the same mean age as a simple one over `span` bars. The
first price starts both. The filter is ours: a gap counts only above `band` standard deviations of the bars' returns
(`volatility.py`), so that a market that goes nowhere gives no signals.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
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
        (view,) = self.on_bars(memory, iter((bar,)))
        return view

    def on_bars(self, memory: dict[str, JSON], bars: Iterator[Bar]) -> Iterator[View | None]:
        """Do so with each of several bars."""
        fast_weight, slow_weight = 2 / (self.fast + 1), 2 / (self.slow + 1)
        fast, slow, close, variance = (memory.get(name, 0.0) for name in ("fast", "slow", "close", "variance"))
        seen, side = memory.get("bars", 0), memory.get("side")
        for bar in bars:
            price = bar.mid_close
            if not seen:
                fast = slow = close = price
                seen = 1
                yield None
                continue
            fast += fast_weight * (price - fast)
            slow += slow_weight * (price - slow)
            variance, close = next_variance(variance, close, price), price
            seen = min(seen + 1, self.slow)
            deviation, gap = math.sqrt(variance) * price, fast - slow
            now: Direction = "LONG" if gap > 0 else "SHORT"
            if seen < self.slow or deviation == 0 or abs(gap) <= self.band * deviation or now == side:
                yield None
                continue
            side = now
            yield View(now, min(abs(gap) / (FULL_STRENGTH_GAP * deviation), 1.0), self._reason(gap / deviation))
        if seen:
            memory.update(fast=fast, slow=slow, close=close, variance=variance, bars=seen, side=side)

    def _reason(self, gap: float) -> str:
        return f"EMA {self.fast} is {abs(gap):.2f} sd {'above' if gap > 0 else 'below'} EMA {self.slow}"


class FastEmaCrossover(EmaCrossover):
    """The same on bars of one second: it has its first view seconds after a feed begins."""

    name: ClassVar[str] = "ema_crossover_1s"
    interval_s: ClassVar[int] = 1

    def __init__(self, fast: int = 3, slow: int = 8, band: float = 0.5) -> None:
        """Take spans, in bars, and the gap that counts, in standard deviations; raises `ValueError` for others."""
        super().__init__(fast, slow, band)
