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
from confluent_kafka import Message

from tradewind.connectors.kafka.errors import BrokerUnavailable
from tradewind.connectors.registry import RegistryUnavailable
from tradewind.connectors.settings import Settings
from tradewind.processors.batch import Columns, Segment, part
from tradewind.schemas.event import Event
from tradewind.topics import Topic

Form = Literal["rows", "columns", "bytes"]
Origin = tuple[str, int]
"""Name of a topic (without the namespace) and number of a partition."""


class StoreUnavailable(Exception):
    """The store does not accept writes at present. `wait_s` is the pause that the store asked for, if it did."""

    def __init__(self, reason: str, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


class PoisonBatch(Exception):
    """The store will never accept some of the records.

    `index` is the place of the first of them in the batch, if the store named it. `named` holds the places of all of
    them, if the store named each.
    """

    def __init__(self, reason: str, index: int | None = None, named: Sequence[int] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.index = min(named) if index is None and named else index
        self.named = tuple(sorted(set(named)))

    def moved(self, by: int) -> PoisonBatch:
        """Return the same error for a batch that begins `by` records earlier."""
        index = None if self.index is None else self.index + by
        return PoisonBatch(self.reason, index, [place + by for place in self.named])


class OwnerFenced(Exception):
    """Another process has claimed the partition since."""


@dataclass(frozen=True, slots=True)
class Batch:
    """An unbroken run of one partition. Decoded, it holds events of the topic's main model only, no heartbeats."""

    topic: Topic
    partition: int
    data: Segment | None
    """None if the run has nothing to write. Its position must still be stored."""
    next_offset: int
    """Where to continue once the batch is written, past ignored records and transaction markers."""
    epoch: int = 0
    """What `claim` returned for the partition; 0 if Kafka keeps the positions."""
    begin: int = 0
    """Every committed record from this position up to `next_offset` is in the run. Parts of a run keep its own."""
    records: Sequence[Message] = ()
    """Every record of the run, in order, heartbeats and tombstones included; for sinks of the form "bytes", whose
    batches have no `data`."""

    def __len__(self) -> int:
        return len(self.records) if self.data is None else len(self.data)

    @property
    def events(self) -> Sequence[Event]:
        """The events, in order; for sinks of the form "rows"."""
        if isinstance(self.data, Columns):
            raise TypeError(f"a batch of {self.topic.name} holds columns: read `frame`, or set form = 'rows'")
        if self.records:
            raise TypeError(f"a batch of {self.topic.name} holds bytes: read `records`, or set form = 'rows'")
        return () if self.data is None else self.data.events

    @property
    def frame(self) -> pl.DataFrame:
        """The events as n rows with a column for each field; times are Int64 µs. For sinks of the form "columns"."""
        if not isinstance(self.data, Columns):
            raise TypeError(f"a batch of {self.topic.name} holds no columns: it has {len(self)} rows")
        return self.data.frame

    def split(self, at: int) -> tuple[Batch, Batch]:
        """Cut before record `at` (0 < at < n). The second part begins exactly where the first part ends."""
        middle = self.offset(at)
        if self.data is None:
            before, after = self.records[:at], self.records[at:]
            return replace(self, records=before, next_offset=middle), replace(self, records=after)
        return (
            replace(self, data=part(self.data, 0, at), next_offset=middle),
            replace(self, data=part(self.data, at, len(self))),
        )

    def offset(self, at: int) -> int:
        """Return the offset of record `at` (0 <= at < n)."""
        return int(self.records[at].offset() if self.data is None else self.data.offsets[at])

    def emptied(self) -> Batch:
        """Return the position of the batch without its events."""
        return replace(self, data=None, records=())


class Sink(Protocol):
    """Writes the events of some topics to a store. Every method is called from one thread, one call at a time.

    After a crash or a rebalance, a batch may come twice. So a second `write` of the same batch must change nothing.
    Methods may block, because another thread polls the consumer.
    """

    name: str
    """The consumer group is `tradewind.<name>`. Dead letters go to `<name>.dlq`."""
    topics: tuple[Topic, ...]
    form: ClassVar[Form] = "rows"
    """Whether batches hold events ("rows"), polars frames ("columns"), which are ten times as fast, or every record as
    it is ("bytes")."""
    outside: int = 0
    """Events that `write` left out, because they are older than what the store keeps."""

    async def open(self) -> None:
        """Connect, and create missing tables. Called once, and again after `StoreUnavailable`."""
        return

    async def write(self, batch: Batch) -> None:
        """Write a batch. Return once the store has confirmed it. The module lists what to raise."""
        ...

    async def tend(self) -> None:
        """Do periodic work, such as dropping old data. Called every half minute."""
        return

    async def close(self) -> None:
        """Disconnect. No method is called afterwards."""
        return


@dataclass(frozen=True, slots=True)
class Claim:
    """What a store knows about a partition that was just assigned to this process."""

    next_offset: int | None
    """Where to continue; None if the partition has never been written."""
    epoch: int
    """Rises with every claim. Writes under an older epoch must fail with `OwnerFenced`."""


@runtime_checkable
class KeepsPositions(Protocol):
    """A sink whose store keeps the positions, in one transaction with the rows.

    For other sinks, the Kafka consumer group keeps the positions, committed after each write.
    """

    async def claim(self, origins: Sequence[Origin]) -> Mapping[Origin, Claim]:
        """Take ownership of partitions, and return where to continue. `write` then also gets batches without events."""
        ...


SinkFactory = Callable[[Settings], Sink]
"""What an entry point of the group `tradewind.sinks` names: usually the class."""


def is_transient(error: BaseException) -> bool:
    """Return whether a later attempt can succeed."""
    return isinstance(error, (StoreUnavailable, BrokerUnavailable, RegistryUnavailable, OSError))
