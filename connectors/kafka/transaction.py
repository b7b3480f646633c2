"""A producer with a transactional id: how it is opened, and how its transactions end, whatever is written in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition

from tradewind.connectors.kafka.client import ANSWER_S, insist, lasting, options, stream_error
from tradewind.connectors.kafka.errors import ProducerLost, StreamError
from tradewind.connectors.settings import Settings

QUEUED_RECORDS = 100_000  # in the client: several blocks of a feed; more only waits here instead of at the source
QUEUED_KIB = 64 * 1024
LINGER_MS = 5  # what fills a batch at full speed, and is not felt in a block's latency
BATCH_BYTES = 1_000_000
OPEN_S = 60.0  # for a coordinator that is coming up after the broker's restart
COMMIT_S = 60.0  # outlasts a broker's restart
FAILED_BEFORE = {KafkaError._STATE, KafkaError._FATAL}
"""Errors at producing: the transaction has already failed, and the call that aborts it reports the cause."""
LEASE_ENDED = {KafkaError.ILLEGAL_GENERATION, KafkaError.UNKNOWN_MEMBER_ID, KafkaError.FENCED_INSTANCE_ID}
"""How a broker refuses offsets by metadata of another generation, or of a member that it has expelled."""


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


class TransactionalProducer:
    """A transactional producer. Opening it ends what an earlier owner of its id left open, and shuts that one out.

    `begin`, `add_offsets` and `commit` raise `KafkaException`: what follows from a failure depends on what is written.
    """

    def __init__(
        self, settings: Settings, transactional_id: str, transaction_s: float, more: Mapping[str, Any] | None = None
    ) -> None:
        """Prepare; the broker aborts a transaction after `transaction_s`. `more` are further options of the client."""
        self.id = transactional_id
        self.settings = settings
        self._transaction_s = transaction_s
        self.client = Producer(
            {
                **producer_options(settings),
                "transactional.id": transactional_id,
                "transaction.timeout.ms": round(1000 * transaction_s),
                "delivery.timeout.ms": round(1000 * transaction_s),
                **(more or {}),
            }
        )

    def __enter__(self) -> Self:
        try:
            insist(lambda: self.client.init_transactions(ANSWER_S), lasting(OPEN_S))
        except KafkaException as error:
            raise self.told(error, "opening the producer") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Nothing is in flight after a write that ended; after one that did not, the transaction is left to be aborted.
        self.client.purge()

    def begin(self) -> None:
        """Begin a transaction."""
        self.client.begin_transaction()

    def add_offsets(self, places: Sequence[TopicPartition], metadata: object) -> None:
        """Add a group's offsets to the transaction, by the metadata that its member had when it was assigned."""
        sent = list(places)
        insist(lambda: self.client.send_offsets_to_transaction(sent, metadata, ANSWER_S), lasting(ANSWER_S))

    def commit(self) -> None:
        """Commit, and ask again until the broker says what became of it."""
        insist(lambda: self.client.commit_transaction(ANSWER_S), lasting(COMMIT_S))

    def abort(self) -> None:
        """Abort; raises `StreamError`."""
        try:
            insist(lambda: self.client.abort_transaction(ANSWER_S), lasting(COMMIT_S))
        except KafkaException as error:
            raise self.told(error, "aborting a transaction") from error

    def told(self, error: KafkaException, doing: str) -> StreamError:
        """Return the error as a reader understands it."""
        cause: KafkaError = error.args[0]
        if cause.fatal():
            return ProducerLost(
                f"{doing} as {self.id}: {cause.str()}. Another process may have taken over this id, or the "
                f"transaction took over {self._transaction_s:g} s"
            )
        return stream_error(error, f"{doing} as {self.id}", self.settings)
