"""Call a strategy: with its memory, and without trust. Whatever it does wrong is its own failure and nobody else's."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from typing import Final

from tradewind.processors.batch import State
from tradewind.processors.signals.deployed import Deployed
from tradewind.processors.signals.memories import Memories
from tradewind.processors.signals.questions import MOST_OPEN, Asker, Cause, Questions, collecting
from tradewind.processors.signals.strategy import JSON, View, flaw_of
from tradewind.processors.signals.tracked import Tracked
from tradewind.schemas.ai import AiRequest
from tradewind.schemas.signals import QuestionsState

FRAMES: Final = 3  # innermost frames of a traceback that an alert quotes: where it failed, and who called
ALERT_CHARACTERS: Final = 2_000  # an exception's text may be of any length


class Failed(Exception):
    """A strategy did not answer as it must; the message says how."""


def call(
    state: State,
    memories: Memories,
    deployed: Deployed,
    on: Tracked,
    asker: Asker,
    *,
    cause: Cause,
    method: Callable[[dict[str, JSON]], View | None],
) -> tuple[View | None, Sequence[AiRequest]]:
    """Return a deployment's view of an instrument and its questions; keep its memory.

    If any of them is unsound, raises `Failed` and leaves the memory as it was.
    """
    memory = memories.of(deployed, on)
    try:
        if deployed.asks:
            asked = Questions(asker, deployed.run, on.name, cause, lambda: _room(state, deployed, on.name))
            with collecting(asked):
                view = method(memory.begin())
        else:
            asked, view = None, method(memory.begin())
        flaw = None if view is None else flaw_of(view)
        if flaw is None:
            memory.check()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a panic of polars and sys.exit() are no reason to stop its neighbours
        memory.undo()
        raise Failed(_summary(error)) from error
    if flaw is not None:
        memory.undo()
        raise Failed(flaw)
    return view, () if asked is None else asked.asked


def _room(state: State, deployed: Deployed, name: str) -> int:
    known = state.get(f"questions/{name}", QuestionsState)
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
