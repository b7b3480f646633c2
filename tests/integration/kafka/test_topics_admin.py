"""Topics are created as declared; those that are otherwise are told, and left alone."""

from __future__ import annotations

import subprocess

import pytest
from confluent_kafka.admin import AdminClient, NewTopic
from processes.forking import finished
from processes.pipeline import environment

from tradewind.connectors.kafka.admin import compare, create_missing, ensure, partition_counts
from tradewind.connectors.kafka.errors import TopicDiffers
from tradewind.connectors.settings import Settings
from tradewind.infra.cli.processes.prepare import every_topic
from tradewind.topics import BARS, DOMAIN_TOPICS, TICKS


def made(settings: Settings, name: str, partitions: int, config: dict[str, str]) -> None:
    """Create a topic as somebody else would."""
    admin = AdminClient(settings.librdkafka())
    for future in admin.create_topics([NewTopic(name, partitions, 1, config=config)]).values():
        future.result(30)


def test_missing_topics_are_created_once(settings: Settings) -> None:
    """In the namespace, as declared; a second time there is nothing to do."""
    assert len(create_missing(settings, DOMAIN_TOPICS)) == len(DOMAIN_TOPICS)
    assert create_missing(settings, DOMAIN_TOPICS) == []
    assert compare(settings, DOMAIN_TOPICS) == []
    assert set(partition_counts(settings)) == {settings.physical(topic) for topic in DOMAIN_TOPICS}


def test_differences_are_told_and_nothing_is_altered(settings: Settings) -> None:
    """Partitions, clean-up, retention and segments."""
    made(settings, settings.physical(TICKS), 2, {"cleanup.policy": "compact", "retention.bytes": "7"})
    create_missing(settings, [BARS])
    found = {difference.setting: difference for difference in compare(settings, [TICKS, BARS])}
    assert set(found) == {"partitions", "cleanup.policy", "retention.bytes", "retention.ms", "segment.bytes"}
    assert (found["partitions"].declared, found["partitions"].found) == ("4", "2")
    assert str(found["cleanup.policy"]) == f"{settings.physical(TICKS)}: cleanup.policy is compact, declared is delete"
    assert partition_counts(settings)[settings.physical(TICKS)] == 2
    with pytest.raises(TopicDiffers, match="has 2 partitions, declared are 4"):
        ensure(settings, [TICKS])


def test_the_commands_list_and_create(settings: Settings) -> None:
    """`list` tells what is missing, `apply` creates it."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return finished("topics", *arguments, environment=environment(settings), timeout_s=60)

    before = run("list")
    assert before.returncode == 0, before.stderr
    assert f"differs: {settings.physical(TICKS)}: missing" in before.stderr
    applied = run("apply")
    names = {line.removeprefix("created ") for line in applied.stdout.splitlines()}
    assert applied.returncode == 0, applied.stderr
    assert names == {settings.physical(topic) for topic in every_topic(settings)}
    assert settings.physical("market.dlq") in names
    after = run("list")
    assert "differs" not in after.stderr
    assert "Tick, Heartbeat" in after.stdout
