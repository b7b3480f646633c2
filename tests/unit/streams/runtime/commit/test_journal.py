"""Entries say what was processed in which order; run again from them alone, a task does the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from runtime.records import CODEC, LEASE, NOWHERE, beat, by_rows, chunk, tick

from tradewind.processors.batch import PoisonRecord, Rows, State
from tradewind.schemas.event import Event
from tradewind.schemas.market import Tick
from tradewind.schemas.runtime import JournalEntry, StateSnapshot
from tradewind.streams.runtime.agent import BATCH_LIMIT, Agent, Hold
from tradewind.streams.runtime.commit.journal import JournalPosition, TaskJournal
from tradewind.streams.runtime.commit.outbox import Draft, Patience
from tradewind.streams.runtime.read.chunk import Chunk
from tradewind.streams.runtime.read.records import Record, Records
from tradewind.streams.runtime.sizes import AS_USUAL, Sizes
from tradewind.streams.runtime.work.agent_work import AgentWork
from tradewind.streams.runtime.work.encoded_state import EncodedState, load
from tradewind.streams.runtime.work.state import TaskState
from tradewind.streams.runtime.work.task import Task
from tradewind.topics import DECISIONS, LATE_TICKS, TICKS, Topic

INPUTS = {TICKS.name: TICKS, DECISIONS.name: DECISIONS}
HOLD = Hold(topic=TICKS, until=DECISIONS, lookahead_us=2)
SYMBOLS = ("EURUSD", "XAUUSD")


def picky(state: State, rows: Rows) -> list[Event]:
    """Pass ticks on and keep the last of each symbol; a second 13 is poison."""
    sent: list[Event] = []
    for at, event in enumerate(rows.events):
        if isinstance(event, Tick):
            if event.ts_event == 13:
                raise PoisonRecord(at, "13")
            state.put(event.symbol, event)
            sent.append(event)
    return sent


def work_of(hold: Hold | None = HOLD, ticks: Topic = TICKS, sizes: Sizes = AS_USUAL, **other: Any) -> AgentWork:
    """Return an agent that holds ticks for decisions, or takes ticks alone."""
    inputs = (DECISIONS, ticks) if hold else (ticks,)
    return AgentWork(Agent("a", inputs, (LATE_TICKS,), by_rows(picky), hold, **other), NOWHERE, CODEC, sizes=sizes)


def new_task(work: AgentWork) -> Task:
    """Return a task that has just started at the first record of its inputs."""
    task = Task(work, 0, TaskState(), {})
    task.start({topic.name: 0 for topic in work.order}, Draft())
    task.keep()
    return task


def entry_of(draft: Draft) -> JournalEntry:
    """Return the only entry in a draft, as it comes back from its bytes."""
    found = [CODEC.decode(out.value) for out in draft.messages if out.topic == "t.a.journal" and out.value]
    (entry,) = [event for event in found if isinstance(event, JournalEntry)]
    return entry


class Log:
    """What is on two inputs; hands out chunks and ranges of it."""

    def __init__(self) -> None:
        self.records: dict[str, list[Record]] = {TICKS.name: [], DECISIONS.name: []}

    def append(self, topic: Topic, values: Sequence[Event | bytes]) -> Chunk:
        """Add records, and return them as a chunk."""
        known = self.records[topic.name]
        added = chunk(topic, values, len(known))
        known.extend(added.records)
        return added

    def ranges(self, entry: JournalEntry) -> list[tuple[Topic, Chunk]]:
        """Return the records of an entry's ranges."""
        found = []
        for each in entry.ranges:
            topic, first, next_ = INPUTS[str(each["topic"])], int(each["first"]), int(each["next"])
            records = [record for record in self.records[topic.name] if first <= record.offset < next_]
            found.append((topic, Chunk((NOWHERE.physical(topic), 0), LEASE, 0, first, Records.of(records), next_)))
        return found


a_tick = st.builds(tick, st.integers(0, 20), symbol=st.sampled_from(SYMBOLS)) | st.just(b"garbage")
a_beat = st.builds(beat, st.integers(0, 20), symbol=st.sampled_from(SYMBOLS))
a_batch = st.lists(
    st.tuples(st.just(TICKS), st.lists(a_tick, max_size=6))
    | st.tuples(st.just(DECISIONS), st.lists(a_beat, max_size=3)),
    max_size=4,
)


@settings(deadline=None)
@given(st.lists(st.tuples(a_batch, st.sampled_from(("commit", "commit", "abort"))), max_size=8), st.data())
def test_a_task_that_runs_its_entries_again_does_the_same(
    batches: list[tuple[list[tuple[Topic, list[Event | bytes]]], str]], data: st.DataObject
) -> None:
    """Held, poisoned, undecodable and aborted: entry by entry the ranges, dead letters, outputs and state are equal."""
    work, log = work_of(), Log()
    task = new_task(work)
    entries: list[JournalEntry] = []
    for batch, ends in batches:
        chunks: dict[str, list[Chunk]] = {}
        for topic, values in batch:
            chunks.setdefault(topic.name, []).append(log.append(topic, values))
        draft = Draft()
        task.run(chunks, draft, Patience(60))
        if ends == "abort":  # as a worker does: go back to what is committed, and read on from there
            task.drop()
            chunks = {
                name: [
                    Chunk(
                        (NOWHERE.physical(name), 0),
                        LEASE,
                        1,
                        at,
                        Records.of(log.records[name][at:]),
                        len(log.records[name]),
                    )
                ]
                for name, at in task.applied.items()
            }
            draft = Draft()
            task.run(chunks, draft, Patience(60))
        if draft.offsets:
            entries.append(entry_of(draft))
        task.keep()
    again = new_task(work_of())
    for entry in entries:
        draft = Draft()
        again.rerun(log.ranges(entry), draft, Patience(60))
        assert entry_of(draft).to_dict() == {**entry.to_dict(), "versions": None}
        again.keep()
    assert [entry.sequence for entry in entries] == list(range(1, len(entries) + 1))
    assert again.applied == task.applied


def test_a_held_chunk_is_journaled_as_it_goes_and_not_as_it_came() -> None:
    """Its parts are ranges of the entries that processed them, after what released them."""
    task, log = new_task(work_of()), Log()
    held = log.append(TICKS, [tick(1), tick(5), tick(9)])
    draft = Draft()
    task.run({TICKS.name: [held]}, draft, Patience(60))
    assert draft.messages == []
    task.keep()
    seen = []
    for at in (3, 20):
        draft = Draft()
        task.run({DECISIONS.name: [log.append(DECISIONS, [beat(at)])]}, draft, Patience(60))
        task.keep()
        seen.append([(each["topic"], each["first"], each["next"], each["count"]) for each in entry_of(draft).ranges])
    assert seen == [
        [("risk.decisions", 0, 1, 1), ("market.ticks", 0, 2, 2)],
        [("risk.decisions", 1, 2, 1), ("market.ticks", 2, 3, 1)],
    ]


def test_ranges_are_never_merged_and_dead_letters_are_told() -> None:
    """Two chunks that follow on each other are two ranges."""
    task, log = new_task(work_of(hold=None)), Log()
    chunks = [log.append(TICKS, [tick(1), b"garbage"]), log.append(TICKS, [tick(13), tick(2)])]
    draft = Draft()
    task.run({TICKS.name: chunks}, draft, Patience(60))
    entry = entry_of(draft)
    assert [(each["first"], each["next"]) for each in entry.ranges] == [(0, 2), (2, 4)]
    assert [(each["offsets"], each["error"]) for each in entry.skipped] == [((1,), "UNDECODABLE"), ((2,), "POISON")]
    assert entry.outputs == 4


def test_a_batch_of_nothing_but_garbage_is_an_entry_that_brokers_take() -> None:
    """They refuse records of a megabyte: the agent would stop at the garbage for good."""
    journal, draft = TaskJournal(work_of().journal, 0, EncodedState(), JournalPosition(1, 0)), Draft()
    journal.begin(draft)
    for offset in range(10**9, 10**9 + 50_000):  # twice a batch, with kinds that alternate
        journal.note_dead_letter((TICKS.name, 0), offset, ("UNDECODABLE", "POISON")[offset % 2])
    journal.close(draft, [], {TICKS.name: 0}, 0)
    assert sum(len(each["offsets"]) for each in entry_of(draft).skipped) == 50_000  # type: ignore[arg-type]
    assert len(draft.messages[0].value or b"") < 500_000


def test_the_first_entry_after_a_take_over_says_by_what_it_was_made() -> None:
    """The others do not repeat it; one that did not commit has not said it."""
    work, log = work_of(hold=None), Log()
    task = Task(
        work, 0, TaskState(), {TICKS.name: 0}, TaskJournal(work.journal, 0, EncodedState(), JournalPosition(7, 0))
    )
    told = []
    chunks = {TICKS.name: [log.append(TICKS, [tick(1)])]}
    for then in (task.drop, task.keep, task.keep):
        draft = Draft()
        task.run(chunks, draft, Patience(60))
        told.append((entry_of(draft).sequence, entry_of(draft).versions))
        then()
        chunks = chunks if then == task.drop else {TICKS.name: [log.append(TICKS, [tick(2)])]}
    assert [sequence for sequence, _ in told] == [7, 7, 8]
    assert told[0][1] == told[1][1] == work.journal.versions
    assert told[2][1] is None


def snapshots_in(draft: Draft) -> list[StateSnapshot]:
    """Return the parts of snapshots in a draft."""
    found = [CODEC.decode(out.value) for out in draft.messages if out.topic == "t.a.journal" and out.value]
    return [event for event in found if isinstance(event, StateSnapshot)]


def test_a_snapshot_is_of_one_moment_though_its_parts_are_spread() -> None:
    """Entries between its parts change the state, and not the snapshot; an aborted part is sent again."""
    small_batches = Sizes(parts_per_input=0, part_bytes=10, parts_at_once=2)
    work = work_of(hold=None, sizes=small_batches)
    values = {"EURUSD": CODEC.encode(tick(1)), "XAUUSD": CODEC.encode(tick(2))}
    state = TaskState({key: CODEC.decode(value) for key, value in values.items()})
    task = Task(
        work, 0, state, {TICKS.name: 0}, TaskJournal(work.journal, 0, EncodedState(values), JournalPosition(5, -1))
    )
    log, parts, known = Log(), [], []
    chunks = {TICKS.name: [log.append(TICKS, [tick(50)])]}
    for number in range(60):
        draft = Draft()
        task.run(chunks, draft, Patience(60))
        if number == 1:
            task.drop()
            continue
        task.keep()
        parts += snapshots_in(draft)
        known.append(task.journal.position.snapshot)
        chunks = {TICKS.name: [log.append(TICKS, [tick(50 + number)])]}
    first = parts[0]
    assert [(part.sequence, part.part) for part in parts] == [(5, number) for number in range(first.parts)]
    assert first.parts > 6
    assert load(b"".join(part.data for part in parts)) == values
    assert first.state_digest == EncodedState(values).digest
    assert first.inputs == ({"topic": TICKS.name, "next": 0},)
    assert (known[0], known[-1]) == (-1, 5)


def test_snapshots_come_at_intervals_that_grow_with_the_state() -> None:
    """So that they add no more than a bound to an entry; a state beyond another bound has none, and says so."""
    work, log = work_of(hold=None, sizes=Sizes(snapshot_entries=3)), Log()
    task, taken = new_task(work), []
    for _ in range(8):
        draft = Draft()
        task.run({TICKS.name: [log.append(TICKS, [tick(1)])]}, draft, Patience(60))
        task.keep()
        taken += [part.sequence for part in snapshots_in(draft)]
    assert taken == [3, 6]
    work.journal.sizes = Sizes(snapshot_entries=3, snapshot_bytes_per_entry=1)
    draft = Draft()
    task.run({TICKS.name: [log.append(TICKS, [tick(1)])]}, draft, Patience(60))
    assert snapshots_in(draft) == []


def test_a_state_that_was_there_before_the_journal_is_taken_first() -> None:
    """Its entries begin from it: without it they could not be run again."""
    work = work_of(hold=None)
    values = {"EURUSD": CODEC.encode(tick(1))}
    state = TaskState({"EURUSD": tick(1)})
    task = Task(work, 0, state, {TICKS.name: 0}, TaskJournal(work.journal, 0, EncodedState(values)))
    draft = Draft()
    task.run({TICKS.name: [Log().append(TICKS, [tick(3)])]}, draft, Patience(60))
    (part,) = snapshots_in(draft)
    assert (part.sequence, load(part.data)) == (0, values)


def test_a_snapshot_is_whole_before_retention_removes_the_inputs_after_the_one_before() -> None:
    """However few entries they fill: one is begun after half of what an input keeps, and sent faster than it comes."""
    kept = 64 * 1024
    ticks = replace(TICKS, retention_bytes=kept)
    work, log = work_of(hold=None, ticks=ticks), Log()
    task = new_task(work)
    read, begun, longest = 0, 0, 0
    for _ in range(60):
        before = task.journal.position.snapshot
        chunk = log.append(TICKS, [tick(n, symbol=f"S{n:03}") for n in range(100)])
        draft = Draft()
        task.run({TICKS.name: [chunk]}, draft, Patience(60))
        task.keep()
        read += chunk.records.total_bytes
        if task.journal.position.snapshot != before:
            longest, begun = max(longest, read - begun), read
    assert read > 3 * kept
    assert kept // 2 <= longest <= kept


def test_an_entry_of_as_many_ranges_and_dead_letters_as_can_be_takes_less_than_512_kib() -> None:
    """Held chunks of one record each, and nothing but garbage among them."""
    offset, fingerprint = 10**9, 2**63 - 1
    each = {"topic": TICKS.name, "first": offset, "next": offset, "count": 1, "digest": bytes(16)}
    letters = {"topic": TICKS.name, "partition": 0, "error": "UNDECODABLE", "offsets": (offset,) * BATCH_LIMIT}
    entry = JournalEntry(
        agent="a",
        partition=0,
        sequence=offset,
        starts=(),
        ranges=({**each, "sum": fingerprint, "moment": fingerprint},) * AS_USUAL.released_pieces,
        skipped=(letters,),
        outputs=BATCH_LIMIT,
        outputs_digest=bytes(16),
        state_digest=bytes(16),
        versions=None,
    )
    assert len(CODEC.encode(entry)) < 512 * 1024


def test_a_state_too_large_for_snapshots_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    """It is verified from the beginning of its inputs only."""
    task, log = new_task(work_of(hold=None, sizes=Sizes(snapshot_entries=1), state_bytes=10)), Log()
    drafts = [Draft() for _ in range(4)]
    for draft in drafts:
        task.run({TICKS.name: [log.append(TICKS, [tick(1)])]}, draft, Patience(60))
        task.keep()
    assert [len(snapshots_in(draft)) for draft in drafts] == [1, 0, 0, 0], "the empty state before entry 1 is small"
    assert caplog.text.count("too large for snapshots") == 1
