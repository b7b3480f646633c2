"""A worker ends with the reason of whatever stopped it, and lets nobody wait for it."""

from __future__ import annotations

import asyncio

import pytest
from runtime.records import tick
from runtime.worker import Desk, soon, until_over

from tradewind.streams.runtime import worker as worker_module
from tradewind.streams.runtime.agent import Agent
from tradewind.streams.runtime.commit.outbox import Outcome, Patience
from tradewind.streams.runtime.errors import PositionsDiffer, RuntimeStopped, TopicsDiffer
from tradewind.streams.runtime.lease import Lease, TopicPartition
from tradewind.streams.runtime.timings import Timings
from tradewind.streams.runtime.work.assigned_tasks import Batch
from tradewind.topics import TICKS

AGENT = Agent("a", (TICKS,), (), lambda state, segment: [], latency_s=0.0)


@pytest.fixture
async def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Give a worker of an agent of ticks."""
    return Desk(monkeypatch, AGENT)


async def test_an_assignment_that_is_outdated_restores_nothing(desk: Desk) -> None:
    """The next one is on its way; the worker is not ready yet, and has not failed."""
    desk.tasks.before = lambda call: setattr(desk.thread, "lease", None)
    await desk.assigned(0)
    assert not desk.worker.ready.is_set()
    assert not desk.worker.failed.done()
    await desk.app.on_rebalance_complete.send()
    assert desk.tasks.established == []
    desk.worker._stopping = True
    await desk.assigned(0)
    assert desk.tasks.established == []


async def test_what_ends_a_restore_ends_the_worker(desk: Desk) -> None:
    """And Faust hears of it."""

    def positions(lease: Lease) -> dict[TopicPartition, int]:
        raise PositionsDiffer("somebody moved them")

    desk.tasks.positions = positions
    async with desk.running():
        with pytest.raises(PositionsDiffer, match="somebody moved them"):
            await desk.assigned(0)
        assert isinstance(await desk.ended(), PositionsDiffer)


async def test_what_ends_a_batch_ends_the_worker(desk: Desk) -> None:
    """A bug is raised as it is."""

    def bug(lease: Lease, batch: Batch, patience: Patience) -> Outcome:
        raise ZeroDivisionError

    desk.tasks.outcome = bug
    async with desk.running():
        await desk.assigned(0)
        desk.arrive(1)
        assert isinstance(await desk.ended(), ZeroDivisionError)
    assert (desk.app.stopped, desk.tasks.closed) == (1, 1)


async def test_what_crashes_faust_ends_the_worker(desk: Desk) -> None:
    """With its reason."""
    async with desk.running():
        await soon(lambda: desk.app.started == 1, "a start")
        desk.app.crash_reason = OSError("no more")
        desk.app._crashed.set()
        with pytest.raises(RuntimeStopped, match=r"agent a: reading failed: OSError\('no more'\)"):
            raise await desk.ended()


@pytest.mark.parametrize(
    ("reason", "message"),
    [(TopicsDiffer("no topic"), "^no topic$"), (OSError("no broker"), r"agent a: it did not start: OSError")],
)
async def test_a_worker_that_does_not_start_says_why(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, reason: Exception, message: str
) -> None:
    """A reason of its own is told as it is."""

    def refuse(*_: object) -> None:
        raise reason

    monkeypatch.setattr(worker_module, "check_topics", refuse)
    async with desk.running():
        with pytest.raises(RuntimeStopped, match=message):
            raise await desk.ended()
    assert desk.app.started == 0


async def test_stopping_finishes_the_transaction_in_hand_before_faust_leaves_the_group(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Then the connections are closed; an end that takes too long is not waited for."""
    desk = Desk(monkeypatch, AGENT, Timings(session_s=0.1, transaction_s=0.1, stop_s=0.05))
    order: list[str] = []
    wait = until_over(order, "run")
    desk.tasks.outcome = lambda lease, batch, patience: wait(patience)
    desk.tasks.before = lambda call: order.append("close") if call == "close" else None

    async def stop() -> None:
        order.append("stop")
        await asyncio.sleep(60)

    monkeypatch.setattr(desk.app, "stop", stop)
    async with desk.running():
        await desk.assigned(0)
        desk.arrive(1)
        await soon(lambda: bool(desk.tasks.batches), "a transaction")
    assert order == ["run", "stop", "close"]
    with pytest.raises(RuntimeError, match="after shutdown"):
        await desk.worker._in_thread(tick, 1)
