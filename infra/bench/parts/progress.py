"""Says on standard error which run of how many a bench is at, and how long the rest will take; all else goes to a log.

What the clients and the runtime say would stand between the lines of progress. It goes to a file that a failure names.
"""

from __future__ import annotations

import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

MINUTE_S = 60.0
_told = [2]
"""The descriptor that progress goes to, last of all: standard error, or what it was before it went to a log."""


def say(line: str) -> None:
    """Print a line of progress. A reader that is gone is no reason to end: the figures go elsewhere."""
    try:
        os.write(_told[-1], f"{line}\n".encode())
    except BrokenPipeError:
        return


@contextmanager
def quiet(log: Path) -> Iterator[None]:
    """Send this process's standard error, and that of what it starts, to a file; progress goes on where it went."""
    sys.stderr.flush()
    shown = os.dup(2)
    with log.open("ab") as file:
        os.dup2(file.fileno(), 2)
    _told.append(shown)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(shown, 2)
        _told.pop()
        os.close(shown)


class Progress:
    """Where a bench is in its plan."""

    def __init__(self, plan: Sequence[str], known_s: Mapping[str, float] | None = None) -> None:
        """`plan` names the kind of each run, in order; `known_s` says how long runs of a kind take."""
        self._plan, self._known_s = list(plan), dict(known_s or {})
        self._took_s: defaultdict[str, list[float]] = defaultdict(list)
        self._at = 0
        self._begun = self._since = time.monotonic()

    def begin(self, kind: str) -> None:
        """Say that the next run begins, which ends the one before."""
        now = time.monotonic()
        if self._at:
            self._took_s[self._plan[self._at - 1]].append(now - self._since)
        self._since = now
        if self._plan[self._at] != kind:
            raise ValueError(f"the plan has {self._plan[self._at]!r} where {kind!r} begins")
        rest = self._plan[self._at :]
        self._at += 1
        say(line(self._at, len(self._plan), kind, now - self._begun, left_s(rest, self._took_s, self._known_s)))


def line(at: int, of: int, kind: str, so_far_s: float, left: float | None) -> str:
    """Return a line of progress; `left` is None where nobody can tell yet."""
    told = f"run {at} of {of}: {kind}; {minutes(so_far_s)} so far"
    return told if left is None else f"{told}, about {minutes(left)} left"


def left_s(rest: Sequence[str], took_s: Mapping[str, Sequence[float]], known_s: Mapping[str, float]) -> float | None:
    """Return how long the runs of `rest` will take, seconds.

    A run takes what others of its kind took, else what is known of its kind, else what runs took on average.
    """
    of_kind = {**known_s, **{kind: median(times) for kind, times in took_s.items() if times}}
    seen = [each for times in took_s.values() for each in times]
    if not seen and not set(rest) <= of_kind.keys():
        return None
    mean = sum(seen) / len(seen) if seen else 0.0
    return sum(of_kind.get(kind, mean) for kind in rest)


def minutes(seconds: float) -> str:
    """Return a time as a person says it."""
    return f"{seconds:.0f} s" if seconds < 2 * MINUTE_S else f"{seconds / MINUTE_S:.0f} min"
