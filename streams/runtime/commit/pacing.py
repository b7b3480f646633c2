"""When an agent's next transaction may begin: far enough from the last one for what it cost."""

from __future__ import annotations

import math

TASK_S = 0.01
"""For each task that a transaction moved: what it takes of the broker's time, with its records in three topics."""
TASKS_S = 0.04
"""At most, however many tasks there are: what a record waits for others to share its transaction."""
MARKERS_S = 0.004
"""After a commit: until its markers are written, librdkafka is sent away, and comes back 20 ms later."""


class Pacing:
    """Times are seconds of one clock."""

    def __init__(self, latency_s: float | None = None) -> None:
        """Give how far apart transactions begin; None: as far as the number of their tasks says."""
        self._latency_s = latency_s
        self._due_s = self._markers_s = -math.inf

    def note_begin(self, now_s: float, tasks: int) -> None:
        """Note that a transaction of some tasks begins."""
        self._due_s = now_s + (min(TASKS_S, tasks * TASK_S) if self._latency_s is None else self._latency_s)

    def note_end(self, now_s: float) -> None:
        """Note that it has been committed or aborted."""
        self._markers_s = now_s + MARKERS_S

    def rest_s(self, now_s: float) -> float:
        """Return how long the next one should wait, where records come one by one; at most 0 where it is due."""
        return max(self._due_s, self._markers_s) - now_s

    def markers_s(self, now_s: float) -> float:
        """Return how long the next one should wait at any rate; at most 0 where it need not."""
        return self._markers_s - now_s
