"""What is known of one worker: numbers that its event loop keeps, and other threads read.

What others read is replaced whole, or is copied in one step.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tradewind.connectors.watchdogs.watchdog import Stuck
from tradewind.streams.runtime.lease import TopicPartition
from tradewind.streams.runtime.watch.progress import Progress
from tradewind.streams.runtime.watch.statistics import TaskSize

MS_PER_S = 1_000


@dataclass(frozen=True, slots=True)
class Waiting:
    """What was fetched of a partition and not taken."""

    records: int
    first_ms: int | None
    """Timestamp of the first, ms."""
    paused: bool
    """Whether there is no room for more."""


def _nothing_read() -> Progress:
    return Progress("")


@dataclass(slots=True)
class Facts:
    """One worker."""

    held_topic: str | None
    """The input that is held, by its name on the cluster."""
    consumed: Counter[TopicPartition] = field(default_factory=Counter)
    letters: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    sent: int = 0
    rebalances: int = 0
    progress: Callable[[], Progress] = _nothing_read
    """How far restores are."""
    restoring_since_s: float | None = None
    established: bool = False
    """Whether it has an assignment and has restored its tasks."""
    uncommitted_since_s: float | None = None
    """When the first batch was begun that no commit has followed."""
    uncommitted: tuple[TopicPartition, ...] = ()
    """Inputs of the last of those batches."""
    positions: dict[TopicPartition, int] = field(default_factory=dict)
    """Committed."""
    waiting: Mapping[TopicPartition, Waiting] = field(default_factory=dict)
    in_hand_ms: Mapping[TopicPartition, int] = field(default_factory=dict)
    """Timestamp of the first record of each partition in the batch that is run, ms."""
    sizes: dict[int, TaskSize] = field(default_factory=dict)
    ends: Mapping[TopicPartition, int] = field(default_factory=dict)
    """Last stable offsets, as of the watch's last look."""
    behind_since_s: Mapping[TopicPartition, float] = field(default_factory=dict)
    """Since when partitions have been seen to have lag, by the watch."""
    stands: Mapping[TopicPartition, tuple[int, float]] = field(default_factory=dict)
    """Position of each partition with lag, and since when the watch has seen it there, on the monotonic clock."""
    stuck: tuple[Stuck, ...] = ()

    def begin_anew(self, positions: Mapping[TopicPartition, int], sizes: Mapping[int, TaskSize]) -> None:
        """Forget the tasks that there were."""
        self.positions, self.sizes = dict(positions), dict(sizes)
        self.waiting, self.in_hand_ms = {}, {}

    def note_ends(self, ends: Mapping[TopicPartition, int], at_s: float) -> None:
        """Take in where partitions end; those of others are left out."""
        self.ends = {source: ends[source] for source in list(self.positions) if source in ends}
        before, stood, positions = self.behind_since_s, self.stands, dict(self.positions)
        behind = [source for source, lag in self.lags().items() if lag]
        self.behind_since_s = {source: before.get(source, at_s) for source in behind}
        now = {source: (positions[source], at_s) for source in behind if source in positions}
        self.stands = {
            source: stood[source] if source in stood and stood[source][0] == at else (at, since_s)
            for source, (at, since_s) in now.items()
        }

    def lags(self) -> dict[TopicPartition, int]:
        """Return last stable offset - committed position, as of the watch's last look."""
        positions = dict(self.positions)
        return {source: max(0, end - positions[source]) for source, end in self.ends.items() if source in positions}

    def lag_times(self) -> dict[TopicPartition, float]:
        """Return how long ago the first record came in that is not committed, seconds; 0 without lag."""
        now_s, now_ms = time.monotonic(), time.time() * MS_PER_S
        return {
            source: 0.0 if not lag else self._lag_time(source, now_s, now_ms) for source, lag in self.lags().items()
        }

    def _lag_time(self, source: TopicPartition, now_s: float, now_ms: float) -> float:
        waiting, size = self.waiting.get(source), self.sizes.get(source[1])
        held_ms = size.held_ms if size is not None and source[0] == self.held_topic else None
        known = (held_ms, self.in_hand_ms.get(source), None if waiting is None else waiting.first_ms)
        first_ms = min((at for at in known if at is not None), default=None)
        if first_ms is not None:
            return max(0.0, (now_ms - first_ms) / MS_PER_S)
        return now_s - self.behind_since_s.get(source, now_s)
