r"""What a sink is: something that writes batches of events to a store. Write your own in ten lines.

    class Prices(Sink):
        name = "prices"
        topics = (FILLS,)

        def __init__(self, settings: Settings) -> None:
            self.file = open("prices.txt", "a")

        async def write(self, batch: Batch) -> None:
            self.file.writelines(f"{fill.price}\n" for fill in batch.events)

and name it in the entry point group `tradewind.sinks`; `tradewind sink prices` runs it.

What `write` raises says what happens next:

    Exception
    ├── StoreUnavailable, OSError   no answer, or not now: the same batch again after a pause, without end
    ├── PoisonBatch                 the store will never take a record of it: it is found and becomes a dead letter
    ├── OwnerFenced                 another process owns the partition by now: the batch is dropped
    └── anything else               a bug: the sink stops, and the batch is not committed
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Protocol, runtime_checkable

import polars as pl

from tradewind.connectors.kafka.errors import BrokerUnavailable
from tradewind.connectors.registry import RegistryUnavailable
from tradewind.connectors.settings import Settings
from tradewind.processors.batch import Columns, Rows, Segment
from tradewind.schemas.event import Event
from tradewind.topics import Topic

Origin = tuple[str, int]
"""Name of a topic (without the namespace) and number of a partition."""


class StoreUnavailable(Exception):
    """The store does not take anything for now."""


class PoisonBatch(Exception):
    """The store will never take one of the records; `index` is its place in the batch, where the store named it."""

    def __init__(self, reason: str, index: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.index = index


class OwnerFenced(Exception):
    """The partition was claimed by another process since."""


@dataclass(frozen=True, slots=True)
class Batch:
    """An unbroken run of one partition, decoded. It holds events of the topic's model only: heartbeats are left out."""

    topic: Topic
    partition: int
    data: Segment | None
    """None where nothing of the run is to be written; its position counts all the same."""
    next_offset: int
    """Where to go on once the batch is written; past records that were left out and past markers of transactions."""
    epoch: int = 0
    """What `claim` returned for the partition; 0 where Kafka keeps the positions."""

    def __len__(self) -> int:
        return 0 if self.data is None else len(self.data)

    @property
    def events(self) -> Sequence[Event]:
        """The events, in order; for sinks of the form "rows"."""
        if isinstance(self.data, Columns):
            raise TypeError(f"a batch of {self.topic.name} holds columns: read `frame`, or set form = 'rows'")
        return () if self.data is None else self.data.events

    @property
    def frame(self) -> pl.DataFrame:
        """The events as n rows with a column for each field; times are Int64 µs. For sinks of the form "columns"."""
        if not isinstance(self.data, Columns):
            raise TypeError(f"a batch of {self.topic.name} holds no columns: it has {len(self)} rows")
        return self.data.frame

    def split(self, at: int) -> tuple[Batch, Batch]:
        """Cut before record `at` (0 < at < n): the second part goes on exactly where the first one ends."""
        assert self.data is not None
        middle = int(self.data.offsets[at])
        return (
            replace(self, data=part(self.data, 0, at), next_offset=middle),
            replace(self, data=part(self.data, at, len(self))),
        )

    def emptied(self) -> Batch:
        """Return the position of the batch without its events."""
        return replace(self, data=None)


def part(segment: Segment, start: int, end: int) -> Segment:
    """Return records start to end (exclusive) of a segment."""
    if isinstance(segment, Rows):
        return replace(
            segment,
            events=segment.events[start:end],
            offsets=segment.offsets[start:end],
            ts_ingest=segment.ts_ingest[start:end],
        )
    return replace(
        segment,
        frame=segment.frame.slice(start, end - start),
        offsets=segment.offsets[start:end],
        ts_ingest=segment.ts_ingest[start:end],
    )


class Sink(Protocol):
    """Writes the events of some topics to a store. Every method is called from one thread, one call at a time.

    A batch may come twice after a crash or a rebalance, so `write` must change nothing the second time. Methods may
    block: the consumer is polled by another thread.
    """

    name: str
    """The consumer group is `tradewind.<name>`, dead letters go to `<name>.dlq`."""
    topics: tuple[Topic, ...]
    form: ClassVar[Literal["rows", "columns"]] = "rows"
    """Whether batches hold events or polars frames, which are an order of magnitude faster."""

    async def open(self) -> None:
        """Connect, and create what is missing; called once, again after `StoreUnavailable`."""
        return

    async def write(self, batch: Batch) -> None:
        """Write a batch; return once the store has it."""
        ...

    async def tend(self) -> None:
        """Do what is due from time to time, such as dropping old data; called every half minute."""
        return

    async def close(self) -> None:
        """Disconnect; nothing is called afterwards."""
        return


@dataclass(frozen=True, slots=True)
class Claim:
    """What a store knows of a partition that was just assigned to this process."""

    next_offset: int | None
    """Where to go on; None where it has never been written."""
    epoch: int
    """Rises with every claim; writes of an older one must fail with `OwnerFenced`."""


@runtime_checkable
class KeepsPositions(Protocol):
    """A sink whose store keeps the positions, written in one transaction with the rows.

    Other sinks leave them to the Kafka consumer group, which is told after each write.
    """

    async def claim(self, origins: Sequence[Origin]) -> Mapping[Origin, Claim]:
        """Take ownership of partitions and return where to go on; batches without events are written too."""
        ...


SinkFactory = Callable[[Settings], Sink]
"""What an entry point of the group `tradewind.sinks` names: usually the class."""


def is_transient(error: BaseException) -> bool:
    """Whether trying again later can help."""
    return isinstance(error, (StoreUnavailable, BrokerUnavailable, RegistryUnavailable, OSError))
