"""What a case of the contract is made of: an agent, steps that are played with it, and what is seen of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from runtime.records import CODEC, INGEST_MS

from tradewind.schemas.event import Event
from tradewind.streams.runtime import Agent
from tradewind.topics import Topic
from tradewind.topics.partitioner import partition_of, partitions_for


@dataclass(frozen=True, slots=True)
class Given:
    """A record that is published."""

    topic: Topic
    value: Event | bytes | None
    key: bytes | None = b"EURUSD.T"
    """Of what is no event."""
    timestamp: int = INGEST_MS
    headers: Sequence[tuple[str, bytes | None]] = ()

    def places(self) -> list[tuple[int, bytes | None, bytes | None]]:
        """Return (partition, key, value) of each record on the cluster."""
        if not isinstance(self.value, Event):
            return [(partition_of(self.key, self.topic.partitions) if self.key else 0, self.key, self.value)]
        key = self.topic.key(self.value)
        every = partitions_for(self.topic, self.value, key)
        return [(partition, key.encode(), CODEC.encode(self.value)) for partition in every]


@dataclass(frozen=True, slots=True)
class Step:
    """What is done next; afterwards the agent runs until it can go on no more."""

    given: Sequence[Given] = ()
    redrive: bool = False
    """Whether what `tradewind dlq redrive` would send goes back."""
    crashes: bool = False
    """Whether the agent stops with an error."""
    repaired: Agent | None = None
    """What is started in place of an agent that stopped."""
    skip: str = ""
    """Why the record is passed over that the agent stopped at; it is started again, as it is. Empty: none is."""


@dataclass(frozen=True, slots=True)
class Case:
    """An agent and its steps; what the first one gives is there before the agent starts."""

    agent: Agent
    steps: Sequence[Step]

    @property
    def crashes(self) -> bool:
        """Whether its agent stops on the way."""
        return any(step.crashes for step in self.steps)


@dataclass(frozen=True, slots=True)
class Sent:
    """A record that an agent sent."""

    partition: int
    key: bytes | None
    event: Event
    timestamp: int
    headers: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is to see once an agent has done a step: all that it sent so far."""

    sent: dict[str, list[Sent]]
    """By topic, partition after partition."""
    letters: list[Sent]
    """Dead letters by origin and attempt."""
    states: dict[int, dict[str, Event]]
    """By partition."""
    positions: dict[tuple[str, int], int]
    """Where the group goes on in the declared inputs: (topic, partition) -> offset. Offsets of the redrive topic, which
    is written in transactions, count their markers on Kafka."""
    crash: str | None = None
    """What stopped the agent in this step."""

    def by_key(self) -> Seen:
        """Return the same with records in the order that is promised: of each key, and of each input's events.

        Which task, or which of two inputs, comes first in a batch is not: it depends on what was fetched when.
        """
        return replace(self, sent={topic: sorted(sent, key=_lane) for topic, sent in self.sent.items()})


def _lane(sent: Sent) -> tuple[int, bytes, str]:
    return sent.partition, sent.key or b"", type(sent.event).__name__


def each(topic: Topic, *values: Event | bytes | None, first_ms: int = 0) -> list[Given]:
    """Return values as records 1 ms apart."""
    return [Given(topic, value, timestamp=INGEST_MS + first_ms + at) for at, value in enumerate(values)]
