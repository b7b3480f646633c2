"""A partition that nobody leads yet is asked about again; all other errors are told at once."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError, KafkaException

from tradewind.connectors.kafka import client
from tradewind.connectors.kafka.client import settled


def answers(*codes: int) -> list[int]:
    """Return the codes of the errors that a broker gives before it answers."""
    return list(codes)


def ask(codes: list[int]) -> str:
    """Give the next error, or the answer."""
    if codes:
        raise KafkaException(KafkaError(codes.pop(0)))
    return "told"


def test_a_new_partition_is_asked_about_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that starts right after the topic was created gets its answer."""
    monkeypatch.setattr(client, "PASSING_PAUSE_S", 0.001)
    codes = answers(KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.COORDINATOR_LOAD_IN_PROGRESS)
    assert settled(lambda: ask(codes)) == "told"


def test_a_partition_that_stays_without_a_leader_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait has an end."""
    monkeypatch.setattr(client, "PASSING_PAUSE_S", 0.001)

    def forever() -> str:
        return ask([KafkaError.NOT_LEADER_FOR_PARTITION])

    with pytest.raises(KafkaException, match="NOT_LEADER"):
        settled(forever, 0.02)


def test_other_errors_are_told_at_once() -> None:
    """A reader that may not read the topic need not wait."""
    codes = answers(KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.NOT_LEADER_FOR_PARTITION)
    with pytest.raises(KafkaException, match="AUTHORIZATION"):
        settled(lambda: ask(codes))
    assert codes == [KafkaError.NOT_LEADER_FOR_PARTITION]
