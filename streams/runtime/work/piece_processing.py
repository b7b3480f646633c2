"""What a task does with one piece: it runs the processor, routes the results, and makes dead letters."""

from __future__ import annotations

from collections.abc import Mapping

from tradewind.processors.batch import Segment
from tradewind.schemas.event import Event
from tradewind.streams.runtime.commit.journal import TaskJournal
from tradewind.streams.runtime.commit.outbox import LARGEST_BYTES, Draft, Outgoing, Patience, too_large
from tradewind.streams.runtime.errors import AgentCrashed
from tradewind.streams.runtime.read.records import Record, Records
from tradewind.streams.runtime.work.agent_work import AgentWork
from tradewind.streams.runtime.work.dead_letters import ErrorKind, RedrivenRecord, letter_of
from tradewind.streams.runtime.work.hold import note_time
from tradewind.streams.runtime.work.in_parts import Attempt, Bug, Poison, in_parts
from tradewind.streams.runtime.work.pieces import Piece
from tradewind.streams.runtime.work.skips import Skipped
from tradewind.streams.runtime.work.state import TaskState, Writes

SKIP = "tradewind dlq skip"
"""The command that passes over a record; what looks after workers finds it in their logs."""
SHOWN = 80  # characters of a key that an error quotes
_Made = tuple[list[Outgoing], Mapping[str, Event]]
"""The records that a segment caused, and the events that begin chains among them."""


class PieceProcessing:
    """Processes the pieces of one task. What comes of a piece goes to the draft and to the state, and is journaled."""

    def __init__(self, work: AgentWork, partition: int, state: TaskState, journal: TaskJournal) -> None:
        self._work = work
        self._partition = partition
        self._state = state
        self._journal = journal
        self.latest: Segment | None = None
        """What the current batch processed last."""
        self.letters_at: dict[tuple[str, int, int], int] = {}
        """Topic, offset and attempt of each redriven record in hand -> the offset of its letter."""
        self.checks = False
        """Whether each segment's writes are checked, because the state could not hold a value of this batch."""

    def process(self, topic: str, piece: Piece, draft: Draft, patience: Patience) -> None:
        """Process the segment of a piece, and make dead letters of the records that were refused before."""
        if isinstance(piece, Skipped):
            self._journal.note_passed_over(topic, piece.record.offset, piece.told.reason)
            self.bury((topic, self._partition), piece.record, "POISON", piece.told.reason, draft)
        for bad in piece.refused:
            self.bury((topic, self._partition), bad.record, bad.error, bad.reason, draft)
        if piece.segment is not None:
            self._process_segment(topic, piece.segment, piece.records, draft, patience)
            self.latest = piece.segment

    def _process_segment(
        self, topic: str, segment: Segment, records: Records, draft: Draft, patience: Patience
    ) -> None:
        """Run the processor on a segment without its poison records. Nothing that a poison record caused is kept."""
        state = self._state
        attempt = Attempt(lambda now: self._run_processor(topic, now, draft), state.accept_segment, state.drop_segment)
        try:
            for made in in_parts(attempt, segment, records, patience):
                if isinstance(made, Poison):
                    self.bury((topic, self._partition), made.record, "POISON", self._reason(made), draft)
                    continue
                messages, begun = made
                draft.messages.extend(messages)
                if draft.origins is not None:
                    draft.origins.update(begun)
        except Bug as bug:
            raise self.stop_error(topic, bug.records, str(bug)) from bug.__cause__

    def _reason(self, poison: Poison) -> str:
        """Return why a record is poison. For an unknown symbol, name the symbol and its schema."""
        if poison.unknown is None or poison.record.value is None:
            return poison.reason
        schema_id, symbol = self._work.codec.written(poison.record.value, poison.unknown)
        said = f"schema {schema_id} says {symbol}"
        return f"{poison.reason}: {said}. Run a version that has it, then send the letter back"

    def _run_processor(self, topic: str, segment: Segment, draft: Draft) -> _Made:
        """Run the processor on a segment, which changes the state; return the encoded results."""
        work = self._work
        events = work.agent.processor(self._state, segment)
        messages = [*work.router.route(events, segment)]
        begun = {} if draft.origins is None else work.router.origins(events, segment)
        hold = work.agent.hold
        if hold is not None and topic == hold.until.name:
            note_time(hold, segment, self._state)
        if self.checks:
            self.encode_writes(self._state.segment_writes())
        return messages, begun

    def _where(self, topic: str, records: Records) -> str:
        first, last = records[0].offset, records[-1].offset
        at = f"offset {first}" if len(records) == 1 else f"offsets {first} to {last}"
        redriven = " (redriven)" if isinstance(records[0], RedrivenRecord) else ""
        where = f"agent {self._work.agent.name} on {topic}, partition {self._partition}, {at}{redriven}"
        return f"{where}; nothing of the batch is committed"

    def stop_error(self, topic: str, records: Records, what: str) -> AgentCrashed:
        """Return the error of a bug, with what to do. If one record causes it, name the command that skips it."""
        name, first = self._work.agent.name, records[0]
        message = f"{self._where(topic, records)}: {what}. Repair the agent and start it again"
        if len(records) > 1:
            return AgentCrashed(f"{message}; no record of these raises it alone")
        at = topic, first.offset
        if isinstance(first, RedrivenRecord):
            at = self._work.redrive.name, self.letters_at[topic, first.offset, first.attempt]
        return AgentCrashed(f"{message}, or pass over the record: {SKIP} {name} {at[0]} {self._partition} {at[1]}")

    def bury(self, at: tuple[str, int], record: Record, error: ErrorKind, reason: str, draft: Draft) -> None:
        """Add the dead letter of a record to the draft; `at` is the topic and partition that the record is of."""
        self._journal.note_dead_letter(at, record.offset, error)
        letter = letter_of(self._work.agent.name, at, record, error, reason)
        draft.messages.extend(self._work.router.route([letter], None))
        draft.letters[error] += 1

    def encode_writes(self, writes: Writes) -> list[tuple[str, bytes | None]]:
        """Return what the changelog keeps of writes; raises an error of values where a broker or Avro would refuse."""
        changes = self._work.changelog.changes(writes)
        for key, value in changes:
            size = len(key.encode()) + len(value or b"")
            if size > LARGEST_BYTES:
                raise too_large(f"state {key[:SHOWN]!r}", size)
        return changes
