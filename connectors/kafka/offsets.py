"""Asks where partitions begin and end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Literal

from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    Consumer,
    KafkaError,
    KafkaException,
    TopicPartition,
)

from tradewind.connectors.kafka.client import options
from tradewind.connectors.settings import Settings

ANSWER_S = 2.0  # of one question: a broker that needs longer counts as silent
Place = tuple[str, int]
"""(topic on the cluster, partition)."""
Bounds = tuple[int, int]
"""(first offset, the one after the last record)."""
Isolation = Literal["read_committed", "read_uncommitted"]
Which = Literal["earliest", "latest"]
TIMES = {"earliest": OFFSET_BEGINNING, "latest": OFFSET_END}
"""What Kafka's ListOffsets takes for a time."""


class Offsets:
    """One connection to ask by; for one thread at a time.

    `isolation` says what "latest" is: the last stable offset, where read_committed consumers come to their end, or the
    one after the last record, committed or not. Asked is by a consumer that never joins a group, each leader once for
    all of its partitions, in a millisecond. librdkafka's `AdminClient.list_offsets` took 17 for the same 46 partitions
    of three healthy brokers, and answered eleven of 100 requests only after their two seconds were over.
    """

    def __init__(self, settings: Settings, isolation: Isolation = "read_committed", answer_s: float = ANSWER_S) -> None:
        self._options = {
            **options(settings),
            "group.id": settings.physical("tradewind.offsets"),  # which the client insists on
            "isolation.level": isolation,
            "enable.auto.commit": False,
        }
        self._answer_s = answer_s
        self._consumer: Consumer | None = None

    def close(self) -> None:
        """Let the connection go; another question makes another one."""
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    def listed(self, partitions: Iterable[Place], which: Which) -> dict[Place, int]:
        """Return the offset of every partition; raises `KafkaException` if Kafka does not report one."""
        found, error = self._asked(list(partitions), which)
        if error is not None:
            raise error
        return found

    def bounds(self, partitions: Iterable[Place]) -> dict[Place, Bounds]:
        """Return where every partition begins and ends; raises `KafkaException` if Kafka does not report one."""
        places = list(partitions)
        first, end = self.listed(places, "earliest"), self.listed(places, "latest")
        return {at: (first[at], end[at]) for at in places}

    def known(self, partitions: Iterable[Place], which: Which) -> dict[Place, int]:
        """Return the offsets of those partitions for which the cluster reports one.

        For a broker that is away, the client reports various errors (no answer, no leader, no connection). So at every
        error, the leaders are asked one by one.
        """
        places = list(partitions)
        found, error = self._asked(places, which)
        if error is not None:
            for same_leader in self._by_leader([at for at in places if at not in found]):
                found |= self._asked(same_leader, which)[0]
        return found

    def _asked(self, places: list[Place], which: Which) -> tuple[dict[Place, int], KafkaException | None]:
        """Return the offsets that Kafka reports, and the error if some are missing."""
        if not places:
            return {}, None
        asked = [TopicPartition(*at, TIMES[which]) for at in places]
        try:
            client = self._client()
            client.poll(0)  # hands its log on, which would pile up
            answers = client.offsets_for_times(asked, timeout=self._answer_s)
        except KafkaException as error:
            self.close()  # a client that asked while a broker shut down may keep "no leader" after it is back
            return {}, error
        # What was not answered may have no error, and still the negative number that it was asked with: taken for an
        # offset, a changelog would seem to be empty.
        found = {
            (one.topic, one.partition): int(one.offset) for one in answers if one.error is None and one.offset >= 0
        }
        if len(found) == len(places):
            return found, None
        self.close()
        errors = (one.error for one in answers if one.error is not None)
        untold = KafkaError(KafkaError.OFFSET_NOT_AVAILABLE, "no broker reported an offset")
        return found, KafkaException(next(errors, untold))

    def _by_leader(self, places: list[Place]) -> list[list[Place]]:
        """Return partitions by the brokers that lead them; those without a leader are left out."""
        try:
            topics = self._client().list_topics(timeout=self._answer_s).topics
        except KafkaException:
            self.close()
            return []
        found: defaultdict[int, list[Place]] = defaultdict(list)
        for topic, number in places:
            partition = topics[topic].partitions.get(number) if topic in topics else None
            if partition is not None and partition.leader >= 0:
                found[partition.leader].append((topic, number))
        return list(found.values())

    def _client(self) -> Consumer:
        if self._consumer is None:
            self._consumer = Consumer(self._options)
        return self._consumer
