"""Publish events: checked against their topic, and partitioned as the agents expect."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from uuid import uuid4

from tradewind.connectors.clock.wall import clock_ms
from tradewind.connectors.kafka.admin import require
from tradewind.connectors.kafka.ends import Ends, closed
from tradewind.connectors.kafka.errors import WrongEvent
from tradewind.connectors.kafka.producer import Run, Transactions
from tradewind.connectors.registry import open_codec
from tradewind.connectors.settings import Settings
from tradewind.schemas.codec import Codec, EncodeError
from tradewind.schemas.event import US_PER_MS, Event
from tradewind.topics import DOMAIN_TOPICS, Topic, topic_named
from tradewind.topics.partitioner import partitions_for

AHEAD_US = 3_600_000_000  # no clock is an hour wrong; most such times are of another unit
DAY_US = 86_400_000_000
TRANSACTION_RECORDS = 1_000  # what is visible at once: small enough to hold, large enough that commits do not count


def publish(
    topic: Topic | str, events: Iterable[Event], settings: Settings | None = None, *, close: bool = False
) -> int:
    """Publish events to a topic, partitioned as the agents expect; return how many were published.

    - `topic`: a `Topic`, or its name without the namespace.
    - `close`: after the ticks, publish a closing heartbeat for each of their instruments, which counts as well. Without
      it, the last bars of each instrument stay open until a later tick or heartbeat follows.

    Every `TRANSACTION_RECORDS` events are one transaction. Raises `UnknownTopic`, `TopicMissing`, or `WrongEvent` if an
    event does not belong on the topic. The message of `WrongEvent` says how many events were published before.
    """
    settings = settings or Settings()
    topic = topic_named(topic, DOMAIN_TOPICS) if isinstance(topic, str) else topic
    if close:
        events = closed(topic, events, Ends.of(settings))
    partitions = require(settings, topic)
    encoder = Encoder(topic, settings.physical(topic), open_codec(settings), partitions)
    source = iter(events)
    pending = encoder.encode(islice(source, TRANSACTION_RECORDS))
    if not pending:
        return 0
    # An id of its own for each call: two programs that publish do not shut each other out.
    with Transactions(settings, settings.physical(f"tradewind.publish.{uuid4().hex}")) as transactions:
        while pending:
            transactions.write([run for runs in pending for run in runs])
            encoder.published += len(pending)
            pending = encoder.encode(islice(source, TRANSACTION_RECORDS))
    return encoder.published


def check_event(topic: Topic, event: object) -> Event:
    """Return the event if it belongs on the topic; raises `WrongEvent`."""
    if isinstance(event, Event) and type(event) in topic.models:
        return event
    carried = " or ".join(model.__name__ for model in topic.models)
    article = f"an event {type(event).__name__}" if isinstance(event, Event) else f"{type(event).__name__}, no event"
    fitting = sorted(other.name for other in DOMAIN_TOPICS if type(event) in other.models)
    advice = f"; it belongs on {' or '.join(fitting)}" if fitting else ""
    raise WrongEvent(f"{topic.name} carries {carried}, and was given {article}{advice}")


def _check_time(event: Event, now_us: int) -> None:
    """Refuse the far future: agents take their time from events, and one such would hold up all that follow it."""
    ts_event = getattr(event, "ts_event", None)
    if isinstance(ts_event, int) and ts_event > now_us + AHEAD_US:
        days = (ts_event - now_us) / DAY_US
        raise WrongEvent(f"its ts_event of {ts_event} is {days:,.1f} days ahead of the clock; times are µs since 1970")


@dataclass(slots=True)
class Encoder:
    """Makes records of events of one topic."""

    topic: Topic
    name: str
    """The topic's name on the cluster."""
    codec: Codec
    partitions: int
    published: int = 0

    def encode(self, events: Iterator[Event]) -> list[list[Run]]:
        """Return each event's runs: one, or one for each partition of a broadcast topic. Raises `WrongEvent`."""
        now_ms = clock_ms()
        found: list[list[Run]] = []
        for event in events:
            try:
                found.append(self._runs(check_event(self.topic, event), now_ms))
            except (WrongEvent, EncodeError) as error:
                number = self.published + len(found) + 1
                before = f"the first {self.published:,} are published" if self.published else "nothing was published"
                raise WrongEvent(f"event {number:,}: {error} ({before})") from error
        return found

    def _runs(self, event: Event, now_ms: int) -> list[Run]:
        topic = self.topic
        _check_time(event, now_ms * US_PER_MS)
        key = topic.key(event)
        targets = partitions_for(topic, event, key, self.partitions)
        ingested = getattr(event, "ts_ingest", None)
        timestamp_ms = now_ms if ingested is None else ingested // US_PER_MS
        value = self.codec.encode(event)
        return [Run(self.name, target, key.encode(), (value,), timestamp_ms) for target in targets]
