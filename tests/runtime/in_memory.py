"""What tasks need of a broker, in memory: inputs, a group's offsets, and transactions that end as a test says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any, Literal

from runtime.records import CODEC, INGEST_MS, NOWHERE, Raw
from tradewind.schemas.codec import Codec
from tradewind.schemas.event import Event
from tradewind.streams.runtime.agent import Agent, changelog_topic
from tradewind.streams.runtime.commit.changelog import Restored
from tradewind.streams.runtime.commit.outbox import Draft, Outcome, Outgoing, Patience
from tradewind.streams.runtime.lease import Lease, TopicPartition
from tradewind.streams.runtime.read.chunk import Chunk
from tradewind.streams.runtime.read.records import Records
from tradewind.streams.runtime.work.agent_work import AgentWork
from tradewind.streams.runtime.work.assigned_tasks import AssignedTasks

Fate = Literal["committed", "aborted", "in doubt, and committed", "in doubt, and aborted"]
Entry = Raw | None
"""A record, or the marker of a transaction, which takes an offset too."""


class MemoryBroker:
    """One group's view of a broker; only the newest lease of a worker may commit."""

    def __init__(self) -> None:
        self.logs: dict[TopicPartition, list[Entry]] = {}
        self.offsets: dict[TopicPartition, int] = {}
        self.sent: list[Outgoing] = []
        """Read committed."""
        self.leases: dict[str, Lease] = {}
        """By member."""
        self.fate: Fate = "committed"
        """How the next transaction ends, if its lease is good."""

    def log(self, at: TopicPartition) -> list[Entry]:
        """Return the records of an input's partition."""
        return self.logs.setdefault(at, [])

    def append(self, at: TopicPartition, values: Iterable[Event | bytes | None]) -> None:
        """Write to an input; None is a marker."""
        log = self.log(at)
        for value in values:
            encoded = CODEC.encode(value) if isinstance(value, Event) else value
            log.append(None if encoded is None else Raw(len(log), encoded, timestamp=INGEST_MS + len(log)))

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
        made = AssignedTasks(AgentWork(agent, NOWHERE, codec), self, self)
        topic = NOWHERE.physical(changelog_topic(agent))
        changelog = made._work.changelog

        def read(found: dict[int, Restored], begins: object, behind: dict[int, int], superseded: object) -> None:
            for partition in behind:
                messages: Any = [_message(out) for out in self._sent_to(topic, partition)]
                changelog._apply(found, messages, behind)

        changelog._read = read  # type: ignore[method-assign]
        return made

    # What `AssignedTasks` asks of a cluster

    def stable(self, partitions: Iterable[TopicPartition], superseded: object) -> dict[TopicPartition, int | None]:
        return {at: self.offsets.get(at) for at in partitions}

    def bounds(self, partitions: Iterable[TopicPartition], superseded: object) -> dict[TopicPartition, tuple[int, int]]:
        return {at: (0, max(len(self.log(at)), sum(1 for _ in self._sent_to(*at)))) for at in partitions}

    def stable_ends(self, partitions: Iterable[TopicPartition], superseded: object) -> dict[TopicPartition, int]:
        return {at: end for at, (_, end) in self.bounds(partitions, superseded).items()}

    def ready(self, superseded: object) -> None:
        pass

    def close(self) -> None:
        pass

    def send(self, draft: Draft, lease: Lease, patience: Patience) -> Outcome:
        if self.leases.get(lease.member) is not lease:
            return Outcome("lease ended", "another generation")
        if self.fate.endswith("committed"):
            self.sent += draft.messages
            self.offsets |= draft.offsets
        kind: Any = self.fate.partition(",")[0]
        return Outcome(kind, self.fate)


def _message(out: Outgoing) -> SimpleNamespace:
    """Return a record as confluent-kafka reads it back."""
    return SimpleNamespace(
        error=lambda: None, partition=lambda: out.partition, key=lambda: out.key, value=lambda: out.value
    )


def halves(first: int, last: int) -> Sequence[tuple[int, int]]:
    """Return ranges that together are one, none of them empty: consumers deliver no chunk that goes nowhere."""
    middle = (first + last) // 2
    return [(start, stop) for start, stop in ((first, middle), (middle, last)) if stop > start]
