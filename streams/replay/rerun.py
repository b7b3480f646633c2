"""Run journal entries again by the runtime's own task, and compare what it would write with what was recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tradewind.connectors.settings import Settings
from tradewind.schemas.codec import Codec
from tradewind.schemas.runtime import JournalEntry, StateSnapshot
from tradewind.streams.replay.difference import Difference
from tradewind.streams.replay.reading import PartitionReader
from tradewind.streams.runtime.agent import Agent
from tradewind.streams.runtime.commit.digest import Digest, digest_of_records
from tradewind.streams.runtime.commit.journal import NO_SNAPSHOT, JournalPosition, TaskJournal
from tradewind.streams.runtime.commit.outbox import Draft, Outgoing, Patience
from tradewind.streams.runtime.errors import AgentCrashed
from tradewind.streams.runtime.lease import Lease
from tradewind.streams.runtime.read.chunk import Chunk
from tradewind.streams.runtime.read.records import Records
from tradewind.streams.runtime.work.agent_work import AgentWork
from tradewind.streams.runtime.work.encoded_state import EncodedState, load
from tradewind.streams.runtime.work.skips import ByInput, PassedOver
from tradewind.streams.runtime.work.state import TaskState
from tradewind.streams.runtime.work.task import Task
from tradewind.topics import Topic

LEASE = Lease("replay", 0, "replay", frozenset())
"""Of chunks that no group gave: nothing is committed."""
ENTRY_S = 3_600.0  # nobody waits for an entry's end
SHOWN_KEYS = 5


class Rerun:
    """A task that goes through entries again. Close it."""

    def __init__(self, settings: Settings, codec: Codec, partition: int, begin: int) -> None:
        self._settings = settings
        self._codec = codec
        self._partition = partition
        self._begin = begin
        self._inputs: dict[str, Topic] = {}
        self._positions: dict[str, int] = {}
        self._readers: dict[str, PartitionReader] = {}
        self._task: Task | None = None

    def close(self) -> None:
        """Let the connections go."""
        for reader in self._readers.values():
            reader.close()

    def begin(self, agent: Agent, snapshot: Mapping[int, StateSnapshot] | None) -> Difference | None:
        """Take the state to begin with; return a difference where the snapshot is not the state that it says it is."""
        values: dict[str, bytes] = {}
        if snapshot is not None:
            first = snapshot[0]
            try:
                values = load(b"".join(snapshot[number].data for number in range(first.parts)))
            except ValueError as reason:
                return self._of_snapshot(first, str(reason))
            if EncodedState(values).digest != first.state_digest:
                return self._of_snapshot(first, f"{len(values)} values of another digest")
            self._positions = {str(each["topic"]): int(each["next"]) for each in first.inputs}
        state = TaskState(values, self._codec.decode)
        self._go_on(agent, state, EncodedState(values), self._begin)
        return None

    def _of_snapshot(self, part: StateSnapshot, found: str) -> Difference:
        where = {"topic": f"{part.agent}.journal", "partition": part.partition, "snapshot": part.sequence}
        return Difference("state", part.sequence, where, f"a state of digest {part.state_digest.hex()}", found)

    def use(self, agent: Agent) -> None:
        """Go on with another declaration of the agent, from the same state."""
        assert self._task is not None
        self._go_on(agent, self._task.state, self._task.journal.encoded, self._task.journal.position.sequence)

    def _go_on(self, agent: Agent, state: TaskState, encoded: EncodedState, sequence: int) -> None:
        work = AgentWork(agent, self._settings, self._codec)
        work.journal.snapshots = False
        self._inputs = {topic.name: topic for topic in (*work.order, work.redrive)}
        journal = TaskJournal(work.journal, self._partition, encoded, JournalPosition(sequence, NO_SNAPSHOT))
        self._task = Task(work, self._partition, state, self._positions, journal)

    def check_snapshot(self, part: StateSnapshot) -> Difference | None:
        """Compare the digest of a snapshot that is passed with the state as it is now."""
        assert self._task is not None
        journal = self._task.journal
        if part.sequence != journal.position.sequence or part.state_digest == journal.encoded.digest:
            return None  # later parts come among the entries after their snapshot
        return self._of_snapshot(part, f"a state of digest {journal.encoded.digest.hex()}")

    def run(self, entry: JournalEntry) -> tuple[Difference | None, Sequence[Outgoing] | None]:
        """Run an entry again: return the first difference, and the outputs where the entry could be run.

        Raises `OffsetGone` where inputs are no longer there.
        """
        assert self._task is not None
        chunks: list[tuple[Topic, Chunk]] = []
        self._positions.update({str(each["topic"]): int(each["next"]) for each in entry.starts})
        for each in entry.ranges:
            read = self._read(entry, each)
            if isinstance(read, Difference):
                return read, None
            chunks.append(read)
        draft = Draft()
        try:
            self._task.migrate(entry.migrations)
            self._task.by_hand = _passed_over(entry)
            if entry.starts:
                self._task.start({str(each["topic"]): int(each["next"]) for each in entry.starts}, draft)
            else:
                self._task.rerun(chunks, draft, Patience(ENTRY_S))
        except AgentCrashed as crash:
            return Difference("crash", entry.sequence, {"partition": self._partition}, "no crash", str(crash)), None
        again = self._task.journal.entry
        assert again is not None
        different = self._difference(entry, again)
        self._task.keep()
        return different, draft.messages[: again.outputs]

    def _read(self, entry: JournalEntry, each: Mapping[str, Any]) -> tuple[Topic, Chunk] | Difference:
        """Read a range again; return a difference where it does not follow the one before, or holds other records."""
        name, first, next_ = str(each["topic"]), int(each["first"]), int(each["next"])
        topic, position = self._inputs.get(name), self._positions.get(name)
        where = {"topic": name, "partition": self._partition}
        if topic is None or position != first or next_ < first:
            known = "no input of the agent" if topic is None else f"the task had read up to {position}"
            return Difference("journal", entry.sequence, where, f"records from {first} to {next_}", known)
        records = self._records(topic, first, next_)
        recorded, found = recorded_digest(each), digest_of_records(records)
        if len(records) != int(each["count"]) or recorded != found:
            return Difference("input", entry.sequence, *_of_input(where, each, found, records))
        self._positions[name] = next_
        return topic, Chunk((self._settings.physical(topic), self._partition), LEASE, 0, first, records, next_)

    def _records(self, topic: Topic, first: int, next_: int) -> Records:
        reader = self._readers.get(topic.name)
        if reader is None:
            at = (self._settings.physical(topic), self._partition)
            reader = self._readers[topic.name] = PartitionReader(self._settings, at, first)
        return Records.of(list(reader.upto(next_)))

    def _difference(self, entry: JournalEntry, again: JournalEntry) -> Difference | None:
        where = {"agent": entry.agent, "partition": entry.partition}
        number = entry.sequence
        if entry.skipped != again.skipped:
            return _of_letters(entry, again)
        if (entry.outputs, entry.outputs_digest) != (again.outputs, again.outputs_digest):
            then, now = (f"{each.outputs} records of digest {each.outputs_digest.hex()}" for each in (entry, again))
            return Difference("output", number, where, then, now)
        if entry.state_digest != again.state_digest:
            assert self._task is not None
            written = sorted(self._task.state.writes())
            more = f" and {len(written) - SHOWN_KEYS} more" if len(written) > SHOWN_KEYS else ""
            wrote = f"{again.state_digest.hex()} (it wrote {', '.join(written[:SHOWN_KEYS]) or 'nothing'}{more})"
            return Difference("state", number, where, f"digest {entry.state_digest.hex()}", wrote)
        return None


def _passed_over(entry: JournalEntry) -> ByInput:
    """Return what an entry says was passed over by hand."""
    found: dict[str, dict[int, PassedOver]] = {}
    for each in entry.by_hand:
        found.setdefault(str(each["topic"]), {})[int(each["offset"])] = PassedOver(str(each["reason"]))
    return found


def recorded_digest(each: Mapping[str, Any]) -> Digest:
    """Return the digest of a range."""
    return Digest(bytes(each["digest"]), int(each["sum"]), int(each["moment"]))


def _of_input(
    where: Mapping[str, Any], each: Mapping[str, Any], found: Digest, records: Records
) -> tuple[dict[str, Any], str, str]:
    """Return where records differ, what was recorded and what was found: one record if it can be identified."""
    count, recorded = int(each["count"]), recorded_digest(each)
    alike = recorded if len(records) == count else None
    place = None if alike is None else alike.place_of_change(found, count)
    if place is not None:
        there = records[place]
        value = "no value" if there.value is None else f"the value {there.value.hex()}"
        return {**where, "offset": there.offset}, "another record", f"{value} at {there.timestamp} ms"
    within = {**where, "from offset": int(each["first"]), "to before": int(each["next"])}
    then, now = f"{count} records of digest {bytes(each['digest']).hex()}", f"{len(records)} of {found.digest.hex()}"
    return within, then, now


def _of_letters(entry: JournalEntry, again: JournalEntry) -> Difference:
    """Return the first record that became a dead letter on one side, and not the same on the other."""
    then, now = (_letters(of.skipped) for of in (entry, again))
    both = [*then, *now]
    topic, partition, offset = next((at for at in both if then.get(at) != now.get(at)), both[0])
    where = {"agent": entry.agent, "topic": topic, "partition": partition, "offset": offset}
    recorded, found = (of.get((topic, partition, offset), "processed") for of in (then, now))
    return Difference("dead letter", entry.sequence, where, recorded, found)


def _letters(skipped: Sequence[Mapping[str, Any]]) -> dict[tuple[str, int, int], str]:
    return {(of["topic"], of["partition"], offset): of["error"] for of in skipped for offset in of["offsets"]}
