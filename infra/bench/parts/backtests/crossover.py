"""The strategy of the bench: the peers' crossover (`peers/backtests/measured.py`) as a strategy of ours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from tradewind.processors.signals.strategy import Strategy, View
from tradewind.schemas.market import Bar

FAST, SLOW = 10, 30
"""Spans of the averages, in bars."""


class MinuteCross(Strategy):
    """Turns around at each turn of two averages of mids."""

    name: ClassVar[str] = "bench_crossover"
    interval_s: ClassVar[int] = 60

    def on_bar(self, memory: dict[str, Any], bar: Bar) -> View | None:
        """Look at a bar."""
        (view,) = self.on_bars(memory, iter((bar,)))
        return view

    def on_bars(self, memory: dict[str, Any], bars: Iterator[Bar]) -> Iterator[View | None]:
        """Look at bars."""
        fast, slow = memory.get("fast", 0.0), memory.get("slow", 0.0)
        seen, side = memory.get("bars", 0), memory.get("side", 0)
        for bar in bars:
            close = bar.mid_close
            seen += 1
            if seen == 1:
                fast = slow = close
            fast += 2 / (FAST + 1) * (close - fast)
            slow += 2 / (SLOW + 1) * (close - slow)
            now = 1 if fast > slow else -1
            if seen < SLOW or now == side:
                yield None
                continue
            side = now
            yield View("LONG" if side > 0 else "SHORT", 1.0, "the averages crossed")
        memory.update(fast=fast, slow=slow, bars=seen, side=side)


class SecondCross(MinuteCross):
    """The same on bars of a second."""

    name: ClassVar[str] = "bench_crossover_1s"
    interval_s: ClassVar[int] = 1


STRATEGIES = {60: MinuteCross, 1: SecondCross}
