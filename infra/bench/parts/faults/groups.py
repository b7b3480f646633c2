"""Describes groups from a process of its own, which may end by it.

librdkafka's Admin API (2.16.1) ended the bench by an assertion (`eonce->refcnt > 0`) while brokers were killed.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass

from confluent_kafka import ConsumerGroupState, KafkaException
from confluent_kafka.admin import AdminClient, ConsumerGroupDescription

from tradewind.connectors.kafka.client import options, until_settled
from tradewind.connectors.settings import Settings
from tradewind.streams.runtime.lease import TopicPartition

ANSWER_S = 15.0
WAIT_S = 2 * ANSWER_S + 10.0  # with the process's start
_admins: dict[str, AdminClient] = {}
"""Of the process that asks, by what it is connected to."""


class Undescribed(Exception):
    """Nothing is known of a group; says why."""


@dataclass(frozen=True, slots=True)
class Group:
    """A group, as its coordinator describes it."""

    stable: bool
    """Whether no rebalance is going on."""
    members: Mapping[str, frozenset[TopicPartition]]
    """What each member has, by its id."""


class Groups:
    """Describes groups; for one thread at a time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._process: ProcessPoolExecutor | None = None

    def close(self) -> None:
        """End the process; another question starts another one."""
        if self._process is not None:
            self._process.shutdown(cancel_futures=True)
            self._process = None

    def described(self, name: str) -> Group:
        """Return a group; raises `Undescribed`."""
        if self._process is None:
            self._process = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
        try:
            found = self._process.submit(_described, self._settings, name).result(WAIT_S)
        except (BrokenProcessPool, TimeoutError) as error:
            self.close()
            raise Undescribed(f"{name} was not described: who asked ended, or got no answer ({error!r})") from error
        if isinstance(found, str):
            raise Undescribed(f"{name} was not described: {found}")
        return found


def _described(settings: Settings, name: str) -> Group | str:
    """Return a group, or why Kafka does not describe it."""
    at = settings.bootstrap

    def question() -> ConsumerGroupDescription:
        admin = _admins[at] = _admins.get(at) or AdminClient(options(settings))
        try:
            return admin.describe_consumer_groups([name], request_timeout=ANSWER_S)[name].result()
        except KafkaException:
            del _admins[at]  # it may ask a broker that was the coordinator for as long as we let it
            raise

    try:
        told = until_settled(question, ANSWER_S)
    except KafkaException as error:
        return str(error)
    members = {
        member.member_id: frozenset((at.topic, at.partition) for at in member.assignment.topic_partitions)
        for member in told.members
    }
    return Group(told.state == ConsumerGroupState.STABLE, members)
