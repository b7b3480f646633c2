"""What a reader's recent past means: a pure function over a window of samples.

The rules are those of Burrow (github.com/linkedin/Burrow, evaluation rules), without four of its false verdicts: a lag
that is tiny in seconds is no warning, the first record after silence is no stop, a rewind is seen also where the lag is
0 again, and what cannot be asked is UNKNOWN rather than 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias

State: TypeAlias = Literal[
    "OK", "WARNING", "STALLED", "STOPPED", "REWOUND", "CATCHING_UP", "HELD", "RESTORING", "IDLE", "UNKNOWN"
]
WORST: tuple[State, ...] = (
    "STOPPED",
    "STALLED",
    "REWOUND",
    "UNKNOWN",
    "WARNING",
    "RESTORING",
    "HELD",
    "CATCHING_UP",
    "OK",
    "IDLE",
)
"""From what a person should see first to what nobody must look at."""
STALLED_S = 6.0
"""How long a position may stand before records: agents commit within a second, sinks within three."""
STOPPED_S = 12.0
"""How long before that means that nobody reads: a frozen process is shown within 15 s, one look a second included."""
SMALL_S = 5.0
"""A lag of fewer seconds is what batches make of a steady flow."""
LASTS_S = 10.0
"""How long a reader must be behind for that to be more than a moment's load."""
CALM_S = 60.0
"""How long a partition must have been silent for its reader to be idle."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One reader of one partition, at one moment."""

    at_s: float
    position: int
    end: int
    """The last stable offset."""
    lag: int
    """Records between them; markers of transactions are none."""
    lag_s: float | None
    """Age of the first unread record; None where it is not known."""


def state_of(window: Sequence[Seen], intent: State | None = None) -> State:
    """Return the state of a reader from what was seen of it, oldest first.

    `intent` is what the reader's process says of itself: HELD or RESTORING explain a position that stands.
    """
    if not window:
        return "UNKNOWN"
    last = window[-1]
    if any(later.position < earlier.position for earlier, later in pairwise(window)):
        return "REWOUND"
    if last.lag == 0:
        return "IDLE" if _silent(window) else "OK"
    stands = _stands_s(window)
    if stands >= STALLED_S and intent is not None:
        return intent
    if stands >= STOPPED_S:
        return "STOPPED"
    if stands >= STALLED_S:
        return "STALLED"
    return _behind(window)


def catch_up_s(window: Sequence[Seen]) -> float | None:
    """Return how long a reader needs to reach its end at the speeds of the window, s; None where it never does."""
    if not window or window[-1].lag == 0:
        return 0.0 if window else None
    first, last = window[0], window[-1]
    took = last.at_s - first.at_s
    gained = (last.position - first.position) - (last.end - first.end)
    return last.lag * took / gained if took > 0 and gained > 0 else None


def worst(states: Sequence[State]) -> State:
    """Return the state of several partitions together; UNKNOWN of none."""
    return min(states, key=WORST.index, default="UNKNOWN")


def _behind(window: Sequence[Seen]) -> State:
    """Return the state of a reader that reads, and has not read all."""
    first, last = window[0], window[-1]
    recent = [seen for seen in window if seen.at_s > last.at_s - LASTS_S]
    if len(window) == 1 or any(seen.lag_s is not None and seen.lag_s < SMALL_S for seen in recent):
        return "OK"
    return "CATCHING_UP" if last.position > first.position and last.lag < first.lag else "WARNING"


def _silent(window: Sequence[Seen]) -> bool:
    first, last = window[0], window[-1]
    return first.end == last.end and first.position == last.position and last.at_s - first.at_s >= CALM_S


def _stands_s(window: Sequence[Seen]) -> float:
    """Return how long the position has stood still while there were records to read, s."""
    last = window[-1]
    since = last.at_s
    for seen in reversed(window):
        if seen.position != last.position or seen.lag == 0:
            break
        since = seen.at_s
    return last.at_s - since
