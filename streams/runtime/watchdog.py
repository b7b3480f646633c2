"""What is stuck: decided from what a worker has been seen to do, and from the time. It reads no clock and asks nobody.

Four kinds, each with a bound (`WatchdogSettings`):

    position      a partition has records to read, and its committed position does not move
    transaction   a batch was begun, and since then none has committed
    restore       tasks are being restored, and nothing more is read
    broker        the broker does not answer
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from tradewind.connectors.settings import WatchdogSettings
from tradewind.streams.runtime.lease import TopicPartition
from tradewind.streams.runtime.progress import Progress

Kind = Literal["position", "transaction", "restore", "broker"]
KINDS: tuple[Kind, ...] = ("position", "transaction", "restore", "broker")


@dataclass(frozen=True, slots=True)
class Seen:
    """A worker at one moment; times are seconds of one monotonic clock."""

    at_s: float
    positions: Mapping[TopicPartition, int] = field(default_factory=dict)
    """Committed positions of the partitions that it has."""
    ends: Mapping[TopicPartition, int] | None = None
    """Last stable offsets; None where the broker did not answer. A partition may be missing."""
    uncommitted_since_s: float | None = None
    """When the first batch was begun that no commit has followed; None where there is none."""
    uncommitted: tuple[TopicPartition, ...] = ()
    """Inputs of the last of those batches."""
    restored: Progress | None = None
    """How far the restore in hand is; None where none is."""
    waits: Mapping[TopicPartition, str] = field(default_factory=dict)
    """What held partitions wait for, in words."""


@dataclass(frozen=True, slots=True)
class Still:
    """A number that has not moved."""

    at: int
    since_s: float


@dataclass(frozen=True, slots=True)
class Memory:
    """What is remembered from one look to the next."""

    ends: Mapping[TopicPartition, int] = field(default_factory=dict)
    """The last ones known: while the broker is silent, what was behind stays behind."""
    positions: Mapping[TopicPartition, Still] = field(default_factory=dict)
    """Of partitions with lag."""
    restore: Still | None = None
    silent_since_s: float | None = None


@dataclass(frozen=True, slots=True)
class Stuck:
    """A complaint."""

    kind: Kind
    since_s: float
    source: TopicPartition | None = None
    """The partition, where the complaint is of one."""
    at: int | None = None
    """The position that does not move; records read by restores."""
    behind: int | None = None
    """Records to read."""
    among: tuple[TopicPartition, ...] = ()
    """The partitions that a transaction or a restore is of. They may change while it is the same complaint."""
    detail: str = ""
    """How far a restore is and what it waits for, or what a held partition waits for, in words."""

    @property
    def what(self) -> tuple[Kind, TopicPartition | None]:
        """Names what is stuck: the same from look to look, whatever partitions are in hand."""
        return self.kind, self.source


def judge(memory: Memory, seen: Seen, bounds: WatchdogSettings) -> tuple[Memory, tuple[Stuck, ...]]:
    """Return what to remember, and what has been still for its bound or longer."""
    ends = memory.ends if seen.ends is None else {**memory.ends, **seen.ends}
    known = {source: ends[source] for source in seen.positions if source in ends}
    after = Memory(
        ends=known,
        positions={
            source: _still(memory.positions.get(source), seen.positions[source], seen.at_s)
            for source, end in known.items()
            if end > seen.positions[source]
        },
        restore=None if seen.restored is None else _still(memory.restore, seen.restored.records, seen.at_s),
        silent_since_s=_first(memory.silent_since_s, seen.at_s) if seen.ends is None else None,
    )
    return after, tuple(_stuck(after, seen, bounds))


def _still(before: Still | None, at: int, now_s: float) -> Still:
    return before if before is not None and before.at == at else Still(at, now_s)


def _first(before: float | None, now_s: float) -> float:
    return now_s if before is None else before


def _stuck(after: Memory, seen: Seen, bounds: WatchdogSettings) -> list[Stuck]:
    found = [
        Stuck(
            "position",
            still.since_s,
            source,
            still.at,
            after.ends[source] - still.at,
            detail=seen.waits.get(source, ""),
        )
        for source, still in sorted(after.positions.items())
        if seen.at_s - still.since_s >= bounds.position_s
    ]
    begun_s = seen.uncommitted_since_s
    if begun_s is not None and seen.at_s - begun_s >= bounds.transaction_s:
        found.append(Stuck("transaction", begun_s, among=seen.uncommitted))
    still, restored = after.restore, seen.restored
    if still is not None and restored is not None and seen.at_s - still.since_s >= bounds.restore_s:
        found.append(Stuck("restore", still.since_s, at=still.at, among=restored.sources, detail=str(restored)))
    if after.silent_since_s is not None and seen.at_s - after.silent_since_s >= bounds.broker_s:
        found.append(Stuck("broker", after.silent_since_s))
    return found
