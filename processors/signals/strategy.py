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

A strategy may also ask a model, by `ask`, and gets the answer by `on_answer` (docs/asking.md).

An installed package offers a strategy as an entry point of the group `tradewind.strategies`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias, get_args

from tradewind.processors.ai.prompts import Value
from tradewind.processors.signals.questions import VALID_S, questions
from tradewind.schemas.market import Bar, News

JSON: TypeAlias = Any
"""None, bool, int, a finite float, str, and lists and dicts (with str keys) of them."""
Direction: TypeAlias = Literal["LONG", "SHORT", "FLAT"]

REASON_CHARACTERS = 500  # what a person reads in a table; a reason is written to every store


@dataclass(frozen=True, slots=True)
class View:
    """Which way a strategy wants to be in an instrument, until its next view."""

    direction: Direction
    """LONG and SHORT become a position of this side, whatever was held before. FLAT closes the position."""
    strength: float
    """From 0 to 1: the part of the tenant's risk that the position takes. FLAT does not use it."""
    reason: str
    """The reason, in words: at most 500 printable characters."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model answered to a question of a strategy."""

    question: str
    """What `ask` returned."""
    prompt: str
    """The prompt, as name@version."""
    text: str
    json: JSON
    """The answer as JSON, where the prompt has a `json_schema`; else None."""
    provider: str
    model: str


class Strategy(ABC):
    """A strategy. The same memory and bar must give the same view: no clock, no random numbers, no state of its own.

    A strategy is quarantined if it raises, returns something other than a `View` or None, or leaves memory that JSON
    does not restore exactly. It is then not called again until its `version` rises. Other strategies go on.
    """

    name: ClassVar[str]
    """The unique name of the strategy, and of its first deployments: letters, digits, dots, dashes and underscores."""
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

    def on_bars(self, memory: dict[str, JSON], bars: Iterator[Bar]) -> Iterator[View | None]:
        """Yield a view, or None, on each of several closed bars of an instrument that follow one another.

        A strategy may have this beside `on_bar`, to keep values in variables from bar to bar. It yields its view on a
        bar before it takes the next one, and writes `memory` after the last one. Views and memory must be those of
        `on_bar`, which is called if anything is wrong here. Used if no subclass has an `on_bar` of its own.
        """
        for bar in bars:
            yield self.on_bar(memory, bar)

    def on_answer(self, memory: dict[str, JSON], answer: Answer | None) -> View | None:  # noqa: ARG002 - says nothing
        """Return a view on the answer to a question, or None. Each question gets one call.

        `answer` is None if the question got no answer in time: it was refused, it failed, or event time has passed the
        end of its validity. An answer that comes later is only counted.
        """
        return None

    def on_news(self, memory: dict[str, JSON], news: News) -> View | None:  # noqa: ARG002 - says nothing
        """Return a view on a news item about an instrument, or None.

        It is called for instruments that have had a bar: a signal carries a quote.
        """
        return None

    def ask(self, prompt: str, values: Mapping[str, Value] | None = None, valid_s: float = VALID_S) -> str | None:
        """Ask a model about the instrument of this call, and return the id of the question.

        `prompt` is `name@version`, and `values` fill its places. The answer is of use for `valid_s` seconds of event
        time, at most an hour. It acts at the time of the next possible bar, so less than a second is never enough. Call
        this within `on_bar`, `on_news` or `on_answer` only.

        Returns None, and asks nothing, if 16 questions of this strategy about the instrument are open. Raises
        `PromptError` for a prompt that there is not, or values that do not fit it.
        """
        if type(self).on_answer is Strategy.on_answer:
            raise RuntimeError(f"{self.name} asks, and has no on_answer that takes the answer")
        return questions().ask(prompt, values or {}, valid_s)


def takes_many(strategy: Strategy) -> bool:
    """Return whether a strategy has an `on_bars` of its own, and no class below that one another `on_bar`."""
    defined = next(vars(one) for one in type(strategy).__mro__ if not {"on_bar", "on_bars"}.isdisjoint(vars(one)))
    return "on_bars" in defined


def flaw_of(view: object) -> str | None:
    """Return what is wrong with a strategy's answer; None for a sound view or none at all."""
    if view is None:
        return None
    if not isinstance(view, View):
        return f"returned a {type(view).__name__} instead of a View or None"
    if view.direction not in get_args(Direction):
        return f"direction is {view.direction!r} instead of LONG, SHORT or FLAT"
    if not isinstance(view.strength, int | float) or not math.isfinite(view.strength) or not 0 <= view.strength <= 1:
        return f"strength is {view.strength!r} instead of a number from 0 to 1"
    if not isinstance(view.reason, str) or len(view.reason) > REASON_CHARACTERS:
        return f"reason is no text of up to {REASON_CHARACTERS} characters"
    if not view.reason.isprintable():
        return "reason holds characters that cannot be shown"
    return None
