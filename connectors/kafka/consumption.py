"""Consume a topic: its committed events in order, each with its coordinates."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import chain, islice

from confluent_kafka import Message

from tradewind.connectors.kafka.admin import require
from tradewind.connectors.kafka.errors import StreamError, UnreadableRecord
from tradewind.connectors.kafka.records import Start, raw_records
from tradewind.connectors.registry import open_codec
from tradewind.connectors.settings import Settings
from tradewind.schemas.codec import Codec
from tradewind.schemas.event import Event
from tradewind.topics import DOMAIN_TOPICS, Topic, topic_named


@dataclass(frozen=True, slots=True)
class Record:
    """An event on a topic."""

    topic: str
    """Its name on the cluster."""
    partition: int
    offset: int
    timestamp_ms: int
    """When the origin of the chain entered Tradewind, ms since 1970."""
    key: bytes
    event: Event | None
    """None if the record is a tombstone, which deletes the key's event in a compacted topic."""

    @property
    def at(self) -> str:
        """Its coordinates, `topic/partition@offset`."""
        return f"{self.topic}/{self.partition}@{self.offset}"


@dataclass(frozen=True, slots=True)
class Undecodable:
    """A record whose bytes are not an event of the topic."""

    topic: str
    partition: int
    offset: int
    value: bytes
    reason: str

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}@{self.offset}: {self.reason} ({len(self.value)} bytes)"


def consume(
    topic: Topic | str,
    *,
    settings: Settings | None = None,
    tenant: str | None = None,
    start: Start = "earliest",
    limit: int | None = None,
    follow: bool = False,
    partitions: Collection[int] | None = None,
    on_undecodable: Callable[[Undecodable], None] | None = None,
    codec: Codec | None = None,
) -> Iterator[Record]:
    """Yield the committed events of a topic up to its present end. With `follow`, wait for new events and never end.

    - `topic`: a `Topic`, or its name without the namespace.
    - `tenant`: only events of this tenant. Main events of a topic that belong to no tenant, such as bars, come as well.
    - `start`: "earliest", "latest", an offset, or a time.
    - `limit`: how many events at most.
    - `partitions`: which partitions; all of them by default. Events of one partition come in order.
    - `on_undecodable`: is called with each record that is not an event of the topic. Without it, the first such record
      raises `UnreadableRecord`.
    - `codec`: a codec to reuse for many topics.

    Raises `UnknownTopic`, or `StreamError` if a partition or limit is wrong or Kafka does not answer.
    """
    settings = settings or Settings()
    topic = topic_named(topic, DOMAIN_TOPICS) if isinstance(topic, str) else topic
    chosen = chosen_partitions(settings, topic, partitions)
    if limit is not None and limit < 0:
        raise StreamError(f"a limit of {limit}: give a number from 0 on")
    codec = codec or open_codec(settings)
    batches = raw_records(settings, settings.physical(topic), chosen, start, follow=follow)
    return islice(_records(codec, topic, batches, tenant, on_undecodable), limit)


def chosen_partitions(settings: Settings, topic: Topic, wanted: Collection[int] | None) -> Collection[int]:
    """Return the partitions to read; raises `StreamError` where one is asked for that there is not."""
    count = require(settings, topic)
    absent = sorted(set(wanted or ()) - set(range(count)))
    if absent:
        raise StreamError(f"{settings.physical(topic)} has no partition {absent[0]}: it has 0 to {count - 1}")
    return range(count) if wanted is None else wanted


def _records(
    codec: Codec,
    topic: Topic,
    batches: Iterator[list[Message]],
    tenant: str | None,
    on_undecodable: Callable[[Undecodable], None] | None,
) -> Iterator[Record]:
    for message in chain.from_iterable(batches):
        record = _record(codec, topic, message)
        if isinstance(record, Undecodable):
            if on_undecodable is None:
                raise UnreadableRecord(
                    f"{record}; to continue after it, pass on_undecodable, or start at {record.offset + 1}"
                )
            on_undecodable(record)
        elif tenant is None or _is_of(tenant, topic, record.event):
            yield record


def _record(codec: Codec, topic: Topic, message: Message) -> Record | Undecodable:
    name, partition, offset = str(message.topic()), int(message.partition()), int(message.offset())
    value = message.value()
    if value is None:
        return Record(name, partition, offset, message.timestamp()[1], message.key() or b"", None)
    try:
        event = codec.decode(value)
    except ValueError as error:
        return Undecodable(name, partition, offset, value, str(error))
    if type(event) not in topic.models:
        carried = " or ".join(model.__name__ for model in topic.models)
        return Undecodable(name, partition, offset, value, f"is {type(event).__name__}; the topic carries {carried}")
    return Record(name, partition, offset, message.timestamp()[1], message.key() or b"", event)


def _is_of(tenant: str, topic: Topic, event: Event | None) -> bool:
    owner = getattr(event, "tenant_id", None)
    return owner == tenant or (owner is None and isinstance(event, topic.model))
