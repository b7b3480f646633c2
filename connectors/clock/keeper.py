"""Tells the time each second if this process owns the clock. All workers of agents that read the clock stand for it.

The owner is the member of a consumer group that has partition 0 of the topic. So there is one; if it dies, another
follows within the session's time. A frozen owner that thaws may tell the time once more: it is the right time, and
readers ignore a step back.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from tradewind.connectors.clock.wall import clock_us
from tradewind.connectors.kafka.client import options
from tradewind.connectors.settings import Settings
from tradewind.schemas.codec import Codec
from tradewind.schemas.event import US_PER_MS
from tradewind.schemas.runtime import ClockTick
from tradewind.topics import CLOCK

GROUP: Final = "tradewind.clock"
SECOND_US: Final = 1_000_000
SESSION_MS: Final = 10_000  # as of workers: what a silent clock lasts after a kill
DELIVERY_MS: Final = 5_000  # an older time is of no use
QUEUED: Final = 100  # ticks: some seconds of all partitions
CLOSE_S: Final = 4.0
AGAIN_S: Final = 1.0
log = logging.getLogger(__name__)


class Beat:
    """Which times an owner tells: each whole second once, and none that is not after the last one."""

    def __init__(self) -> None:
        self._last = 0

    def due(self, now_us: int) -> int | None:
        """Return the second to be told, µs; None if it was told, or the clock has stepped back behind it."""
        second = now_us - now_us % SECOND_US
        if second <= self._last:
            return None
        self._last = second
        return second


class ClockKeeper:
    """A candidate for the clock, on a thread of its own."""

    def __init__(self, settings: Settings, codec: Codec, owner: str, now_us: Callable[[], int]) -> None:
        self._settings = settings
        self._codec = codec
        self._owner = owner
        self._now_us = now_us
        self._topic = settings.physical(CLOCK)
        self.owns = False
        """Whether this process owns the clock now. For any thread."""
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="clock", daemon=True)

    def start(self) -> None:
        """Stand for the clock."""
        self._thread.start()

    def close(self) -> None:
        """Leave the clock to others."""
        self._closing.set()
        self._thread.join(CLOSE_S)

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self._keep()
            except KafkaException as error:
                log.warning("the clock begins again: %s", error)
                self._closing.wait(AGAIN_S)

    def _keep(self) -> None:
        consumer, producer, beat = Consumer(self._of_group()), Producer(self._of_ticks()), Beat()
        try:
            consumer.subscribe([self._topic], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._revoked)
            while not self._closing.is_set():
                left_us = SECOND_US - self._now_us() % SECOND_US
                message = consumer.poll(left_us / SECOND_US)
                if message is not None and (error := message.error()) is not None and error.fatal():
                    raise KafkaException(error)
                if self.owns and (second := beat.due(self._now_us())) is not None:
                    self._tell(producer, second)
        finally:
            self.owns = False
            consumer.close()
            producer.purge()

    def _tell(self, producer: Producer, second: int) -> None:
        value = self._codec.encode(ClockTick(ts_event=second, owner=self._owner))
        try:
            for partition in range(CLOCK.partitions):
                producer.produce(self._topic, value, b"clock", partition, timestamp=second // US_PER_MS)
        except BufferError:
            log.warning("Kafka takes no ticks of the clock")
        producer.poll(0)

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.assign(partitions)
        consumer.pause(partitions)  # the group is for its assignment alone: nothing is read
        self.owns = any(one.partition == 0 for one in partitions)

    def _revoked(self, consumer: Consumer, _: list[TopicPartition]) -> None:
        self.owns = False
        consumer.unassign()

    def _of_group(self) -> dict[str, Any]:
        return {
            **options(self._settings),
            "group.id": self._settings.physical(GROUP),
            "enable.auto.commit": False,
            "auto.offset.reset": "latest",
            "partition.assignment.strategy": "range",
            "session.timeout.ms": SESSION_MS,
        }

    def _of_ticks(self) -> dict[str, Any]:
        return {
            **options(self._settings),
            "enable.idempotence": True,
            "queue.buffering.max.messages": QUEUED,
            "delivery.timeout.ms": DELIVERY_MS,
            "linger.ms": 0,
        }


@contextmanager
def clock_kept(settings: Settings, codec: Codec, owner: str) -> Iterator[ClockKeeper]:
    """Stand for the clock until the context ends; `owner` names this process in the ticks."""
    keeper = ClockKeeper(settings, codec, owner, clock_us)
    keeper.start()
    try:
        yield keeper
    finally:
        keeper.close()
