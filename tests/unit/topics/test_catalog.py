"""Topics are found by name, and are what the architecture says."""

from __future__ import annotations

import pytest

from tradewind.topics import DOMAIN_TOPICS, PARTITIONS, TICKS, UnknownTopic, topic_named


def test_a_topic_by_its_name() -> None:
    """Names are those of the constants."""
    assert topic_named("market.ticks", DOMAIN_TOPICS) is TICKS


def test_an_unknown_name_is_told_with_those_there_are() -> None:
    """A near one is suggested."""
    with pytest.raises(UnknownTopic, match=r"no topic 'market\.bar' \(did you mean market\.bars\?\); topics are: "):
        topic_named("market.bar", DOMAIN_TOPICS)


def test_names_are_unique_and_begin_with_their_owner() -> None:
    """So that a topic's domain is seen in its name."""
    assert len({topic.name for topic in DOMAIN_TOPICS}) == len(DOMAIN_TOPICS)
    assert all(topic.name.startswith(f"{topic.owner}.") for topic in DOMAIN_TOPICS)


def test_the_trading_path_has_one_partition_count() -> None:
    """Task p of every agent owns partition p of all its inputs; only the feeds' positions are apart."""
    assert {topic.name for topic in DOMAIN_TOPICS if topic.partitions != PARTITIONS} == {"market.feed.positions"}


def test_time_never_deletes() -> None:
    """Replayed records are years old; compacted topics keep all."""
    for topic in DOMAIN_TOPICS:
        config = topic.config()
        assert config["retention.ms"] == "-1"
        assert topic.cleanup == "delete" or config["retention.bytes"] == "-1"
