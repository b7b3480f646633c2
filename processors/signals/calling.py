"""Call a strategy: with its memory, and without trust. Whatever it does wrong is its own failure and nobody else's."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from typing import Final

from tradewind.processors.batch import State
from tradewind.processors.identity import instrument
from tradewind.processors.signals.deployed import MEMORY, Deployed
from tradewind.processors.signals.questions import MOST_OPEN, Asker, Cause, Questions, collecting
from tradewind.processors.signals.strategy import JSON, View, flaw_of
from tradewind.schemas.ai import AiRequest
from tradewind.schemas.signals import QuestionsState, StrategyState

MEMORY_BYTES: Final = 65_536  # of JSON: it is written to the changelog with each batch of bars
FRAMES: Final = 3  # innermost frames of a traceback that an alert quotes: where it failed, and who called
ALERT_CHARACTERS: Final = 2_000  # an exception's text may be of any length


class Failed(Exception):
    """A strategy did not answer as it must; the message says how."""


def call(
    state: State,
    deployed: Deployed,
    of: tuple[str, str],
    asker: Asker,
    *,
    cause: Cause,
    method: Callable[[dict[str, JSON]], View | None],
) -> tuple[View | None, list[AiRequest]]:
    """Return a deployment's view of an instrument (symbol, venue) and its questions; store its memory.

    If any of them is unsound, raises `Failed` and stores nothing.
    """
    name = instrument(*of)
    key = f"{MEMORY}{deployed.run}/{name}"
    before = state.get(key, StrategyState)
    memory: dict[str, JSON] = {} if before is None else json.loads(before.memory)
    asked = Questions(asker, deployed.run, name, cause, lambda: _room(state, deployed, name))
    try:
        with collecting(asked):
            view = method(memory)
        flaw = flaw_of(view)
        text = _stored(memory)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a panic of polars and sys.exit() are no reason to stop its neighbours
        raise Failed(_summary(error)) from error
    if flaw is not None:
        raise Failed(flaw)
    if before is None or text != before.memory:
        kept = StrategyState(
            tenant_id=deployed.deployment.tenant_id,
            account_id=deployed.deployment.account_id,
            deployment=deployed.deployment.deployment,
            strategy=deployed.strategy.name,
            symbol=of[0],
            venue=of[1],
            memory=text,
        )
        state.put(key, kept)
    return view, asked.asked


def _room(state: State, deployed: Deployed, name: str) -> int:
    known = state.get(f"questions/{name}", QuestionsState)
    return MOST_OPEN - sum(one["deployment"] == deployed.place for one in (() if known is None else known.open))


def _stored(memory: dict[str, JSON]) -> str:
    """Return memory as JSON; raises `ValueError` or `TypeError` if JSON would not restore it exactly."""
    text = json.dumps(memory, allow_nan=False)
    if len(text) > MEMORY_BYTES:  # ASCII: a character is a byte
        raise ValueError(f"memory takes {len(text):,} bytes of JSON; the limit is {MEMORY_BYTES:,}")
    if json.loads(text) != memory:
        raise ValueError("memory is not what JSON restores: use lists for tuples, and str for the keys of dicts")
    return text


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
