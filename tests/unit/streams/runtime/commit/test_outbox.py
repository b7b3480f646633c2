"""How a transaction ends is told truly, whatever the producer answers at each of its steps."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from runtime.records import LEASE, NOWHERE

from tradewind.streams.runtime.commit import outbox as outbox_module
from tradewind.streams.runtime.commit.outbox import Draft, Impatient, Outbox, Outcome, Outgoing, Patience
from tradewind.streams.runtime.errors import AgentCrashed, Superseded, TransactionsFail
from tradewind.streams.runtime.timings import USUAL, Timings

AT_ONCE = Timings(session_s=1e-9, transaction_s=1e-9, silence_s=2e-9)
DRAFT = Draft([Outgoing("t", 1, b"k", b"v", 5), Outgoing("t", 2, None, None, 6)], {("in", 0): 9})
ABORT = {"txn_requires_abort": True}
RETRY = {"retriable": True}


def error(code: int = KafkaError._FAIL, **flags: bool) -> KafkaException:
    """Return an error of librdkafka."""
    return KafkaException(KafkaError(code, "because", **flags))


class Scripted:
    """A producer that answers each call by what a test has put down for it, and then well; keeps what was called."""

    def __init__(self, *_: object, **answers: list[object]) -> None:
        self.answers = answers
        self.calls: list[str] = []
        self.produced: list[tuple[Any, ...]] = []
        self.offsets: list[tuple[str, int, int]] = []

    def _answer(self, name: str) -> object:
        self.calls.append(name)
        answer = self.answers[name].pop(0) if self.answers.get(name) else None
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def init_transactions(self, seconds: float) -> None:
        self._answer("init")

    def begin_transaction(self) -> None:
        self._answer("begin")

    def produce(self, topic: str, value: bytes | None, key: bytes | None, partition: int, **more: object) -> None:
        self._answer("produce")
        self.produced.append((topic, value, key, partition, more["timestamp"], more["headers"]))

    def poll(self, seconds: float) -> None:
        self._answer("poll")

    def send_offsets_to_transaction(self, offsets: list[Any], metadata: bytes, seconds: float) -> None:
        assert metadata == LEASE.metadata()
        self._answer("offsets")
        self.offsets = [(at.topic, at.partition, at.offset) for at in offsets]

    def flush(self, seconds: float) -> int:
        return int(bool(self._answer("flush")))

    def commit_transaction(self, seconds: float) -> None:
        self._answer("commit")

    def abort_transaction(self, seconds: float) -> None:
        self._answer("abort")

    def purge(self, *, in_flight: bool = True) -> None:
        self._answer("purge all" if in_flight else "purge")


Send = Callable[..., tuple[Outcome, Scripted, bool]]


@pytest.fixture
def send(monkeypatch: pytest.MonkeyPatch) -> Send:
    """Give what sends the draft by a scripted producer; tells the outcome, and whether that producer is kept."""

    def sent(
        *, patience: float = 60.0, timings: Timings = USUAL, **answers: list[object]
    ) -> tuple[Outcome, Scripted, bool]:
        producer = Scripted(**answers)
        monkeypatch.setattr(outbox_module, "Producer", lambda options: producer)
        outbox = Outbox(NOWHERE, "id", timings)
        outbox.ready(lambda: False)
        outcome = outbox.send(DRAFT, LEASE, Patience(patience))
        return outcome, producer, outbox._producer is not None

    return sent


def test_a_transaction_carries_the_whole_draft(send: Send) -> None:
    """Records, then offsets under the lease; all are flushed before the commit."""
    outcome, producer, kept = send()
    assert (outcome, kept) == (Outcome("committed"), True)
    assert producer.produced == [("t", b"v", b"k", 1, 5, None), ("t", None, None, 2, 6, None)]
    assert producer.offsets == [("in", 0, 9)]
    assert producer.calls == ["init", "begin", "produce", "produce", "offsets", "flush", "commit"]


def test_what_passes_is_waited_for(send: Send) -> None:
    """A full queue, a coordinator that moves, records that are still on their way."""
    outcome, producer, _ = send(
        produce=[BufferError()], offsets=[error(**RETRY)], flush=[1, 1], commit=[error(**RETRY), error(**RETRY)]
    )
    assert outcome.kind == "committed"
    assert producer.calls == [
        *("init", "begin", "produce", "poll", "produce", "produce"),
        *("offsets", "offsets", "flush", "flush", "flush", "commit", "commit", "commit"),
    ]


@pytest.mark.parametrize("step", ["begin", "offsets", "flush", "commit"])
def test_an_error_that_asks_for_an_abort_gets_one(send: Send, step: str) -> None:
    """What was not sent yet is thrown away first; the producer goes on."""
    outcome, producer, kept = send(**{step: [error(**ABORT)]})
    assert (outcome, kept) == (Outcome("aborted", "_FAIL: because"), True)
    assert producer.calls[-2:] == ["purge", "abort"]


@pytest.mark.parametrize(
    "code", [KafkaError.ILLEGAL_GENERATION, KafkaError.UNKNOWN_MEMBER_ID, KafkaError.FENCED_INSTANCE_ID]
)
def test_an_ended_lease_is_told_apart(send: Send, code: int) -> None:
    """Going back to what is committed would be in vain: another worker has the partitions."""
    outcome, producer, kept = send(offsets=[error(code, **ABORT)])
    assert (outcome.kind, kept, producer.calls[-1]) == ("lease ended", True, "abort")


@pytest.mark.parametrize("flags", [{}, {"fatal": True}, {"fatal": True, **ABORT}])
def test_a_producer_that_cannot_go_on_is_replaced(send: Send, flags: dict[str, bool]) -> None:
    """It does not abort: its successor does, by the same id."""
    outcome, producer, kept = send(offsets=[error(**flags)])
    assert (outcome.kind, kept, producer.calls[-1]) == ("aborted", False, "purge all")


@pytest.mark.parametrize("abort", [error(), error(fatal=True)])
def test_an_abort_that_fails_costs_the_producer(send: Send, abort: KafkaException) -> None:
    """The outcome is the same: nothing has become visible."""
    outcome, _, kept = send(flush=[error(**ABORT)], abort=[abort])
    assert (outcome, kept) == (Outcome("aborted", "_FAIL: because"), False)


def test_an_abort_is_tried_again_where_its_failure_passes(send: Send) -> None:
    """As the commit is."""
    outcome, producer, kept = send(flush=[error(**ABORT)], abort=[error(**RETRY)])
    assert (outcome.kind, kept, producer.calls[-2:]) == ("aborted", True, ["abort", "abort"])


def test_a_commit_without_an_answer_is_in_doubt(send: Send) -> None:
    """It may be done: only the group's stable offsets tell."""
    outcome, _, kept = send(commit=[error()])
    assert (outcome, kept) == (Outcome("in doubt", "_FAIL: because"), False)
    outcome, producer, kept = send(commit=[error(**RETRY), error(fatal=True)])
    assert (outcome.kind, kept, producer.calls.count("commit")) == ("in doubt", False, 2)


def test_a_commit_that_would_be_tried_again_is_in_doubt_when_patience_is_over(
    send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was asked for, and may still be done."""
    monkeypatch.setattr(Patience, "check", lambda self: None)
    outcome, producer, kept = send(patience=0.0, commit=[error(**RETRY)] * 3)
    assert (outcome.kind, kept, producer.calls.count("commit")) == ("in doubt", False, 1)


def test_impatience_before_the_commit_aborts(send: Send) -> None:
    """With what is still in the queue thrown away."""
    outcome, producer, kept = send(patience=0.0)
    assert (outcome, kept) == (Outcome("aborted", "it took too long"), True)
    assert producer.calls[-2:] == ["purge", "abort"]
    assert "commit" not in producer.calls
    outcome, _, _ = send(patience=0.0, produce=[BufferError()])
    assert outcome.kind == "aborted"


def test_a_record_that_no_broker_takes_is_a_bug_that_names_its_place(send: Send) -> None:
    """Nothing of the batch becomes visible."""
    with pytest.raises(AgentCrashed, match=r"id: t, partition 1, refuses a record of 1 bytes: MSG_SIZE_TOO_LARGE"):
        send(produce=[error(KafkaError.MSG_SIZE_TOO_LARGE)])
    with pytest.raises(AgentCrashed, match="partition 2, refuses a record of 0 bytes"):
        send(produce=[None, error(KafkaError.MSG_SIZE_TOO_LARGE)])


@pytest.mark.parametrize("code", [KafkaError._STATE, KafkaError._FATAL])
def test_a_producer_that_is_fenced_while_it_produces_is_no_bug(send: Send, code: int) -> None:
    """The transaction has failed, not the record."""
    outcome, _, kept = send(produce=[error(code)])
    assert (outcome.kind, kept) == ("aborted", False)


def test_a_bug_aborts_and_is_raised(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it is."""
    producer: list[Scripted] = []
    monkeypatch.setattr(Scripted, "begin_transaction", lambda self: producer.append(self))  # noqa: PLW0108 - it is bound
    with pytest.raises(ZeroDivisionError):
        send(produce=[ZeroDivisionError()])
    assert producer[0].calls[-2:] == ["purge", "abort"]


def test_offsets_that_are_never_answered_cost_the_producer(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may wait for them for ever."""
    monkeypatch.setattr(Scripted, "send_offsets_to_transaction", lambda *_: time.sleep(1))
    outcome, producer, kept = send(timings=Timings(transaction_s=0.05))
    assert (outcome.kind, kept, producer.calls[-1]) == ("aborted", False, "purge all")
    assert outcome.reason.startswith("sending offsets: no answer")


def test_a_new_producer_is_made_until_one_has_its_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    """The coordinator may be loading; a lease that ends, and a bound, end the trying."""
    tries: list[Scripted] = []

    def producer(options: dict[str, Any]) -> Scripted:
        assert options["transactional.id"] == "id"
        tries.append(Scripted(init=[error()] if len(tries) < 2 else []))
        return tries[-1]

    monkeypatch.setattr(outbox_module, "Producer", producer)
    outbox = Outbox(NOWHERE, "id")
    outbox.ready(lambda: False)
    outbox.ready(lambda: False)
    assert (len(tries), outbox._producer) == (3, tries[2])
    outbox.close()
    assert outbox._producer is None
    tries.clear()
    with pytest.raises(Superseded):
        outbox.ready(lambda: True)
    tries.clear()
    with pytest.raises(TransactionsFail, match=r"id: no transactions within 0 s: _FAIL: because"):
        Outbox(NOWHERE, "id", AT_ONCE).ready(lambda: False)


def test_a_transaction_is_over_before_its_worker_is_expelled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A successor waits for what is pending: no longer than for the partitions."""
    made: list[dict[str, Any]] = []

    def producer(options: dict[str, Any]) -> Scripted:
        made.append(options)
        return Scripted()

    monkeypatch.setattr(outbox_module, "Producer", producer)
    Outbox(NOWHERE, "id").ready(lambda: False)
    Outbox(NOWHERE, "id", Timings(transaction_s=2)).ready(lambda: False)
    assert [options["transaction.timeout.ms"] for options in made] == [1000 * USUAL.transaction_s, 2000]
    assert USUAL.transaction_s <= USUAL.session_s


def test_an_abort_does_not_keep_partitions_that_are_to_be_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """The revocation waits for it; a producer that is replaced costs less."""
    producer = Scripted(flush=[1] * 1000, abort=[error(**RETRY)])
    monkeypatch.setattr(outbox_module, "Producer", lambda options: producer)
    outbox = Outbox(NOWHERE, "id", AT_ONCE)
    outbox.ready(lambda: False)
    patience = Patience(60)
    patience.hurry(0.0)
    assert outbox.send(DRAFT, LEASE, patience).kind == "aborted"
    assert (outbox._producer, producer.calls[-1]) == (None, "purge all")
    first = Patience(math.inf)
    first.shorten(USUAL.patience_s)
    assert not first.hurried, "nobody waits for it"


def test_time_without_asking_is_no_impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that was frozen for longer than its patience tries again when it wakes."""
    now = [0.0]
    monkeypatch.setattr(outbox_module, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def init(self: Scripted, seconds: float) -> None:
        now[0] += 2 * USUAL.silence_s
        self._answer("init")

    monkeypatch.setattr(Scripted, "init_transactions", init)
    answers = [error(), error()]
    monkeypatch.setattr(outbox_module, "Producer", lambda options: Scripted(init=[answers.pop()] if answers else []))
    Outbox(NOWHERE, "id").ready(lambda: False)
    assert answers == []


def test_patience_is_shortened_and_never_lengthened() -> None:
    """A revocation leaves five seconds, or what was left anyway."""
    patience = Patience(60)
    patience.check()
    patience.shorten(100)
    assert not patience.over
    patience.shorten(0)
    patience.shorten(100)
    assert patience.over
    with pytest.raises(Impatient, match="it took too long"):
        patience.check()
