"""A strategy that takes many bars at once decides what it decides on one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from processing import SECOND, START, bar, deployed, ingested, places, result

from tradewind.infra.bench.parts.backtests.crossover import MinuteCross
from tradewind.processors.batch import Segment
from tradewind.processors.signals import calling
from tradewind.processors.signals.ema import EmaCrossover
from tradewind.processors.signals.strategy import JSON, Strategy, View, takes_many
from tradewind.schemas.event import Event
from tradewind.schemas.market import Bar
from tradewind.testing import cut

Values = dict[str, JSON]


class Ema(EmaCrossover):
    """The built-in one, which turns often."""

    def __init__(self) -> None:
        super().__init__(2, 3, 0.01)


class Counting(Strategy):
    """Counts bars; does something wrong at the third bar below 1, and is long at each fourth bar."""

    name, interval_s = "counting", 60
    wrong = ""

    def on_bar(self, memory: Values, bar: Bar) -> View | None:
        """Count a bar."""
        memory["low"] = memory.get("low", 0) + (bar.mid_close < 1)
        memory["seen"] = memory.get("seen", 0) + 1
        if self.wrong and memory["low"] == 3 and bar.mid_close < 1:
            return self.fail(memory)
        return View("LONG", 0.5, f"bar {memory['seen']}") if memory["seen"] % 4 == 0 else None

    def fail(self, memory: Values) -> View | None:
        """Do what is wrong."""
        match self.wrong:
            case "raise":
                raise ValueError("low")
            case "memory":
                memory["value"] = (1, 2)
            case "view":
                return View("LONG", 2.0, "stronger than strong")
        return None

    def on_bars(self, memory: Values, bars: Iterator[Bar]) -> Iterator[View | None]:
        """Count bars."""
        for one in bars:
            yield self.on_bar(memory, one)


class Raising(Counting):
    """Raises."""

    name, wrong = "raising", "raise"


class Leaving(Counting):
    """Leaves a tuple in its memory."""

    name, wrong = "leaving", "memory"


class Strong(Counting):
    """Returns a view that is none."""

    name, wrong = "strong", "view"


class Peeking(Counting):
    """Looks at all bars before it says anything of the first."""

    name = "peeking"

    def on_bars(self, memory: Values, bars: Iterator[Bar]) -> Iterator[View | None]:
        """Look ahead."""
        for one in [*bars]:
            yield View("SHORT", 1.0, f"it will be {one.mid_close}")


class Short(Counting):
    """Says less than it is asked."""

    name = "short"

    def on_bars(self, memory: Values, bars: Iterator[Bar]) -> Iterator[View | None]:
        """Leave out the last view."""
        before = False
        for _ in bars:
            if before:
                yield None
            before = True


MANY: Sequence[type[Strategy]] = (Ema, MinuteCross, Counting, Raising, Leaving, Strong, Peeking, Short)


def alone(strategy: type[Strategy]) -> Strategy:
    """Return the same strategy without its `on_bars`."""
    return type(strategy.__name__, (strategy,), {"on_bar": strategy.on_bar})()


def outcome(strategies: Sequence[Strategy], segments: Sequence[Segment]) -> tuple[list[Event], dict[str, Any]]:
    """Return what an agent makes of segments, and its state."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calling, "_summary", repr)  # without the line of the code that raised
        return result(deployed(strategies), segments)


bars = st.lists(st.tuples(st.sampled_from(("EURUSD", "XAUUSD")), st.floats(0.9, 1.4), st.booleans()), max_size=60)


@given(bars, places)
@settings(max_examples=60, deadline=None)
def test_many_bars_are_bars_one_after_the_other(drawn: list[tuple[str, float, bool]], cuts: list[int]) -> None:
    """The same events and state, also where a strategy fails on one of its instruments, or breaks the rules."""
    stream = [
        bar(START + at * SECOND, close, symbol=symbol, interval_s=60 if minute else 1)
        for at, (symbol, close, minute) in enumerate(drawn)
    ]
    segments = ingested(stream, "market.bars")
    assert all(takes_many(strategy()) for strategy in MANY)
    one_by_one = [alone(strategy) for strategy in MANY]
    assert not any(takes_many(strategy) for strategy in one_by_one)
    wanted = outcome(one_by_one, segments)
    assert outcome([strategy() for strategy in MANY], segments) == wanted
    assert outcome([strategy() for strategy in MANY], list(cut(segments, cuts))) == wanted
