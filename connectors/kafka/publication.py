"""Publish events: checked against their topic, and partitioned as the agents expect."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from itertools import islice
from uuid import uuid4

from tradewind.connectors.kafka.admin import require
from tradewind.connectors.kafka.errors import StreamError, WrongEvent
from tradewind.connectors.kafka.producer import Run, Transactions
from tradewind.connectors.registry import open_codec
from tradewind.connectors.settings import Settings
from tradewind.schemas.codec import Codec
from tradewind.schemas.event import Event
from tradewind.topics import DOMAIN_TOPICS, Topic, topic_named
from tradewind.topics.partitioner import partition_of

TRANSACTION_RECORDS = 1_000  # what is visible at once: small enough to hold, large enough that commits do not count


def publish(topic: Topic | str, events: Iterable[Event], settings: Settings | None = None) -> int:
    """Publish events to a topic, by itself or by its name; returns how many.

    Each `TRANSACTION_RECORDS` are one transaction. Raises `UnknownTopic`, `TopicMissing`, and `WrongEvent` where an
    event is none of the topic's: with fewer events than that, nothing is published then; otherwise the message says how
    many were.
    """
    settings = settings or Settings()
    topic = topic_named(topic, DOMAIN_TOPICS) if isinstance(topic, str) else topic
    partitions = require(settings, topic)
    codec = open_codec(settings)
    published = 0
    source = iter(events)
    pending = _encoded(topic, islice(source, TRANSACTION_RECORDS), settings, codec, partitions, published)
    if not pending:
        return 0
    # An id of its own for each call: two programs that publish do not shut each other out.
    with Transactions(settings, settings.physical(f"tradewind.publish.{uuid4().hex}")) as transactions:
        while pending:
            transactions.write([run for runs in pending for run in runs])
            published += len(pending)
            pending = _encoded(topic, islice(source, TRANSACTION_RECORDS), settings, codec, partitions, published)
    return published


def check_event(topic: Topic, event: object) -> Event:
    """Return the event if it belongs on the topic; raises `WrongEvent`."""
    if isinstance(event, Event) and type(event) in topic.models:
        return event
    carried = " or ".join(model.__name__ for model in topic.models)
    article = f"an event {type(event).__name__}" if isinstance(event, Event) else f"{type(event).__name__}, no event"
    fitting = sorted(other.name for other in DOMAIN_TOPICS if type(event) in other.models)
    advice = f"; it belongs on {' or '.join(fitting)}" if fitting else ""
    raise WrongEvent(f"{topic.name} carries {carried}, and was given {article}{advice}")


def _encoded(
    topic: Topic, events: Iterator[Event], settings: Settings, codec: Codec, partitions: int, published: int
) -> list[list[Run]]:
    """Encode events, each as its runs: one, or one for each partition of a broadcast topic."""
    found: list[list[Run]] = []
    name = settings.physical(topic)
    now_ms = time.time_ns() // 1_000_000
    for event in events:
        try:
            value = codec.encode(check_event(topic, event))
        except (WrongEvent, ValueError, TypeError, OverflowError) as error:
            number = published + len(found) + 1
            before = f"the first {published:,} are published" if published else "nothing was published"
            message = f"event {number:,}: {error} ({before})"
            raise (WrongEvent if isinstance(error, WrongEvent) else StreamError)(message) from error
        key = topic.key(event).encode()
        chosen = topic.partition_key(event).encode() if topic.partition_key else key
        targets = range(partitions) if topic.broadcast else (partition_of(chosen, partitions),)
        ingested = getattr(event, "ts_ingest", None)
        timestamp_ms = now_ms if ingested is None else ingested // 1000
        found.append([Run(name, target, key, (value,), timestamp_ms) for target in targets])
    return found
