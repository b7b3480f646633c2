"""A task runs a batch: outputs, changelog, dead letters, positions come together, and are kept only if they commit."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from runtime.records import CODEC, INGEST_MS, NOWHERE, beat, by_rows, chunk, tick

from tradewind.connectors.dead_letters.fit import LETTER_BYTES
from tradewind.processors.batch import PoisonRecord, Processor, Rows, State
from tradewind.schemas.event import Event
from tradewind.schemas.market import Heartbeat, Tick
from tradewind.schemas.runtime import DeadLetter, JournalEntry, TaskPosition
from tradewind.streams.runtime.agent import Agent, Hold
from tradewind.streams.runtime.commit.outbox import Draft, Impatient, Patience
from tradewind.streams.runtime.errors import AgentCrashed
from tradewind.streams.runtime.work.agent_work import AgentWork
from tradewind.streams.runtime.work.state import TaskState
from tradewind.streams.runtime.work.task import Task
from tradewind.topics import DECISIONS, LATE_TICKS, TICKS

TICKS_AND_POISON = st.lists(st.integers(-3, 20), max_size=30)


def last_of(state: State, rows: Rows) -> list[Event]:
    """Keep the latest tick, and pass on each that is later than all before; a negative time is poison."""
    news: list[Event] = []
    for at, event in enumerate(rows.events):
        assert isinstance(event, Tick)
        if event.ts_event < 0:
            raise PoisonRecord(at, "before 1970")
        known = state.get("last", Tick)
        if known is None or event.ts_event > known.ts_event:
            state.put("last", event)
            news.append(event)
    return news


def task_of(processor: Processor, *, partition: int = 0, hold: Hold | None = None) -> Task:
    """Return a task that starts at the first record of its inputs."""
    inputs = (DECISIONS, TICKS) if hold else (TICKS,)
    agent = Agent(name="latest", inputs=inputs, outputs=(LATE_TICKS,), processor=processor, hold=hold)
    return Task(AgentWork(agent, NOWHERE, CODEC), partition, TaskState(), {topic.name: 0 for topic in inputs})


def sent(draft: Draft, topic: str) -> list[Event]:
    """Return the events that a draft would send to a topic."""
    return [CODEC.decode(out.value) for out in draft.messages if out.topic == topic and out.value is not None]


def run(task: Task, values: Sequence[Event | bytes | None], first: int = 0) -> Draft:
    """Return what a batch of one chunk of ticks would send."""
    draft = Draft()
    task.run({"market.ticks": [chunk(TICKS, values, first)]}, draft, Patience(60))
    return draft


def test_a_batch_yields_outputs_state_and_positions() -> None:
    """All that the transaction carries is in the draft, the position in the changelog equal to the group's."""
    task = task_of(by_rows(last_of))
    draft = run(task, [tick(5), tick(3), tick(7)])
    assert sent(draft, "t.market.ticks.late") == [tick(5), tick(7)]
    changes = {
        out.key: CODEC.decode(out.value) for out in draft.messages if out.topic == "t.latest.changelog" and out.value
    }
    entry = sent(draft, "t.latest.journal")[-1]
    assert isinstance(entry, JournalEntry)
    position = TaskPosition(
        agent="latest",
        partition=0,
        inputs=({"topic": "market.ticks", "next": 3},),
        sequence=1,
        state_digest=entry.state_digest,
        snapshot=0,
        format=entry.format,
    )
    assert changes == {b"last": tick(7), b"@position": position}
    assert {out.partition for out in draft.messages if out.topic == "t.latest.changelog"} == {0}
    assert draft.offsets == {("t.market.ticks", 0): 3}


def test_nothing_is_kept_of_a_batch_that_does_not_commit() -> None:
    """The same batch, run again after a failure, yields the same; state and positions move on commit alone."""
    task = task_of(by_rows(last_of))
    first = run(task, [tick(5)])
    task.drop()
    assert task.applied == {"market.ticks": 0}
    again = run(task, [tick(5)])
    assert again.messages == first.messages
    task.keep()
    assert task.applied == {"market.ticks": 1}
    assert sent(run(task, [tick(4)], first=1), "t.market.ticks.late") == []


@settings(deadline=None)
@given(TICKS_AND_POISON)
def test_poison_is_buried_and_the_others_are_processed_as_if_it_had_not_been(times: list[int]) -> None:
    """Outputs and state are those of the good records alone; each poison record is one dead letter."""
    task, clean = task_of(by_rows(last_of)), task_of(by_rows(last_of))
    draft = run(task, [tick(at) for at in times])
    expected = run(clean, [tick(at) for at in times if at >= 0])
    assert sent(draft, "t.market.ticks.late") == sent(expected, "t.market.ticks.late")
    task.keep()
    clean.keep()
    assert task.state.get("last", Tick) == clean.state.get("last", Tick)
    letters = sent(draft, "t.latest.dlq")
    assert [letter.offset for letter in letters if isinstance(letter, DeadLetter)] == sorted(
        at for at, time in enumerate(times) if time < 0
    )


def test_a_dead_letter_is_the_whole_record() -> None:
    """Key, value, headers, coordinates and timestamp, an id that is the same whenever it is derived again."""
    letter, again = (sent(run(task_of(by_rows(last_of)), [b"garbage"]), "t.latest.dlq")[0] for _ in range(2))
    assert letter == again
    assert isinstance(letter, DeadLetter)
    assert (letter.agent, letter.error, letter.topic, letter.partition, letter.offset) == (
        "latest",
        "UNDECODABLE",
        "market.ticks",
        0,
        0,
    )
    assert (letter.key, letter.value, letter.ts_ingest) == (b"key", b"garbage", INGEST_MS * 1000)
    assert "0x67" in letter.reason


def crashes(error: Exception) -> Callable[[State, Rows], list[Event]]:
    """Return a processor that writes, then raises."""

    def processor(state: State, rows: Rows) -> list[Event]:
        state.put("touched", tick(1))
        raise error

    return processor


@pytest.mark.parametrize(
    ("error", "at"), [(KeyError("x"), "offset 0"), (PoisonRecord(7, "out of range"), "offsets 0 to 1")]
)
def test_any_other_exception_is_a_bug_that_names_the_records(error: Exception, at: str) -> None:
    """The message says which agent, topic, partition and offsets; poison that points outside is a bug too."""
    task = task_of(by_rows(crashes(error)))
    with pytest.raises(AgentCrashed, match=f"agent latest on market.ticks, partition 0, {at};"):
        run(task, [tick(1), tick(2)])
    task.drop()
    assert list(task.state.keys("")) == []


def test_an_event_that_no_output_carries_is_a_bug() -> None:
    """It would vanish otherwise."""
    task = task_of(lambda state, segment: [beat(1)])
    with pytest.raises(AgentCrashed, match="returned a Heartbeat, which none of its outputs carries"):
        run(task, [tick(1)])


def test_a_chunk_of_markers_only_moves_the_position() -> None:
    """Aborted transactions leave offsets without records: they are committed past, or lag would never reach zero."""
    task = task_of(by_rows(last_of))
    draft, markers = Draft(), replace(chunk(TICKS, [], 0), next=3)
    task.run({"market.ticks": [markers]}, draft, Patience(60))
    assert draft.offsets == {("t.market.ticks", 0): 3}
    assert [out.key for out in draft.messages if out.topic == "t.latest.changelog"] == [b"@position"]


def test_held_ticks_go_when_the_decisions_have_caught_up_even_in_the_same_batch() -> None:
    """What releases is processed first; the position of the held input moves only as far as it was let go."""
    seen: list[Event] = []

    def note(state: State, rows: Rows) -> list[Event]:
        seen.extend(rows.events)
        return []

    task = task_of(by_rows(note), hold=Hold(topic=TICKS, until=DECISIONS, lookahead_us=50))
    draft = Draft()
    task.run({"market.ticks": [chunk(TICKS, [tick(100), tick(200)])]}, draft, Patience(60))
    assert (seen, draft.offsets, task.released) == ([], {}, 0)
    task.run({"risk.decisions": [chunk(DECISIONS, [beat(50)])]}, draft, Patience(60))
    assert seen == [beat(50), tick(100)]
    assert draft.offsets == {("t.risk.decisions", 0): 1, ("t.market.ticks", 0): 1}
    assert task.released == 1
    task.keep()
    restored = task.state.get("@reached/EURUSD.OANDA", Heartbeat)
    assert restored == beat(50)
    task.run(
        {"risk.decisions": [chunk(DECISIONS, [beat(150)], 1)], "market.ticks": [chunk(TICKS, [tick(201)], 2)]},
        draft,
        Patience(60),
    )
    assert seen[2:] == [beat(150), tick(200)]
    task.drop()


def test_a_backlog_of_held_ticks_goes_by_the_limit_and_stops_when_patience_runs_out() -> None:
    """A slow agent is given less at once, and a revocation waits for one piece."""
    task = task_of(by_rows(lambda state, rows: []), hold=Hold(topic=TICKS, until=DECISIONS, lookahead_us=50))
    of = {"market.ticks": [chunk(TICKS, [tick(at) for at in range(5)])]}
    task.run({**of, "risk.decisions": [chunk(DECISIONS, [beat(100)])]}, Draft(), Patience(60), 2)
    assert (task.released, task.more) == (2, True)
    task.keep()
    task.run({}, Draft(), Patience(60), 1)
    assert (task.released, task.more) == (1, True)
    task.keep()
    with pytest.raises(Impatient):
        task.run({}, Draft(), Patience(0))


def test_a_gap_between_chunks_is_a_bug() -> None:
    """Whatever lost them on the way, records that were fetched are not skipped."""
    task = task_of(by_rows(last_of))
    with pytest.raises(AgentCrashed, match="records from 0 to 5 were not processed"):
        run(task, [tick(1)], first=5)


def test_processing_ends_between_pieces_when_patience_runs_out() -> None:
    """A revocation need not wait for a whole batch."""
    with pytest.raises(Impatient):
        task_of(by_rows(last_of)).run({"market.ticks": [chunk(TICKS, [tick(1)])]}, Draft(), Patience(0))


def test_a_huge_record_is_cut_in_its_dead_letter() -> None:
    """The broker would refuse the letter otherwise, and the agent stop at the record for good."""
    (letter,) = sent(run(task_of(by_rows(last_of)), [b"x" * 1_000_000]), "t.latest.dlq")
    assert isinstance(letter, DeadLetter)
    assert len(letter.value or b"") == LETTER_BYTES
    assert letter.reason.startswith("(value cut from 1000000 bytes)")
