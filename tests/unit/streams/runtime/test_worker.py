"""A worker makes batches of what is of its lease and its epoch, as large as what waits, and as the agent bears."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
from runtime.in_memory import GroupBroker
from runtime.records import LEASE, tick
from runtime.worker import ABORTED, COMMITTED, Desk, soon, turns

from tradewind.processors.batch import Segment, State, rows_of
from tradewind.schemas.event import Event
from tradewind.schemas.market import Tick
from tradewind.streams.runtime import worker as worker_module
from tradewind.streams.runtime.agent import Agent, Hold
from tradewind.streams.runtime.commit.outbox import Outcome, Patience
from tradewind.streams.runtime.errors import RuntimeStopped
from tradewind.streams.runtime.lease import Lease
from tradewind.streams.runtime.read.inbox import INBOX_CHUNKS, RETAINED_RECORDS
from tradewind.streams.runtime.timings import Timings
from tradewind.streams.runtime.work.assigned_tasks import Batch
from tradewind.topics import DECISIONS, KILL_SWITCHES, LATE_TICKS, TICKS


def relayed(state: State, segment: Segment) -> list[Event]:
    """Pass ticks on."""
    return [event for event in rows_of(segment).events if isinstance(event, Tick)]


AGENT = Agent("a", (TICKS,), (LATE_TICKS,), relayed, latency_s=0.0)
TICKS_0, TICKS_1, REDRIVE_0 = ("t.market.ticks", 0), ("t.market.ticks", 1), ("t.a.redrive", 0)


@pytest.fixture
async def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Give a worker of an agent of ticks."""
    return Desk(monkeypatch, AGENT)


async def test_a_slots_transactional_id_is_the_groups_and_its_own(desk: Desk) -> None:
    """A successor of the slot has the same, and so ends what was left pending; another slot has another."""
    assert desk.transactional_id == "t.tradewind.a.slot"


async def test_a_lease_is_restored_and_placed_before_anything_is_wanted(desk: Desk) -> None:
    """The consumer starts where the tasks are, under an epoch of its own."""
    assert sorted(desk.app.deliver) == ["t.a.redrive", "t.market.ticks"]
    desk.tasks.positions = lambda lease: {TICKS_0: 7, REDRIVE_0: 3}
    lease = await desk.assigned(0)
    assert desk.tasks.established == [lease]
    assert desk.thread.placed == [(1, {TICKS_0: 7, REDRIVE_0: 3})]
    assert desk.thread.wanted == {TICKS_0, REDRIVE_0}
    assert desk.thread.woken
    assert desk.worker.ready.is_set()
    await desk.assigned(0)
    assert [epoch for epoch, _ in desk.thread.placed] == [1, 2]


async def test_chunks_of_another_lease_or_epoch_reach_no_batch(desk: Desk) -> None:
    """What they hold is read again, by whoever has the lease, from where it was placed."""
    async with desk.running():
        first = await desk.assigned(0)
        second = await desk.assigned(0)
        desk.arrive(5, lease=first)
        desk.arrive(5, lease=first, epoch=1)
        desk.arrive(5, lease=LEASE)
        desk.arrive(5, epoch=1)
        desk.arrive(5, epoch=3)
        desk.arrive(5, first=5, lease=first)
        await turns()
        assert (desk.tasks.batches, desk.worker.failed.done()) == ([], False)
        desk.arrive(3)
        await soon(lambda: bool(desk.tasks.batches), "the chunk that is of this lease and epoch")
        await turns()
        assert desk.tasks.counts() == [3]
        assert all(one.lease is second for _, of in desk.tasks.batches[0].by_source() for one in of)
        await desk.revoked()
        desk.arrive(2, first=3, lease=second)
        await turns()
        assert desk.tasks.counts() == [3], "the lease has ended"
        assert any("waits for an assignment" in reason for reason in desk.worker._observer.reasons())


async def test_nothing_that_was_fetched_before_a_rewind_is_processed_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not what was queued, not what comes in the pause after a failure, and not what comes late after that."""
    desk = Desk(monkeypatch, AGENT, Timings(pause_s=0.05))
    outcomes = [ABORTED, COMMITTED, COMMITTED]
    desk.tasks.outcome = lambda lease, batch, patience: outcomes[len(desk.tasks.batches) - 1]
    async with desk.running():
        await desk.assigned(0)
        desk.arrive(3)
        await soon(lambda: bool(desk.tasks.batches), "the transaction that fails")
        desk.arrive(3, first=3, epoch=1)
        await soon(lambda: len(desk.thread.placed) == 2, "the rewind")
        desk.arrive(3, first=6, epoch=1)
        desk.arrive(3, epoch=1)
        await turns()
        assert desk.tasks.counts() == [3]
        desk.arrive(2)
        desk.arrive(2, first=2)
        await soon(lambda: sum(desk.tasks.counts()) == 7, "the same again")
        assert [at for number in range(1, len(desk.tasks.batches)) for at in desk.tasks.offsets(number)] == [0, 1, 2, 3]
    assert not desk.worker.failed.done()
    assert desk.thread.placed == [(epoch, {TICKS_0: 0, REDRIVE_0: 0}) for epoch in (1, 2)]


async def test_what_was_queued_is_lost_with_its_lease_and_read_again(desk: Desk) -> None:
    """Each tick comes out once, in order, though the first lease had read all of them and committed some."""
    broker = GroupBroker()
    desk.worker._tasks = broker.tasks(AGENT)
    broker.append(TICKS_0, [tick(at) for at in range(10)])

    async def assigned() -> int:
        broker.leases["m"] = desk.given(0)
        await desk.app.on_rebalance_complete.send()
        return desk.thread.placed[-1][1][TICKS_0]

    def arrive(start: int, stop: int) -> None:
        made = broker.chunk(TICKS_0, broker.leases["m"], start, stop)
        desk.app.deliver[TICKS_0[0]](replace(made, epoch=desk.thread.placed[-1][0]))

    async with desk.running():
        assert await assigned() == 0
        arrive(0, 4)
        await soon(lambda: broker.offsets[TICKS_0] == 4, "the first four")
        arrive(4, 7)
        await desk.revoked()
        arrive(7, 10)
        assert await assigned() == 4
        arrive(4, 10)
        await soon(lambda: broker.offsets[TICKS_0] == 10, "the rest")
    assert broker.values("t.market.ticks.late") == [tick(at) for at in range(10)]


async def test_records_that_are_missing_stop_the_worker(desk: Desk) -> None:
    """Rather than to be left out: the message says where it should have gone on."""
    async with desk.running():
        await desk.assigned(0)
        desk.arrive(3)
        desk.arrive(3, first=4)
        with pytest.raises(RuntimeStopped, match=r"market\.ticks', 0\) went on at 4, not at 3: records were lost"):
            raise await desk.ended()
    assert sum(desk.tasks.counts()) <= 3


async def test_an_idle_workers_batch_has_one_record_and_a_backlogs_has_thousands(desk: Desk) -> None:
    """What waits goes together, up to the agent's limit."""
    async with desk.running():
        await desk.assigned(0)
        for at in range(3):
            desk.arrive(1, first=at)
            await soon(lambda at=at: len(desk.tasks.batches) == at + 1, "a batch")  # type: ignore[misc]
        assert desk.tasks.counts() == [1, 1, 1]
        for at in range(10):
            desk.arrive(2500, first=3 + at * 2500)
        await soon(lambda: sum(desk.tasks.counts()) == 25_003, "the backlog")
    assert desk.tasks.counts()[3:] == [20_000, 5_000]
    assert [batch.limit for batch in desk.tasks.batches] == [AGENT.batch_limit] * 5


async def test_a_slow_batch_is_followed_by_a_smaller_one_and_fast_ones_by_larger_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Half as many at once, and twice as many again, up to the agent's limit; between slow and fast nothing changes."""
    now_s = 0.0
    took_s = [2.1, 2.1, 2.0, 0.5, 0.4, 0.4, 0.4]

    def outcome(lease: Lease, batch: Batch, patience: Patience) -> Outcome:
        nonlocal now_s
        now_s += took_s[len(desk.tasks.batches) - 1]
        return COMMITTED

    desk = Desk(monkeypatch, replace(AGENT, batch_limit=1000))
    desk.tasks.outcome = outcome
    monkeypatch.setattr(worker_module, "time", SimpleNamespace(monotonic=lambda: now_s))
    expected = [1000, 500, 250, 250, 250, 500, 1000]
    async with desk.running():
        await desk.assigned(0)
        desk.arrive(sum(expected))
        await soon(lambda: len(desk.tasks.batches) == len(took_s), "all batches")
    assert desk.tasks.counts() == expected
    assert [batch.limit for batch in desk.tasks.batches] == expected


async def test_a_batch_is_never_smaller_than_a_record(desk: Desk) -> None:
    """However slow."""
    desk.worker._limit = 2
    for limit in (1, 1):
        desk.worker._adapt(60.0)
        assert desk.worker._limit == limit
    for _ in range(30):
        desk.worker._adapt(0.0)
    assert desk.worker._limit == AGENT.batch_limit


async def test_no_task_starves_beside_a_backlog_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each batch starts with another one."""
    desk = Desk(monkeypatch, replace(AGENT, batch_limit=10))
    async with desk.running():
        await desk.assigned(0, 1, 2)
        for partition in (0, 1, 2):
            desk.arrive(30, partition=partition)
        await soon(lambda: sum(desk.tasks.counts()) == 90, "all of them")
    first = [next(iter(batch.chunks)) for batch in desk.tasks.batches]
    assert {*first[:3]} == {0, 1, 2}
    assert first[:3] == first[3:6] == first[6:]


async def test_a_full_inbox_is_not_fetched_for_until_a_batch_has_made_room(desk: Desk) -> None:
    """And one that has room is."""
    await desk.assigned(0)
    for at in range(INBOX_CHUNKS):
        assert TICKS_0 in desk.thread.wanted
        desk.thread.wanted.discard(TICKS_0)  # as the consumer's thread does with each chunk
        desk.arrive(1, first=at)
    assert TICKS_0 not in desk.thread.wanted
    woken = desk.thread.woken
    async with desk.running():
        await soon(lambda: bool(desk.tasks.batches), "a batch")
        assert TICKS_0 in desk.thread.wanted
        assert desk.thread.woken > woken


async def test_what_is_held_takes_room_until_it_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tasks say how much went; while much is held only what releases it is fetched."""
    hold = Hold(topic=TICKS, until=DECISIONS, lookahead_us=1)
    desk = Desk(monkeypatch, replace(AGENT, inputs=(DECISIONS, TICKS), hold=hold))
    decisions = ("t.risk.decisions", 0)
    async with desk.running():
        await desk.assigned(0)
        desk.thread.wanted.discard(TICKS_0)
        desk.arrive(RETAINED_RECORDS)
        await soon(lambda: desk.tasks.counts() == [RETAINED_RECORDS], "the ticks")
        await turns()
        assert TICKS_0 not in desk.thread.wanted
        assert decisions in desk.thread.wanted

        def outcome(lease: Lease, batch: Batch, patience: Patience) -> Outcome:
            batch.released[0] = 5
            return COMMITTED

        desk.tasks.outcome = outcome
        desk.arrive(1, topic=DECISIONS)
        await soon(lambda: TICKS_0 in desk.thread.wanted, "room")


async def test_a_position_that_only_passed_markers_is_committed_by_itself_after_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else a lag would stay for ever; and no transaction follows the markers of another at once."""
    desk = Desk(monkeypatch, AGENT, Timings(idle_position_s=0.2))
    async with desk.running():
        await desk.assigned(0)
        made = desk.arrive(0, next=2)
        await turns()
        assert desk.tasks.batches == []
        await soon(lambda: bool(desk.tasks.batches), "the position")
    assert desk.tasks.batches[0].chunks == {0: {"market.ticks": [made]}}


async def test_a_task_that_can_go_on_is_run_without_anything_new(desk: Desk) -> None:
    """As often as it says so."""
    left = [[0], [0], []]

    def outcome(lease: Lease, batch: Batch, patience: Patience) -> Outcome:
        desk.tasks.with_more = left.pop(0)
        return COMMITTED

    desk.tasks.outcome = outcome
    async with desk.running():
        await desk.assigned(0)
        desk.arrive(3)
        await soon(lambda: not left, "all of it")
        await turns()
    assert desk.tasks.counts() == [3, 0, 0]
    assert [list(batch.chunks) for batch in desk.tasks.batches] == [[0]] * 3


async def test_a_redrive_partition_without_its_task_is_not_read(desk: Desk) -> None:
    """`AssignedTasks` gives no position for it; what is delivered all the same is of no inbox."""
    desk.tasks.positions = lambda lease: {TICKS_0: 0}
    async with desk.running():
        await desk.assigned(0, 1)
        assert desk.thread.wanted == {TICKS_0}
        desk.arrive(2)
        await soon(lambda: desk.tasks.counts() == [2], "the ticks")


COMMANDED = replace(AGENT, inputs=(TICKS, KILL_SWITCHES))
SWITCHES_0 = ("t.risk.kill_switches", 0)


async def test_a_task_that_waits_processes_broadcast_inputs_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What else has come stays in its inbox, and no batch is made of it in vain; other tasks go on."""
    desk = Desk(monkeypatch, COMMANDED)
    desk.tasks.waiting = {0: "it waits for a switch"}
    async with desk.running():
        await desk.assigned(0, 1)
        desk.arrive(5)
        desk.arrive(4, partition=1)
        await soon(lambda: desk.tasks.counts() == [4], "the task that waits for nothing")
        desk.arrive(1, topic=KILL_SWITCHES)
        await soon(lambda: desk.tasks.counts() == [4, 1], "a command, which is not what it waits for")
        await turns()
        assert desk.tasks.counts() == [4, 1]
        desk.tasks.waiting.clear()
        desk.arrive(2, first=1, topic=KILL_SWITCHES)
        await soon(lambda: sum(desk.tasks.counts()) == 12, "what it waited for, and then what has come")


async def test_broadcast_inputs_have_the_first_turn_of_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that has come, up to the batch's limit: a record that came later is decided by the newer settings."""
    desk = Desk(monkeypatch, replace(COMMANDED, batch_limit=4))
    async with desk.running():
        await desk.assigned(0)
        desk.arrive(6)
        desk.arrive(3, topic=KILL_SWITCHES)
        await soon(lambda: sum(desk.tasks.counts()) == 9, "all of both")
        first = {source[0] for source, _ in desk.tasks.batches[0].by_source()}
        taken = sum(len(one.records) for at, of in desk.tasks.batches[0].by_source() for one in of if at == SWITCHES_0)
        assert (taken, "t.risk.kill_switches" in first) == (3, True)


async def test_commands_that_were_there_before_a_task_began_are_read_before_anything_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A quote that is fetched beside a halt would fill an order of whom is halted; tasks without commands go on."""
    desk = Desk(monkeypatch, COMMANDED)
    desk.tasks.commands = {SWITCHES_0: 3}
    async with desk.running():
        await desk.assigned(0, 1)
        desk.arrive(5)
        desk.arrive(4, partition=1)
        await soon(lambda: desk.tasks.counts() == [4], "the task that has no commands to read")
        desk.arrive(2, topic=KILL_SWITCHES)
        await soon(lambda: desk.tasks.counts() == [4, 2], "the first commands")
        await turns()
        assert desk.tasks.counts() == [4, 2], "one command is still to come"
        desk.arrive(1, first=2, topic=KILL_SWITCHES)
        await soon(lambda: desk.tasks.counts() == [4, 2, 1, 5], "the last command, and then what waits")
        desk.arrive(1, first=5)
        await soon(lambda: desk.tasks.counts() == [4, 2, 1, 5, 1], "what comes later")


async def test_a_part_of_a_task_without_the_rest_is_passed_over(desk: Desk) -> None:
    """As beside workers of a version without redrive, which share the other inputs without it."""
    desk.tasks.positions = lambda lease: {TICKS_0: 0, REDRIVE_0: 0}
    async with desk.running():
        await desk.assigned(0, 1)
        desk.arrive(3)
        await soon(lambda: desk.tasks.counts() == [3], "the task's own records")
    assert not desk.worker.failed.done()
