"""Asks where partitions begin and end."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future, wait
from typing import Any, Literal

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from tradewind.connectors.kafka.client import options
from tradewind.connectors.settings import Settings

ANSWER_S = 2.0  # of one question: a broker that needs longer counts as silent
SLACK_S = 3.0  # beyond that, librdkafka has ended the question by itself
Place = tuple[str, int]
"""(topic on the cluster, partition)."""
Bounds = tuple[int, int]
"""(first offset, the one after the last record)."""
Which = Literal["earliest", "latest"]
SPECS = {"earliest": OffsetSpec.earliest, "latest": OffsetSpec.latest}


class Offsets:
    """One connection to ask by; for one thread at a time.

    `isolation` says what "latest" is: the last stable offset, where read_committed consumers come to their end, or the
    one after the last record, committed or not.
    """

    def __init__(
        self, settings: Settings, isolation: IsolationLevel = IsolationLevel.READ_COMMITTED, answer_s: float = ANSWER_S
    ) -> None:
        self._options = {**options(settings), "socket.timeout.ms": int((answer_s + SLACK_S) * 1000)}
        self._isolation = isolation
        self._answer_s = answer_s
        self._admin: AdminClient | None = None

    def close(self) -> None:
        """Let the connection go; another question makes another one."""
        self._admin = None

    def listed(self, partitions: Iterable[Place], which: Which) -> dict[Place, int]:
        """Return the offset of every partition; raises `KafkaException` where one is not told."""
        found, errors = self._ask(partitions, which)
        if errors:
            raise errors[0]
        return found

    def known(self, partitions: Iterable[Place], which: Which) -> dict[Place, int]:
        """Return the offsets of those partitions that the cluster tells of.

        What the client says of a broker that is away varies (no answer, no leader, no connection), so that no error is
        told from another.
        """
        return self._ask(partitions, which)[0]

    def _ask(self, partitions: Iterable[Place], which: Which) -> tuple[dict[Place, int], list[KafkaException]]:
        wanted = {TopicPartition(*of): SPECS[which]() for of in partitions}
        if not wanted:
            return {}, []
        self._admin = self._admin or AdminClient(self._options)
        asked = self._admin.list_offsets(wanted, isolation_level=self._isolation, request_timeout=self._answer_s)
        wait(asked.values(), self._answer_s + SLACK_S)
        found: dict[Place, int] = {}
        errors: list[KafkaException] = []
        for of, answer in asked.items():
            try:
                found[of.topic, of.partition] = _told(answer)
            except KafkaException as error:
                errors.append(error)
        if errors and (not found or any(_lost(error) for error in errors)):
            # A client that asked while a broker shut down keeps "no leader" for minutes after it is back.
            self.close()
        return found, errors


class Watermarks:
    """Asks for one partition after the other, from the first offset to the one after the last record, committed or not.

    For what must not wait: librdkafka's way to ask for many at once (`Offsets`) answered three of 72 questions, asked
    one after the other of a healthy broker, only when their 2 s were over; this one answered each in milliseconds.
    """

    def __init__(self, settings: Settings, answer_s: float = ANSWER_S) -> None:
        self._options = {
            **options(settings),
            "group.id": settings.physical("tradewind.watermarks"),  # which the client insists on; it never joins
            "isolation.level": "read_uncommitted",
            "enable.auto.commit": False,
        }
        self._answer_s = answer_s
        self._consumer: Consumer | None = None

    def close(self) -> None:
        """Let the connection go; another question makes another one."""
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    def of(self, place: Place) -> Bounds:
        """Return the bounds of a partition; raises `KafkaException` where they are not told."""
        try:
            return self._asked(place)
        except KafkaException:
            self.close()  # a client that asked while a broker shut down may keep "no leader" after it is back
            raise

    def _asked(self, place: Place) -> Bounds:
        if self._consumer is None:
            self._consumer = Consumer(self._options)
        told = self._consumer.get_watermark_offsets(TopicPartition(*place), timeout=self._answer_s, cached=False)
        if told is None:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "no offset was told in time"))
        first, end = map(int, told)
        if first < 0 or end < 0:
            raise KafkaException(KafkaError(KafkaError.OFFSET_NOT_AVAILABLE, "no offset was told"))
        return first, end


def _told(answer: Future[Any]) -> int:
    """Return the offset that was told.

    Of a partition whose broker is away the client may say -1001, and name no error: taken for an offset, a changelog
    would seem to be empty.
    """
    try:
        offset = int(answer.result(0).offset)
    except TimeoutError as error:
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "no offset was told in time")) from error
    if offset < 0:
        raise KafkaException(KafkaError(KafkaError.OFFSET_NOT_AVAILABLE, "no offset was told"))
    return offset


def _lost(error: KafkaException) -> bool:
    return bool(error.args[0].code() == KafkaError._NOENT)
