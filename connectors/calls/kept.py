"""Claims kept twice: the topic of marks, written in the transactions that commit the same marks to the group.

A group's coordinator that loads twice after a broker was killed may answer with an older offset, or with none, for some
seconds. A caller that believed it would send calls again. So it begins only if the topic says the same (ADR 29).
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from typing import cast

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from tradewind.connectors.calls.claims import Mark
from tradewind.connectors.kafka.client import reading, taken
from tradewind.connectors.kafka.offsets import Offsets, Place
from tradewind.connectors.settings import Settings
from tradewind.schemas.codec import Codec
from tradewind.schemas.event import Event
from tradewind.schemas.runtime import CallMarks
from tradewind.topics import Topic
from tradewind.topics.topic import MIB

TAIL = 64
"""Offsets from the end in which the last record is looked for first; markers of transactions lie between records."""
QUEUED_KIB = 1024
AT_ONCE = 500
SEGMENT_BYTES = MIB
"""The smallest that Kafka takes: only closed segments are compacted."""


def claims_topic(caller: str, calls: Topic) -> Topic:
    """Return the topic of the marks of a caller: those of a partition of calls are in the partition of its number."""
    return Topic(
        name=f"{caller}.claims",
        model=CallMarks,
        key=_partition,
        owner=caller,
        producers=(caller,),
        consumers=(caller,),
        partitions=calls.partitions,
        cleanup="compact",
        segment_bytes=SEGMENT_BYTES,
    )


def _partition(event: Event) -> str:
    return str(cast("CallMarks", event).partition)


class Kept:
    """Reads the last marks of partitions. For one thread."""

    def __init__(self, settings: Settings, topic: str, codec: Codec, answer_s: float) -> None:
        """Read the topic of this name on the cluster."""
        self._settings, self._topic, self._codec, self._answer_s = settings, topic, codec, answer_s
        self._bounds = Offsets(settings, "read_uncommitted", answer_s)

    def close(self) -> None:
        """Close the connection."""
        self._bounds.close()

    def last(self, partitions: Collection[int]) -> dict[int, Mark | None] | None:
        """Return the last marks of each partition, None where there are none; None if Kafka does not tell them yet.

        A transaction that is open is waited for: its marks may become the last ones. Raises `KafkaException`.
        """
        bounds = self._bounds.bounds([(self._topic, partition) for partition in partitions])
        found: dict[int, Mark | None] = dict.fromkeys(partitions)
        left = {place: (first, end) for place, (first, end) in bounds.items() if end > first}
        tail, deadline = TAIL, time.monotonic() + self._answer_s
        while left:
            begins = {place: max(first, end - tail) for place, (first, end) in left.items()}
            read = self._read(begins, {place: end for place, (_, end) in left.items()}, deadline)
            if read is None:
                return None
            found.update({partition: mark for (_, partition), mark in read.items()})
            left = {place: left[place] for place in left.keys() - read.keys() if begins[place] > left[place][0]}
            tail *= TAIL
        return found

    def _read(
        self, begins: Mapping[Place, int], ends: Mapping[Place, int], deadline: float
    ) -> dict[Place, Mark] | None:
        """Return the last marks between these offsets; None if an end was not reached by the deadline."""
        consumer = Consumer(reading(self._settings, "claims", QUEUED_KIB))
        found: dict[Place, Mark] = {}
        unfinished = set(begins)
        try:
            consumer.assign([TopicPartition(*place, offset) for place, offset in begins.items()])
            while unfinished:
                if time.monotonic() > deadline:
                    return None
                for message in taken(consumer, AT_ONCE, 0.05):
                    place = message.topic(), message.partition()
                    error, reached = message.error(), message.offset()
                    if error is None:
                        marks = cast("CallMarks", self._codec.decode(message.value()))
                        found[place] = Mark(marks.offset, marks.marks)
                        reached += 1
                    elif error.code() != KafkaError._PARTITION_EOF:
                        raise KafkaException(error)
                    if reached >= ends[place]:
                        unfinished.discard(place)
            return found
        finally:
            consumer.close()


def differing(group: Mark | None, kept: Mark | None) -> str | None:
    """Return how the marks of the group and of the topic differ; None if they say the same.

    An offset without metadata was set by a person, who has removed the topic's marks as well.
    """
    if group == kept or (kept is None and group is not None and not group.metadata):
        return None
    return f"the group stands at {_said(group)}, the topic of claims at {_said(kept)}"


def _said(mark: Mark | None) -> str:
    return "no offset" if mark is None else f"{mark.offset}{'' if mark.metadata else ' without claims'}"
