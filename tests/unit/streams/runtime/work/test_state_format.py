"""State across versions: older ones are taken over and migrated in the journal's sight, newer ones are refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from runtime.records import NOWHERE, chunk, tick
from runtime.versions import AGENTS, TallyA, TallyB, codec_of

from tradewind.schemas.codec import Codec
from tradewind.schemas.runtime import JournalEntry, StateSnapshot, TaskPosition
from tradewind.streams.replay.rerun import Rerun
from tradewind.streams.runtime.agent import POSITION_KEY, Agent
from tradewind.streams.runtime.commit.changelog import Changelog, Restored
from tradewind.streams.runtime.commit.journal import NO_SNAPSHOT, TaskJournal
from tradewind.streams.runtime.commit.outbox import Draft, Patience
from tradewind.streams.runtime.errors import AgentCrashed, StateNewer, StateUnreadable
from tradewind.streams.runtime.work.agent_work import AgentWork
from tradewind.streams.runtime.work.state import TaskState
from tradewind.streams.runtime.work.state_format import client_id_of, format_of
from tradewind.streams.runtime.work.task import Task
from tradewind.topics import TICKS

A, B = AGENTS["a"], AGENTS["b"]
As = Callable[[str], Codec]
VALUES = [tick(4, seq=4)]


@dataclass(frozen=True)
class Record:
    """A record of a changelog, as a consumer gives it."""

    name: str
    encoded: bytes | None

    def error(self) -> None:
        return None

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return 7

    def key(self) -> bytes:
        return self.name.encode()

    def value(self) -> bytes | None:
        return self.encoded


@pytest.fixture
def as_version(monkeypatch: pytest.MonkeyPatch) -> As:
    """Give what makes this process one of a version, and returns its codec."""

    def become(version: str) -> Codec:
        monkeypatch.undo()
        return codec_of(version, monkeypatch.setattr)

    return become


def written(codec: Codec, agent: Agent, *batches: int) -> list[Record]:
    """Return the changelog that a task of a version writes, batch after batch of so many ticks."""
    task, found, first = Task(AgentWork(agent, NOWHERE, codec), 0, TaskState(), {TICKS.name: 0}), list[Record](), 0
    for count in batches:
        draft = Draft()
        values = [tick(at, seq=at) for at in range(first, first + count)]
        task.run({TICKS.name: [chunk(TICKS, values, first)]}, draft, Patience(60))
        task.keep()
        found += [
            Record(out.key.decode(), out.value)
            for out in draft.messages
            if out.topic.endswith(".changelog") and out.key
        ]
        first += count
    return found


def restored(codec: Codec, agent: Agent, records: list[Record]) -> Restored:
    """Return what a worker makes of a changelog."""
    changelog, found = Changelog(agent, NOWHERE, codec), {0: Restored()}
    changelog._apply(found, records, {0: len(records)})  # type: ignore[arg-type]
    found[0].encoded = type(found[0].encoded)(found[0].raw)
    changelog._check(0, found[0])
    changelog._check_format(0, found[0])
    return found[0]


def taken_over(codec: Codec, agent: Agent, found: Restored) -> tuple[Task, Draft]:
    """Return a task that was taken over at the fourth tick, and the draft of its first batch, of one tick more."""
    work, draft = AgentWork(agent, NOWHERE, codec), Draft()
    journal = TaskJournal(work.journal, 0, found.encoded, found.journal)
    task = Task(work, 0, TaskState(found.raw, codec.decode), found.inputs, journal)
    task.migrate(range(found.migrations + 1, len(agent.migrations) + 1))
    task.start({}, Draft())  # as for every task when a worker is given partitions
    task.run({TICKS.name: [chunk(TICKS, VALUES, 4)]}, draft, Patience(60))
    return task, draft


def test_an_older_state_is_read_with_defaults_and_taken_through_its_migrations_once(as_version: As) -> None:
    """The new values, the count of migrations and the first batch are one transaction, the same when it fails."""
    records = written(as_version("a"), A, 4)
    codec = as_version("b")
    found = restored(codec, B, records)
    assert (found.migrations, found.journal.snapshot) == (0, NO_SNAPSHOT)
    assert codec.decode(found.raw["EURUSD"]) == TallyB(symbol="EURUSD", count=4, total=6)
    task, draft = taken_over(codec, B, found)
    task.drop()
    again = Draft()
    task.run({TICKS.name: [chunk(TICKS, VALUES, 4)]}, again, Patience(60))
    assert again.messages == draft.messages
    changes = [out for out in draft.messages if out.topic == "t.tally.changelog"]
    assert [out.key for out in changes] == [b"EURUSD", POSITION_KEY.encode()]
    position = codec.decode(changes[1].value or b"")
    assert isinstance(position, TaskPosition)
    assert (position.migrations, position.format, position.sequence) == (1, format_of(B), found.journal.sequence + 1)
    task.keep()
    assert task.state.get("EURUSD", TallyB) == TallyB(symbol="EURUSD", count=5, total=10, weight=20, fresh=1)
    later = Draft()
    task.run({TICKS.name: [chunk(TICKS, VALUES, 5)]}, later, Patience(60))
    assert task.journal.entry is not None
    assert task.journal.entry.migrations == ()
    after = restored(codec, B, [*records, *(Record((out.key or b"").decode(), out.value) for out in changes)])
    assert (after.migrations, after.raw["EURUSD"]) == (1, changes[0].value)


def test_a_migration_is_in_the_journal_and_is_run_again(as_version: As, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the snapshot of the state as it was before; another migration than it was is told."""
    records = written(as_version("a"), A, 4)
    codec = as_version("b")
    found = restored(codec, B, records)
    _, draft = taken_over(codec, B, found)
    snapshot, entry = (codec.decode(out.value or b"") for out in draft.messages if out.topic == "t.tally.journal")
    assert isinstance(entry, JournalEntry)
    assert isinstance(snapshot, StateSnapshot)
    assert (entry.migrations, len(entry.ranges), snapshot.sequence) == ((1,), 1, entry.sequence)
    for agent, kind in ((B, None), (replace(B, migrations=(lambda state: None,)), "state"), (A, "crash")):
        rerun = Rerun(NOWHERE, codec, 0, entry.sequence)
        assert rerun.begin(agent, {0: snapshot}) is None
        monkeypatch.setattr(rerun, "_records", lambda topic, first, next_: chunk(TICKS, VALUES, 4).records)
        different, _ = rerun.run(entry)
        assert (None if different is None else different.kind) == kind


def test_a_failing_migration_stops_the_worker_and_commits_nothing(as_version: As) -> None:
    """The message names agent, partition, migration and cause."""
    records = written(as_version("a"), A, 4)
    codec = as_version("b")

    def failing(state: Any) -> None:
        raise ZeroDivisionError("of nothing")

    with pytest.raises(AgentCrashed, match="agent tally, partition 0: migration 2: ZeroDivisionError: of nothing"):
        taken_over(codec, replace(B, migrations=(*B.migrations, failing)), restored(codec, B, records))


def test_values_with_fields_that_a_version_does_not_know_stop_it(as_version: As) -> None:
    """It would write them back without; the message says what, where and what to do."""
    records = written(as_version("b"), B, 3)
    wanted = r"agent tally, partition 0: a newer version .* 'EURUSD' among them.* 1002 of tradewind.test.Tally.*Replace"
    with pytest.raises(StateNewer, match=wanted):
        restored(as_version("a"), A, records)


def test_a_value_of_a_newer_version_that_is_gone_stops_nobody(as_version: As) -> None:
    """Nothing that is left would be lost."""
    newer = [record for record in written(as_version("b"), B, 3) if record.name != POSITION_KEY]
    records = [*newer, *(Record(record.name, None) for record in newer)]
    assert restored(as_version("a"), A, records).raw == {}


def test_a_state_that_went_through_unknown_migrations_stops_a_version(as_version: As) -> None:
    """Though it can read every value: one of them means something else."""
    codec = as_version("b")
    with pytest.raises(StateNewer, match="it has been through 1 migrations, and this version has 0"):
        restored(codec, replace(B, migrations=()), written(codec, B, 3))


def test_a_task_that_begins_needs_no_migration(as_version: As) -> None:
    """Its state begins in this version's format."""
    assert restored(as_version("b"), B, []).migrations == 1


def test_snapshots_are_due_where_the_format_changes_and_not_otherwise(as_version: As) -> None:
    """So that what this version does can be run again from there."""
    codec = as_version("b")
    records = written(codec, B, 2, 2)
    assert restored(codec, B, records).journal.snapshot != NO_SNAPSHOT


@pytest.mark.parametrize("value", [b"\0\0\0\x03\xf3rest", b"\1", b"\0\0\0\0\1"])
def test_a_value_that_cannot_be_read_at_all_is_told_and_never_left_out(as_version: As, value: bytes) -> None:
    """An id that the registry does not have, no frame, a record of another kind that is cut short."""
    codec = as_version("a")

    def read() -> TallyA | None:
        return TaskState(restored(codec, A, [Record("EURUSD", value)]).raw, codec.decode).get("EURUSD", TallyA)

    with pytest.raises(StateUnreadable, match=r"t\.tally\.changelog, partition 0, offset 7|state 'EURUSD'"):
        read()


def test_members_of_a_newer_format_come_first(as_version: As) -> None:
    """Range gives partitions in the order of the ids, which brokers make of these names."""
    names: dict[str, str] = {}
    for version, agent in AGENTS.items():
        as_version(version)
        names[version] = client_id_of(agent)
    assert sorted([names["a"], "faust-0.15.3", names["b"]]) == [names["b"], names["a"], "faust-0.15.3"]
