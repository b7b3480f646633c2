"""What a task tells: sizes and ages for metrics, the times of its records, and where a bug was met."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from runtime.records import CODEC, INGEST_MS, NOWHERE, beat, by_rows, chunk, tick

from tradewind.processors.batch import PoisonRecord, Processor, Rows, State
from tradewind.schemas.event import Event
from tradewind.schemas.runtime import DeadLetter
from tradewind.streams.runtime.agent import Agent, Hold, redrive_topic
from tradewind.streams.runtime.commit.outbox import Draft, Impatient, Patience
from tradewind.streams.runtime.errors import AgentCrashed
from tradewind.streams.runtime.work.agent_work import AgentWork
from tradewind.streams.runtime.work.state import TaskState
from tradewind.streams.runtime.work.task import Task
from tradewind.topics import DECISIONS, LATE_TICKS, TICKS

HOLD = Hold(topic=TICKS, until=DECISIONS, lookahead_us=0)
OF_RUNTIME = {"t.a.changelog", "t.a.journal"}


def silent(state: State, rows: Rows) -> list[Event]:
    """Send nothing."""
    return []


def task_of(processor: Processor = silent, hold: Hold | None = None) -> Task:
    """Return a task that has read nothing."""
    inputs = (DECISIONS, TICKS) if hold else (TICKS,)
    agent = Agent("a", inputs, (LATE_TICKS,), by_rows(processor), hold)
    work = AgentWork(agent, NOWHERE, CODEC)
    return Task(work, 0, TaskState(), {topic.name: 0 for topic in (*inputs, work.redrive)})


def run(task: Task, draft: Draft | None = None, **values: Iterable[Event | bytes]) -> Draft:
    """Run ticks, decisions and letters, all from offset 0 on."""
    topics = {"ticks": TICKS, "decisions": DECISIONS, "letters": redrive_topic(task._work.agent)}
    draft = draft or Draft()
    task.run({topics[of].name: [chunk(topics[of], list(given))] for of, given in values.items()}, draft, Patience(60))
    return draft


def letter(value: bytes) -> DeadLetter:
    """Return a letter of the first tick."""
    return DeadLetter(
        event_id="1", agent="a", error="POISON", reason="", topic="market.ticks", partition=0, offset=0,
        ts_ingest=INGEST_MS * 1000, key=None, value=value, headers=(),
    )  # fmt: skip


def test_sizes_tell_of_what_is_held_and_of_the_first_that_went() -> None:
    """An undecodable record is held and goes as any other; the next batch tells of its own."""
    task = task_of(hold=HOLD)
    run(task, ticks=[tick(1), tick(2), b"garbage", tick(50), tick(60)])
    task.keep()
    size = task.size()
    assert (size.keys, size.held, size.held_ms, size.released_ms) == (0, 4, INGEST_MS, None)
    assert (task.released, task.more) == (0, False)
    run(task, decisions=[beat(50)])
    task.keep()
    size = task.size()
    assert task.released == 4
    assert (size.keys, size.held, size.held_ms, size.released_ms) == (1, 1, INGEST_MS + 4, INGEST_MS)
    task.run({}, Draft(), Patience(60))
    assert (task.released, task.size().released_ms, task.latest) == (0, None, None)


def test_the_first_that_went_is_the_first_of_all_pieces() -> None:
    """And of each the first; undecodable records alone have no age."""
    task = task_of(hold=HOLD)
    run(task, ticks=[b"garbage", tick(1), tick(2), b"garbage", tick(3)], decisions=[beat(50)])
    assert task.released == 5
    assert task.size().released_ms == INGEST_MS + 1


def test_a_task_that_holds_nothing_says_so() -> None:
    """Its agent has no hold."""
    task = task_of()
    run(task, ticks=[tick(1)])
    size = task.size()
    assert (task.more, task.released, size.held, size.held_ms, size.released_ms) == (False, 0, 0, None, None)


def test_what_the_runtime_writes_has_the_time_of_the_latest_record() -> None:
    """Of all that were read so far: changelog and journal are as old as what they tell of."""
    task = task_of()
    begun = Draft()
    task.start({"market.ticks": 0}, begun)
    task.keep()
    assert {out.timestamp for out in begun.messages} == {0}
    sent = run(task, ticks=[tick(1), tick(2), tick(3)]).messages
    assert {out.timestamp for out in sent if out.topic in OF_RUNTIME} == {INGEST_MS + 2}
    task.keep()
    draft = Draft()
    task.run({redrive_topic(task._work.agent).name: [chunk(TICKS, [b"no letter"])]}, draft, Patience(60))
    assert {out.timestamp for out in draft.messages if out.topic in OF_RUNTIME} == {INGEST_MS + 2}


@pytest.mark.parametrize("at", [-1, 3, 7])
def test_poison_outside_of_the_segment_is_a_bug(at: int) -> None:
    """The message says where the segment was: all of its offsets."""

    def poisons(state: State, rows: Rows) -> list[Event]:
        raise PoisonRecord(at, "nothing there")

    with pytest.raises(AgentCrashed, match=rf"partition 0, offsets 0 to 2; nothing .*: poison at {at} of 3 records"):
        run(task_of(poisons), ticks=[tick(1), tick(2), tick(3)])


def test_a_bug_met_by_a_redriven_record_says_so() -> None:
    """Its offset is that of its origin."""

    def broken(state: State, rows: Rows) -> list[Event]:
        raise KeyError

    with pytest.raises(AgentCrashed, match=r"market.ticks, partition 0, offset 0 \(redriven\); nothing"):
        run(task_of(broken), letters=[letter(CODEC.encode(tick(1)))])
    with pytest.raises(AgentCrashed, match="offset 0; nothing"):
        run(task_of(broken), ticks=[tick(1)])


def test_a_bug_of_routing_is_told_as_it_is_with_its_place() -> None:
    """And not as an error in an error."""
    with pytest.raises(AgentCrashed, match=r"^agent a on .*, offset 0; .*: agent a: its processor returned a Heartb"):
        run(task_of(lambda state, rows: [beat(1)]), ticks=[tick(1)])


@pytest.mark.parametrize("of", ["ticks", "letters"])
@pytest.mark.parametrize("hold", [None, HOLD])
def test_patience_is_looked_at_before_every_piece(of: str, hold: Hold | None) -> None:
    """Held ones and redriven ones as well: cutting and decoding take their time."""
    task = task_of(hold=hold)
    topic = TICKS if of == "ticks" else redrive_topic(task._work.agent)
    value = tick(1) if of == "ticks" else letter(CODEC.encode(tick(1)))
    with pytest.raises(Impatient):
        task.run({topic.name: [chunk(topic, [value])]}, Draft(), Patience(0))
