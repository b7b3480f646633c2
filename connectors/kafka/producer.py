"""Write records to Kafka in transactions: a run of records is visible whole, once, or not at all."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from tradewind.connectors.kafka.client import ANSWER_S
from tradewind.connectors.kafka.errors import BrokerUnavailable, NotDelivered
from tradewind.connectors.kafka.transaction import FAILED_BEFORE, QUEUED_RECORDS, TransactionalProducer
from tradewind.connectors.settings import Settings

TRANSACTION_S = 10.0  # an abandoned transaction holds up every read_committed reader for so long
ATTEMPTS = 5
BACKOFF_S = 0.2  # doubled each time, with jitter: 0.2 to 3 s
QUEUE_FULL_S = 0.02
TOGETHER = 500  # records handed to the client in one call
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


class Transactions(TransactionalProducer):
    """Writes runs of records, each call's in one transaction."""

    def __init__(self, settings: Settings, transactional_id: str, queued_records: int = QUEUED_RECORDS) -> None:
        super().__init__(settings, transactional_id, TRANSACTION_S, {"queue.buffering.max.messages": queued_records})

    def write(self, runs: Sequence[Run]) -> None:
        """Write the runs in one transaction, again where the broker had it aborted. Raises as `transact` does."""

        def produce() -> None:
            for run in runs:
                self._produce(run)

        self.transact(produce)

    def transact(self, produce: Callable[[], None]) -> None:
        """Have `produce` write in one transaction, again where the broker had it aborted.

        Raises `ProducerLost` where this producer can go on no more and `NotDelivered` where the records are refused.
        After either, and after `BrokerUnavailable`, only the topics tell whether the transaction is there.
        """
        for attempt in range(ATTEMPTS):
            try:
                self.begin()
                produce()
                self.commit()
            except KafkaException as error:
                cause = error.args[0]
                if cause.fatal() or not (cause.txn_requires_abort() or cause.code() in FAILED_BEFORE):
                    self._let_go()
                    raise self.told(error, "writing a transaction") from error
                self.abort()
                if attempt == ATTEMPTS - 1:
                    raise NotDelivered(
                        f"{self.id}: the transaction was aborted {ATTEMPTS} times: {cause.str()}"
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
            self.client.abort_transaction(GIVE_UP_S)

    def _produce(self, run: Run) -> None:
        if run.timestamp_ms is None:
            self._produce_many(run)
        else:
            self._produce_each(run, run.timestamp_ms)
        self.client.poll(0)

    def _produce_each(self, run: Run, timestamp_ms: int) -> None:
        for value in run.values:
            self.put(run.topic, value, run.key, run.partition, timestamp=timestamp_ms)

    def put(self, *record: Any, **more: Any) -> None:
        """Hand a record to the client, as its `produce` takes it; wait for room. Raises `BrokerUnavailable`."""
        deadline = math.inf
        while True:
            try:
                self.client.produce(*record, **more)
            except BufferError:
                deadline = self._waited(deadline)
            else:
                return

    def _produce_many(self, run: Run) -> None:
        """Hand over many at a time: 1.1 µs a record instead of 1.8. The client takes them in order, up to its limit."""
        for first in range(0, len(run.values), TOGETHER):
            values = run.values[first : first + TOGETHER]
            deadline = math.inf
            while values:
                messages: list[dict[str, Any]] = [{"value": value, "key": run.key} for value in values]
                if self.client.produce_batch(run.topic, messages, run.partition) == len(messages):
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
                f"{self.id}: {len(self.client):,} records wait and Kafka at {self.settings.bootstrap} takes none"
            )
        self.client.poll(QUEUE_FULL_S)
        return min(deadline, now + ANSWER_S)
