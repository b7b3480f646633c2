"""What is no offset is never taken for one: a changelog would seem to be empty."""

from __future__ import annotations

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from runtime_records import NOWHERE

from tradewind.connectors.kafka import offsets as module
from tradewind.connectors.kafka.client import PASSING
from tradewind.connectors.kafka.offsets import Offsets

AT = [("t", 0), ("t", 1)]


class Admin:
    """Answers each partition with an offset, an error, or not at all; counts how often one is made."""

    made = 0
    says: tuple[Any, ...] = ()

    def __init__(self, _options: object) -> None:
        type(self).made += 1

    def list_offsets(self, asked: dict[TopicPartition, object], **_: object) -> dict[TopicPartition, Future[Any]]:
        """Answer as told."""
        answers: dict[TopicPartition, Future[Any]] = {}
        for of, says in zip(asked, self.says, strict=True):
            answers[of] = Future()
            if isinstance(says, int):
                answers[of].set_result(SimpleNamespace(offset=says))
            elif says is not None:
                answers[of].set_exception(says)
        return answers


@pytest.fixture
def offsets(monkeypatch: pytest.MonkeyPatch) -> Offsets:
    """Give offsets that ask `Admin`."""
    monkeypatch.setattr(module, "AdminClient", Admin)
    monkeypatch.setattr(module, "SLACK_S", 0.0)
    monkeypatch.setattr(Admin, "made", 0)
    return Offsets(NOWHERE, answer_s=0.05)


@pytest.mark.parametrize("says", [-1001, -1, None])
def test_what_is_not_told_is_an_error_that_passes(offsets: Offsets, monkeypatch: pytest.MonkeyPatch, says: Any) -> None:
    """As librdkafka leaves -1001, without an error, where a broker was killed."""
    monkeypatch.setattr(Admin, "says", (7, says))
    with pytest.raises(KafkaException) as told:
        offsets.listed(AT, "latest")
    assert told.value.args[0].code() in PASSING | {KafkaError._TIMED_OUT}
    assert offsets.known(AT, "latest") == {("t", 0): 7}


def test_offsets_that_are_told_are_returned(offsets: Offsets, monkeypatch: pytest.MonkeyPatch) -> None:
    """0, too, by one connection; nothing is asked for nothing."""
    monkeypatch.setattr(Admin, "says", (0, 5))
    assert offsets.listed(AT, "earliest") == offsets.known(AT, "earliest") == {("t", 0): 0, ("t", 1): 5}
    assert offsets.listed((), "latest") == {}
    assert Admin.made == 1


def test_a_client_that_has_lost_its_leaders_is_replaced(offsets: Offsets, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would say so for minutes after the broker is back."""
    monkeypatch.setattr(Admin, "says", (7, KafkaException(KafkaError(KafkaError._NOENT))))
    assert offsets.known(AT, "latest") == offsets.known(AT, "latest") == {("t", 0): 7}
    assert Admin.made == 2
