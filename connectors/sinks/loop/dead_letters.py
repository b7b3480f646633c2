"""Dead letters of a sink: the records that it could not take, whole, on `<sink>.dlq`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from tradewind.connectors.dead_letters.fit import fitted
from tradewind.connectors.dead_letters.topic import letter_topic
from tradewind.connectors.kafka.admin import create_missing
from tradewind.connectors.kafka.client import stream_error
from tradewind.connectors.kafka.transaction import producer_options
from tradewind.connectors.settings import Settings
from tradewind.connectors.sinks.sink import StoreUnavailable
from tradewind.processors.identity import derive_id
from tradewind.schemas.event import Event
from tradewind.schemas.runtime import DeadLetter
from tradewind.topics import Topic

DELIVERY_S = 10.0  # a broker that takes longer is down: the batch is tried again
TIMESTAMP_UNIT_US = 1000  # Kafka's timestamps are ms


class Encoder(Protocol):
    """What is needed of the codec."""

    def encode(self, event: Event) -> bytes:
        """Return the event in Confluent's frame."""
        ...


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that was not taken, and why."""

    message: Message
    error: Literal["UNDECODABLE", "POISON"]
    reason: str


def dead_letter(sink: str, topic: Topic, rejected: Rejected) -> DeadLetter:
    """Return the letter; its id depends on the record's origin alone, so that sent again it is no second letter."""
    message = rejected.message
    origin = (topic.name, message.partition(), message.offset())
    fits = fitted(message.key(), message.value(), message.headers() or (), rejected.reason)
    return DeadLetter(
        event_id=derive_id("dead letter", sink, *origin),
        agent=sink,
        error=rejected.error,
        reason=fits.reason,
        topic=topic.name,
        partition=message.partition(),
        offset=message.offset(),
        ts_ingest=message.timestamp()[1] * TIMESTAMP_UNIT_US,
        key=fits.key,
        value=fits.value,
        headers=tuple({"key": key, "value": value} for key, value in fits.headers),
    )


class DeadLetters:
    """Sends the dead letters of one sink, and returns once the broker has them."""

    def __init__(self, settings: Settings, sink: str, codec: Encoder) -> None:
        self._settings = settings
        self._sink = sink
        self._codec = codec
        self._topic = letter_topic(sink)
        self._producer: Producer | None = None

    def send(self, topic: Topic, rejected: Sequence[Rejected]) -> None:
        """Send what was rejected of a topic; raises `StoreUnavailable` where the broker does not confirm all of it."""
        if not rejected:
            return
        producer = self._open()
        failed: list[KafkaError] = []

        def delivered(error: KafkaError | None, _message: Message) -> None:
            if error is not None:
                failed.append(error)

        try:
            for one in rejected:
                letter = dead_letter(self._sink, topic, one)
                producer.produce(
                    self._settings.physical(self._topic),
                    self._codec.encode(letter),
                    key=self._topic.key(letter),
                    timestamp=letter.ts_ingest // TIMESTAMP_UNIT_US,
                    on_delivery=delivered,
                )
            unsent = producer.flush(DELIVERY_S)
        except (KafkaException, BufferError) as error:
            raise StoreUnavailable(f"dead letters cannot be sent: {error}") from error
        if unsent or failed:
            self._producer = None  # what is still queued may arrive: the ids make it no second letter
            producer.purge()
            why = failed[0].str() if failed else f"{unsent} were not confirmed within {DELIVERY_S:.0f} s"
            raise StoreUnavailable(f"dead letters cannot be sent: {why}")

    def _open(self) -> Producer:
        if self._producer is None:
            try:
                create_missing(self._settings, [self._topic])
                self._producer = Producer({**producer_options(self._settings), "linger.ms": 1})
            except KafkaException as error:
                raise stream_error(error, f"opening dead letters of {self._sink}", self._settings) from error
        return self._producer
