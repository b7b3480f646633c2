"""Publishes what watchdogs say as alerts, beside the agents' transactions, and without ever waiting for the broker.

The producer is idempotent, its queue holds few messages, and an alert that cannot be delivered in time is logged. A
complaint has one id however often it is published, so that whoever keeps alerts by id has it once.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from tradewind.connectors.kafka.client import options
from tradewind.connectors.kafka.offsets import Place
from tradewind.connectors.settings import Settings
from tradewind.connectors.watchdogs.watchdog import Stuck
from tradewind.processors.identity import derive_id
from tradewind.schemas.codec import Codec
from tradewind.schemas.notifications import Alert
from tradewind.topics import ALERTS
from tradewind.topics.partitioner import partition_of

QUEUED = 100  # alerts: a worker has some tens of partitions to complain of
DELIVERY_MS = 600_000  # the broker may be what the alert is about, and come back
CLOSE_S = 1.0  # to send what waits, at the end of a worker
log = logging.getLogger(__name__)


class Alerts:
    """Used by one thread."""

    def __init__(self, settings: Settings, codec: Codec) -> None:
        self._settings = settings
        self._codec = codec
        self._topic = settings.physical(ALERTS)
        self._producer: Producer | None = None

    def publish(self, alert: Alert) -> None:
        """Have an alert sent; returns at once, and logs where that is impossible."""
        if self._producer is None:
            self._producer = Producer(self._options())
        key = ALERTS.key(alert).encode()
        try:
            self._producer.produce(
                self._topic,
                self._codec.encode(alert),
                key,
                partition_of(key, ALERTS.partitions),
                on_delivery=_delivered,
                timestamp=alert.ts_ingest // 1000,
            )
        except (BufferError, KafkaException) as error:
            log.error("an alert is not published (%s): %s", error, alert.message)  # noqa: TRY400 - it is what it is

    def tend(self) -> None:
        """Hear what became of alerts that were sent."""
        if self._producer is not None:
            self._producer.poll(0)

    def close(self) -> None:
        """Send what waits, for a second at the most."""
        if self._producer is not None:
            self._producer.flush(CLOSE_S)
            self._producer.purge()
            self._producer = None

    def _options(self) -> dict[str, Any]:
        return {
            **options(self._settings),
            "enable.idempotence": True,
            "queue.buffering.max.messages": QUEUED,
            "delivery.timeout.ms": DELIVERY_MS,
            "linger.ms": 0,
        }


def alert_of(stuck: Stuck, group: str, since_us: int, now_us: int, message: str) -> Alert:
    """Return the alert of a complaint; times are µs since 1970.

    A position that does not move is one complaint, whichever worker says so and whenever: its id derives from the
    position. Other complaints differ by when they began, not by their partitions, because those may change.
    """
    topic, partition = stuck.source or (None, None)
    begun = stuck.at if stuck.kind == "position" else since_us
    event_id = derive_id("watchdog", group, stuck.kind, topic or "", -1 if partition is None else partition, str(begun))
    if stuck.source is None:
        topic, partition = _shared(stuck.among)
    return Alert(
        event_id=event_id,
        ts_event=since_us,
        ts_ingest=now_us,
        correlation_id=event_id,
        causation_id=event_id,
        severity="CRITICAL",
        source=group,
        code=f"WATCHDOG_{stuck.kind.upper()}",
        message=message,
        group=group,
        topic=topic,
        partition=partition,
        since=since_us,
    )


def _shared(partitions: Sequence[Place]) -> tuple[str | None, int | None]:
    """Return the topic and the partition that a complaint is of, None for what it has several of.

    Its message has them all.
    """
    topics = {topic for topic, _ in partitions}
    if len(topics) != 1:
        return None, None
    return topics.pop(), partitions[0][1] if len(partitions) == 1 else None


def over_of(alert: Alert, now_us: int) -> Alert:
    """Return the alert that says that the complaint of an earlier alert is over."""
    lasted_s = (now_us - alert.ts_event) / 1_000_000
    return replace(
        alert,
        event_id=derive_id("watchdog over", alert.event_id),
        ts_event=now_us,
        ts_ingest=now_us,
        severity="INFO",
        code=f"{alert.code}_OVER",
        message=f"over, after {lasted_s:.0f} s: {alert.message}",
    )


def _delivered(error: KafkaError | None, message: Message) -> None:
    if error is not None:
        log.error("an alert was not delivered to %s: %s", message.topic(), error.str())
