"""What is no offset is never taken for one: a changelog would seem to be empty."""

from __future__ import annotations

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec
from runtime_records import NOWHERE

from tradewind.connectors.kafka import offsets as module
from tradewind.connectors.kafka.client import PASSING
from tradewind.connectors.kafka.offsets import ANSWER_S, Offsets, Watermarks

AT = [("t", 0), ("t", 1)]


class Admin:
    """Answers each partition with an offset, an error, or not at all; counts how often one is made."""

    made = 0
    says: tuple[Any, ...] = ()
    asked: tuple[tuple[object, object], ...] = ()
    """(isolation, which offset) of each partition that was asked for."""

    def __init__(self, _options: object) -> None:
        type(self).made += 1

    def list_offsets(
        self, asked: dict[TopicPartition, object], *, isolation_level: object, request_timeout: float
    ) -> dict[TopicPartition, Future[Any]]:
        """Answer as told."""
        assert 0 < request_timeout <= ANSWER_S
        type(self).asked += tuple((isolation_level, spec) for spec in asked.values())
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
    monkeypatch.setattr(Admin, "asked", ())
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


def test_an_end_is_the_last_stable_offset_unless_the_very_end_is_asked_for(
    offsets: Offsets, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lag that counted what is pending would not reach 0 while a transaction of anybody is open."""
    monkeypatch.setattr(Admin, "says", (0, 5))
    offsets.listed(AT, "latest")
    Offsets(NOWHERE, IsolationLevel.READ_UNCOMMITTED).listed(AT, "latest")
    offsets.known(AT, "earliest")
    committed, uncommitted = IsolationLevel.READ_COMMITTED, IsolationLevel.READ_UNCOMMITTED
    latest, earliest = OffsetSpec.latest(), OffsetSpec.earliest()
    assert Admin.asked == (
        *[(committed, latest)] * len(AT),
        *[(uncommitted, latest)] * len(AT),
        *[(committed, earliest)] * len(AT),
    )


class Reader:
    """Tells the watermarks of one partition after the other; None where no answer comes, an exception by raising it."""

    made = 0
    says: tuple[Any, ...] = ()
    options: ClassVar[dict[str, Any]] = {}

    def __init__(self, options: dict[str, Any]) -> None:
        type(self).made += 1
        type(self).options = options
        self._says = list(self.says)

    def get_watermark_offsets(self, _of: TopicPartition, timeout: float, cached: bool) -> Any:
        """Answer as told."""
        assert (timeout, cached) == (0.05, False)
        says = self._says.pop(0)
        if isinstance(says, Exception):
            raise says
        return says

    def close(self) -> None:
        """Do nothing."""


@pytest.fixture
def watermarks(monkeypatch: pytest.MonkeyPatch) -> Watermarks:
    """Give watermarks that ask `Reader`."""
    monkeypatch.setattr(module, "Consumer", Reader)
    monkeypatch.setattr(Reader, "made", 0)
    return Watermarks(NOWHERE, answer_s=0.05)


def test_watermarks_are_the_first_offset_and_the_very_end(
    watermarks: Watermarks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The marker of a changelog's last transaction may be on its way, so that its end is not the last stable offset."""
    monkeypatch.setattr(Reader, "says", ((0, 0), (2, 9)))
    assert [watermarks.of(at) for at in AT] == [(0, 0), (2, 9)]
    assert (Reader.options["isolation.level"], Reader.options["enable.auto.commit"]) == ("read_uncommitted", False)
    assert Reader.made == 1


@pytest.mark.parametrize("says", [None, (-1001, -1001), KafkaException(KafkaError(KafkaError._NOENT))])
def test_a_watermark_that_is_not_told_is_an_error_and_another_client_asks_next(
    watermarks: Watermarks, monkeypatch: pytest.MonkeyPatch, says: Any
) -> None:
    """No client is kept that has lost its leaders."""
    monkeypatch.setattr(Reader, "says", (says,))
    for made in (1, 2):
        with pytest.raises(KafkaException):
            watermarks.of(AT[0])
        assert Reader.made == made
