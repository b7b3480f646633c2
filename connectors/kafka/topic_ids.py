"""Kafka's own ids of topics: a topic that is deleted and created again has another, though its name is the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from tradewind.connectors.kafka.client import ANSWER_S, options, stream_error
from tradewind.connectors.settings import Settings

UNTOLD = "A" * 22
"""Sixteen bytes of zero: a broker without topic ids."""


def as_printed(topic_id: str | None) -> str | None:
    """Return an id as Kafka's tools print it, for librdkafka prints another alphabet; None where there is none."""
    if topic_id is None or topic_id.rstrip("=") == UNTOLD:
        return None
    return topic_id.rstrip("=").replace("+", "-").replace("/", "_")


def topic_ids(settings: Settings, names: Iterable[str]) -> Mapping[str, str]:
    """Return name -> id of topics, by their names without the namespace; those that are not there are left out.

    Raises `BrokerUnavailable` where Kafka does not answer.
    """
    physical = {settings.physical(name): name for name in sorted(set(names))}
    client = AdminClient(options(settings))
    found = {}
    for name, future in client.describe_topics(TopicCollection(list(physical)), request_timeout=ANSWER_S).items():
        try:
            found[physical[name]] = str(future.result().topic_id)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise stream_error(error, f"describing {name}", settings) from error
    return found
