"""Write records to Kafka in transactions: a run of records is visible whole, once, or not at all."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from confluent_kafka import KafkaError, KafkaException, Producer

from tradewind.connectors.kafka.client import ANSWER_S, insist, lasting, options, stream_error
from tradewind.connectors.kafka.errors import BrokerUnavailable, NotDelivered, ProducerLost, StreamError
from tradewind.connectors.settings import Settings

QUEUED_RECORDS = 100_000  # in the client: several blocks of a feed; more only waits here instead of at the source
QUEUED_KIB = 64 * 1024
LINGER_MS = 5  # what fills a batch at full speed, and is not felt in a block's latency
BATCH_BYTES = 1_000_000
TRANSACTION_MS = 10_000  # an abandoned transaction holds up every read_committed reader for so long
OPEN_S = 60.0  # for a coordinator that is coming up after the broker's restart
COMMIT_S = 60.0  # outlasts a broker's restart
ATTEMPTS = 5
BACKOFF_S = 0.2  # doubled each time, with jitter: 0.2 to 3 s
QUEUE_FULL_S = 0.02
TOGETHER = 500  # records handed to the client in one call
FAILED_BEFORE = {KafkaError._STATE, KafkaError._FATAL}
"""Errors at producing: the transaction has already failed, and the call that aborts it reports the cause."""
GIVE_UP_S = 2.0  # for the abort of what was interrupted: the broker does it by itself after the transaction's time


@dataclass(frozen=True, slots=True)
class Run:
    """Records that share everything but their values."""

    topic: str
    """Its name on the cluster."""
    partition: int
    key: bytes
    values: Sequence[bytes | None]
    """None deletes the key of a compacted topic."""
    timestamp_ms: int | None = None
    """None is the time at which each is handed to the client, which takes many of them at once."""


def producer_options(settings: Settings) -> dict[str, Any]:
    """Return the configuration of an idempotent producer with bounded queues."""
    return {
        **options(settings),
        "enable.idempotence": True,
        "compression.type": "lz4",
        "linger.ms": LINGER_MS,
        "batch.size": BATCH_BYTES,
        "queue.buffering.max.messages": QUEUED_RECORDS,
        "queue.buffering.max.kbytes": QUEUED_KIB,
    }


class Transactions:
    """A transactional producer. Opening it ends what an earlier owner of its id left open, and shuts that one out."""

    def __init__(self, settings: Settings, transactional_id: str, queued_records: int = QUEUED_RECORDS) -> None:
        self._settings = settings
        self._id = transactional_id
        self._producer = Producer(
            {
                **producer_options(settings),
                "transactional.id": transactional_id,
                "transaction.timeout.ms": TRANSACTION_MS,
                "delivery.timeout.ms": TRANSACTION_MS,
                "queue.buffering.max.messages": queued_records,
            }
        )

    def __enter__(self) -> Self:
        try:
            insist(lambda: self._producer.init_transactions(ANSWER_S), lasting(OPEN_S))
        except KafkaException as error:
            raise self._told(error, "opening the producer") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Nothing is in flight after a write that ended; after one that did not, the transaction is left to be aborted.
        self._producer.purge()

    def write(self, runs: Sequence[Run]) -> None:
        """Write the runs in one transaction, again where the broker had it aborted.

        Raises `ProducerLost` where this producer can go on no more and `NotDelivered` where the records are refused.
        After either, and after `BrokerUnavailable`, only the topics tell whether the transaction is there.
        """
        for attempt in range(ATTEMPTS):
            try:
                self._producer.begin_transaction()
                for run in runs:
                    self._produce(run)
                self._commit()
            except KafkaException as error:
                cause = error.args[0]
                if cause.fatal() or not (cause.txn_requires_abort() or cause.code() in FAILED_BEFORE):
                    self._let_go()
                    raise self._told(error, "writing a transaction") from error
                self._abort()
                if attempt == ATTEMPTS - 1:
                    raise NotDelivered(
                        f"{self._id}: the transaction was aborted {ATTEMPTS} times: {cause.str()}"
                    ) from error
                time.sleep(BACKOFF_S * 2**attempt * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret
            except BaseException:
                self._let_go()
                raise
            else:
                return

    def _let_go(self) -> None:
        """Abort if that can be done soon: left open, it would hold up every reader until it times out."""
        with suppress(KafkaException):
            self._producer.abort_transaction(GIVE_UP_S)

    def _produce(self, run: Run) -> None:
        if run.timestamp_ms is None:
            self._produce_many(run)
        else:
            self._produce_each(run, run.timestamp_ms)
        self._producer.poll(0)

    def _produce_each(self, run: Run, timestamp_ms: int) -> None:
        produce, topic, key, partition = self._producer.produce, run.topic, run.key, run.partition
        for value in run.values:
            deadline = math.inf
            while True:
                try:
                    produce(topic, value, key, partition, timestamp=timestamp_ms)
                except BufferError:
                    deadline = self._waited(deadline)
                else:
                    break

    def _produce_many(self, run: Run) -> None:
        """Hand over many at a time: 1.1 µs a record instead of 1.8. The client takes them in order, up to its limit."""
        for first in range(0, len(run.values), TOGETHER):
            values = run.values[first : first + TOGETHER]
            deadline = math.inf
            while values:
                messages: list[dict[str, Any]] = [{"value": value, "key": run.key} for value in values]
                if self._producer.produce_batch(run.topic, messages, run.partition) == len(messages):
                    break
                at, refused = next((at, one["_error"]) for at, one in enumerate(messages) if "_error" in one)
                if refused.code() != KafkaError._QUEUE_FULL:
                    raise KafkaException(refused)
                values = values[at:]  # once it is full, none of the rest is taken
                deadline = self._waited(deadline)

    def _waited(self, deadline: float) -> float:
        """Wait a little for room; returns until when there must be some, `math.inf` having been for the first time."""
        now = time.monotonic()
        if now >= deadline:
            raise BrokerUnavailable(
                f"{self._id}: {len(self._producer):,} records wait and Kafka at {self._settings.bootstrap} takes none"
            )
        self._producer.poll(QUEUE_FULL_S)
        return min(deadline, now + ANSWER_S)

    def _commit(self) -> None:
        insist(lambda: self._producer.commit_transaction(ANSWER_S), lasting(COMMIT_S))

    def _abort(self) -> None:
        try:
            insist(lambda: self._producer.abort_transaction(ANSWER_S), lasting(COMMIT_S))
        except KafkaException as error:
            raise self._told(error, "aborting a transaction") from error

    def _told(self, error: KafkaException, doing: str) -> StreamError:
        cause: KafkaError = error.args[0]
        if cause.fatal():
            return ProducerLost(
                f"{doing} as {self._id}: {cause.str()}. Another process may have taken over this id, or the "
                f"transaction took over {TRANSACTION_MS // 1000} s"
            )
        return stream_error(error, f"{doing} as {self._id}", self._settings)
