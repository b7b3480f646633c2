"""Topics are found by name, and are what the architecture says."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from tradewind.schemas.execution import Fill
from tradewind.topics import DOMAIN_TOPICS, PARTITIONS, TICKS, UnknownTopic, topic_named
from tradewind.topics.keys import keys_of


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
    """Task p of every agent owns partition p of all its inputs; feeds' positions, tenants and AI are apart."""
    apart = {topic.name for topic in DOMAIN_TOPICS if topic.partitions != PARTITIONS}
    of_ai = {"ai.requests", "ai.attempts", "ai.settings"}
    assert apart == {"market.feed.positions", "tenancy.commands", *of_ai}


def test_the_key_of_a_row_is_the_key_of_its_event() -> None:
    """Else a table would be keyed otherwise than events, and go to other partitions."""
    keyed = [topic for topic in DOMAIN_TOPICS if topic.key_columns]
    assert TICKS in keyed
    for topic in keyed:
        values = {column: f"a {column}" for column in topic.key_columns}
        event: Any = SimpleNamespace(**values)
        assert topic.key(event) == keys_of(pl.DataFrame([values]), topic.key_columns)[0]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"time_carrier": Fill}, "market.ticks: it does not carry its time carrier, Fill"),
        ({"spread": (Fill,)}, "market.ticks: it does not carry Fill, which is to go to every partition"),
        ({"time_carrier": None, "newest_time": True}, "market.ticks: it carries no event that tells the time"),
        ({"key_columns": ("symbol", "account")}, "market.ticks: Tick lacks the key column account"),
    ],
)
def test_a_topic_that_contradicts_itself_is_refused(wrong: dict[str, Any], message: str) -> None:
    """With its name, and what does not fit."""
    with pytest.raises(ValueError, match=message):
        replace(TICKS, **wrong)


def test_time_never_deletes() -> None:
    """Replayed records are years old; compacted topics keep all."""
    for topic in DOMAIN_TOPICS:
        config = topic.config()
        assert config["retention.ms"] == "-1"
        assert topic.cleanup == "delete" or config["retention.bytes"] == "-1"
