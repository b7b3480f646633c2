"""The transactional producer of a worker: a batch's outputs, changelog, dead letters and offsets, all or nothing."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeVar

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka import TopicPartition as Coordinates

from tradewind.connectors.settings import Settings
from tradewind.connectors.telemetry.trace_context import Traced
from tradewind.connectors.telemetry.trace_context import headers as trace_headers
from tradewind.schemas.event import Event
from tradewind.streams.runtime.bounded import NoAnswer, call_within
from tradewind.streams.runtime.errors import AgentCrashed, Superseded, TransactionsFail
from tradewind.streams.runtime.lease import Lease, TopicPartition
from tradewind.streams.runtime.positions import Superseding

TRANSACTION_MS = 10_000  # after this the broker aborts for a worker that is gone: its successor waits no longer
CALL_S = 2.0  # of one call to librdkafka, so that patience that runs out is noticed
INIT_S = 60.0  # the coordinator may be loading, or away for a restart
ABORT_S = 15.0
HURRIED_ABORT_S = 5.0  # where partitions are to be given back; the next producer aborts what is left
OFFSETS_S = 12.0  # more than the transaction's timeout, after which there is nothing to add them to
PATIENCE_S = 45.0  # for a transaction: less than the time after which the group expels a worker that hangs in one
QUEUE_MESSAGES = 200_000  # in librdkafka's memory; a batch that makes more waits while it sends
QUEUE_KBYTES = 64 * 1024
POLL_S = 0.05
LEASE_ENDED = {KafkaError.ILLEGAL_GENERATION, KafkaError.UNKNOWN_MEMBER_ID, KafkaError.FENCED_INSTANCE_ID}
log = logging.getLogger(__name__)
T = TypeVar("T")


class Outgoing(NamedTuple):
    """A record to be produced."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    timestamp: int
    """ms since 1970."""
    traced: Traced | None = None
    """The event, where its record carries the header that names its trace."""


@dataclass(slots=True)
class Draft:
    """What a transaction will make visible."""

    messages: list[Outgoing] = field(default_factory=list)
    offsets: dict[TopicPartition, int] = field(default_factory=dict)
    """Where the group goes on."""
    letters: Counter[str] = field(default_factory=Counter)
    """Dead letters among the messages, by kind."""
    origins: dict[str, Event] | None = None
    """The events that chains of messages begin with, by their ids; None where nobody asked for traces."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a transaction ended.

    `in doubt` says that the commit was asked for and not answered: the group's stable offset tells, once it is known.
    """

    kind: Literal["committed", "aborted", "lease ended", "in doubt"]
    reason: str = ""


class Patience:
    """How long a transaction may take. The event loop shortens it when partitions are revoked."""

    def __init__(self, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds
        self._hurried = False

    def shorten(self, seconds: float) -> None:
        """Leave no more than some seconds."""
        self._hurried |= seconds < ABORT_S
        self._deadline = min(self._deadline, time.monotonic() + seconds)

    @property
    def over(self) -> bool:
        """Whether it has run out."""
        return time.monotonic() >= self._deadline

    @property
    def abort_s(self) -> float:
        """How long the abort may take that follows."""
        return HURRIED_ABORT_S if self._hurried else ABORT_S

    def check(self) -> None:
        """Raise `Impatient` where it has run out."""
        if self.over:
            raise Impatient("it took too long")


class Impatient(Exception):
    """Patience ran out before the commit was asked for."""


class Outbox:
    """Sends drafts. Used by the worker's thread only; a producer that can go on no more is replaced when needed."""

    def __init__(self, settings: Settings, transactional_id: str) -> None:
        self._id = transactional_id
        self._options: dict[str, Any] = {
            **settings.librdkafka(),
            "transactional.id": transactional_id,
            "transaction.timeout.ms": TRANSACTION_MS,
            "compression.type": "lz4",
            "linger.ms": 1,  # fills batches; the broker has not yet agreed to the partitions when it is over
            "retry.backoff.ms": 1,  # brokers ask for the first record of a transaction again while they verify it
            "retry.backoff.max.ms": 100,
            "reconnect.backoff.max.ms": 1000,
            "queue.buffering.max.messages": QUEUE_MESSAGES,
            "queue.buffering.max.kbytes": QUEUE_KBYTES,
        }
        self._producer: Producer | None = None

    def ready(self, superseded: Superseding) -> None:
        """Have a producer: a new one aborts what its predecessor of the same transactional id left pending."""
        spent_s = 0.0  # asking: a process that is frozen asks nothing
        while self._producer is None:
            producer, asked_s = Producer(self._options), time.monotonic()
            try:
                producer.init_transactions(CALL_S)
            except KafkaException as error:
                if superseded():
                    raise Superseded from error
                spent_s += min(time.monotonic() - asked_s, CALL_S)
                if spent_s > INIT_S:
                    raise TransactionsFail(
                        f"{self._id}: no transactions within {INIT_S:.0f} s: {_text(error)}"
                    ) from error
            else:
                self._producer = producer

    def send(self, draft: Draft, lease: Lease, patience: Patience) -> Outcome:
        """Run one transaction; raises `AgentCrashed` for a record that no broker would take."""
        assert self._producer is not None  # the worker called `ready` when it established the lease
        producer = self._producer
        try:
            producer.begin_transaction()
            self._produce(producer, draft, patience)
            _insist(lambda: _send_offsets(producer, draft, lease, patience), patience)
            _insist(lambda: _flush(producer), patience)
        except KafkaException as error:
            return self._failed(producer, error, patience)
        except NoAnswer as reason:
            self._lose(producer)
            return Outcome("aborted", f"sending offsets: {reason}")
        except Impatient as reason:
            return self._aborted(producer, str(reason), patience)
        except BaseException:
            self._aborted(producer, "a bug", patience)
            raise
        return self._commit(producer, patience)

    def _produce(self, producer: Producer, draft: Draft, patience: Patience) -> None:
        produce = producer.produce
        for topic, partition, key, value, timestamp, traced in draft.messages:
            headers = None if traced is None else trace_headers(traced)
            while True:
                try:
                    produce(topic, value, key, partition, timestamp=timestamp, headers=headers)
                except BufferError:
                    patience.check()
                    producer.poll(POLL_S)
                except KafkaException as error:
                    if error.args[0].code() in (KafkaError._STATE, KafkaError._FATAL):
                        raise
                    raise refusal(self._id, topic, partition, value, _text(error)) from error
                else:
                    break

    def _commit(self, producer: Producer, patience: Patience) -> Outcome:
        while True:
            try:
                producer.commit_transaction(CALL_S)
            except KafkaException as error:
                if error.args[0].retriable() and not patience.over:
                    continue
                if error.args[0].txn_requires_abort():
                    return self._failed(producer, error, patience)
                self._lose(producer)
                return Outcome("in doubt", _text(error))
            return Outcome("committed")

    def _failed(self, producer: Producer, error: KafkaException, patience: Patience) -> Outcome:
        cause = error.args[0]
        if cause.fatal() or not cause.txn_requires_abort():
            self._lose(producer)
            return Outcome("aborted", _text(error))
        outcome = self._aborted(producer, _text(error), patience)
        return Outcome("lease ended", outcome.reason) if cause.code() in LEASE_ENDED else outcome

    def _aborted(self, producer: Producer, reason: str, patience: Patience) -> Outcome:
        producer.purge(in_flight=False)
        try:
            _insist(lambda: producer.abort_transaction(CALL_S), Patience(patience.abort_s))
        except (KafkaException, Impatient) as error:
            log.warning("%s: the abort failed too, so the producer is replaced: %s", self._id, error)
            self._lose(producer)
        return Outcome("aborted", reason)

    def _lose(self, producer: Producer) -> None:
        """Give a producer up; what it left pending is aborted by its successor, or by the broker's timeout."""
        producer.purge()
        self._producer = None

    def close(self) -> None:
        """Let the connections go; call it between transactions."""
        self._producer = None


def refusal(sender: str, topic: str, partition: int, value: bytes | None, why: str) -> AgentCrashed:
    """Return the error of a record that no broker would take."""
    size = len(value or b"")
    return AgentCrashed(f"{sender}: {topic}, partition {partition}, refuses a record of {size} bytes: {why}")


def _send_offsets(producer: Producer, draft: Draft, lease: Lease, patience: Patience) -> None:
    """Add the offsets to the transaction; raises `NoAnswer` where librdkafka does not return.

    It ignores its timeout, and after a restart of the coordinator's broker it may wait for ever (its issues 5456 and
    5511). Its producer is given up then, and the transaction with it: the next producer aborts it, and fences what
    might still be sent.
    """
    offsets = [Coordinates(topic, partition, offset) for (topic, partition), offset in draft.offsets.items()]
    metadata = lease.metadata()
    call_within(
        lambda: producer.send_offsets_to_transaction(offsets, metadata, CALL_S), OFFSETS_S, lambda: patience.over
    )


def _flush(producer: Producer) -> None:
    if producer.flush(CALL_S):
        raise _StillSending


class _StillSending(Exception):
    pass


def _insist(call: Callable[[], T], patience: Patience) -> T:
    """Call until it does not fail for a reason that passes; raises `Impatient` when patience runs out."""
    while True:
        patience.check()
        try:
            return call()
        except _StillSending:
            continue
        except KafkaException as error:
            if not error.args[0].retriable():
                raise


def _text(error: KafkaException) -> str:
    cause = error.args[0]
    return f"{cause.name()}: {cause.str()}"
