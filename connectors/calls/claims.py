"""Claims: offsets with their metadata, and attempts, written in one short transaction under a lease.

A plain `commit()` would carry whatever generation the client has when it sends. A transaction carries the lease that
the claim was made under, so the broker refuses the claim of a caller that was frozen and lost its partitions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from tradewind.connectors.calls.lease import Lease
from tradewind.connectors.kafka.client import ANSWER_S
from tradewind.connectors.kafka.offsets import Place
from tradewind.connectors.kafka.transaction import LEASE_ENDED, TransactionalProducer
from tradewind.connectors.settings import Settings

REFUSALS = LEASE_ENDED | {KafkaError.REBALANCE_IN_PROGRESS, KafkaError.GROUP_ID_NOT_FOUND}
"""How a broker says that the lease is not the group's any more, or that the group gives out new ones."""
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


class Claims(TransactionalProducer):
    """The transactional producer of a caller. For one thread at a time."""

    def __init__(self, settings: Settings, transactional_id: str, transaction_s: float = TRANSACTION_S) -> None:
        """Prepare; `transactional_id` must be of this process alone, since the group's generation is what fences."""
        # A transaction holds all that there is: waiting for more only delays it.
        super().__init__(settings, transactional_id, transaction_s, {"linger.ms": 0})

    def write(self, lease: Lease | None, marks: Mapping[Place, Mark], outputs: Sequence[Output]) -> Written:
        """Write claims and attempts in one transaction; `lease` may be None if there are no marks.

        Raises `ProducerLost` if this producer cannot continue, and `StreamError` if Kafka does not answer. After
        either, only the group's stable offsets tell whether the transaction was committed.
        """
        try:
            self.begin()
            for one in outputs:
                self.client.produce(
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
                self.client.flush(ANSWER_S)
                places = [TopicPartition(*at, mark.offset, mark.metadata) for at, mark in marks.items()]
                self.add_offsets(places, lease.metadata)
            self.commit()
        except KafkaException as error:
            cause: KafkaError = error.args[0]
            if cause.fatal() or not cause.txn_requires_abort():
                raise self.told(error, "writing claims") from error
            self.abort()
            return Written.REFUSED if cause.code() in REFUSALS else Written.ABORTED
        return Written.COMMITTED
