"""What a strategy is: it sees closed bars, keeps a memory, and returns a view or nothing.

    from tradewind import Bar, Strategy, View

    class Breakout(Strategy):
        name = "breakout"
        interval_s = 60

        def on_bar(self, memory, bar):
            high, memory["high"] = memory.get("high"), bar.mid_high
            if high is not None and bar.mid_close > high:
                return View("LONG", 1.0, f"closed at {bar.mid_close}, above {high}")
            return None

An installed package offers a strategy as an entry point of the group `tradewind.strategies`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias, get_args

from tradewind.schemas.market import Bar

JSON: TypeAlias = Any
"""None, bool, int, a finite float, str, and lists and dicts (with str keys) of them."""
Direction: TypeAlias = Literal["LONG", "SHORT"]

REASON_CHARACTERS = 500  # what a person reads in a table; a reason is written to every store
NAME_CHARACTERS = 64  # a name is part of every id and key


@dataclass(frozen=True, slots=True)
class View:
    """In which direction a strategy expects an instrument to move."""

    direction: Direction
    strength: float
    """From 0 to 1: the part of the tenant's risk that an order takes."""
    reason: str
    """The reason, in words: at most 500 printable characters."""


class Strategy(ABC):
    """A strategy. The same memory and bar must give the same view: no clock, no random numbers, no state of its own.

    A strategy is quarantined if it raises, returns something other than a `View` or None, or leaves memory that JSON
    does not restore exactly. It is then not called again until its `version` rises. Other strategies go on.
    """

    name: ClassVar[str]
    """The unique name of the strategy, which is part of the ids of its signals."""
    interval_s: ClassVar[int]
    """Length of its bars in seconds: 1 or 60."""
    version: ClassVar[int] = 1
    """Raise it when the code changes. A new version begins with empty memory and without quarantine."""

    @abstractmethod
    def on_bar(self, memory: dict[str, JSON], bar: Bar) -> View | None:
        """Return a view on a closed bar, or None.

        `memory` belongs to this strategy version and instrument. Change it in place: the call for the next bar gets it
        as it is on return. It may hold what JSON can hold, up to 64 KiB.
        """


def flaw_of(view: object) -> str | None:
    """Return what is wrong with a strategy's answer; None for a sound view or none at all."""
    if view is None:
        return None
    if not isinstance(view, View):
        return f"returned a {type(view).__name__} instead of a View or None"
    if view.direction not in get_args(Direction):
        return f"direction is {view.direction!r} instead of LONG or SHORT"
    if not isinstance(view.strength, int | float) or not math.isfinite(view.strength) or not 0 <= view.strength <= 1:
        return f"strength is {view.strength!r} instead of a number from 0 to 1"
    if not isinstance(view.reason, str) or len(view.reason) > REASON_CHARACTERS:
        return f"reason is no text of up to {REASON_CHARACTERS} characters"
    if not view.reason.isprintable():
        return "reason holds characters that cannot be shown"
    return None
