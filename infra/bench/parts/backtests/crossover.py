"""The strategy of the bench: the peers' crossover (`peers/backtests/measured.py`) as a strategy of ours."""

from __future__ import annotations

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
        close = bar.mid_close
        if not memory:
            memory.update(fast=close, slow=close, bars=1, side=0)
            return None
        memory["fast"] += 2 / (FAST + 1) * (close - memory["fast"])
        memory["slow"] += 2 / (SLOW + 1) * (close - memory["slow"])
        memory["bars"] += 1
        if memory["bars"] < SLOW:
            return None
        side = 1 if memory["fast"] > memory["slow"] else -1
        if side == memory["side"]:
            return None
        memory["side"] = side
        return View("LONG" if side > 0 else "SHORT", 1.0, "the averages crossed")


class SecondCross(MinuteCross):
    """The same on bars of a second."""

    name: ClassVar[str] = "bench_crossover_1s"
    interval_s: ClassVar[int] = 1


STRATEGIES = {60: MinuteCross, 1: SecondCross}
