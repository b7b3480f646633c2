"""What every Kafka client here has in common: its configuration, and what its failures are called."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar

from confluent_kafka import KafkaError, KafkaException

from tradewind.connectors.kafka.errors import BrokerUnavailable, StreamError
from tradewind.connectors.settings import Settings

ANSWER_S = 15.0  # a healthy broker answers in milliseconds; one that was killed is back within some 13 s
LOG = logging.getLogger("tradewind.kafka")
UNREACHABLE = {
    KafkaError._TRANSPORT,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._TIMED_OUT,
    KafkaError._RESOLVE,
    KafkaError.REQUEST_TIMED_OUT,
}
LEADERLESS = {
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.REPLICA_NOT_AVAILABLE,
}
"""What brokers answer for a partition that has just been created, or whose broker is starting again."""
LEADERLESS_PAUSE_S = 0.1
T = TypeVar("T")


def once_led(question: Callable[[], T]) -> T:
    """Return the answer to a question about a partition, asked again for `ANSWER_S` while nobody leads it."""
    deadline = time.monotonic() + ANSWER_S
    while True:
        try:
            return question()
        except KafkaException as error:
            if error.args[0].code() not in LEADERLESS or time.monotonic() > deadline:
                raise
        time.sleep(LEADERLESS_PAUSE_S)


def options(settings: Settings) -> dict[str, Any]:
    """Return the connection of a confluent-kafka client; its own log goes to `tradewind.kafka`."""
    return {
        **settings.librdkafka(),
        "logger": LOG,
        "reconnect.backoff.max.ms": 1000,  # a broker that comes back is found within a second
        "enable.metrics.push": False,  # nothing here reads what brokers can collect of clients
    }


def told(error: KafkaException, doing: str, settings: Settings) -> StreamError:
    """Return the error that says what was being done, and where."""
    cause = error.args[0]
    if isinstance(cause, KafkaError) and cause.code() in UNREACHABLE:
        return BrokerUnavailable(
            f"{doing}: no answer from Kafka at {settings.bootstrap} ({cause.str()}); look at `tradewind status`"
        )
    text = cause.str() if isinstance(cause, KafkaError) else str(cause)
    return StreamError(f"{doing}: {text} (Kafka at {settings.bootstrap})")
