"""The changelog of an agent's tasks: what a transaction writes to it, and how a task is restored from it."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message
from confluent_kafka import TopicPartition as Coordinates

from tradewind.connectors.settings import Settings
from tradewind.schemas.codec import Codec, UndecodableRecord
from tradewind.schemas.event import Event
from tradewind.schemas.runtime import TaskPosition
from tradewind.streams.runtime.agent import POSITION_KEY, Agent, changelog_topic, group_of
from tradewind.streams.runtime.errors import StateUnreadable, Superseded
from tradewind.streams.runtime.positions import GroupPositions, Superseding
from tradewind.streams.runtime.state import Writes

READ_RECORDS = 5_000  # of one call
READ_S = 0.5  # of one call, so that a lease that ends is noticed
PROGRESS_S = 5.0  # between lines of the log while a restore goes on
BUFFER_KBYTES = 16 * 1024  # what librdkafka may hold of a changelog in advance
log = logging.getLogger(__name__)


@dataclass(slots=True)
class Restored:
    """What a changelog says of one task."""

    values: dict[str, Event] = field(default_factory=dict)
    inputs: dict[str, int] = field(default_factory=dict)
    """The next offset of each input, in the transaction that wrote last; empty where none ever did."""


class Changelog:
    """Writes and reads the changelog of one agent; partition p holds the state of task p."""

    def __init__(self, agent: Agent, settings: Settings, codec: Codec) -> None:
        self._agent = agent
        self._codec = codec
        self.topic = settings.physical(changelog_topic(agent))
        self.read_records = 0
        """Counts what restores have read, for whoever watches over them."""
        self._options = {
            **settings.librdkafka(),
            "group.id": group_of(agent, settings),  # librdkafka asks for one; it neither joins nor commits
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
            "queued.max.messages.kbytes": BUFFER_KBYTES,
        }

    def records(
        self, writes: Writes, partition: int, inputs: Mapping[str, int]
    ) -> Iterator[tuple[bytes, bytes | None]]:
        """Yield (key, value) of what a transaction writes: state, and where the task goes on; None deletes."""
        for key, value in writes.items():
            yield key.encode(), None if value is None else self._codec.encode(value)
        position = TaskPosition(
            agent=self._agent.name,
            partition=partition,
            inputs=tuple({"topic": topic, "next": offset} for topic, offset in sorted(inputs.items())),
        )
        yield POSITION_KEY.encode(), self._codec.encode(position)

    def restore(
        self, partitions: Iterable[int], positions: GroupPositions, superseded: Superseding
    ) -> dict[int, Restored]:
        """Return what the changelog says of tasks, read up to its end as it is now.

        Call it once the group's offsets are stable: no transaction of these tasks is pending then, though its marker
        may still be on its way here, which is why the end is the high watermark and not the last stable offset.
        """
        found = {partition: Restored() for partition in partitions}
        at = [(self.topic, partition) for partition in found]
        first, end = positions.ends(at, "earliest", superseded), positions.ends(at, "latest", superseded)
        behind = {
            partition: end[topic, partition]
            for topic, partition in at
            if end[topic, partition] > first[topic, partition]
        }
        if behind:
            self._read(found, behind, superseded)
        return found

    def _read(self, found: dict[int, Restored], behind: dict[int, int], superseded: Superseding) -> None:
        started = told = time.monotonic()
        count, counted, total = 0, 0, len(behind)
        consumer = Consumer(self._options)
        try:
            consumer.assign([Coordinates(self.topic, partition, OFFSET_BEGINNING) for partition in behind])
            while behind:
                if superseded():
                    raise Superseded
                for message in consumer.consume(READ_RECORDS, READ_S):
                    count += self._apply(found, behind, message)
                self.read_records += count - counted
                counted = count
                if behind and time.monotonic() - told > PROGRESS_S:
                    told = time.monotonic()
                    log.info("%s: restoring, %d records read, %d partitions to go", self.topic, count, len(behind))
        finally:
            consumer.close()
        log.info(
            "%s: restored %d partitions from %d records in %.1f s", self.topic, total, count, time.monotonic() - started
        )

    def _apply(self, found: dict[int, Restored], behind: dict[int, int], message: Message) -> int:
        partition, offset, error = message.partition(), message.offset(), message.error()
        if error is not None:
            if error.code() != KafkaError._PARTITION_EOF:
                raise KafkaException(error)
            if offset >= behind.get(partition, offset + 1):
                del behind[partition]
            return 0
        key, value = message.key(), message.value()
        try:
            if value is None:
                found[partition].values.pop(key.decode(), None)
            else:
                self._keep(found[partition], key.decode(), self._codec.decode(value))
        except (UndecodableRecord, UnicodeDecodeError, AttributeError) as cause:
            raise StateUnreadable(
                f"{self.topic}, partition {partition}, offset {offset}: no state ({cause})"
            ) from cause
        return 1

    def _keep(self, restored: Restored, key: str, value: Event) -> None:
        if isinstance(value, TaskPosition):
            restored.inputs = {str(entry["topic"]): int(entry["next"]) for entry in value.inputs}
        else:
            restored.values[key] = value
