"""An entry that is run again is compared in each of its parts, and what differs is told with its coordinates."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from runtime.records import CODEC, NOWHERE, by_rows, chunk, tick

from tradewind.processors.batch import PoisonRecord, Rows, State
from tradewind.schemas.event import Event
from tradewind.schemas.market import Tick
from tradewind.schemas.runtime import JournalEntry, StateSnapshot
from tradewind.streams.replay.difference import Difference
from tradewind.streams.replay.rerun import Rerun
from tradewind.streams.runtime.agent import Agent
from tradewind.streams.runtime.commit.outbox import Draft, Patience
from tradewind.streams.runtime.read.records import Records
from tradewind.streams.runtime.work.agent_work import AgentWork
from tradewind.streams.runtime.work.encoded_state import EncodedState
from tradewind.streams.runtime.work.state import TaskState
from tradewind.streams.runtime.work.task import Task
from tradewind.topics import LATE_TICKS, TICKS, Topic

VALUES: list[Event | bytes] = [tick(1), tick(13), b"garbage", tick(2), tick(3)]


def picky(state: State, rows: Rows) -> list[Event]:
    """Pass ticks on and keep the last; 13 is poison."""
    for at, event in enumerate(rows.events):
        assert isinstance(event, Tick)
        if event.ts_event == 13:
            raise PoisonRecord(at, "13")
        state.put("last", event)
    return list(rows.events)


def crashing(state: State, rows: Rows) -> list[Event]:
    """Stand nothing."""
    raise KeyError("again")


AGENT = Agent("a", (TICKS,), (LATE_TICKS,), by_rows(picky))


@pytest.fixture
def entry() -> JournalEntry:
    """Give the entry of a batch that a new task ran."""
    task, draft = Task(AgentWork(AGENT, NOWHERE, CODEC), 0, TaskState(), {TICKS.name: 0}), Draft()
    task.run({TICKS.name: [chunk(TICKS, VALUES)]}, draft, Patience(60))
    assert task.journal.entry is not None
    found = CODEC.decode(CODEC.encode(task.journal.entry))
    assert isinstance(found, JournalEntry)
    return replace(found, starts=())


def run_again(
    monkeypatch: pytest.MonkeyPatch, entry: JournalEntry, agent: Agent = AGENT, values: list[Event | bytes] = VALUES
) -> Difference | None:
    """Run an entry again on records that stand in memory."""

    def records(self: Rerun, topic: Topic, first: int, next_: int) -> Records:
        return chunk(topic, values).records[first:next_]

    monkeypatch.setattr(Rerun, "_records", records)
    rerun = Rerun(NOWHERE, CODEC, 0, 0)
    snapshot = StateSnapshot(
        agent="a",
        partition=0,
        sequence=0,
        part=0,
        parts=1,
        inputs=({"topic": TICKS.name, "next": 0},),
        state_digest=EncodedState().digest,
        data=b"",
    )
    assert rerun.begin(agent, {0: snapshot}) is None
    different, made = rerun.run(entry)
    assert different is not None or made is not None
    return different


def test_what_is_as_it_was_is_equal(monkeypatch: pytest.MonkeyPatch, entry: JournalEntry) -> None:
    """Poison and garbage included."""
    assert run_again(monkeypatch, entry) is None


@pytest.mark.parametrize(
    ("change", "kind", "where"),
    [
        ({"skipped": ()}, "dead letter", {"topic": "market.ticks", "offset": 1}),
        ({"outputs": 4}, "output", {"agent": "a", "partition": 0}),
        ({"outputs_digest": b"\0" * 16}, "output", {"agent": "a", "partition": 0}),
        ({"state_digest": b"\0" * 16}, "state", {"agent": "a", "partition": 0}),
    ],
)
def test_each_part_of_an_entry_is_compared(
    monkeypatch: pytest.MonkeyPatch, entry: JournalEntry, change: dict[str, Any], kind: str, where: dict[str, Any]
) -> None:
    """The first part that differs is told: what was set aside, what was sent, what was kept."""
    different = run_again(monkeypatch, replace(entry, **change))
    assert different is not None
    assert (different.kind, different.where | where) == (kind, different.where)


def test_an_input_that_changed_or_went_is_told_before_all_that_follows_from_it(
    monkeypatch: pytest.MonkeyPatch, entry: JournalEntry
) -> None:
    """One by its offset; several by the range that they are in."""
    one = run_again(monkeypatch, entry, values=[*VALUES[:3], tick(9), VALUES[4]])
    assert one is not None
    assert (one.kind, one.where["offset"]) == ("input", 3)
    fewer = run_again(monkeypatch, entry, values=VALUES[:4])
    assert fewer is not None
    assert (fewer.kind, fewer.where["from offset"], fewer.where["to before"]) == ("input", 0, 5)
    assert (fewer.recorded[:9], fewer.found[:4]) == ("5 records", "4 of")


def test_ranges_that_do_not_follow_on_each_other_are_a_damaged_journal(
    monkeypatch: pytest.MonkeyPatch, entry: JournalEntry
) -> None:
    """Records between them would not have been processed."""
    later = replace(entry, ranges=({**entry.ranges[0], "first": 1},))
    different = run_again(monkeypatch, later)
    assert different is not None
    assert (different.kind, different.found) == ("journal", "the task had read up to 0")


def test_a_processor_that_crashes_now_is_told(monkeypatch: pytest.MonkeyPatch, entry: JournalEntry) -> None:
    """With the records that it could not stand."""
    different = run_again(monkeypatch, entry, replace(AGENT, processor=by_rows(crashing)))
    assert different is not None
    assert different.kind == "crash"
    assert "offset 0;" in different.found


def test_a_snapshot_that_is_not_its_state_is_told() -> None:
    """A verification from it would prove nothing."""
    whole = EncodedState({"last": CODEC.encode(tick(1))})
    part = StateSnapshot(
        agent="a", partition=0, sequence=7, part=0, parts=1, inputs=(), state_digest=b"\0" * 16, data=whole.dump()
    )
    for damaged in (part, replace(part, data=part.data[:-1], state_digest=whole.digest)):
        different = Rerun(NOWHERE, CODEC, 0, 7).begin(AGENT, {0: damaged})
        assert different is not None
        assert (different.kind, different.sequence, different.where["snapshot"]) == ("state", 7, 7)
