"""The group's offsets are asked for until the broker tells them, the lease ends, or patience does."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from runtime.records import NOWHERE

from tradewind.streams.runtime.errors import PositionsUnavailable, Superseded
from tradewind.streams.runtime.lease import Lease
from tradewind.streams.runtime.read import positions as positions_module
from tradewind.streams.runtime.read.positions import GroupPositions
from tradewind.streams.runtime.timings import USUAL, Timings

SOON = Timings(ask_again_s=0.001)
BUSY = KafkaException(KafkaError(KafkaError.UNSTABLE_OFFSET_COMMIT))


class Broker:
    """Both clients in one: answers from a list, an exception by raising it."""

    def __init__(self) -> None:
        self.options: dict[str, Any] = {}
        self.answers: list[Any] = []
        self.asked: list[Any] = []
        self.closed = 0

    def committed(self, asked: list[Any], timeout: float) -> Any:
        self.asked.append([(at.topic, at.partition) for at in asked])
        return self._answer()

    def bounds(self, asked: Any) -> Any:
        self.asked.append(asked)
        return self._answer()

    def _answer(self) -> Any:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    """Give what stands for the broker."""
    found = Broker()

    def consumer(options: dict[str, Any]) -> Broker:
        found.options = options
        return found

    monkeypatch.setattr(positions_module, "Consumer", consumer)
    monkeypatch.setattr(positions_module, "Offsets", lambda *_: found)
    return found


def told(topic: str, partition: int, offset: int, error: KafkaError | None = None) -> Any:
    """Return a partition as confluent-kafka tells of it."""
    return SimpleNamespace(topic=topic, partition=partition, offset=offset, error=error)


def test_offsets_are_told_and_none_where_there_is_none(broker: Broker) -> None:
    """Offset 0 is one; asked as the group, and never committed for it."""
    positions = GroupPositions(NOWHERE, "g")
    broker.answers = [[told("x", 0, 0), told("x", 1, -1001), told("y", 0, 7)]]
    at = [("x", 0), ("x", 1), ("y", 0)]
    assert positions.stable(iter(at), lambda: False) == {("x", 0): 0, ("x", 1): None, ("y", 0): 7}
    assert broker.asked == [at]
    assert (broker.options["group.id"], broker.options["enable.auto.commit"]) == ("g", False)


def test_what_is_pending_is_waited_for(broker: Broker) -> None:
    """Offsets only count once they are committed."""
    GroupPositions(NOWHERE, "g")
    assert broker.options["isolation.level"] == "read_committed"


def test_a_question_that_is_refused_is_asked_again(broker: Broker) -> None:
    """A transaction is pending, one partition's leader is away, or nothing comes back in time."""
    positions = GroupPositions(NOWHERE, "g", SOON)
    away = KafkaError(KafkaError.NOT_COORDINATOR)
    broker.answers = [BUSY, [told("x", 0, -1001, away)], TimeoutError(), [told("x", 0, 5)]]
    assert positions.stable([("x", 0)], lambda: False) == {("x", 0): 5}
    broker.asked.clear()
    broker.answers = [BUSY, {("x", 0): (0, 3)}]
    assert positions.bounds(iter([("x", 0)]), lambda: False) == {("x", 0): (0, 3)}
    assert broker.asked == [(("x", 0),)] * 2


def test_the_end_of_a_lease_ends_the_asking(broker: Broker) -> None:
    """Noticed before each question."""
    ended = iter([False, True])
    broker.answers = [BUSY]
    with pytest.raises(Superseded):
        GroupPositions(NOWHERE, "g", SOON).stable([("x", 0)], lambda: next(ended))
    assert len(broker.asked) == 1


def test_patience_is_of_the_time_spent_asking(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that was frozen for longer asks again when it wakes, or learns that it was expelled."""
    now = [0.0]
    monkeypatch.setattr(positions_module, "time", SimpleNamespace(monotonic=lambda: now[0], sleep=lambda s: None))

    def frozen(asked: list[Any], timeout: float) -> Any:
        now[0] += 2 * USUAL.silence_s
        return Broker.committed(broker, asked, timeout)

    broker.committed = frozen  # type: ignore[method-assign]
    broker.answers = [BUSY, BUSY, [told("x", 0, 5)]]
    assert GroupPositions(NOWHERE, "g").stable([("x", 0)], lambda: False) == {("x", 0): 5}
    broker.answers = [BUSY] * 100
    with pytest.raises(PositionsUnavailable):
        GroupPositions(NOWHERE, "g").stable([("x", 0)], lambda: False)
    assert len(broker.answers) == 100 - int(USUAL.silence_s / (USUAL.call_s + USUAL.ask_again_s)) - 1


def test_patience_ends_the_asking(broker: Broker) -> None:
    """The message says of which group, and what may be wrong; any other error is raised as it is."""
    positions = GroupPositions(NOWHERE, "g", Timings(transaction_s=0.001, silence_s=0.002, ask_again_s=0.01))
    broker.answers = [BUSY, ValueError("a bug")]
    with pytest.raises(PositionsUnavailable, match=r"group g: no offsets within 0 s .*UNSTABLE_OFFSET_COMMIT"):
        positions.stable([("x", 0)], lambda: False)
    with pytest.raises(ValueError, match="a bug"):
        positions.stable([("x", 0)], lambda: False)
    positions.close()
    assert broker.closed == 3


def test_a_lease_tells_librdkafka_generation_group_and_member() -> None:
    """In its own serialised form; a test with a broker compares it with a real consumer's."""
    lease = Lease("grüße", 258, "m-1", frozenset({("t", 3), ("t", 1), ("u", 1)}))
    assert lease.metadata() == b"CGMDv2:\x02\x01\x00\x00gr\xc3\xbc\xc3\x9fe\x00m-1\x00\x01"
    assert lease.tasks == (1, 3)
    assert Lease("g", 0, "m", frozenset()).generation == 0, "the first generation of brokers that count from 0"
