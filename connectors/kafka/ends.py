"""Asks where partitions end, for read_committed consumers, and whether the broker answers at all."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import wait

from confluent_kafka import IsolationLevel, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from tradewind.connectors.kafka.client import options
from tradewind.connectors.settings import Settings

ANSWER_S = 2.0  # of one question: a broker that needs longer counts as silent


class Ends:
    """One connection to ask by; for one thread at a time."""

    def __init__(self, settings: Settings) -> None:
        self._options = options(settings)
        self._admin = AdminClient(self._options)

    def ask(self, partitions: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int] | None:
        """Return the last stable offset of partitions, by (topic on the cluster, number); None where none is told.

        Takes `ANSWER_S` at the most. A partition that the cluster cannot tell of is left out. What the client says of
        a broker that is away varies (no answer, no leader, no connection), so that no error is told from another.
        """
        latest = OffsetSpec.latest()
        asked = self._admin.list_offsets(
            {TopicPartition(*at): latest for at in partitions},
            isolation_level=IsolationLevel.READ_COMMITTED,
            request_timeout=ANSWER_S,
        )
        wait(asked.values(), ANSWER_S)
        found = {
            (at.topic, at.partition): answer.result().offset
            for at, answer in asked.items()
            if answer.done() and answer.exception() is None
        }
        if not found:
            # A client that asked while a broker shut down keeps "no leader" for minutes after it is back.
            self._admin = AdminClient(self._options)
        return found or None
