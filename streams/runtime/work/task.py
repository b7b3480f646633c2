"""A task: one agent on one partition of all its inputs, its state, and how it runs a batch."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import cast

from tradewind.processors.batch import Rows, Segment, rows_of
from tradewind.schemas.runtime import DeadLetter
from tradewind.streams.runtime.agent import POSITION_KEY
from tradewind.streams.runtime.commit.journal import TaskJournal
from tradewind.streams.runtime.commit.outbox import Draft, Outgoing, Patience
from tradewind.streams.runtime.errors import AgentCrashed, RuntimeStopped, SchemaUnavailable
from tradewind.streams.runtime.read.chunk import Chunk
from tradewind.streams.runtime.read.records import Records
from tradewind.streams.runtime.watch.statistics import TaskSize
from tradewind.streams.runtime.work.agent_work import AgentWork
from tradewind.streams.runtime.work.dead_letters import (
    ErrorKind,
    Misdirected,
    as_read,
    origins,
    record_of,
)
from tradewind.streams.runtime.work.encoded_state import EncodedState
from tradewind.streams.runtime.work.hold import Held, reached_by
from tradewind.streams.runtime.work.in_parts import said
from tradewind.streams.runtime.work.newest import keep_newest
from tradewind.streams.runtime.work.piece_processing import PieceProcessing
from tradewind.streams.runtime.work.pieces import Piece
from tradewind.streams.runtime.work.skips import ByInput, Skipped, cut_around, skipped, tombstone_key
from tradewind.streams.runtime.work.state import TaskState
from tradewind.streams.runtime.work.state_format import migrate
from tradewind.topics import Topic

log = logging.getLogger(__name__)


class _Unwritable(AgentCrashed):
    """The state cannot hold a value that a batch wrote. The batch runs again, with a check of each segment's writes."""


class Task:
    """One partition of an agent. Used by the worker's thread only."""

    def __init__(
        self,
        work: AgentWork,
        partition: int,
        state: TaskState,
        applied: Mapping[str, int],
        journal: TaskJournal | None = None,
    ) -> None:
        """Continue from a state and its positions. Without `journal`, begin a new one."""
        self._work = work
        self.partition = partition
        self.state = state
        self.applied = dict(applied)
        """input -> next offset, as committed together with the state."""
        self.journal = journal or TaskJournal(work.journal, partition, EncodedState())
        self._moved: dict[str, int] = {}
        self._read = dict(applied)
        self._latest_ms = 0
        self._held = self._nothing_held()
        self.migrations: tuple[int, ...] = ()
        """Numbers of the agent's migrations that the committed state has not been through."""
        self._migrated = False
        self.released = 0
        """Records of the held input that the current batch let go."""
        self._released_ms: int | None = None
        self.by_hand: ByInput = {}
        """The records that a person told the agent to skip."""
        self._processing = PieceProcessing(work, partition, state, self.journal)

    def _nothing_held(self) -> Held | None:
        hold = self._work.agent.hold
        return None if hold is None else Held(hold.topic, hold.lookahead_us, self._work.sizes.released_pieces)

    @property
    def latest(self) -> Segment | None:
        """The segment that the current batch processed last."""
        return self._processing.latest

    @property
    def more(self) -> bool:
        """Whether the hold can release records without new arrivals."""
        return self._held is not None and self._held.more

    def run(
        self, chunks: Mapping[str, Iterable[Chunk]], draft: Draft, patience: Patience, limit: int | None = None
    ) -> None:
        """Process chunks by topic, and add the results to the draft. The task keeps nothing before `keep`.

        Of the held input some `limit` records go at most, the agent's own limit unless given. Raises `AgentCrashed`
        for a bug, and `Impatient`, between two pieces, when patience runs out.
        """
        self._complete(lambda: self._take(chunks, draft, patience, limit), draft)

    def _take(self, chunks: Mapping[str, Iterable[Chunk]], draft: Draft, patience: Patience, limit: int | None) -> None:
        hold, held = self._work.agent.hold, self._held
        self.released, self._released_ms, self._processing.latest = 0, None, None
        for chunk in chunks.get(self._work.redrive.name, ()):
            self._redrive(chunk, draft, patience)
        for topic in self._work.order:
            for chunk in chunks.get(topic.name, ()):
                self._follows(topic.name, chunk)
                if held is not None and hold is not None and topic == hold.topic:
                    self.journal.hold(chunk)
                    for piece in self._pieces(topic, chunk):
                        patience.check()
                        held.add(piece)
                else:
                    self._process_chunk(topic, chunk, draft, patience)
        if held is not None and hold is not None:
            for piece in held.release(reached_by(hold, self.state), limit or self._work.agent.batch_limit):
                patience.check()
                if self._released_ms is None and piece.records:
                    self._released_ms = int(piece.records.timestamps[0])
                self.released += len(piece.records) + len(piece.refused) + isinstance(piece, Skipped)
                self._process(hold.topic.name, piece, draft, patience)
                self._moved[hold.topic.name] = piece.next
            self.journal.note_released(hold.topic.name, self._moved.get(hold.topic.name, 0))

    def _complete(self, process: Callable[[], None], draft: Draft) -> None:
        """Process a batch and close it; where it wrote what cannot be kept, once more, looking for who wrote it.

        What a batch writes is encoded once, at its end: to encode it after each segment cost a third of the work of an
        agent whose keys change with every record. What comes of a batch depends on the batch alone, also where it is
        run again from the journal.
        """
        first, letters, read, latest_ms = len(draft.messages), draft.letters.copy(), dict(self._read), self._latest_ms
        held, journal = None if self._held is None else self._held.copy(), self.journal.held_chunks()
        self.journal.begin(draft)
        self._run(process, draft, first)
        try:
            self._close(draft)
        except _Unwritable:
            self.drop()
            del draft.messages[first:]
            draft.letters, self._read, self._latest_ms, self._held = letters, read, latest_ms, held
            self.journal.hold_again(journal)
            self.journal.begin(draft)
            self._processing.checks = True
            try:
                self._run(process, draft, first)
            finally:
                self._processing.checks = False
            self._close(draft)

    def _run(self, process: Callable[[], None], draft: Draft, first: int) -> None:
        """Process a batch, whose messages begin at `first`."""
        process()
        if self._work.router.newest_time:
            keep_newest(draft.messages, first)

    def rerun(self, ranges: Sequence[tuple[Topic, Chunk]], draft: Draft, patience: Patience) -> None:
        """Process the records of a journal entry, in their order, without the hold."""
        self._complete(lambda: self._retake(ranges, draft, patience), draft)

    def _retake(self, ranges: Iterable[tuple[Topic, Chunk]], draft: Draft, patience: Patience) -> None:
        for topic, chunk in ranges:
            if topic == self._work.redrive:
                self._redrive(chunk, draft, patience)
            else:
                self._follows(topic.name, chunk)
                self._process_chunk(topic, chunk, draft, patience)

    def _process_chunk(self, topic: Topic, chunk: Chunk, draft: Draft, patience: Patience) -> None:
        self.journal.note_chunk(topic.name, chunk)
        for piece in self._pieces(topic, chunk):
            patience.check()
            self._process(topic.name, piece, draft, patience)
            self._moved[topic.name] = piece.next

    def _pieces(self, topic: Topic, chunk: Chunk) -> Iterator[Piece]:
        """Yield the pieces of a chunk. Records that a person skips are not decoded."""
        for of, told in cut_around(chunk, self.by_hand.get(topic.name, {})):
            if told is not None:
                yield skipped(of, told)
                continue
            try:
                yield from self._work.cutter.cut(topic, of)
            except (RuntimeStopped, SchemaUnavailable):
                raise
            except Exception as bug:
                raise self._processing.stop_error(
                    topic.name, self._read_letters(topic, of), f"decoding: {said(bug)}"
                ) from bug

    def _read_letters(self, topic: Topic, chunk: Chunk) -> Records:
        """Return the one record that cannot be decoded for a bug, or all of them where none is so alone."""
        for at in range(len(chunk.records)):
            one = chunk.records[at : at + 1]
            try:
                list(self._work.cutter.cut(topic, replace(chunk, records=one)))
            except Exception:  # noqa: BLE001 - the error of the whole chunk says which it is
                return one
        return chunk.records

    def _redrive(self, chunk: Chunk, draft: Draft, patience: Patience) -> None:
        """Process redriven letters as the records that they were, at their origin, so that derived ids do not change.

        A record of a held input is processed at once, not held again. What is held goes in order, and this record's
        turn had come when it failed: what it would wait for has been reached, or, where it was undecodable and nothing
        came after it, is about to be. Queued now it would stand behind records that are younger than it.
        """
        redrive = self._work.redrive
        self._follows(redrive.name, chunk)
        self._migrate()
        self.journal.note_chunk(redrive.name, chunk)
        for letters in self._pieces(redrive, chunk):
            if isinstance(letters, Skipped):
                self._pass_letter(letters, chunk, draft)
            for bad in letters.refused:  # it is no letter: somebody else wrote to the topic
                self._processing.bury((redrive.name, self.partition), bad.record, bad.error, bad.reason, draft)
            if letters.segment is not None:
                self._redrive_letters(rows_of(letters.segment), chunk, draft, patience)
        self._moved[redrive.name] = chunk.next

    def _redrive_letters(self, letters: Rows, chunk: Chunk, draft: Draft, patience: Patience) -> None:
        work = self._work
        told = cast("Sequence[DeadLetter]", letters.events)
        offsets = letters.offsets.tolist()
        self._processing.letters_at = {
            (one.topic, one.offset, one.attempt + 1): at for one, at in zip(told, offsets, strict=True)
        }
        for found in origins(work.agent, self.partition, told):
            if isinstance(found, Misdirected):
                at = found.letter.topic, found.letter.partition
                kind = found.letter.error
                error: ErrorKind = "POISON" if kind == "UNKNOWN" else kind  # a newer version may know more kinds
                self._processing.bury(at, found.record, error, found.reason, draft)
                continue
            for piece in work.cutter.cut(found.topic, as_read(found, chunk, work.names[found.topic.name])):
                patience.check()
                self._process(found.topic.name, piece, draft, patience)

    def _pass_letter(self, letter: Skipped, chunk: Chunk, draft: Draft) -> None:
        """Make a dead letter of a redriven record again, unprocessed, with the next attempt."""
        redrive = self._work.redrive
        self.journal.note_passed_over(redrive.name, letter.record.offset, letter.told.reason)
        one = replace(chunk, records=Records.of([letter.record]))
        for piece in self._work.cutter.cut(redrive, one):
            if piece.segment is None:
                self._processing.bury(
                    (redrive.name, self.partition), letter.record, "POISON", letter.told.reason, draft
                )
                continue
            told = cast("DeadLetter", rows_of(piece.segment).events[0])
            self._processing.bury((told.topic, told.partition), record_of(told), "POISON", letter.told.reason, draft)

    def _follows(self, topic: str, chunk: Chunk) -> None:
        """Check that a chunk begins where the previous one ended, so that no fetched record is lost."""
        if chunk.start != self._read[topic]:
            raise AgentCrashed(
                f"agent {self._work.agent.name} on {topic}, partition {self.partition}: records from "
                f"{self._read[topic]} to {chunk.start} were not processed. This is a bug of the runtime; "
                "nothing of the batch is committed."
            )
        self._read[topic] = chunk.next
        if chunk.records:
            self._latest_ms = max(self._latest_ms, int(chunk.records.timestamps[-1]))

    def _process(self, topic: str, piece: Piece, draft: Draft, patience: Patience) -> None:
        self._migrate()
        self._processing.process(topic, piece, draft, patience)

    def start(self, first: Mapping[str, int], draft: Draft) -> None:
        """Add the first positions of inputs for which the group has no offset to the draft."""
        self._moved.update(first)
        self._read.update(first)
        self.journal.begin(draft)
        if first:  # else nothing moves, and nothing would carry what migrations change
            self._migrate()
        self.journal.note_starts(first)
        self._close(draft)

    def migrate(self, numbers: Sequence[int]) -> None:
        """Have the next batch that moves the task take its state through migrations first, numbered from 1."""
        self.migrations = tuple(numbers)

    def _migrate(self) -> None:
        """Take the state through the migrations that it needs, in the current batch.

        Not in a transaction of their own: each that changes a task moves its offsets, which is how a worker that had
        the task before knows that what it has in memory is old.
        """
        if self.migrations and not self._migrated:
            migrate(self._work.agent, self.state, self.migrations, f"partition {self.partition}")
            self.state.accept_segment()
            self.journal.note_migrations(self.migrations)
            self._migrated = True

    def _close(self, draft: Draft) -> None:
        """If the task has moved, add the changes of its state and the new positions to the draft."""
        if not self._moved:
            return
        inputs = {**self.applied, **self._moved}
        changelog, stamp = self._work.changelog, self._latest_ms
        try:
            changes = self._processing.encode_writes(self.state.writes())
        except Exception as error:
            raise _Unwritable(
                f"agent {self._work.agent.name}, partition {self.partition}: its state cannot be written: "
                f"{said(error)}; nothing is committed"
            ) from error
        at, digest = self.journal.close(draft, changes, self.applied, stamp)
        kept = [(key.encode(), value) for key, value in changes]
        kept.append((POSITION_KEY.encode(), changelog.position(self.partition, inputs, at, digest)))
        draft.messages.extend(Outgoing(changelog.topic, self.partition, key, value, stamp) for key, value in kept)
        for topic, offset in self.journal.by_hand:
            key = tombstone_key(topic, self.partition, offset)
            draft.messages.append(Outgoing(self._work.skips.topic, 0, key, None, stamp))
        for topic, offset in self._moved.items():
            draft.offsets[self._work.names[topic], self.partition] = offset

    def keep(self) -> None:
        """Keep the results of the batch. Call it once the transaction has committed."""
        self.state.keep()
        self.journal.keep()
        self.applied.update(self._moved)
        self._moved.clear()
        if self._migrated:
            log.info(
                "agent %s, partition %d: the state went through migrations up to %d",
                self._work.agent.name,
                self.partition,
                self.migrations[-1],
            )
            self.migrations, self._migrated = (), False

    def waits(self) -> str:
        """Return why the task processes broadcast inputs only, in words; empty if it processes all inputs."""
        asked = self._work.agent.waits
        return "" if asked is None else asked(self.state)

    def size(self) -> TaskSize:
        """Return the sizes of the task, for metrics."""
        hold, held = self._work.agent.hold, self._held
        if held is None or hold is None:
            return TaskSize(len(self.state), 0, None, None, waits=self.waits())
        reached = reached_by(hold, self.state)
        wait = held.wait(reached)
        if wait is not None:
            wait = replace(wait, behind=reached.behind(wait.key, wait.ts_event - hold.lookahead_us))
        return TaskSize(len(self.state), held.records, held.first_ms, self._released_ms, wait, self.waits())

    def drop(self) -> None:
        """Drop the results of the batch and the held records. They are read again from the committed offsets."""
        self.state.drop()
        self._migrated = False
        self.journal.drop()
        self._moved.clear()
        self._read = dict(self.applied)
        self._held = self._nothing_held()
