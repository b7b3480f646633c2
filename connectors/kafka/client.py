"""What every Kafka client here has in common: its configuration, and what its failures are called."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Message

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
PASSING = {
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.REPLICA_NOT_AVAILABLE,
    KafkaError.OFFSET_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
    KafkaError._NOENT,
    KafkaError._UNKNOWN_PARTITION,
}
"""What is answered for a partition or a group that has just been created, that moves to another broker, or whose broker
is starting again. It passes by itself; of a topic that does not exist, the patience of `until_settled` ends."""
PASSING_PAUSE_S = 0.1  # between two questions
T = TypeVar("T")


def until_settled(question: Callable[[], T], patience_s: float = ANSWER_S, pause_s: float = PASSING_PAUSE_S) -> T:
    """Return the answer to a question to the cluster, asked again while what is asked about is on its way."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            return question()
        except KafkaException as error:
            if error.args[0].code() not in PASSING or time.monotonic() > deadline:
                raise
        time.sleep(pause_s)


def insist(call: Callable[[], T], patient: Callable[[], bool]) -> T:
    """Return what a call of a transactional producer returns, made again while its failure passes by itself.

    A call that timed out may have been done: only the same call, made again, tells. Raises its last error once
    `patient` says no.
    """
    while True:
        try:
            return call()
        except KafkaException as error:
            if not error.args[0].retriable() or not patient():
                raise


def lasting(seconds: float) -> Callable[[], bool]:
    """Return a patience for `insist` that ends after some seconds."""
    deadline = time.monotonic() + seconds
    return lambda: time.monotonic() <= deadline


def options(settings: Settings) -> dict[str, Any]:
    """Return the connection of a confluent-kafka client; its own log goes to `tradewind.kafka`."""
    return {
        **settings.librdkafka(),
        "logger": LOG,
        "reconnect.backoff.max.ms": 1000,  # a broker that comes back is found within a second
        "enable.metrics.push": False,  # nothing here reads what brokers can collect of clients
    }


def reading(settings: Settings, name: str, queued_kib: int) -> dict[str, Any]:
    """Return the configuration of a consumer in no group: assigned by hand, committed records only, with an end.

    `name` fills the group's place, which the client insists on; nothing is committed by it. `queued_kib` bounds what is
    read ahead, over all partitions.
    """
    return {
        **options(settings),
        "group.id": settings.physical(f"tradewind.{name}"),
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "isolation.level": "read_committed",
        "auto.offset.reset": "error",
        "enable.partition.eof": True,
        "fetch.wait.max.ms": 50,
        "queued.max.messages.kbytes": queued_kib,
    }


def taken(consumer: Consumer, limit: int, wait_s: float) -> list[Message]:
    """Return what has come in, errors among it, up to a number of records; waits only where there is nothing yet.

    `Consumer.consume` waits for as many as it may return, or else for all of the time.
    """
    first = consumer.poll(wait_s)
    return [] if first is None else [first, *consumer.consume(limit - 1, 0)]


def stream_error(error: KafkaException, doing: str, settings: Settings) -> StreamError:
    """Return the error that says what was being done, and where."""
    cause = error.args[0]
    if isinstance(cause, KafkaError) and cause.code() in UNREACHABLE:
        return BrokerUnavailable(
            f"{doing}: no answer from Kafka at {settings.bootstrap} ({cause.str()}); look at `tradewind status`"
        )
    text = cause.str() if isinstance(cause, KafkaError) else str(cause)
    return StreamError(f"{doing}: {text} (Kafka at {settings.bootstrap})")
