"""A task: one agent on one partition of all its inputs, its state, and how it runs a batch."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from tradewind.connectors.settings import Settings
from tradewind.processors.batch import PoisonRecord, Rows, Segment, part, rows_of
from tradewind.schemas.codec import Codec
from tradewind.schemas.runtime import DeadLetter
from tradewind.streams.runtime.account import TaskSize
from tradewind.streams.runtime.agent import POSITION_KEY, Agent, group_of, redrive_topic
from tradewind.streams.runtime.changelog import Changelog
from tradewind.streams.runtime.chunk import Chunk
from tradewind.streams.runtime.dead_letters import ErrorKind, Misdirected, RedrivenRecord, as_read, letter_of, origins
from tradewind.streams.runtime.encoded_state import EncodedState
from tradewind.streams.runtime.errors import AgentCrashed
from tradewind.streams.runtime.hold import Held, note_heartbeats, reached_by
from tradewind.streams.runtime.journal import Journal, TaskJournal
from tradewind.streams.runtime.outbox import Draft, Outgoing, Patience
from tradewind.streams.runtime.pieces import Cutter, Piece
from tradewind.streams.runtime.records import Record, Records
from tradewind.streams.runtime.routing import Router
from tradewind.streams.runtime.state import TaskState
from tradewind.streams.runtime.state_format import migrate
from tradewind.topics import Topic

log = logging.getLogger(__name__)


class AgentWork:
    """What all tasks of an agent share: its declaration, and how its records are read and written."""

    def __init__(self, agent: Agent, settings: Settings, codec: Codec, changelog: Changelog | None = None) -> None:
        """Read and write the changelog on Kafka, unless another is given."""
        self.agent = agent
        self.group = group_of(agent, settings)
        self.codec = codec
        self.cutter = Cutter(codec)
        self.router = Router(agent, settings, codec)
        self.changelog = changelog or Changelog(agent, settings, codec)
        self.journal = Journal(agent, settings, codec)
        self.redrive = redrive_topic(agent)
        self.names = {topic.name: settings.physical(topic) for topic in (*agent.inputs, self.redrive)}
        """Name of an input -> its name on the cluster; the redrive topic, which the declaration does not name, too."""
        self.order = agent.reading_order()


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
        """Go on from a state and the positions that belong to it; a journal that begins where none is given."""
        self._work = work
        self.partition = partition
        self.state = state
        self.applied = dict(applied)
        """The next offset of every input, as committed together with the state."""
        self.journal = journal or TaskJournal(work.journal, partition, EncodedState())
        self._moved: dict[str, int] = {}
        self._read = dict(applied)
        self._latest_ms = 0
        self._held = self._nothing_held()
        self.migrations: tuple[int, ...] = ()
        """Numbers of the agent's migrations that the committed state has not been through."""
        self._migrated = False
        self.released = 0
        """Records of the held input that the batch in hand let go."""
        self.latest: Segment | None = None
        """What the batch in hand processed last."""
        self._released_ms: int | None = None

    def _nothing_held(self) -> Held | None:
        hold = self._work.agent.hold
        return None if hold is None else Held(hold.lookahead_us)

    @property
    def more(self) -> bool:
        """Whether held records can go without anything new arriving."""
        return self._held is not None and self._held.more

    def run(
        self, chunks: Mapping[str, Iterable[Chunk]], draft: Draft, patience: Patience, limit: int | None = None
    ) -> None:
        """Process chunks by topic, and add what comes of them to the draft; nothing is kept before `commit`.

        Of the held input some `limit` records go at most, the agent's own limit unless given. Raises `AgentCrashed`
        for a bug, and `Impatient`, between two pieces, when patience runs out.
        """
        hold, held = self._work.agent.hold, self._held
        self.released, self._released_ms, self.latest = 0, None, None
        self.journal.begin(draft)
        for chunk in chunks.get(self._work.redrive.name, ()):
            self._redrive(chunk, draft, patience)
        for topic in self._work.order:
            for chunk in chunks.get(topic.name, ()):
                self._follows(topic.name, chunk)
                if held is not None and hold is not None and topic == hold.topic:
                    self.journal.hold(chunk)
                    for piece in self._work.cutter.cut(topic, chunk):
                        patience.check()
                        held.add(piece)
                else:
                    self._process_chunk(topic, chunk, draft, patience)
        if held is not None and hold is not None:
            for piece in held.release(reached_by(self.state), limit or self._work.agent.batch_limit):
                patience.check()
                if self._released_ms is None and piece.records:
                    self._released_ms = int(piece.records.timestamps[0])
                self.released += len(piece.records) + len(piece.undecodable)
                self._process(hold.topic.name, piece, draft)
                self._moved[hold.topic.name] = piece.next
            self.journal.released(hold.topic.name, self._moved.get(hold.topic.name, 0))
        self._close(draft)

    def rerun(self, ranges: Iterable[tuple[Topic, Chunk]], draft: Draft, patience: Patience) -> None:
        """Process what an entry of the journal says was processed: in its order, with nothing held."""
        self.journal.begin(draft)
        for topic, chunk in ranges:
            if topic == self._work.redrive:
                self._redrive(chunk, draft, patience)
            else:
                self._follows(topic.name, chunk)
                self._process_chunk(topic, chunk, draft, patience)
        self._close(draft)

    def _process_chunk(self, topic: Topic, chunk: Chunk, draft: Draft, patience: Patience) -> None:
        self.journal.processed(topic.name, chunk)
        for piece in self._work.cutter.cut(topic, chunk):
            patience.check()
            self._process(topic.name, piece, draft)
            self._moved[topic.name] = piece.next

    def _redrive(self, chunk: Chunk, draft: Draft, patience: Patience) -> None:
        """Process redriven letters as the records that they were, at their origin, so that derived ids do not change.

        A record of a held input is processed at once, not held again. What is held goes in order, and this record's
        turn had come when it failed: what it would wait for has been reached, or, where it was undecodable and nothing
        came after it, is about to be. Queued now it would stand behind records that are younger than it.
        """
        redrive = self._work.redrive
        self._follows(redrive.name, chunk)
        self._migrate()
        self.journal.processed(redrive.name, chunk)
        for letters in self._work.cutter.cut(redrive, chunk):
            for bad in letters.undecodable:  # it is no letter: somebody else wrote to the topic
                self._bury((redrive.name, self.partition), bad.record, "UNDECODABLE", bad.reason, draft)
            if letters.segment is not None:
                self._redrive_letters(rows_of(letters.segment), chunk, draft, patience)
        self._moved[redrive.name] = chunk.next

    def _redrive_letters(self, letters: Rows, chunk: Chunk, draft: Draft, patience: Patience) -> None:
        work = self._work
        for found in origins(work.agent, self.partition, cast("Sequence[DeadLetter]", letters.events)):
            if isinstance(found, Misdirected):
                at = found.letter.topic, found.letter.partition
                self._bury(at, found.record, found.letter.error, found.reason, draft)
                continue
            for piece in work.cutter.cut(found.topic, as_read(found, chunk, work.names[found.topic.name])):
                patience.check()
                self._process(found.topic.name, piece, draft)

    def _follows(self, topic: str, chunk: Chunk) -> None:
        """Check that a chunk goes on where the one before ended: nothing that was fetched may be left out."""
        if chunk.start != self._read[topic]:
            raise AgentCrashed(
                f"agent {self._work.agent.name} on {topic}, partition {self.partition}: records from "
                f"{self._read[topic]} to {chunk.start} were not processed. This is a bug of the runtime; "
                "nothing of the batch is committed."
            )
        self._read[topic] = chunk.next
        if chunk.records:
            self._latest_ms = max(self._latest_ms, int(chunk.records.timestamps[-1]))

    def _process(self, topic: str, piece: Piece, draft: Draft) -> None:
        self._migrate()
        for bad in piece.undecodable:
            self._bury((topic, self.partition), bad.record, "UNDECODABLE", bad.reason, draft)
        if piece.segment is not None:
            self._apply(topic, piece.segment, piece.records, draft)
            self.latest = piece.segment
            hold = self._work.agent.hold
            if hold is not None and topic == hold.until.name:
                note_heartbeats(piece.segment, self.state)
                self.state.accept_segment()

    def _apply(self, topic: str, segment: Segment, records: Records, draft: Draft) -> None:
        """Run the processor on a segment, without the records that it calls poison.

        A processor gives the same for a segment as for its parts one after the other, so that what comes before a
        poison record is run again as a part, from the state before the segment, and what comes after it next.
        """
        waiting: list[tuple[Segment, Records]] = [(segment, records)]
        while waiting:
            now, of = waiting.pop()
            try:
                events = self._work.agent.processor(self.state, now)
                draft.messages.extend(self._work.router.route(events, now))
                if draft.origins is not None:
                    draft.origins.update(self._work.router.origins(events, now))
            except PoisonRecord as poison:
                self.state.drop_segment()
                at = poison.index
                if not 0 <= at < len(of):
                    raise AgentCrashed(f"{self._where(topic, of)}: poison at {at} of {len(of)} records") from poison
                self._bury((topic, self.partition), of[at], "POISON", poison.reason, draft)
                rest, before = (part(now, at + 1, len(of)), of[at + 1 :]), (part(now, 0, at), of[:at])
                waiting.extend(found for found in (rest, before) if found[1])
                continue
            except AgentCrashed:
                raise
            except Exception as bug:
                raise AgentCrashed(f"{self._where(topic, of)}: {type(bug).__name__}: {bug}") from bug
            self.state.accept_segment()

    def _where(self, topic: str, records: Records) -> str:
        redriven = " (redriven)" if isinstance(records[0], RedrivenRecord) else ""
        return (
            f"agent {self._work.agent.name} on {topic}, partition {self.partition}, offsets {records[0].offset} to "
            f"{records[-1].offset}{redriven}; nothing of the batch is committed"
        )

    def _bury(self, at: tuple[str, int], record: Record, error: ErrorKind, reason: str, draft: Draft) -> None:
        self.journal.skipped(at, record.offset, error)
        letter = letter_of(self._work.agent.name, at, record, error, reason)
        draft.messages.extend(self._work.router.route([letter], None))
        draft.letters[error] += 1

    def start(self, first: Mapping[str, int], draft: Draft) -> None:
        """Add to the draft where inputs are read from that the group has no offset of."""
        self._moved.update(first)
        self._read.update(first)
        self.journal.begin(draft)
        if first:  # else nothing moves, and nothing would carry what migrations change
            self._migrate()
        self.journal.started(first)
        self._close(draft)

    def migrate(self, numbers: Sequence[int]) -> None:
        """Have the next batch that moves the task take its state through migrations first, numbered from 1."""
        self.migrations = tuple(numbers)

    def _migrate(self) -> None:
        """Take the state through the migrations that it needs, in the batch in hand.

        Not in a transaction of their own: each that changes a task moves its offsets, which is how a worker that had
        the task before knows that what it has in memory is old.
        """
        if self.migrations and not self._migrated:
            migrate(self._work.agent, self.state, self.migrations, f"partition {self.partition}")
            self.state.accept_segment()
            self.journal.migrated(self.migrations)
            self._migrated = True

    def _close(self, draft: Draft) -> None:
        """Add the changes of state and the new positions to the draft, where the task has moved."""
        if not self._moved:
            return
        inputs = {**self.applied, **self._moved}
        changelog, stamp = self._work.changelog, self._latest_ms
        changes = changelog.changes(self.state.writes())
        at, digest = self.journal.close(draft, changes, self.applied, stamp)
        kept = [(key.encode(), value) for key, value in changes]
        kept.append((POSITION_KEY.encode(), changelog.position(self.partition, inputs, at, digest)))
        draft.messages.extend(Outgoing(changelog.topic, self.partition, key, value, stamp) for key, value in kept)
        for topic, offset in self._moved.items():
            draft.offsets[self._work.names[topic], self.partition] = offset

    def commit(self) -> None:
        """Keep what the batch did, once its transaction has committed."""
        self.state.commit()
        self.journal.commit()
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

    def size(self) -> TaskSize:
        """Return what the task holds, for metrics."""
        held = self._held
        if held is None:
            return TaskSize(len(self.state), 0, None, None)
        wait = held.wait(reached_by(self.state))
        return TaskSize(len(self.state), held.records, held.first_ms, self._released_ms, wait)

    def drop(self) -> None:
        """Forget what the batch did, and what is held: records are read again from what is committed."""
        self.state.drop()
        self._migrated = False
        self.journal.drop()
        self._moved.clear()
        self._read = dict(self.applied)
        self._held = self._nothing_held()
