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
from tradewind.streams.runtime.encoded_state import EncodedState
from tradewind.streams.runtime.errors import StateNewer, StateUnavailable, StateUnreadable, Superseded
from tradewind.streams.runtime.journal import NO_SNAPSHOT, JournalPosition
from tradewind.streams.runtime.positions import Superseding
from tradewind.streams.runtime.progress import Progress
from tradewind.streams.runtime.state import Writes
from tradewind.streams.runtime.state_format import format_of

READ_RECORDS = 5_000  # of one call
READ_S = 0.5  # of one call, so that a lease that ends is noticed
PATIENCE_S = 60.0  # without anything of what is left to read: whoever restores keeps its partitions meanwhile
PROGRESS_S = 5.0  # between lines of the log while a restore goes on
BUFFER_KIB = 16 * 1024  # what librdkafka may hold of a changelog in advance
POSITION = POSITION_KEY.encode()
log = logging.getLogger(__name__)


@dataclass(slots=True)
class Restored:
    """What a changelog says of one task."""

    inputs: dict[str, int] = field(default_factory=dict)
    """The next offset of each input, in the transaction that wrote last; empty where none ever did."""
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

    def __init__(self, agent: Agent, settings: Settings, codec: Codec) -> None:
        self._agent = agent
        self._codec = codec
        self.topic = settings.physical(changelog_topic(agent))
        self._known: set[bytes] = set()
        """Frames of schemas that records of ours have been read with: a handful."""
        self._newer: set[bytes] = set()
        """Those of them that are of no version that this one knows."""
        self.progress = Progress(self.topic)
        """How far restores are. For any thread."""
        self._options = reading(settings, "restore", BUFFER_KIB)

    def changes(self, writes: Writes) -> list[tuple[str, bytes | None]]:
        """Return (key, value) of what a transaction changes in the state; None deletes."""
        encode = self._codec.encode
        return [(key, None if value is None else encode(value)) for key, value in writes.items()]

    def position(self, partition: int, inputs: Mapping[str, int], journal: JournalPosition, digest: bytes) -> bytes:
        """Return the value of `POSITION_KEY`: where the task goes on, and the digest of its state there."""
        return self._codec.encode(
            TaskPosition(
                agent=self._agent.name,
                partition=partition,
                inputs=tuple({"topic": topic, "next": offset} for topic, offset in sorted(inputs.items())),
                sequence=journal.sequence,
                state_digest=digest,
                snapshot=journal.snapshot,
                migrations=len(self._agent.migrations),
                format=format_of(self._agent),
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
            # Where they begin is named, for a client that is told "the beginning" asks for it, half a second later.
            begins = [Coordinates(self.topic, partition, bounds[partition][0]) for partition in behind]
            self._read(found, begins, behind, superseded)
        for partition, restored in found.items():
            restored.encoded = EncodedState(restored.raw)
            self._check(partition, restored)
            self._check_format(partition, restored)
        return found

    def _check(self, partition: int, restored: Restored) -> None:
        """Raise where the values are not those that the digest beside the position was made of."""
        if restored.digest and restored.encoded.digest != restored.digest:
            raise StateUnreadable(
                f"{self.topic}, partition {partition}: its {len(restored.encoded)} values are not the state that the "
                "last transaction left: records of it are lost or changed. Restore the topic, or delete it and the "
                "group to process all again."
            )

    def _check_format(self, partition: int, restored: Restored) -> None:
        """Raise where a newer version has written something that this one would not write back."""
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
            if restored.format != format_of(agent):  # what was written before may not be run again by this version
                restored.journal = replace(restored.journal, snapshot=NO_SNAPSHOT)
            return
        raise StateNewer(
            f"agent {agent.name}, partition {partition}: a newer version has written its state: {what}. It would lose "
            "what it does not know, so it stops; nothing is changed. Replace this worker by that version, which goes "
            "on with the task (docs/upgrades.md)."
        )

    def _read(
        self,
        found: dict[int, Restored],
        begins: list[Coordinates],
        behind: dict[int, int],
        superseded: Superseding,
    ) -> None:
        started = told = time.monotonic()
        count, total, silent_s = 0, len(behind), 0.0
        consumer = Consumer(self._options)
        try:
            consumer.assign(begins)
            while behind:
                if superseded():
                    raise Superseded
                looked_s, unread = time.monotonic(), len(behind)
                read = self._apply(found, taken(consumer, READ_RECORDS, READ_S), behind)
                count += read
                self.progress = self.progress.advanced(read, behind)
                # Of the time that was spent looking: a frozen process looks at nothing.
                silent_s = 0.0 if read or len(behind) < unread else silent_s + min(READ_S, time.monotonic() - looked_s)
                if silent_s > PATIENCE_S:
                    raise StateUnavailable(
                        f"{self.topic}: for {PATIENCE_S:.0f} s a restore {self.progress}. Is their leader away, or a "
                        "transaction pending that nobody ends? Start the worker again after that."
                    )
                if behind and time.monotonic() - told > PROGRESS_S:
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
                    f"{self.topic}, partition {message.partition()}, offset {message.offset()}: no state ({cause}). "
                    "Where a newer version has written it, run the task by that one (docs/upgrades.md). Else restore "
                    "the topic, or delete it and the group to process all again."
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
    """Note that a partition was read to its end; raises any error that does not pass by itself."""
    if error.code() in PASSING | UNREACHABLE:
        return
    if error.code() != KafkaError._PARTITION_EOF:
        raise KafkaException(error)
    partition, offset = message.partition(), message.offset()
    if offset >= behind.get(partition, offset + 1):
        del behind[partition]
