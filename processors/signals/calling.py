"""Call a strategy: with its memory, and without trust. Whatever it does wrong is its own failure and nobody else's."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

from tradewind.processors.batch import State
from tradewind.processors.signals.answers import QUESTIONS
from tradewind.processors.signals.deployed import Deployed
from tradewind.processors.signals.memories import Memory
from tradewind.processors.signals.questions import MOST_OPEN, Asker, Cause, Questions
from tradewind.processors.signals.strategy import JSON, Strategy, View, flaw_of
from tradewind.schemas.market import Bar
from tradewind.schemas.signals import QuestionsState

E = TypeVar("E")
FRAMES: Final = 3  # innermost frames of a traceback that an alert quotes: where it failed, and who called
ALERT_CHARACTERS: Final = 2_000  # an exception's text may be of any length


class Failed(Exception):
    """A strategy did not answer as it must; the message says how."""


def call(memory: Memory, method: Callable[[dict[str, JSON], E], View | None], of: E) -> View | None:
    """Return what a method of a strategy says of an event; the memory keeps what the call leaves.

    If either of them is unsound, raises `Failed` and leaves the memory as it was.
    """
    values = memory.begin()
    try:
        view = method(values, of)
        flaw = None if view is None else flaw_of(view)
        if flaw is None:
            memory.keep(values)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a panic of polars and sys.exit() are no reason to stop its neighbours
        raise Failed(_summary(error)) from error
    if flaw is not None:
        raise Failed(flaw)
    return view


def call_ahead(memory: Memory, strategy: Strategy, places: Sequence[int], bar_at: Callable[[int], Bar]) -> bool:
    """Let a strategy look at bars that follow one another; the memory keeps its views, and what it leaves.

    Returns whether all of it is sound. If not, a call for each bar tells which of them fails.
    """
    values, found, answered = memory.begin(), dict[int, View](), 0

    def in_step() -> Iterator[Bar]:
        for number, place in enumerate(places):
            if number > answered:
                break
            yield bar_at(place)
        if answered < len(places):
            raise RuntimeError("on_bars took a bar before it had yielded its view on the last one")

    try:
        for place, view in zip(places, strategy.on_bars(values, in_step()), strict=True):
            answered += 1
            if view is not None:
                if flaw_of(view) is not None:
                    return False
                found[place] = view
        memory.keep(values)
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 - `call` tells what it is
        return False
    memory.ahead = found
    return True


def questions_of(state: State, deployed: Deployed, name: str, asker: Asker, cause: Cause) -> Questions:
    """Return what takes the questions that a deployment asks about an instrument in one call."""
    return Questions(asker, deployed.run, name, cause, lambda: _room(state, deployed, name))


def _room(state: State, deployed: Deployed, name: str) -> int:
    known = state.get(f"{QUESTIONS}{name}", QuestionsState)
    return MOST_OPEN - sum(one["deployment"] == deployed.place for one in (() if known is None else known.open))


def _summary(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES:]
    # Names of files without folders: the same text, and so the same state, wherever it is installed.
    where = " > ".join(
        f"{frame.filename.replace(chr(92), '/').rsplit('/', 1)[-1]}:{frame.lineno} {frame.name}" for frame in frames
    )
    try:
        what = str(error)
    except Exception as unsaid:  # noqa: BLE001 - a strategy's own exception may fail at this too
        what = f"(its text cannot be had: {type(unsaid).__name__})"
    shown = f"{type(error).__name__}: {what} at {where}"[:ALERT_CHARACTERS]
    return shown.encode("utf-8", "backslashreplace").decode("utf-8")
