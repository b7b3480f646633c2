"""A batch that fails for a reason that passes is processed again; first offsets are committed while the lease lasts."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from typing import Any

import pytest
from runtime.in_memory import GroupBroker
from runtime.records import CODEC, tick

from tradewind.processors.batch import Segment, State, rows_of
from tradewind.schemas.codec import MODELS, SCHEMAS, Codec
from tradewind.schemas.event import Event
from tradewind.schemas.market import Tick
from tradewind.streams.runtime.agent import Agent
from tradewind.streams.runtime.commit.outbox import Draft, Outcome, Patience
from tradewind.streams.runtime.errors import PositionsDiffer, StartsUncommitted, Superseded
from tradewind.streams.runtime.lease import Lease, TopicPartition
from tradewind.streams.runtime.timings import USUAL
from tradewind.streams.runtime.work.assigned_tasks import AssignedTasks, Batch
from tradewind.topics import KILL_SWITCHES, LATE_TICKS, TICKS

AT = ("t.market.ticks", 0)
LEASE = Lease("g", 1, "m", frozenset({AT, ("t.a.redrive", 0)}))
FOREIGN_ID = 999  # of a schema that only the registry can tell
ID_AT, ID_END = 1, 5  # in a frame


def last_of(state: State, segment: Segment) -> list[Event]:
    """Pass ticks on, and keep the last one of each symbol."""
    found = [event for event in rows_of(segment).events if isinstance(event, Tick)]
    for event in found:
        state.put(event.symbol, event)
    return list(found)


AGENT = Agent("a", (TICKS,), (LATE_TICKS,), last_of)


@pytest.fixture
def broker() -> GroupBroker:
    """Give a broker whose group has given the lease."""
    found = GroupBroker()
    found.leases["m"] = LEASE
    return found


def batch_of(broker: GroupBroker, start: int, stop: int) -> Batch:
    """Return a batch of ticks between two offsets."""
    batch = Batch()
    batch.add(0, TICKS.name, broker.chunk(AT, LEASE, start, stop))
    return batch


def test_a_registry_that_does_not_answer_costs_nothing_but_time(broker: GroupBroker) -> None:
    """The batch is aborted, not set aside: tried again, each tick comes out once, in order; no letter is written."""
    away = True

    def registry(schema_id: int) -> str:
        assert schema_id == FOREIGN_ID
        if away:
            raise OSError("no route to the registry")
        return SCHEMAS[Tick.SCHEMA][-1]

    ids = {name: number for number, name in enumerate(sorted(MODELS), 1)}
    tasks = broker.tasks(AGENT, Codec(ids, registry))
    events = [tick(at) for at in range(6)]
    ours = [CODEC.encode(event) for event in events]
    foreign = [value[:ID_AT] + FOREIGN_ID.to_bytes(ID_END - ID_AT, "big") + value[ID_END:] for value in ours]
    broker.append(AT, [*ours[:3], *foreign[3:]])
    assert tasks.establish(LEASE, lambda: False, Patience(60))[AT] == 0
    outcome = tasks.run(LEASE, batch_of(broker, 0, 6), Patience(60))
    assert outcome.kind == "aborted"
    assert "no route to the registry" in outcome.reason
    assert (broker.offsets[AT], broker.values("t.market.ticks.late")) == (0, [])
    assert tasks.states()[0].get("EURUSD", Tick) is None
    away = False
    assert tasks.establish(LEASE, lambda: False, Patience(60))[AT] == 0
    assert tasks.run(LEASE, batch_of(broker, 0, 6), Patience(60)).kind == "committed"
    assert broker.offsets[AT] == 6
    assert broker.values("t.market.ticks.late") == events
    assert broker.values("t.a.dlq") == []
    assert tasks.states()[0].get("EURUSD", Tick) == events[-1]


class Watched(GroupBroker):
    """Keeps the patience that each transaction is given."""

    def __init__(self) -> None:
        super().__init__()
        self.left_s: list[float] = []

    def send(self, draft: Draft, lease: Lease, patience: Patience) -> Outcome:
        self.left_s.append(patience._deadline - time.monotonic())
        return super().send(draft, lease, patience)


def watched() -> tuple[Watched, AssignedTasks]:
    """Return a broker whose group has given the lease, and tasks."""
    broker = Watched()
    broker.leases["m"] = LEASE
    return broker, broker.tasks(AGENT)


@pytest.mark.parametrize("hurried_s", [0.0, 5.0, None])
def test_first_offsets_have_a_transactions_patience_or_what_a_revocation_leaves(hurried_s: float | None) -> None:
    """However long the restore before them took: patience begins with the transaction."""
    broker, tasks = watched()
    patience = Patience(math.inf)
    if hurried_s is not None:
        patience.shorten(hurried_s)
    tasks.establish(LEASE, lambda: False, patience)
    (left_s,) = broker.left_s
    most_s = USUAL.patience_s if hurried_s is None else hurried_s
    assert most_s - 2.0 < left_s <= most_s


def test_first_offsets_are_not_committed_for_a_lease_that_has_ended() -> None:
    """Asked after patience has begun: whoever shortens it ends the lease before."""
    broker, tasks = watched()
    patience = Patience(math.inf)
    asked: list[bool] = []

    def superseded() -> bool:
        asked.append(patience._deadline < math.inf)
        return asked[-1]

    with pytest.raises(Superseded):
        tasks.establish(LEASE, superseded, patience)
    assert asked[-1] is True
    assert (broker.left_s, broker.offsets, tasks.states()) == ([], {}, {})


@pytest.mark.parametrize("fate", ["aborted", "in doubt, and committed", "in doubt, and aborted"])
def test_first_offsets_that_may_not_be_committed_are_tried_again(fate: str) -> None:
    """Nothing is kept of the tasks: what the broker says then is where they start."""
    broker, tasks = watched()
    broker.fate = fate  # type: ignore[assignment]
    with pytest.raises(StartsUncommitted):
        tasks.establish(LEASE, lambda: False, Patience(math.inf))
    assert tasks.states() == {}
    broker.fate = "committed"
    assert tasks.establish(LEASE, lambda: False, Patience(math.inf)) == dict.fromkeys(LEASE.partitions, 0)
    assert broker.offsets == dict.fromkeys(LEASE.partitions, 0)


def test_first_offsets_of_a_lease_that_the_broker_has_ended_are_nobodys() -> None:
    """The next assignment says where to go on."""
    broker, tasks = watched()
    broker.leases.clear()
    with pytest.raises(Superseded):
        tasks.establish(LEASE, lambda: False, Patience(math.inf))
    assert (broker.offsets, tasks.states()) == ({}, {})


class Overtaken(Watched):
    """A broker that another worker works at between the group's offsets and the changelog of a restore."""

    def __init__(self) -> None:
        super().__init__()
        self.goes_on_to: list[int] = []
        """The offsets that the other one commits, one each time that offsets are told."""
        self.leases["m"], self.leases["n"] = LEASE, Lease("g", 2, "n", LEASE.partitions)
        self.other = self.tasks(AGENT)
        self.append(AT, [tick(at) for at in range(9)])
        self.other.establish(self.leases["n"], lambda: False, Patience(60))

    def stable(self, partitions: Iterable[TopicPartition], superseded: Any) -> dict[TopicPartition, int | None]:
        if superseded():
            raise Superseded
        told = super().stable(partitions, superseded)
        if self.goes_on_to:
            batch = Batch()
            to, lease = self.goes_on_to.pop(0), self.leases["n"]
            batch.add(0, TICKS.name, self.chunk(AT, lease, self.offsets[AT], to))
            assert self.other.run(lease, batch, Patience(60)).kind == "committed"
        return told


def test_a_worker_whose_tasks_another_one_has_by_now_is_no_contradiction() -> None:
    """It was frozen between the two; the changelog is ahead of what it was told, and the group too when asked again."""
    broker = Overtaken()
    tasks = broker.tasks(AGENT)
    broker.goes_on_to = [3, 6]
    assert tasks.establish(LEASE, lambda: False, Patience(60))[AT] == 6
    broker.goes_on_to = [9]
    with pytest.raises(Superseded):
        broker.tasks(AGENT).establish(LEASE, lambda: not broker.goes_on_to, Patience(60))


@pytest.mark.parametrize(
    ("generation", "member", "kept"), [(2, "m", True), (3, "m", False), (2, "n", False), (1, "m", False)]
)
def test_state_is_kept_from_one_generation_to_the_next(generation: int, member: str, kept: bool) -> None:
    """Between others, somebody else may have had the task, and changed it without moving an offset that we know."""
    broker, tasks = watched()
    broker.append(AT, [tick(at) for at in range(3)])
    tasks.establish(LEASE, lambda: False, Patience(60))
    assert tasks.run(LEASE, batch_of(broker, 0, 3), Patience(60)).kind == "committed"
    state = tasks.states()[0]
    tasks.establish(LEASE, lambda: False, Patience(60))
    assert tasks.states()[0] is state
    lease = broker.leases[member] = Lease("g", generation, member, LEASE.partitions)
    tasks.establish(lease, lambda: False, Patience(60))
    assert (tasks.states()[0] is state) == kept
    assert tasks.states()[0].get("EURUSD", Tick) == tick(2)


def test_a_lease_that_was_not_placed_keeps_nothing_for_the_next() -> None:
    """It may have been one without the task."""
    broker, tasks = watched()
    tasks.establish(LEASE, lambda: False, Patience(60))
    state = tasks.states()[0]
    between, third = (Lease("g", number, "m", LEASE.partitions) for number in (2, 3))
    broker.ready = lambda superseded: (_ for _ in ()).throw(Superseded)  # type: ignore[method-assign]
    with pytest.raises(Superseded):
        tasks.establish(between, lambda: True, Patience(60))
    del broker.ready
    tasks.establish(third, lambda: False, Patience(60))
    assert tasks.states()[0] is not state


def test_offsets_that_contradict_the_changelog_still_do_when_they_are_asked_for_again() -> None:
    """Somebody moved them: nobody goes on with state that does not fit."""
    broker = Overtaken()
    broker.goes_on_to = [3]
    broker.stable([], lambda: False)
    broker.offsets[AT] = 2
    with pytest.raises(PositionsDiffer, match=r"the group is at offset 2 of market\.ticks, the changelog at 3"):
        broker.tasks(AGENT).establish(LEASE, lambda: False, Patience(60))


def test_commands_that_wait_when_tasks_begin_are_told_with_their_end(broker: GroupBroker) -> None:
    """Of broadcast inputs alone, and no more once they have been read."""
    switches = ("t.risk.kill_switches", 0)
    lease = broker.leases["m"] = Lease("g", 1, "m", frozenset({AT, switches, ("t.a.redrive", 0)}))
    tasks = broker.tasks(Agent("a", (TICKS, KILL_SWITCHES), (LATE_TICKS,), last_of))
    broker.append(AT, [tick(0)])
    broker.append(switches, [tick(0), tick(1)])
    tasks.establish(lease, lambda: False, Patience(60))
    assert tasks.unread_commands(lease, lambda: False) == {switches: 2}
    batch = Batch()
    batch.add(0, KILL_SWITCHES.name, broker.chunk(switches, lease, 0, 2))
    assert tasks.run(lease, batch, Patience(60)).kind == "committed"
    assert tasks.unread_commands(lease, lambda: False) == {}
