"""Claims: offsets with their metadata, and attempts, written in one short transaction under a lease.

A plain `commit()` would carry whatever generation the client has when it sends. A transaction carries the lease that
the claim was made under, so the broker refuses the claim of a caller that was frozen and lost its partitions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition

from tradewind.connectors.calls.lease import Lease
from tradewind.connectors.kafka.client import ANSWER_S, insist, lasting, stream_error
from tradewind.connectors.kafka.errors import ProducerLost, StreamError
from tradewind.connectors.kafka.offsets import Place
from tradewind.connectors.kafka.producer import COMMIT_S, OPEN_S, producer_options
from tradewind.connectors.settings import Settings

REFUSALS = {
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.FENCED_INSTANCE_ID,
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError.GROUP_ID_NOT_FOUND,
}
"""How a broker says that the lease is not the group's: of another generation, or of a member that it expelled."""
TRANSACTION_S = 10.0
"""What the broker grants a transaction. A successor waits as long for the claims of a caller that died in one."""


class Written(Enum):
    """What became of a transaction."""

    COMMITTED = "committed"
    REFUSED = "refused"
    """The lease is not the group's any more; nothing of the transaction is visible."""
    ABORTED = "aborted"
    """The broker ended the transaction for another reason; nothing is visible, and it may be written again."""


@dataclass(frozen=True, slots=True)
class Output:
    """A record to publish with the claims."""

    topic: str
    """Its name on the cluster."""
    partition: int
    key: bytes
    value: bytes
    timestamp_ms: int
    headers: Sequence[tuple[str, bytes]] = ()


@dataclass(frozen=True, slots=True)
class Mark:
    """What is committed for a partition: an offset, and what its metadata says of the offsets around it."""

    offset: int
    metadata: str


class Claims:
    """The transactional producer of a caller. For one thread at a time."""

    def __init__(self, settings: Settings, transactional_id: str, transaction_s: float = TRANSACTION_S) -> None:
        """Prepare; `transactional_id` must be of this process alone, since the group's generation is what fences."""
        self._settings = settings
        self._id = transactional_id
        self._producer = Producer(
            {
                **producer_options(settings),
                "linger.ms": 0,  # a transaction holds all that there is: waiting for more only delays it
                "transactional.id": transactional_id,
                "transaction.timeout.ms": round(1000 * transaction_s),
                "delivery.timeout.ms": round(1000 * transaction_s),
            }
        )

    def __enter__(self) -> Self:
        try:
            insist(lambda: self._producer.init_transactions(ANSWER_S), lasting(OPEN_S))
        except KafkaException as error:
            raise self._told(error, "opening the producer of claims") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._producer.purge()

    def write(self, lease: Lease | None, marks: Mapping[Place, Mark], outputs: Sequence[Output]) -> Written:
        """Write claims and attempts in one transaction; `lease` may be None if there are no marks.

        Raises `ProducerLost` if this producer cannot continue, and `StreamError` if Kafka does not answer. After
        either, only the group's stable offsets tell whether the transaction was committed.
        """
        producer = self._producer
        try:
            producer.begin_transaction()
            for one in outputs:
                producer.produce(
                    one.topic,
                    one.value,
                    one.key,
                    one.partition,
                    timestamp=one.timestamp_ms,
                    headers=list(one.headers),
                )
            if marks:
                assert lease is not None, "a claim needs a lease"
                # The topic of claims has the marks before the group does: whoever waits for one sees both.
                producer.flush(ANSWER_S)
                places = [TopicPartition(*at, mark.offset, mark.metadata) for at, mark in marks.items()]
                insist(lambda: self._send(places, lease), lasting(ANSWER_S))
            insist(lambda: producer.commit_transaction(ANSWER_S), lasting(COMMIT_S))
        except KafkaException as error:
            cause: KafkaError = error.args[0]
            if cause.fatal() or not cause.txn_requires_abort():
                raise self._told(error, "writing claims") from error
            self._abort()
            return Written.REFUSED if cause.code() in REFUSALS else Written.ABORTED
        return Written.COMMITTED

    def _send(self, places: list[TopicPartition], lease: Lease) -> None:
        self._producer.send_offsets_to_transaction(places, lease.metadata, ANSWER_S)

    def _abort(self) -> None:
        try:
            insist(lambda: self._producer.abort_transaction(ANSWER_S), lasting(COMMIT_S))
        except KafkaException as error:
            raise self._told(error, "aborting claims") from error

    def _told(self, error: KafkaException, doing: str) -> StreamError:
        if error.args[0].fatal():
            return ProducerLost(f"{doing} as {self._id}: {error.args[0].str()}. The caller opens another producer")
        return stream_error(error, f"{doing} as {self._id}", self._settings)
