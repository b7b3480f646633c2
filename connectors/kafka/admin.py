"""Create the topics that are missing, and say how the cluster's differ from the declared ones; none is altered."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

from tradewind.connectors.kafka.client import options, stream_error, until_settled
from tradewind.connectors.kafka.errors import BrokerUnavailable, TopicDiffers, TopicMissing
from tradewind.connectors.kafka.offsets import Offsets
from tradewind.connectors.settings import Settings
from tradewind.topics import Topic

EXISTS = "exists"
SEEN_S = 0.05  # between looks for a topic that was just made


@dataclass(frozen=True, slots=True)
class Difference:
    """A setting of a topic that is not as declared."""

    topic: str
    """Its name on the cluster."""
    setting: str
    declared: str
    found: str

    def __str__(self) -> str:
        if self.setting == EXISTS:
            return f"{self.topic}: missing"
        return f"{self.topic}: {self.setting} is {self.found}, declared is {self.declared}"


def partition_counts(settings: Settings) -> dict[str, int]:
    """Return the partitions of every topic on the cluster in the namespace: name on the cluster -> count."""
    try:
        found = AdminClient(options(settings)).list_topics(timeout=settings.kafka.answer_s).topics
    except KafkaException as error:
        raise stream_error(error, "listing topics", settings) from error
    return {
        name: len(topic.partitions)
        for name, topic in sorted(found.items())
        if name.startswith(settings.namespace) and not name.startswith("__") and topic.error is None
    }


def create_missing(settings: Settings, topics: Iterable[Topic]) -> list[str]:
    """Create the topics that the cluster lacks; returns their names on the cluster."""
    present = partition_counts(settings)
    missing = {settings.physical(topic): topic for topic in topics if settings.physical(topic) not in present}
    if not missing:
        return []
    wanted = [
        NewTopic(
            name,
            num_partitions=topic.partitions,
            replication_factor=settings.kafka.replication_factor,
            config=topic.config(),
        )
        for name, topic in missing.items()
    ]
    created = []
    admin = AdminClient(options(settings))  # held: its answers end with it
    for name, future in admin.create_topics(wanted, operation_timeout=settings.kafka.answer_s).items():
        try:
            future.result()
        except KafkaException as error:
            if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
                continue  # another process created it since we looked
            raise stream_error(error, f"creating topic {name}", settings) from error
        created.append(name)
    _wait_for(settings, missing)
    return created


def _wait_for(settings: Settings, names: Iterable[str]) -> None:
    """Wait until brokers tell of the topics that the controller has made, and lead all of their partitions.

    Under load each takes seconds, and until then whoever uses a partition is told that nobody leads it.
    """
    created = sorted(names)
    deadline = time.monotonic() + settings.kafka.answer_s
    while set(created) - (counts := partition_counts(settings)).keys():
        if time.monotonic() > deadline:
            waited = f"after {settings.kafka.answer_s:.0f} s no broker knows it"
            raise BrokerUnavailable(f"{created[0]} was created, and {waited}")
        time.sleep(SEEN_S)
    partitions = [(name, number) for name in created for number in range(counts[name])]
    offsets = Offsets(settings)
    try:
        until_settled(lambda: offsets.listed(partitions, "latest"), settings.kafka.answer_s)
    except KafkaException as error:
        raise stream_error(error, f"waiting for the leaders of {', '.join(created)}", settings) from error
    finally:
        offsets.close()


def compare(settings: Settings, topics: Iterable[Topic]) -> list[Difference]:
    """Return how the cluster's topics differ from the declared ones; a missing one differs in `exists`."""
    present = partition_counts(settings)
    differences: list[Difference] = []
    expected: dict[str, Topic] = {}
    for topic in topics:
        name = settings.physical(topic)
        if name not in present:
            differences.append(Difference(name, EXISTS, "yes", "no"))
            continue
        expected[name] = topic
        if present[name] != topic.partitions:
            differences.append(Difference(name, "partitions", str(topic.partitions), str(present[name])))
    for name, found in _configs(settings, expected).items():
        for setting, declared in expected[name].config().items():
            if found.get(setting) != declared:
                differences.append(Difference(name, setting, declared, found.get(setting, "not reported")))
    return differences


def _configs(settings: Settings, names: Iterable[str]) -> dict[str, Mapping[str, str]]:
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
    if not resources:
        return {}
    configs: dict[str, Mapping[str, str]] = {}
    admin = AdminClient(options(settings))  # held: its answers end with it
    for resource, future in admin.describe_configs(resources).items():
        try:
            entries = future.result(settings.kafka.answer_s)
        except KafkaException as error:
            raise stream_error(error, f"reading the configuration of {resource.name}", settings) from error
        configs[resource.name] = {name: entry.value for name, entry in entries.items()}
    return configs


def ensure(settings: Settings, topics: Iterable[Topic]) -> None:
    """Create what is missing; raises `TopicDiffers` where a partition count is not as declared.

    A key would go to another partition than the agents' tasks expect. Other differences do no such harm: `compare`
    tells them.
    """
    topics = tuple(topics)
    present = partition_counts(settings)
    if any(settings.physical(topic) not in present for topic in topics):
        create_missing(settings, topics)
    for topic in topics:
        found = present.get(settings.physical(topic))
        if found is not None and found != topic.partitions:
            raise TopicDiffers(
                f"{settings.physical(topic)} has {found} partitions, declared are {topic.partitions}: agents would "
                "look for its records elsewhere. Use another namespace, or move the records to a topic as declared."
            )


def require(settings: Settings, topic: Topic) -> int:
    """Return the partitions of a topic; raises `TopicMissing` where the cluster has none of that name."""
    name = settings.physical(topic)
    present = partition_counts(settings)
    if name not in present:
        there = ", ".join(present) or "none"
        raise TopicMissing(f"Kafka has no topic {name}: create it by `tradewind topics apply`; there are: {there}")
    return present[name]
