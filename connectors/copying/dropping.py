"""Remove a namespace: its topics and its groups."""

from __future__ import annotations

import time
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from tradewind.connectors.copying.errors import CopyRefused
from tradewind.connectors.kafka.admin import partition_counts
from tradewind.connectors.kafka.client import options, stream_error
from tradewind.connectors.kafka.errors import BrokerUnavailable
from tradewind.connectors.settings import Settings

AGAIN_S = 0.1  # between two looks at what is left
GONE = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.GROUP_ID_NOT_FOUND}


@dataclass(frozen=True, slots=True)
class Contents:
    """What a namespace has."""

    topics: tuple[str, ...]
    groups: tuple[str, ...]


def contents(settings: Settings) -> Contents:
    """Return the topics and groups of a namespace. Raises `StreamError`."""
    try:
        listed = AdminClient(options(settings)).list_consumer_groups().result(settings.kafka.answer_s)
    except KafkaException as error:
        raise stream_error(error, "listing groups", settings) from error
    groups = sorted(one.group_id for one in listed.valid if one.group_id.startswith(settings.namespace))
    return Contents(tuple(partition_counts(settings)), tuple(groups))


def drop(settings: Settings, found: Contents) -> None:
    """Delete topics and groups. Raises `CopyRefused` if somebody reads there, and `StreamError`."""
    if not settings.namespace:
        raise CopyRefused("the namespace has no name: everything would be removed")
    admin = AdminClient(options(settings))
    try:
        if found.groups:
            described = admin.describe_consumer_groups(list(found.groups)).items()
            busy = sorted(name for name, answer in described if answer.result(settings.kafka.answer_s).members)
            if busy:
                raise CopyRefused(f"group {busy[0]} has members: stop the processes of {settings.namespace} first")
            _settle(admin.delete_consumer_groups(list(found.groups)), settings)
        if found.topics:
            _settle(admin.delete_topics(list(found.topics)), settings)
            _wait_until_gone(settings)
    except KafkaException as error:
        raise stream_error(error, f"removing the namespace {settings.namespace}", settings) from error


def _wait_until_gone(settings: Settings) -> None:
    """Brokers tell of a deleted topic for a moment: who copies into the namespace then would find it and lose it."""
    deadline = time.monotonic() + settings.kafka.answer_s
    while left := partition_counts(settings):
        if time.monotonic() > deadline:
            raise BrokerUnavailable(
                f"Kafka still tells of {len(left)} topics of {settings.namespace} that it has deleted: look at the "
                "brokers, and remove the namespace again"
            )
        time.sleep(AGAIN_S)


def _settle(answers: dict[str, Future[Any]], settings: Settings) -> None:
    for answer in answers.values():
        try:
            answer.result(settings.kafka.answer_s)
        except KafkaException as error:
            if error.args[0].code() not in GONE:
                raise
