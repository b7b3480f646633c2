"""Sends usage to Kafka without ever making a door wait: records stay until the broker has them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from tradewind.connectors.billing.tally import MOST_COUNTERS
from tradewind.connectors.kafka.client import options
from tradewind.connectors.settings import Settings
from tradewind.schemas.billing import Usage
from tradewind.schemas.codec import Codec
from tradewind.schemas.event import US_PER_MS
from tradewind.topics import USAGE
from tradewind.topics.partitioner import partition_of

FOR_EVER_MS: Final = 0  # a record that is given up is money; the queue is bounded, as one take is sent at a time
POLL_S: Final = 0.05
log = logging.getLogger(__name__)


class Outbox:
    """An idempotent producer of usage. For one thread.

    If the client can go on no more, the records that were not delivered are sent by another one, with the numbers that
    they have: `rating` drops what comes again.
    """

    def __init__(self, settings: Settings, codec: Codec) -> None:
        self._settings = settings
        self._codec = codec
        self._topic = settings.physical(USAGE)
        self._waiting: dict[str, Usage] = {}
        self._producer: Producer | None = None

    @property
    def waiting(self) -> int:
        """How many records the broker does not have yet."""
        return len(self._waiting)

    def send(self, records: Sequence[Usage]) -> None:
        """Have records sent; returns at once."""
        self._waiting |= {record.event_id: record for record in records}
        self._produce(records)

    def tend(self) -> None:
        """Hear what became of records; begin anew where the client has failed."""
        if self._producer is not None:
            self._producer.poll(0)
        elif self._waiting:
            self._produce(list(self._waiting.values()))

    def close(self, within_s: float) -> int:
        """Wait until the broker has all records, s; return how many it does not have."""
        deadline = time.monotonic() + within_s
        while self._waiting and (left := deadline - time.monotonic()) > 0:
            self.tend()
            if self._producer is not None:
                self._producer.flush(min(POLL_S, left))
            else:
                time.sleep(POLL_S)
        self._drop_client()
        return self.waiting

    def _produce(self, records: Sequence[Usage]) -> None:
        try:
            producer = self._producer = self._producer or Producer(self._options())
            for record in records:
                key = USAGE.key(record).encode()
                producer.produce(
                    self._topic,
                    self._codec.encode(record),
                    key,
                    partition_of(key, USAGE.partitions),
                    on_delivery=self._delivered(record.event_id),
                    timestamp=record.ts_ingest // US_PER_MS,
                )
            producer.poll(0)
        except (BufferError, KafkaException) as error:
            log.warning("usage waits, and will be sent again: %s", error)
            self._drop_client()

    def _delivered(self, event_id: str) -> Callable[[KafkaError | None, Message], None]:
        def told(error: KafkaError | None, _: Message) -> None:
            if error is None:
                self._waiting.pop(event_id, None)
            elif error.code() != KafkaError._PURGE_QUEUE:
                log.warning("usage was not delivered, and will be sent again: %s", error)
                self._producer = None

        return told

    def _drop_client(self) -> None:
        if self._producer is not None:
            self._producer.purge()
            self._producer = None

    def _options(self) -> dict[str, Any]:
        return {
            **options(self._settings),
            "enable.idempotence": True,
            "queue.buffering.max.messages": 2 * MOST_COUNTERS,
            "delivery.timeout.ms": FOR_EVER_MS,
            "linger.ms": 5,
        }
