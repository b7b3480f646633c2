"""A topic that was created can be used at once: its partitions have leaders."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, ClassVar

import pytest
from confluent_kafka import KafkaError, KafkaException

from tradewind.connectors.kafka import admin as module
from tradewind.connectors.kafka.admin import create_missing
from tradewind.connectors.kafka.errors import StreamError
from tradewind.connectors.settings import Settings
from tradewind.topics import BARS

UNLED = KafkaException(KafkaError(KafkaError.NOT_LEADER_FOR_PARTITION))


class Cluster:
    """Creates what it is asked for; each partition is without a leader for a number of questions."""

    unled: ClassVar[int] = 0
    asked: ClassVar[list[list[tuple[str, int]]]] = []

    def __init__(self, *_: Any, **__: Any) -> None:
        type(self).asked = []

    def create_topics(self, wanted: list[Any], operation_timeout: float) -> dict[str, Future[None]]:
        """Create topics at once."""
        assert operation_timeout > 0
        done: Future[None] = Future()
        done.set_result(None)
        return {topic.topic: done for topic in wanted}

    def listed(self, places: list[tuple[str, int]], which: str) -> dict[tuple[str, int], int]:
        """Answer once the partitions have a leader."""
        assert which == "latest"
        self.asked.append(list(places))
        if len(self.asked) <= self.unled:
            raise UNLED
        return dict.fromkeys(places, 0)

    def close(self) -> None:
        """Have nothing to close."""


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Give the settings of a cluster that has no topic until one is created."""
    made = Settings(namespace="t.", kafka={"answer_s": 0.3, "bootstrap": "127.0.0.1:1"})
    seen = iter([{}])
    name = made.physical(BARS)
    monkeypatch.setattr(module, "AdminClient", Cluster)
    monkeypatch.setattr(module, "Offsets", Cluster)
    monkeypatch.setattr(module, "partition_counts", lambda _: next(seen, {name: BARS.partitions}))
    return made


def test_a_topic_counts_as_created_once_each_partition_has_a_leader(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A busy broker tells of a partition before it leads it, and refuses what is asked until then."""
    monkeypatch.setattr(Cluster, "unled", 2)
    assert create_missing(settings, [BARS]) == [settings.physical(BARS)]
    every = [(settings.physical(BARS), number) for number in range(BARS.partitions)]
    assert Cluster.asked == [every] * 3


def test_one_that_gets_no_leader_is_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """After `answer_s`."""
    monkeypatch.setattr(Cluster, "unled", 1_000)
    with pytest.raises(StreamError, match=r"waiting for the leaders of t.*: .*[Ll]eader"):
        create_missing(settings, [BARS])
