"""A steady load: events of known sequence, sent from a thread until it is stopped, each delivered once."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaError, Message, Producer

from tradewind.connectors.kafka.client import options
from tradewind.connectors.settings import Settings
from tradewind.infra.bench.parts.hops import ticks
from tradewind.schemas.codec import Codec
from tradewind.topics import Topic
from tradewind.topics.partitioner import partition_of

STEP_S = 0.02
QUEUED = 100_000
DELIVERY_MS = 300_000  # a broker that is away for a while is waited for
FLUSH_S = 120.0


class Load(threading.Thread):
    """Sends ticks 0, 1, 2, ... idempotently; a context that ends with all of them delivered."""

    def __init__(self, settings: Settings, codec: Codec, topic: Topic, rate: int) -> None:
        super().__init__(name="load", daemon=True)
        self._codec, self._topic, self._name, self._rate = codec, topic, settings.physical(topic), rate
        self._producer = Producer(
            {
                **options(settings),
                "enable.idempotence": True,
                "delivery.timeout.ms": DELIVERY_MS,
                "queue.buffering.max.messages": QUEUED,
            }
        )
        self._stopping = threading.Event()
        self._failed: list[str] = []
        self.sent = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self.join()

    def stop(self) -> int:
        """Stop, wait until all is delivered, and return how many events there were."""
        self._stopping.set()
        self.join()
        unsent = self._producer.flush(FLUSH_S)
        if unsent or self._failed:
            raise RuntimeError(f"the load itself lost events: {unsent} unsent, {self._failed[:3]}")
        return self.sent

    def run(self) -> None:
        """Send in small bursts, as many as are due."""
        begun = time.monotonic()
        while not self._stopping.wait(STEP_S):
            due = int((time.monotonic() - begun) * self._rate)
            for key, value in ticks(self._codec, due - self.sent, self.sent):
                self._send(key, value)
            self._producer.poll(0)

    def _send(self, key: bytes, value: bytes) -> None:
        while True:
            try:
                partition = partition_of(key, self._topic.partitions)
                self._producer.produce(self._name, value, key, partition, on_delivery=self._delivered)
            except BufferError:
                self._producer.poll(STEP_S)
            else:
                self.sent += 1
                return

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._failed.append(str(error))
