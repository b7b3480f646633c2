"""The journal of a task: what each transaction processed, in which order, and the digests of what came of it.

It is what `replay --verify` runs again. Snapshots of the state stand among the entries, because a compacted changelog
has no past state.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tradewind.connectors.settings import Settings
from tradewind.schemas.codec import Codec
from tradewind.schemas.event import Event
from tradewind.schemas.runtime import JournalEntry, StateSnapshot
from tradewind.streams.runtime.agent import Agent, journal_topic, redrive_topic
from tradewind.streams.runtime.commit.digest import digest_of_outputs, digest_of_records
from tradewind.streams.runtime.commit.outbox import Draft, Outgoing
from tradewind.streams.runtime.commit.versions import versions
from tradewind.streams.runtime.read.chunk import Chunk
from tradewind.streams.runtime.read.records import Records
from tradewind.streams.runtime.sizes import AS_USUAL, Sizes
from tradewind.streams.runtime.work.encoded_state import EncodedState
from tradewind.streams.runtime.work.state_format import format_of

SNAPSHOT_SHARE = 2  # a snapshot after each half of what an input keeps: the other half is for sending it
NO_SNAPSHOT = -1
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class JournalPosition:
    """What a task's changelog says of its journal."""

    sequence: int = 0
    """Number of the next entry."""
    snapshot: int = NO_SNAPSHOT
    """Number of the entry before which the last whole snapshot was taken."""


class Journal:
    """What the journals of an agent's tasks share: where and how entries are written."""

    def __init__(
        self, agent: Agent, settings: Settings, codec: Codec, sizes: Sizes = AS_USUAL, *, snapshots: bool = True
    ) -> None:
        self.sizes = sizes
        self.agent = agent.name
        self.topic = settings.physical(journal_topic(agent))
        self.namespace = settings.namespace
        self.encode = codec.encode
        self.snapshots = snapshots
        self.state_bytes = agent.state_bytes
        self.shares = {
            topic.name: topic.retention_bytes // SNAPSHOT_SHARE
            for topic in (*agent.inputs, redrive_topic(agent))
            if topic.retention_bytes > 0
        }
        """Bytes of each input that may be removed, after which another snapshot is due."""
        self.versions = versions(settings, agent)
        self.format = format_of(agent)


@dataclass(slots=True)
class _Batch:
    """What the current batch has processed so far."""

    first_message: int = 0
    migrations: tuple[int, ...] = ()
    starts: dict[str, int] = field(default_factory=dict)
    ranges: list[dict[str, Any]] = field(default_factory=list)
    by_hand: list[dict[str, Any]] = field(default_factory=list)
    skipped: dict[tuple[str, int, str], list[int]] = field(default_factory=dict)
    """By topic, partition and kind of error: a batch of nothing but garbage fits into an entry that brokers take."""
    sizes: Counter[str] = field(default_factory=Counter)
    """Bytes of keys and values, by input."""


@dataclass(slots=True)
class _HeldChunk:
    """The records of a chunk that wait, and where they begin."""

    records: Records
    first: int
    next: int


class TaskJournal:
    """Numbers and writes the entries of one task, in the transactions that they describe."""

    def __init__(
        self, journal: Journal, partition: int, encoded: EncodedState, position: JournalPosition | None = None
    ) -> None:
        self._journal = journal
        self._partition = partition
        self.encoded = encoded
        """The committed state as bytes."""
        self.position = position or JournalPosition()
        """As committed."""
        self.entry: JournalEntry | None = None
        """The entry of the current batch, once it is closed."""
        self._next: JournalPosition | None = None
        self._batch = _Batch()
        self._held: deque[_HeldChunk] = deque()
        self._told_versions = False
        self._parts: deque[StateSnapshot] = deque()
        self._sending = 0
        self._told_large = False
        self.since: Counter[str] = Counter()
        """Bytes of each input that were processed since the last whole snapshot, or since the task came here."""
        self._until: Counter[str] = Counter()
        """Those of them that the snapshot in hand has seen."""

    def begin(self, draft: Draft) -> None:
        """Start with a batch: what is in the draft is of other tasks."""
        self._batch = _Batch(len(draft.messages))

    def note_starts(self, starts: Mapping[str, int]) -> None:
        """Note where inputs were placed without reading up to it.

        A task that starts so, with no state, needs no snapshot: its first entry begins from nothing.
        """
        self._batch.starts.update(starts)
        if self.position.sequence == 0 and len(self.encoded) == 0:
            self.position = JournalPosition(0, 0)

    def note_migrations(self, numbers: Iterable[int]) -> None:
        """Note the migrations, by their numbers from 1 on, that the state went through before all else."""
        self._batch.migrations = tuple(numbers)

    def note_chunk(self, topic: str, chunk: Chunk) -> None:
        """Note a chunk that is processed now, after all that was noted before."""
        self._range(topic, chunk.records, chunk.start, chunk.next)

    def hold(self, chunk: Chunk) -> None:
        """Keep a chunk of the held input in mind."""
        self._held.append(_HeldChunk(chunk.records, chunk.start, chunk.next))

    def held_chunks(self) -> tuple[_HeldChunk, ...]:
        """Return what of the held input waits, for `hold_again`."""
        return tuple(self._held)

    def hold_again(self, held: Iterable[_HeldChunk]) -> None:
        """Go back to what waited before the current batch."""
        self._held = deque(held)

    def note_released(self, topic: str, upto: int) -> None:
        """Note what of the held input was processed now: all before an offset, chunk after chunk."""
        while self._held and self._held[0].next <= upto:
            whole = self._held.popleft()
            self._range(topic, whole.records, whole.first, whole.next)
        if self._held and self._held[0].first < upto:
            of = self._held[0]
            count = int(of.records.offsets.searchsorted(upto))
            self._range(topic, of.records[:count], of.first, upto)
            self._held[0] = _HeldChunk(of.records[count:], upto, of.next)

    def _range(self, topic: str, records: Records, first: int, next_: int) -> None:
        found = digest_of_records(records)
        self._batch.sizes[topic] += records.total_bytes
        self._batch.ranges.append(
            {
                "topic": topic,
                "first": first,
                "next": next_,
                "count": len(records),
                "digest": found.digest,
                "sum": found.sum,
                "moment": found.moment,
            }
        )

    def note_dead_letter(self, at: tuple[str, int], offset: int, error: str) -> None:
        """Note a record of `at`, topic and partition, that became a dead letter; a redriven one by its origin."""
        self._batch.skipped.setdefault((*at, error), []).append(offset)

    def note_passed_over(self, topic: str, offset: int, reason: str) -> None:
        """Note a record that is passed over because a person said so; a redriven one by its letter's place."""
        self._batch.by_hand.append({"topic": topic, "offset": offset, "reason": reason})

    @property
    def by_hand(self) -> list[tuple[str, int]]:
        """The topics and offsets of the records of the current batch that were passed over by hand."""
        return [(str(each["topic"]), int(each["offset"])) for each in self._batch.by_hand]

    def close(
        self, draft: Draft, changes: Iterable[tuple[str, bytes | None]], inputs: Mapping[str, int], timestamp: int
    ) -> tuple[JournalPosition, bytes]:
        """Write the entry of the batch, and parts of a snapshot where one is due; return what the changelog keeps.

        `inputs` are the positions as committed before the batch, `changes` what it changes in the state.
        """
        batch, sequence = self._batch, self.position.sequence
        outputs = draft.messages[batch.first_message :]
        digest = self.encoded.stage(changes)
        self.entry = JournalEntry(
            agent=self._journal.agent,
            partition=self._partition,
            sequence=sequence,
            starts=tuple({"topic": topic, "next": offset} for topic, offset in sorted(batch.starts.items())),
            ranges=tuple(batch.ranges),
            skipped=tuple(
                {"topic": topic, "partition": partition, "error": error, "offsets": tuple(offsets)}
                for (topic, partition, error), offsets in batch.skipped.items()
            ),
            outputs=len(outputs),
            outputs_digest=digest_of_outputs(outputs, self._journal.namespace),
            state_digest=digest,
            versions=None if self._told_versions else self._journal.versions,
            migrations=batch.migrations,
            format=self._journal.format,
            by_hand=tuple(batch.by_hand),
        )
        snapshot = self._snapshot(draft, inputs, timestamp)
        self._send(draft, sequence, self.entry, timestamp)
        self._next = JournalPosition(sequence + 1, snapshot)
        return self._next, digest

    def _snapshot(self, draft: Draft, inputs: Mapping[str, int], timestamp: int) -> int:
        """Write parts of a snapshot; return the number of the last one that is whole then.

        All parts are of one moment: the state as it was committed before this entry, or an earlier one that still has
        parts to send.
        """
        if not self._parts and self._due():
            self._parts.extend(self._take_snapshot(inputs))
            self._until = self.since.copy()
        sizes = self._journal.sizes
        parts = sizes.parts_per_input * self._batch.sizes.total() // sizes.part_bytes
        self._sending = min(max(sizes.parts_at_once, parts), len(self._parts))
        sent = [self._parts[at] for at in range(self._sending)]
        for part in sent:
            self._send(draft, part.sequence, part, timestamp)
        return sent[-1].sequence if sent and sent[-1].part == sent[-1].parts - 1 else self.position.snapshot

    def _due(self) -> bool:
        if not self._journal.snapshots:
            return False
        size, known, sizes = self.encoded.size, self.position.snapshot, self._journal.sizes
        entries = max(sizes.snapshot_entries, size // sizes.snapshot_bytes_per_entry)
        is_early = known != NO_SNAPSHOT and self.position.sequence - known < entries
        if is_early and all(self.since[topic] < share for topic, share in self._journal.shares.items()):
            return False
        if size > self._journal.state_bytes:
            if not self._told_large:
                log.warning(
                    "%s, task %d: its state of %d MiB is too large for snapshots: it is verified from the beginning "
                    "of its inputs only",
                    self._journal.agent,
                    self._partition,
                    size >> 20,
                )
            self._told_large = True
            return False
        return True

    def _take_snapshot(self, inputs: Mapping[str, int]) -> Iterator[StateSnapshot]:
        data, most = self.encoded.dump(), self._journal.sizes.part_bytes
        starts = range(0, max(1, len(data)), most)
        for number, start in enumerate(starts):
            yield StateSnapshot(
                agent=self._journal.agent,
                partition=self._partition,
                sequence=self.position.sequence,
                part=number,
                parts=len(starts),
                inputs=tuple({"topic": topic, "next": offset} for topic, offset in sorted(inputs.items())),
                state_digest=self.encoded.digest,
                data=data[start : start + most],
            )

    def _send(self, draft: Draft, key: int, event: Event, timestamp: int) -> None:
        value = self._journal.encode(event)
        draft.messages.append(Outgoing(self._journal.topic, self._partition, str(key).encode(), value, timestamp))

    def keep(self) -> None:
        """Go on after the entry of the batch, once its transaction has committed; there is none where nothing moved."""
        if self._next is None:
            return
        self.encoded.keep()
        self.since.update(self._batch.sizes)
        if self._next.snapshot != self.position.snapshot:
            self.since -= self._until
        self.position, self._next = self._next, None
        for _ in range(self._sending):
            self._parts.popleft()
        self._sending = 0
        self._told_versions = True

    def drop(self) -> None:
        """Forget the current batch, and what is held."""
        self.encoded.drop()
        self._next = None
        self._batch = _Batch()
        self._sending = 0
        self._held.clear()
