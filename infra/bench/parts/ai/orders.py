"""Orders to a process to die or to freeze at a point of its work, in a folder that it shares with who gives them.

A process obeys one order, once: it writes what it was doing, and sends the signal to itself.
"""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

Point = Literal["before the claim", "between claim and send", "in flight", "after the answer"]
POINTS: Final[tuple[Point, ...]] = ("before the claim", "between claim and send", "in flight", "after the answer")
Way = Literal["kill", "freeze"]
SIGNALS: Final = {"kill": signal.SIGKILL, "freeze": signal.SIGSTOP}


@dataclass(frozen=True, slots=True)
class Seen:
    """What a process was doing when it obeyed."""

    waiting: frozenset[str]
    """Calls that it had not claimed."""
    claimed: frozenset[str]
    """Calls that it had claimed, or was about to answer, without an attempt that was published."""


@dataclass(frozen=True, slots=True)
class Orders:
    """The orders to the processes of a folder."""

    folder: Path

    def give(self, pid: int, point: Point, way: Way) -> None:
        """Have a process die or freeze when it next comes to a point."""
        self._write(self.folder / f"{pid}.order", {"point": point, "way": way})

    def seen(self, pid: int) -> Seen | None:
        """Return what a process was doing when it obeyed; None if it has not come to the point yet."""
        try:
            found = json.loads((self.folder / f"{pid}.seen").read_text())
        except FileNotFoundError:
            return None
        return Seen(frozenset(found["waiting"]), frozenset(found["claimed"]))

    def obey(self, point: Point, waiting: Iterable[str], claimed: Iterable[str]) -> None:
        """Obey an order for this point, if there is one for this process."""
        path = self.folder / f"{os.getpid()}.order"
        try:
            order: dict[str, Any] = json.loads(path.read_text())
        except FileNotFoundError:
            return
        if order["point"] != point:
            return
        path.unlink()
        self._write(self.folder / f"{os.getpid()}.seen", {"waiting": list(waiting), "claimed": list(claimed)})
        # To this thread: sent to the process, another one may take it, and this one would go on for a moment.
        signal.pthread_kill(threading.get_ident(), SIGNALS[order["way"]])

    @staticmethod
    def _write(path: Path, what: dict[str, Any]) -> None:
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(what))
        draft.rename(path)  # whole, or not there
