"""Where a partition ends is asked again while its topic is new."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError, KafkaException
from runtime.records import NOWHERE

from tradewind.connectors.kafka.errors import BrokerUnavailable, TopicMissing
from tradewind.connectors.kafka.offsets import Offsets
from tradewind.streams.replay import reading

AT = ("t.a.journal", 0)


def answers(monkeypatch: pytest.MonkeyPatch, *codes: int) -> None:
    """Have each question answered with the next error, and then with 7."""
    left = list(codes)

    def listed(self: Offsets, asked: object, which: object) -> dict[tuple[str, int], int]:
        if left:
            raise KafkaException(KafkaError(left.pop(0)))
        return {AT: 7}

    monkeypatch.setattr(Offsets, "listed", listed)


@pytest.mark.parametrize("code", [KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_PARTITION])
def test_a_topic_or_a_partition_that_is_not_known_yet_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """The client may have metadata from before the topic had its partitions."""
    answers(monkeypatch, code, code)
    assert reading.ends(NOWHERE, [AT], "latest") == {AT: 7}


def test_a_topic_that_stays_unknown_is_missing_and_any_other_error_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first can be created."""
    answers(monkeypatch, *[KafkaError._UNKNOWN_PARTITION] * 100)
    with pytest.raises(TopicMissing, match="tradewind prepare"):
        reading.ends(NOWHERE, [AT], "latest")
    answers(monkeypatch, KafkaError._TRANSPORT)
    with pytest.raises(BrokerUnavailable, match=r"t\.a\.journal"):
        reading.ends(NOWHERE, [AT], "latest")
