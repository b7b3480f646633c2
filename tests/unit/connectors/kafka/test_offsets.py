"""What is no offset is never taken for one: a changelog would seem to be empty."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from runtime.records import NOWHERE

from tradewind.connectors.kafka import offsets as module
from tradewind.connectors.kafka.client import PASSING
from tradewind.connectors.kafka.offsets import ANSWER_S, Offsets

AT = [("t", 0), ("t", 1)]
AWAY = KafkaException(KafkaError(KafkaError._TIMED_OUT))


class Reader:
    """A consumer that tells each partition's offset, or an error of it; counts how often one is made and closed."""

    made = closed = 0
    says: ClassVar[dict[tuple[str, int], int | KafkaError]] = {}
    together: ClassVar[Exception | None] = None
    """What the question fails with where it is of more partitions than one."""
    leaders: ClassVar[dict[int, int]] = {}
    asked: ClassVar[list[tuple[str, int, list[int]]]] = []
    """(isolation, time, partitions) of each question."""

    def __init__(self, options: dict[str, Any]) -> None:
        type(self).made += 1
        assert options["enable.auto.commit"] is False
        self._isolation = options["isolation.level"]

    def poll(self, seconds: float) -> None:
        """Have nothing to say, at once."""
        assert seconds == 0

    def offsets_for_times(self, asked: list[TopicPartition], timeout: float) -> list[Any]:
        """Answer as told."""
        assert 0 < timeout <= ANSWER_S
        (time,) = {at.offset for at in asked}
        self.asked.append((self._isolation, time, [at.partition for at in asked]))
        if self.together is not None and len(asked) > 1:
            raise self.together
        return [self._answer(at) for at in asked]

    def _answer(self, at: TopicPartition) -> Any:
        says = self.says[at.topic, at.partition]
        error = says if isinstance(says, KafkaError) else None
        return SimpleNamespace(topic=at.topic, partition=at.partition, offset=-1 if error else says, error=error)

    def list_topics(self, timeout: float) -> Any:
        """Tell who leads."""
        assert timeout <= ANSWER_S
        if not self.leaders:
            raise AWAY
        partitions = {number: SimpleNamespace(leader=leader) for number, leader in self.leaders.items()}
        return SimpleNamespace(topics={"t": SimpleNamespace(partitions=partitions)})

    def close(self) -> None:
        """Count it."""
        type(self).closed += 1


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> type[Reader]:
    """Give what is asked."""
    monkeypatch.setattr(module, "Consumer", Reader)
    for name, value in {"made": 0, "closed": 0, "says": {}, "together": None, "leaders": {}, "asked": []}.items():
        monkeypatch.setattr(Reader, name, value)
    return Reader


@pytest.mark.parametrize("says", [-1001, -1, -2, KafkaError(KafkaError.NOT_LEADER_FOR_PARTITION)])
def test_what_is_not_told_is_an_error_that_passes(reader: type[Reader], says: Any) -> None:
    """As librdkafka leaves the number that it was asked with, without an error, where a broker was killed."""
    reader.says = {AT[0]: 7, AT[1]: says}
    offsets = Offsets(NOWHERE)
    with pytest.raises(KafkaException) as told:
        offsets.listed(AT, "latest")
    assert told.value.args[0].code() in PASSING
    with pytest.raises(KafkaException):
        offsets.bounds(AT)
    assert offsets.known(AT, "latest") == {("t", 0): 7}
    assert reader.made > 1, "no client is kept that may have lost its leaders"
    offsets.close()
    assert reader.closed == reader.made


def test_offsets_that_are_told_are_returned(reader: type[Reader]) -> None:
    """0, too, by one connection, in one question; nothing is asked for nothing."""
    reader.says = {AT[0]: 0, AT[1]: 5}
    offsets = Offsets(NOWHERE)
    assert offsets.listed(iter(AT), "earliest") == offsets.known(iter(AT), "earliest") == {("t", 0): 0, ("t", 1): 5}
    assert offsets.bounds(iter(AT)) == {("t", 0): (0, 0), ("t", 1): (5, 5)}
    assert (offsets.listed((), "latest"), offsets.bounds(())) == ({}, {})
    assert reader.made == 1
    earliest, latest = -2, -1
    assert [time for _, time, _ in reader.asked] == [earliest, earliest, earliest, latest]
    assert [partitions for _, _, partitions in reader.asked] == [[0, 1]] * 4


def test_an_end_is_the_last_stable_offset_unless_the_very_end_is_asked_for(reader: type[Reader]) -> None:
    """A lag that counted what is pending would not reach 0 while a transaction of anybody is open."""
    reader.says = {AT[0]: 0, AT[1]: 5}
    Offsets(NOWHERE).listed(AT, "latest")
    Offsets(NOWHERE, "read_uncommitted").listed(AT, "latest")
    assert [isolation for isolation, _, _ in reader.asked] == ["read_committed", "read_uncommitted"]


def test_where_the_question_fails_as_a_whole_each_leader_is_asked(reader: type[Reader]) -> None:
    """One broker that is away makes it fail for the partitions of all; those without a leader are left out."""
    reader.says = {("t", number): number for number in range(4)}
    reader.together, reader.leaders = AWAY, {0: 1, 1: 2, 2: -1}
    offsets = Offsets(NOWHERE)
    every = [("t", number) for number in range(4)]
    assert offsets.known(every, "latest") == {("t", 0): 0, ("t", 1): 1}
    assert [partitions for _, _, partitions in reader.asked] == [[0, 1, 2, 3], [0], [1]]
    with pytest.raises(KafkaException):
        offsets.listed(every, "latest")
    reader.leaders = {}
    assert offsets.known(every, "latest") == {}
