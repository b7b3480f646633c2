"""The transactional producer of a worker: a batch's outputs, changelog, dead letters and offsets, all or nothing."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeVar

from confluent_kafka import KafkaException, Producer
from confluent_kafka import TopicPartition as Coordinates

from tradewind.connectors.kafka.client import insist
from tradewind.connectors.kafka.transaction import FAILED_BEFORE, LEASE_ENDED
from tradewind.connectors.settings import Settings
from tradewind.connectors.telemetry.trace_context import Traced
from tradewind.connectors.telemetry.trace_context import headers as trace_headers
from tradewind.schemas.event import Event
from tradewind.streams.runtime.commit.bounded import NoAnswer, call_within
from tradewind.streams.runtime.errors import AgentCrashed, Superseded, TransactionsFail
from tradewind.streams.runtime.lease import Lease, TopicPartition
from tradewind.streams.runtime.read.positions import Superseding
from tradewind.streams.runtime.timings import USUAL, Timings, in_ms

RECORD_BYTES = 1_000_000  # of key, value and headers: what librdkafka takes, and a little less than brokers do
LARGEST_BYTES = RECORD_BYTES - 1_000  # of key and value: the rest is for headers, and what clients and brokers count
QUEUE_MESSAGES = 200_000  # in librdkafka's memory; a batch that makes more waits while it sends
QUEUE_KBYTES = 64 * 1024
POLL_S = 0.05
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
    """The event, if its record carries a trace header."""
    reached: int | None = None
    """Event time of a time carrier, µs, on a topic of which only the newest ones are sent; else None."""


@dataclass(slots=True)
class Draft:
    """What a transaction will make visible."""

    messages: list[Outgoing] = field(default_factory=list)
    offsets: dict[TopicPartition, int] = field(default_factory=dict)
    """The offsets to commit."""
    letters: Counter[str] = field(default_factory=Counter)
    """Dead letters among the messages, by kind."""
    origins: dict[str, Event] | None = None
    """id -> event that begins a chain of messages; None if no traces are exported."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a transaction ended.

    `in doubt`: the commit got no answer. The group's stable offset shows whether the transaction was committed.
    """

    kind: Literal["committed", "aborted", "lease ended", "in doubt"]
    reason: str = ""


class Patience:
    """How long a transaction may take. The event loop shortens it when partitions are revoked."""

    def __init__(self, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds
        self.hurried = False
        """Whether a revocation waits for the end of the transaction, and so for an abort, too."""

    def shorten(self, seconds: float) -> None:
        """Leave no more than some seconds."""
        self._deadline = min(self._deadline, time.monotonic() + seconds)

    def hurry(self, seconds: float) -> None:
        """Leave no more than some seconds, because a revocation waits."""
        self.hurried = True
        self.shorten(seconds)

    @property
    def over(self) -> bool:
        """Whether it has run out."""
        return time.monotonic() >= self._deadline

    def check(self) -> None:
        """Raise `Impatient` if it has run out."""
        if self.over:
            raise Impatient("it took too long")


class Impatient(Exception):
    """Patience ran out before the producer asked for the commit."""


class TooLarge(ValueError):
    """A record that no broker would take."""


def too_large(what: str, size: int) -> TooLarge:
    """Return the error of a record of some bytes, key included."""
    return TooLarge(f"{what} takes {size:,} bytes with its key; brokers take {LARGEST_BYTES:,}")


class Outbox:
    """Sends drafts, in the worker's thread only. After an error that ends its producer, it makes another."""

    def __init__(self, settings: Settings, transactional_id: str, timings: Timings = USUAL) -> None:
        self._id = transactional_id
        self._timings = timings
        self._options: dict[str, Any] = {
            **settings.librdkafka(),
            "transactional.id": transactional_id,
            "transaction.timeout.ms": in_ms(timings.transaction_s),
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
        """Make a producer if there is none. It aborts the pending transaction of its predecessor with the same id."""
        call_s, most_s = self._timings.call_s, self._timings.silence_s
        spent_s = 0.0  # asking: a process that is frozen asks nothing
        while self._producer is None:
            producer, asked_s = Producer(self._options), time.monotonic()
            try:
                producer.init_transactions(call_s)
            except KafkaException as error:
                if superseded():
                    raise Superseded from error
                spent_s += min(time.monotonic() - asked_s, call_s)
                if spent_s > most_s:
                    raise TransactionsFail(
                        f"{self._id}: no transactions within {most_s:.0f} s: {_text(error)}"
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
            _insist(lambda: self._send_offsets(producer, draft, lease, patience), patience)
            _insist(lambda: self._flush(producer, patience), patience)
        except KafkaException as error:
            return self._fail(producer, error, patience)
        except NoAnswer as reason:
            self._drop(producer)
            return Outcome("aborted", f"sending offsets: {reason}")
        except Impatient as reason:
            return self._abort(producer, str(reason), patience)
        except BaseException:
            self._abort(producer, "a bug", patience)
            raise
        return self._commit(producer, patience)

    def _produce(self, producer: Producer, draft: Draft, patience: Patience) -> None:
        produce = producer.produce
        for topic, partition, key, value, timestamp, traced, _ in draft.messages:
            headers = None if traced is None else trace_headers(traced)
            while True:
                try:
                    produce(topic, value, key, partition, timestamp=timestamp, headers=headers)
                except BufferError:
                    patience.check()
                    producer.poll(POLL_S)
                except KafkaException as error:
                    if error.args[0].code() in FAILED_BEFORE:
                        raise
                    raise refusal(self._id, topic, partition, value, _text(error)) from error
                else:
                    break

    def _send_offsets(self, producer: Producer, draft: Draft, lease: Lease, patience: Patience) -> None:
        """Add the offsets to the transaction; raises `NoAnswer` if librdkafka does not return.

        The call ignores its timeout, and after a restart of the coordinator's broker it may wait for ever (librdkafka's
        issues 5456 and 5511). Then the outbox drops the producer. The next producer aborts the transaction, and fences
        whatever the old one might still send.
        """
        offsets = [Coordinates(topic, partition, offset) for (topic, partition), offset in draft.offsets.items()]
        metadata, timings = lease.metadata(), self._timings
        call_within(
            lambda: producer.send_offsets_to_transaction(offsets, metadata, timings.call_s),
            timings.offsets_s,
            lambda: patience.over,
        )

    def _flush(self, producer: Producer, patience: Patience) -> None:
        while producer.flush(self._timings.call_s):
            patience.check()

    def _commit(self, producer: Producer, patience: Patience) -> Outcome:
        try:
            insist(lambda: producer.commit_transaction(self._timings.call_s), lambda: not patience.over)
        except KafkaException as error:
            if error.args[0].txn_requires_abort():
                return self._fail(producer, error, patience)
            self._drop(producer)
            return Outcome("in doubt", _text(error))
        return Outcome("committed")

    def _fail(self, producer: Producer, error: KafkaException, patience: Patience) -> Outcome:
        cause = error.args[0]
        if cause.fatal() or not cause.txn_requires_abort():
            self._drop(producer)
            return Outcome("aborted", _text(error))
        outcome = self._abort(producer, _text(error), patience)
        return Outcome("lease ended", outcome.reason) if cause.code() in LEASE_ENDED else outcome

    def _abort(self, producer: Producer, reason: str, patience: Patience) -> Outcome:
        producer.purge(in_flight=False)
        timings = self._timings
        most_s = timings.hurried_abort_s if patience.hurried else timings.abort_s
        try:
            _insist(lambda: producer.abort_transaction(timings.call_s), Patience(most_s))
        except (KafkaException, Impatient) as error:
            log.warning("%s: the abort failed too, so the producer is replaced: %s", self._id, error)
            self._drop(producer)
        return Outcome("aborted", reason)

    def _drop(self, producer: Producer) -> None:
        """Drop a producer. Its successor, or the broker's timeout, aborts its pending transaction."""
        producer.purge()
        self._producer = None

    def close(self) -> None:
        """Close the connections; call it between transactions."""
        self._producer = None


def refusal(sender: str, topic: str, partition: int, value: bytes | None, why: str) -> AgentCrashed:
    """Return the error of a record that no broker would take."""
    size = len(value or b"")
    return AgentCrashed(f"{sender}: {topic}, partition {partition}, refuses a record of {size} bytes: {why}")


def _insist(call: Callable[[], T], patience: Patience) -> T:
    """Call again as long as it fails with a retriable error; raises `Impatient` when patience runs out."""

    def patient() -> bool:
        patience.check()
        return True

    patient()
    return insist(call, patient)


def _text(error: KafkaException) -> str:
    cause = error.args[0]
    return f"{cause.name()}: {cause.str()}"
