"""`tradewind.testing`'s broker as workers of one group see it: transactions are fenced, or end as a test says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

from runtime.records import CODEC, INGEST_MS, NOWHERE
from tradewind.connectors.kafka.producer import Run
from tradewind.schemas.codec import Codec
from tradewind.schemas.event import Event
from tradewind.streams.runtime.agent import Agent
from tradewind.streams.runtime.commit.outbox import Draft, Outcome, Outgoing, Patience
from tradewind.streams.runtime.lease import Lease, TopicPartition
from tradewind.streams.runtime.read.chunk import Chunk
from tradewind.streams.runtime.read.records import Records
from tradewind.streams.runtime.work.agent_work import AgentWork
from tradewind.streams.runtime.work.assigned_tasks import AssignedTasks
from tradewind.testing.broker import (
    MemoryBroker,
    MemoryChangelog,
    MemoryPositions,
    MemoryRecord,
    MemorySkips,
    MemoryTransactions,
)

Fate = Literal["committed", "aborted", "in doubt, and committed", "in doubt, and aborted"]
Entry = MemoryRecord | None
"""A record, or the marker of a transaction, which takes an offset too."""
GROUP = "g"


class GroupBroker(MemoryPositions, MemoryTransactions):
    """One group's view of a broker; only the newest lease of a worker may commit."""

    def __init__(self) -> None:
        self.topics = MemoryBroker(NOWHERE)
        MemoryTransactions.__init__(self, self.topics, GROUP)
        self.leases: dict[str, Lease] = {}
        """By member."""
        self.fate: Fate = "committed"
        """How the next transaction ends, if its lease is good."""
        self._markers: set[tuple[TopicPartition, int]] = set()

    @property
    def offsets(self) -> dict[TopicPartition, int]:
        """The group's offsets; a test may remove some of them."""
        return self.topics._committed[GROUP]

    @property
    def sent(self) -> list[Outgoing]:
        """What was committed, in order."""
        return [out for draft in self.latest for out in draft.messages]

    def log(self, at: TopicPartition) -> list[Entry]:
        """Return the records of an input's partition."""
        return [None if (at, record.offset) in self._markers else record for record in self.topics.log(at)]

    def append(self, at: TopicPartition, values: Iterable[Event | bytes | None]) -> None:
        """Write to an input; None is a marker."""
        for value in values:
            encoded = CODEC.encode(value) if isinstance(value, Event) else value
            end = len(self.topics.log(at))
            if value is None:
                self._markers.add((at, end))
            self.topics.write([Run(*at, b"key", [encoded], INGEST_MS + end)])

    def chunk(self, at: TopicPartition, lease: Lease, start: int, stop: int) -> Chunk:
        """Return what lies between two offsets, as it is fetched."""
        records = [entry for entry in self.log(at)[start:stop] if entry is not None]
        return Chunk(at, lease, 1, start, Records.of(records), stop)

    def values(self, topic: str, partition: int | None = None) -> list[Event]:
        """Return the events that were sent to a partition, or to all of a topic, in order."""
        return [CODEC.decode(out.value) for out in self._sent_to(topic, partition) if out.value is not None]

    def table(self, topic: str, partition: int) -> dict[str, Event]:
        """Return the last value of each key of a partition; deleted ones are left out."""
        last = {out.key: out.value for out in self._sent_to(topic, partition)}
        return {key.decode(): CODEC.decode(value) for key, value in last.items() if key and value is not None}

    def _sent_to(self, topic: str, partition: int | None) -> Iterator[Outgoing]:
        return (out for out in self.sent if out.topic == topic and partition in (None, out.partition))

    def tasks(self, agent: Agent, codec: Codec = CODEC) -> AssignedTasks:
        """Return a worker's tasks, with nothing in memory."""
        kept = [made(self.topics, agent, NOWHERE, codec) for made in (MemoryChangelog, MemorySkips)]
        return AssignedTasks(AgentWork(agent, NOWHERE, codec, *kept), self, self)  # type: ignore[arg-type]

    def send(self, draft: Draft, lease: Lease, patience: Patience) -> Outcome:
        """Send a draft, if its lease is good and its fate allows it."""
        if self.leases.get(lease.member) is not lease:
            return Outcome("lease ended", "another generation")
        if self.fate.endswith("committed"):
            super().send(draft, lease, patience)
        kind: Any = self.fate.partition(",")[0]
        return Outcome(kind, self.fate)


def halves(first: int, last: int) -> Sequence[tuple[int, int]]:
    """Return ranges that together are one, none of them empty: consumers deliver no chunk that goes nowhere."""
    middle = (first + last) // 2
    return [(start, stop) for start, stop in ((first, middle), (middle, last)) if stop > start]
