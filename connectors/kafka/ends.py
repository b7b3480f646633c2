"""Asks where partitions end, for read_committed consumers, and whether the broker answers at all."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import wait

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from tradewind.connectors.kafka.client import UNREACHABLE, options
from tradewind.connectors.settings import Settings

ANSWER_S = 2.0  # of one question: a broker that needs longer counts as silent
SILENT = UNREACHABLE | {KafkaError._TIMED_OUT_QUEUE}


class Ends:
    """One connection to ask by; for one thread at a time."""

    def __init__(self, settings: Settings) -> None:
        self._admin = AdminClient(options(settings))

    def ask(self, partitions: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int] | None:
        """Return the last stable offset of partitions, by (topic on the cluster, number); None where nobody answers.

        Takes `ANSWER_S` at the most. A partition that the cluster cannot tell of is left out.
        """
        latest = OffsetSpec.latest()
        asked = self._admin.list_offsets(
            {TopicPartition(*at): latest for at in partitions},
            isolation_level=IsolationLevel.READ_COMMITTED,
            request_timeout=ANSWER_S,
        )
        wait(asked.values(), ANSWER_S)
        found: dict[tuple[str, int], int] = {}
        answered = False
        for at, answer in asked.items():
            if not answer.done():
                continue
            error = answer.exception()
            if error is None:
                found[at.topic, at.partition] = answer.result().offset
            answered = answered or not _is_silence(error)
        return found if answered else None


def _is_silence(error: BaseException | None) -> bool:
    """Return whether an error says that no broker answered; one that refuses, or knows no such topic, has."""
    return isinstance(error, KafkaException) and error.args[0].code() in SILENT
