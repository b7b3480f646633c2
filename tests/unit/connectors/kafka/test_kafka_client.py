"""A partition that nobody leads yet is asked about again; all other errors are told at once."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError, KafkaException

from tradewind.connectors.kafka.client import insist, lasting, until_settled


def answers(*codes: int) -> list[int]:
    """Return the codes of the errors that a broker gives before it answers."""
    return list(codes)


def ask(codes: list[int]) -> str:
    """Give the next error, or the answer."""
    if codes:
        raise KafkaException(KafkaError(codes.pop(0)))
    return "told"


def test_a_new_partition_is_asked_about_again() -> None:
    """A reader that starts right after the topic was created gets its answer."""
    codes = answers(KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.COORDINATOR_LOAD_IN_PROGRESS)
    assert until_settled(lambda: ask(codes), pause_s=0.001) == "told"


def test_a_partition_that_stays_without_a_leader_is_told() -> None:
    """The wait has an end."""

    def forever() -> str:
        return ask([KafkaError.NOT_LEADER_FOR_PARTITION])

    with pytest.raises(KafkaException, match="NOT_LEADER"):
        until_settled(forever, 0.02, pause_s=0.001)


def test_other_errors_are_told_at_once() -> None:
    """A reader that may not read the topic need not wait."""
    codes = answers(KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.NOT_LEADER_FOR_PARTITION)
    with pytest.raises(KafkaException, match="AUTHORIZATION"):
        until_settled(lambda: ask(codes))
    assert codes == [KafkaError.NOT_LEADER_FOR_PARTITION]


def test_a_call_whose_failure_passes_is_made_again_while_there_is_patience() -> None:
    """Of a transactional producer: what it returns is returned, and its last error is raised when patience ends."""
    failures = [KafkaError(KafkaError._TIMED_OUT, "slow", retriable=True) for _ in range(3)]

    def call() -> str:
        if failures:
            raise KafkaException(failures.pop())
        return "done"

    patience = iter([True, False])
    with pytest.raises(KafkaException, match="slow"):
        insist(call, lambda: next(patience))
    assert len(failures) == 1, "one at first, and another one while there was patience"
    assert insist(call, lasting(60.0)) == "done"


def test_a_call_that_fails_for_good_is_made_once() -> None:
    """Whatever patience there is."""
    failures = [KafkaError(KafkaError._FENCED, "fenced", fatal=True), KafkaError(KafkaError._FAIL, "again")]

    def call() -> None:
        raise KafkaException(failures.pop(0))

    with pytest.raises(KafkaException, match="fenced"):
        insist(call, lasting(60.0))
    assert len(failures) == 1
