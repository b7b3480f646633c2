"""Topics in memory: what a broker is to an agent, one transaction after the other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from confluent_kafka import TopicPartition as Coordinates

from tradewind.connectors.kafka.offsets import Bounds
from tradewind.connectors.kafka.producer import Run
from tradewind.connectors.kafka.publication import check_event
from tradewind.connectors.settings import KafkaSettings, Settings
from tradewind.connectors.telemetry.trace_context import headers as trace_headers
from tradewind.processors.batch import Rows, Segment
from tradewind.schemas.codec import MODELS, Codec
from tradewind.schemas.event import US_PER_MS, Event
from tradewind.streams.runtime.commit.changelog import Changelog, Restored
from tradewind.streams.runtime.commit.outbox import RECORD_BYTES, Draft, Outcome, Patience, refusal
from tradewind.streams.runtime.lease import Lease, TopicPartition
from tradewind.streams.runtime.read.positions import Superseding
from tradewind.streams.runtime.read.records import Headers
from tradewind.streams.runtime.work.skips import Skips
from tradewind.topics import Topic
from tradewind.topics.keys import keys_of
from tradewind.topics.partitioner import partition_of, partitions_for

E = TypeVar("E", bound=Event)
NOWHERE = "127.0.0.1:1"  # no broker is there, and nobody asks for it
DECODED = 65_536  # events that are kept for the next who reads them, some 50 MB
OVERHEAD_BYTES = 36  # that it counts for each record besides


@dataclass(frozen=True, slots=True)
class MemoryRecord:
    """A record as it lies in its topic."""

    topic: str
    """Its name on the cluster."""
    partition: int
    offset: int
    timestamp: int
    """ms since 1970."""
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class MemoryBroker:
    """Topics, and the offsets of groups. What several agents share makes them a pipeline."""

    def __init__(self, settings: Settings | None = None) -> None:
        """Begin with empty topics. Of the settings only the namespace matters here."""
        self.settings = settings or Settings(namespace="", kafka=KafkaSettings(bootstrap=NOWHERE))
        self.codec: Codec = _MemoryCodec()
        """Its schema ids are made up; any other is one that the registry does not have."""
        self._logs: defaultdict[TopicPartition, list[MemoryRecord]] = defaultdict(list)
        self._committed: defaultdict[str, dict[TopicPartition, int]] = defaultdict(dict)

    def publish(self, topic: Topic, *events: Event, timestamp_ms: int | None = None) -> None:
        """Publish events as `tradewind.publish` does; raises `WrongEvent` for one that the topic does not carry.

        A record's timestamp is its event's `ts_ingest`, or else its `ts_event`, unless it is given.
        """
        for event in events:
            key, value = topic.key(check_event(topic, event)), self.codec.encode(event)
            stamp = _stamp_ms(event) if timestamp_ms is None else timestamp_ms
            for partition in partitions_for(topic, event, key):
                self.append(topic, value, key=key.encode(), partition=partition, timestamp_ms=stamp)

    def publish_segment(self, topic: Topic, segment: Segment) -> None:
        """Publish the records of a segment, each with its own timestamp."""
        stamps = (segment.ts_ingest // US_PER_MS).tolist()
        if isinstance(segment, Rows):
            for event, stamp in zip(segment.events, stamps, strict=True):
                self.publish(topic, event, timestamp_ms=stamp)
            return
        values, keys = (
            self.codec.encode_columns(segment.model, segment.frame),
            keys_of(segment.frame, topic.key_columns),
        )
        for key, value, stamp in zip(keys.to_list(), values, stamps, strict=True):
            self.append(topic, value, key=key.encode(), timestamp_ms=stamp)

    def append(
        self,
        topic: Topic,
        value: bytes | None,
        *,
        key: bytes | None = None,
        partition: int | None = None,
        timestamp_ms: int = 0,
        headers: Headers = (),
    ) -> None:
        """Append a record of any bytes, which need not be an event: to a partition, or where its key belongs."""
        if partition is None:
            partition = 0 if key is None else partition_of(key, topic.partitions)
        self._append((self.settings.physical(topic), partition), key, value, timestamp_ms, headers)

    def _append(
        self, at: TopicPartition, key: bytes | None, value: bytes | None, timestamp_ms: int, headers: Headers
    ) -> None:
        log = self._logs[at]
        log.append(MemoryRecord(*at, len(log), timestamp_ms, key, value, tuple(headers)))

    def write(self, runs: Iterable[Run]) -> None:
        """Append what a producer of ours writes in one transaction."""
        for run in runs:
            for value in run.values:
                self._append((run.topic, run.partition), run.key, value, run.timestamp_ms or 0, ())

    def records(self, topic: Topic) -> list[MemoryRecord]:
        """Return the records of a topic, partition after partition."""
        name = self.settings.physical(topic)
        return [record for partition in range(topic.partitions) for record in self.log((name, partition))]

    def events(self, topic: Topic) -> list[Event]:
        """Return the events of a topic, partition after partition; raises `UndecodableRecord`."""
        return [self.codec.decode(record.value or b"") for record in self.records(topic)]

    def log(self, source: TopicPartition) -> Sequence[MemoryRecord]:
        """Return the records of one partition, by the topic's name on the cluster."""
        return self._logs.get(source, ())

    def committed(self, group: str) -> dict[TopicPartition, int]:
        """Return where a group goes on, by the names of topics on the cluster."""
        return dict(self._committed[group])

    def commit(self, group: str, draft: Draft) -> None:
        """Make a transaction visible: its records, and the group's offsets with them."""
        for topic, partition, key, value, timestamp, traced, _ in draft.messages:
            headers = () if traced is None else trace_headers(traced)
            self._append((topic, partition), key, value, timestamp, headers)
        self._committed[group].update(draft.offsets)


class MemoryPositions:
    """The offsets of one group, and the ends of topics: what `GroupPositions` asks Kafka for."""

    def __init__(self, broker: MemoryBroker, group: str) -> None:
        self._broker = broker
        self._group = group

    def stable(
        self,
        partitions: Iterable[TopicPartition],
        superseded: Superseding,  # noqa: ARG002 - nothing here takes so long that a lease could end
    ) -> dict[TopicPartition, int | None]:
        """Return the group's offsets, None where it has none."""
        committed = self._broker.committed(self._group)
        return {at: committed.get(at) for at in partitions}

    def bounds(
        self,
        partitions: Iterable[TopicPartition],
        superseded: Superseding,  # noqa: ARG002
    ) -> dict[TopicPartition, Bounds]:
        """Return where partitions begin and end."""
        return {at: (0, len(self._broker.log(at))) for at in partitions}

    def stable_ends(
        self,
        partitions: Iterable[TopicPartition],
        superseded: Superseding,  # noqa: ARG002
    ) -> dict[TopicPartition, int]:
        """Return where partitions end: nothing is ever pending."""
        return {at: len(self._broker.log(at)) for at in partitions}

    def close(self) -> None:
        """Nothing is open."""


class MemoryTransactions:
    """Sends drafts to a broker in memory: what an `Outbox` is to Kafka."""

    def __init__(self, broker: MemoryBroker, group: str) -> None:
        self._broker = broker
        self._group = group
        self.latest: list[Draft] = []
        """What was sent since somebody emptied it."""

    def ready(self, superseded: Superseding) -> None:
        """Nothing is pending."""

    def send(
        self,
        draft: Draft,
        lease: Lease,  # noqa: ARG002 - nobody else is in the group
        patience: Patience,  # noqa: ARG002
    ) -> Outcome:
        """Make a draft visible; raises `AgentCrashed` for a record that no broker would take."""
        for out in draft.messages:
            headers = () if out.traced is None else trace_headers(out.traced)
            size = sum(len(name) + len(value) for name, value in headers) + len(out.key or b"") + len(out.value or b"")
            if size + OVERHEAD_BYTES > RECORD_BYTES:
                raise refusal(self._group, out.topic, out.partition, out.value, "it is too large")
        self._broker.commit(self._group, draft)
        self.latest.append(draft)
        return Outcome("committed")

    def close(self) -> None:
        """Nothing is open."""


class MemoryChangelog(Changelog):
    """Restores tasks from a broker in memory; what is read from records, and how, is the runtime's."""

    def __init__(self, broker: MemoryBroker, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self._broker = broker

    def _read(
        self,
        found: dict[int, Restored],
        begins: list[Coordinates],  # noqa: ARG002
        behind: dict[int, int],
        superseded: Superseding,  # noqa: ARG002
    ) -> None:
        for partition in behind:
            self._apply(found, [_Message(record) for record in self._broker.log((self.topic, partition))], behind)


class MemorySkips(Skips):
    """Reads what is to be passed over from a broker in memory."""

    def __init__(self, broker: MemoryBroker, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self._broker = broker

    def _records(
        self,
        first: int,
        end: int,
        superseded: Superseding,  # noqa: ARG002
    ) -> Iterator[tuple[bytes | None, bytes | None]]:
        for record in self._broker.log((self.topic, 0))[first:end]:
            yield record.key, record.value


@dataclass(frozen=True, slots=True)
class _Message:
    """A record as librdkafka's consumer gives it."""

    record: MemoryRecord

    def error(self) -> None:
        return None

    def partition(self) -> int:
        return self.record.partition

    def offset(self) -> int:
        return self.record.offset

    def key(self) -> bytes | None:
        return self.record.key

    def value(self) -> bytes | None:
        return self.record.value


class _MemoryCodec(Codec):
    """A codec without a registry, which decodes a record once for all who read it: events are immutable."""

    def __init__(self) -> None:
        super().__init__({name: number for number, name in enumerate(sorted(MODELS), 1)}, _unregistered)
        self._decoded = lru_cache(DECODED)(super().decode)

    def decode(self, value: bytes) -> Event:
        return self._decoded(value)


def _unregistered(schema_id: int) -> str:
    raise LookupError(schema_id)


def _stamp_ms(event: Event) -> int:
    stated = getattr(event, "ts_ingest", None)
    return int(getattr(event, "ts_event", 0) if stated is None else stated) // US_PER_MS
