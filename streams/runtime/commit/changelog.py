"""The changelog of an agent's tasks: what a transaction writes to it, and how a task is restored from it."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from confluent_kafka import Consumer, KafkaError, KafkaException, Message
from confluent_kafka import TopicPartition as Coordinates

from tradewind.connectors.kafka.client import PASSING, UNREACHABLE, reading, taken
from tradewind.connectors.settings import Settings
from tradewind.schemas.codec import Codec, UndecodableRecord
from tradewind.schemas.codec.wire import FRAME_BYTES
from tradewind.schemas.runtime import TaskPosition
from tradewind.streams.runtime.agent import POSITION_KEY, Agent, changelog_topic
from tradewind.streams.runtime.cluster import Positions
from tradewind.streams.runtime.commit.journal import NO_SNAPSHOT, JournalPosition
from tradewind.streams.runtime.errors import StateNewer, StateUnavailable, StateUnreadable, Superseded
from tradewind.streams.runtime.read.positions import Superseding
from tradewind.streams.runtime.timings import USUAL, Timings
from tradewind.streams.runtime.watch.progress import Progress
from tradewind.streams.runtime.work.encoded_state import EncodedState
from tradewind.streams.runtime.work.state import Writes
from tradewind.streams.runtime.work.state_format import format_of

READ_RECORDS = 5_000  # of one call
BUFFER_KIB = 16 * 1024  # what librdkafka may hold of a changelog in advance
POSITION = POSITION_KEY.encode()
log = logging.getLogger(__name__)


@dataclass(slots=True)
class Restored:
    """The restored state and positions of one task."""

    inputs: dict[str, int] = field(default_factory=dict)
    """input -> next offset, as the last transaction wrote it; empty if there was none."""
    raw: dict[str, bytes] = field(default_factory=dict)
    """The values as they were written."""
    encoded: EncodedState = field(default_factory=EncodedState)
    """The same, with their digest."""
    journal: JournalPosition = field(default_factory=JournalPosition)
    digest: bytes = b""
    """Of the state, as the transaction that wrote last had it; empty where a version before the journal wrote it."""
    migrations: int = 0
    """How many migrations the state has been through."""
    format: str = ""
    """What the transaction that wrote last wrote it in; empty where a version before formats wrote it."""


class Changelog:
    """Writes and reads the changelog of one agent; partition p holds the state of task p."""

    def __init__(self, agent: Agent, settings: Settings, codec: Codec, timings: Timings = USUAL) -> None:
        self._agent = agent
        self._timings = timings
        self._codec = codec
        self._format = format_of(agent)
        self.topic = settings.physical(changelog_topic(agent))
        self._known: set[bytes] = set()
        """Frames of schemas that records of ours have been read with: a handful."""
        self._newer: set[bytes] = set()
        """Those of them that are of no version that this one knows."""
        self.progress = Progress(self.topic)
        """How far restores are. For any thread."""
        self._options = reading(settings, "restore", BUFFER_KIB)

    def changes(self, writes: Writes) -> list[tuple[str, bytes | None]]:
        """Return (key, value) of each change of the state by a transaction; the value None deletes."""
        encode = self._codec.encode
        return [(key, None if value is None else encode(value)) for key, value in writes.items()]

    def position(self, partition: int, inputs: Mapping[str, int], journal: JournalPosition, digest: bytes) -> bytes:
        """Return the value of `POSITION_KEY`: the positions of the task, and the digest of its state there."""
        return self._codec.encode(
            TaskPosition(
                agent=self._agent.name,
                partition=partition,
                inputs=tuple({"topic": topic, "next": offset} for topic, offset in sorted(inputs.items())),
                sequence=journal.sequence,
                state_digest=digest,
                snapshot=journal.snapshot,
                migrations=len(self._agent.migrations),
                format=self._format,
            )
        )

    def restore(self, partitions: Iterable[int], positions: Positions, superseded: Superseding) -> dict[int, Restored]:
        """Return what the changelog says of tasks, read up to its end as it is now.

        Call it once the group's offsets are stable: no transaction of these tasks is pending then, though its marker
        may still be on its way here, which is why the end is the high watermark and not the last stable offset.
        """
        found = {partition: Restored() for partition in partitions}
        at = [(self.topic, partition) for partition in found]
        self.progress = self.progress.begun(found).waiting("the changelog's ends")
        bounds = {partition: of for (_, partition), of in positions.bounds(at, superseded).items()}
        behind = {partition: end for partition, (first, end) in bounds.items() if end > first}
        most = sum(end - first for first, end in bounds.values())
        self.progress = replace(
            self.progress, most=most, unread=tuple(sorted(behind)), awaits="the changelog's records"
        )
        if behind:
            # By first offsets, because a client that gets OFFSET_BEGINNING looks them up half a second later.
            begins = [Coordinates(self.topic, partition, bounds[partition][0]) for partition in behind]
            self._read(found, begins, behind, superseded)
        for partition, restored in found.items():
            restored.encoded = EncodedState(restored.raw)
            self._check(partition, restored)
            self._check_format(partition, restored)
        return found

    def _check(self, partition: int, restored: Restored) -> None:
        """Raise if the values do not match the digest that is stored with the position."""
        if restored.digest and restored.encoded.digest != restored.digest:
            raise StateUnreadable(
                f"{self.topic}, partition {partition}: its {len(restored.encoded)} values do not match the digest of "
                "the last transaction: records are lost or changed. Restore the topic, or delete it and the group to "
                "process everything again."
            )

    def _check_format(self, partition: int, restored: Restored) -> None:
        """Raise if a newer version has written something that this version would lose."""
        agent, strange = self._agent, self._newer
        newer = [key for key, value in restored.raw.items() if value[:FRAME_BYTES] in strange] if strange else []
        if newer:
            value = restored.raw[newer[0]]
            number = self._codec.schema_id(value)
            what = (
                f"the values of {len(newer)} keys, {newer[0]!r} among them, have schemas that this version does not "
                f"know, such as {number} of {self._codec.model_of(number).SCHEMA}"
            )
        elif restored.migrations > len(agent.migrations):
            what = f"it has been through {restored.migrations} migrations, and this version has {len(agent.migrations)}"
        else:
            if not restored.inputs:
                restored.migrations = len(agent.migrations)  # it begins in this format
            if restored.format != self._format:  # what was written before may not be run again by this version
                restored.journal = replace(restored.journal, snapshot=NO_SNAPSHOT)
            return
        raise StateNewer(
            f"agent {agent.name}, partition {partition}: a newer version has written its state: {what}. This "
            "version would lose the new fields, so the worker stops and writes nothing. Replace it by a worker of the "
            "newer version (docs/upgrades.md)."
        )

    def _read(
        self,
        found: dict[int, Restored],
        begins: list[Coordinates],
        behind: dict[int, int],
        superseded: Superseding,
    ) -> None:
        timings, started = self._timings, time.monotonic()
        told = started
        count, total, silent_s = 0, len(behind), 0.0
        consumer = Consumer(self._options)
        try:
            consumer.assign(begins)
            while behind:
                if superseded():
                    raise Superseded
                looked_s, unread = time.monotonic(), len(behind)
                read = self._apply(found, taken(consumer, READ_RECORDS, timings.read_s), behind)
                count += read
                self.progress = self.progress.advanced(read, behind)
                # Of the time that was spent looking: a frozen process looks at nothing.
                spent_s = min(timings.read_s, time.monotonic() - looked_s)
                silent_s = 0.0 if read or len(behind) < unread else silent_s + spent_s
                if silent_s > timings.silence_s:  # whoever restores keeps its partitions meanwhile
                    raise StateUnavailable(
                        f"{self.topic}: for {timings.silence_s:.0f} s a restore {self.progress}. Check that their "
                        "leader answers and that no transaction stays pending; then start the worker again."
                    )
                if behind and time.monotonic() - told > timings.progress_s:
                    told = time.monotonic()
                    log.info("%s: a restore %s", self.topic, self.progress)
        finally:
            consumer.close()
        log.info(
            "%s: restored %d partitions from %d records in %.1f s", self.topic, total, count, time.monotonic() - started
        )

    def _apply(self, found: dict[int, Restored], messages: Sequence[Message], behind: dict[int, int]) -> int:
        """Take in what was read of partitions that are not yet at their ends; return how many records that were.

        At its end a partition stands between transactions. What comes later, from a worker that has the task by now,
        may be half of one.
        """
        count = len(messages)
        for message in messages:
            error, partition = message.error(), message.partition()
            if error is not None:
                _note_end(message, error, behind)
            if error is not None or partition not in behind:
                count -= 1
                continue
            restored, key, value = found[partition], message.key(), message.value()
            try:
                if value is None:
                    restored.raw.pop(key.decode(), None)
                elif value[:FRAME_BYTES] in self._known and key != POSITION:
                    restored.raw[key.decode()] = value
                else:
                    self._keep(restored, key, value)
            except (UndecodableRecord, UnicodeDecodeError, AttributeError) as cause:
                raise StateUnreadable(
                    f"{self.topic}, partition {message.partition()}, offset {message.offset()} is not a state "
                    f"({cause}). If a newer version has written it, run the task with that version (docs/upgrades.md). "
                    "Otherwise restore the topic, or delete it and the group to process everything again."
                ) from cause
        return count

    def _keep(self, restored: Restored, key: bytes, encoded: bytes) -> None:
        """Keep a value as it was written; what schema it has is checked now, the rest when it is asked for."""
        if key != POSITION:
            if not self._codec.knows(self._codec.schema_id(encoded)):
                self._newer.add(encoded[:FRAME_BYTES])
            self._known.add(encoded[:FRAME_BYTES])
            restored.raw[key.decode()] = encoded
            return
        position = self._codec.decode(encoded)
        if not isinstance(position, TaskPosition):
            raise UndecodableRecord(f"{POSITION_KEY} holds a {type(position).__name__}")
        restored.inputs = {str(entry["topic"]): int(entry["next"]) for entry in position.inputs}
        restored.journal = JournalPosition(position.sequence, position.snapshot)
        restored.digest = position.state_digest
        restored.migrations, restored.format = position.migrations, position.format


def _note_end(message: Message, error: KafkaError, behind: dict[int, int]) -> None:
    """Note that a partition was read to its end; raises any error that is not retriable."""
    if error.code() in PASSING | UNREACHABLE:
        return
    if error.code() != KafkaError._PARTITION_EOF:
        raise KafkaException(error)
    partition, offset = message.partition(), message.offset()
    if offset >= behind.get(partition, offset + 1):
        del behind[partition]
