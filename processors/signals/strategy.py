"""What a strategy is: it looks at a bar, remembers what it wants, and says which way, or nothing.

    from tradewind import Bar, Strategy, View

    class Breakout(Strategy):
        name = "breakout"
        interval_s = 60

        def on_bar(self, memory, bar):
            high, memory["high"] = memory.get("high"), bar.mid_high
            if high is not None and bar.mid_close > high:
                return View("LONG", 1.0, f"closed at {bar.mid_close}, above {high}")
            return None

An installed package offers one as an entry point of the group `tradewind.strategies`.
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
    """Which way a strategy thinks that an instrument goes."""

    direction: Direction
    strength: float
    """From 0 to 1: the share of the tenant's risk that an order takes."""
    reason: str
    """Why, in words."""


class Strategy(ABC):
    """A strategy: the same memory and bar give the same answer. It has no clock, no randomness, no state of its own.

    A strategy that raises, returns no `View`, or leaves memory that JSON does not restore exactly is quarantined: it is
    not asked again until its `version` rises.
    """

    name: ClassVar[str]
    """Names it among all; part of its signals' ids."""
    interval_s: ClassVar[int]
    """Length of the bars that it looks at, seconds: 1 or 60."""
    version: ClassVar[int] = 1
    """Raise it when the code changes: the new version starts with empty memory, out of quarantine."""

    @abstractmethod
    def on_bar(self, memory: dict[str, JSON], bar: Bar) -> View | None:
        """Look at a closed bar.

        `memory` belongs to this strategy and instrument; what it holds on return is what the next bar finds.
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
