"""What is stuck: decided from what a worker has been seen to do, and from the time. It reads no clock and asks nobody.

Five kinds, each with a bound (`WatchdogSettings`):

    position      a partition has records to read, and its committed position does not move
    assignment    it has no partitions, or cannot begin to read some, or gets others again and again and moves none
    transaction   a batch was begun, and since then none has committed
    restore       tasks are being restored, and nothing more is read
    broker        the broker does not answer
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from tradewind.connectors.kafka.offsets import Place
from tradewind.connectors.settings import WatchdogSettings

Kind = Literal["position", "assignment", "transaction", "restore", "broker"]
KINDS: tuple[Kind, ...] = ("position", "assignment", "transaction", "restore", "broker")
REBALANCES = 3  # assignments within the bound of one, and no position moved: two come with each deployment


class Restoring(Protocol):
    """How far a restore is; in words, what it waits for."""

    @property
    def records(self) -> int:
        """Read by all restores so far."""
        ...

    @property
    def sources(self) -> tuple[Place, ...]:
        """The partitions that are not yet read to their ends."""
        ...


@dataclass(frozen=True, slots=True)
class Seen:
    """A worker at one moment; times are seconds of one monotonic clock."""

    at_s: float
    positions: Mapping[Place, int] = field(default_factory=dict)
    """Committed positions of the partitions that it has."""
    ends: Mapping[Place, int] | None = None
    """Last stable offsets; None where the broker did not answer. A partition may be missing."""
    uncommitted_since_s: float | None = None
    """When the first batch was begun that no commit has followed; None where there is none."""
    uncommitted: tuple[Place, ...] = ()
    """Inputs of the last of those batches."""
    restored: Restoring | None = None
    """How far the current restore is; None where none is."""
    waits: Mapping[Place, str] = field(default_factory=dict)
    """Why partitions stand, as far as that is known, in words."""
    waiting: str = ""
    """Why it does not read, or not all that it was given, in words; empty where it does."""
    rebalances: int = 0
    """Assignments so far."""


@dataclass(frozen=True, slots=True)
class Still:
    """A number that has not moved."""

    at: int
    since_s: float


@dataclass(frozen=True, slots=True)
class Memory:
    """What is remembered from one look to the next."""

    ends: Mapping[Place, int] = field(default_factory=dict)
    """The last ones known: while the broker is silent, what was behind stays behind."""
    positions: Mapping[Place, Still] = field(default_factory=dict)
    """Of partitions with lag, those included that have been with others since: one that comes back where it was has
    not moved meanwhile, whoever had it."""
    waiting_since_s: float | None = None
    unsettled: Still | None = None
    """How many assignments there had been, and when, before the first that no position has moved after."""
    restore: Still | None = None
    silent_since_s: float | None = None


@dataclass(frozen=True, slots=True)
class Stuck:
    """A complaint."""

    kind: Kind
    since_s: float
    source: Place | None = None
    """The partition, where the complaint is of one."""
    at: int | None = None
    """The position that does not move; records read by restores."""
    behind: int | None = None
    """Records to read."""
    among: tuple[Place, ...] = ()
    """The partitions that a transaction or a restore is of. They may change while it is the same complaint."""
    detail: str = ""
    """How far a restore is and what it waits for, or why a partition or a worker stands, in words."""

    @property
    def what(self) -> tuple[Kind, Place | None]:
        """Names what is stuck: the same from look to look, whatever partitions are in hand."""
        return self.kind, self.source


def judge(memory: Memory, seen: Seen, bounds: WatchdogSettings) -> tuple[Memory, tuple[Stuck, ...]]:
    """Return what to remember, and what has been still for its bound or longer."""
    ends = memory.ends if seen.ends is None else {**memory.ends, **seen.ends}
    known = {source: ends[source] for source in seen.positions if source in ends}
    stills = {
        source: _still(memory.positions.get(source), seen.positions[source], seen.at_s)
        for source, end in known.items()
        if end > seen.positions[source]
    }
    after = Memory(
        ends=known,
        positions={of: still for of, still in memory.positions.items() if of not in seen.positions} | stills,
        waiting_since_s=_first(memory.waiting_since_s, seen.at_s) if seen.waiting else None,
        unsettled=_unsettled(memory, seen, stills),
        restore=None if seen.restored is None else _still(memory.restore, seen.restored.records, seen.at_s),
        silent_since_s=_first(memory.silent_since_s, seen.at_s) if seen.ends is None else None,
    )
    return after, tuple(_stuck(after, seen, bounds))


def _unsettled(memory: Memory, seen: Seen, stills: Mapping[Place, Still]) -> Still | None:
    """Return since when there have been assignments only; None once a position moves, or there is nothing to read."""
    if seen.waiting:
        return memory.unsettled or Still(seen.rebalances, seen.at_s)
    moved = any(seen.positions.get(of, still.at) != still.at for of, still in memory.positions.items())
    return None if seen.restored is None and (moved or not stills) else memory.unsettled


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
        if source in after.ends and seen.at_s - still.since_s >= bounds.position_s
    ]
    if (unassigned := _unassigned(after, seen, bounds)) is not None:
        found.append(unassigned)
    begun_s = seen.uncommitted_since_s
    if begun_s is not None and seen.at_s - begun_s >= bounds.transaction_s:
        found.append(Stuck("transaction", begun_s, among=seen.uncommitted))
    still, restored = after.restore, seen.restored
    if still is not None and restored is not None and seen.at_s - still.since_s >= bounds.restore_s:
        found.append(Stuck("restore", still.since_s, at=still.at, among=restored.sources, detail=str(restored)))
    if after.silent_since_s is not None and seen.at_s - after.silent_since_s >= bounds.broker_s:
        found.append(Stuck("broker", after.silent_since_s))
    return found


def _unassigned(after: Memory, seen: Seen, bounds: WatchdogSettings) -> Stuck | None:
    since_s, unsettled = after.waiting_since_s, after.unsettled
    if since_s is not None and seen.at_s - since_s >= bounds.assignment_s:
        return Stuck("assignment", since_s, detail=seen.waiting)
    if unsettled is None or seen.at_s - unsettled.since_s < bounds.assignment_s:
        return None
    count = seen.rebalances - unsettled.at
    if count < REBALANCES:
        return None
    detail = f"it was assigned partitions {count} times, and has moved none of them,"
    return Stuck("assignment", unsettled.since_s, detail=detail)
