"""Run agents in memory, without a broker: a processor, one agent, or the whole pipeline.

    from tradewind import Signal, Strategy, View
    from tradewind.testing import Pipeline

    class Rising(Strategy):
        name = "rising"
        interval_s = 1

        def on_bar(self, memory, bar):
            before, memory["close"] = memory.get("close"), bar.mid_close
            return View("LONG", 1.0, "closed higher") if before and bar.mid_close > before else None

    def test_it_buys_what_rises():
        outcome = Pipeline(strategies=[Rising()]).run(ticks)
        assert outcome.of(Signal)

`ticks` are `Tick` events in the order of their arrival. Nothing here reads a clock: time is what the events say. See
docs/testing.md.
"""

from tradewind.testing.agent import MemoryAgent
from tradewind.testing.broker import MemoryBroker, MemoryRecord
from tradewind.testing.pipeline import Outcome, Pipeline
from tradewind.testing.segments import MemoryState, columns, cut, rows, run

__all__ = [
    "MemoryAgent",
    "MemoryBroker",
    "MemoryRecord",
    "MemoryState",
    "Outcome",
    "Pipeline",
    "columns",
    "cut",
    "rows",
    "run",
]
