"""How a worker lets partitions go, fails and goes on, while its event loop never waits for the broker."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from runtime.worker import ABORTED, COMMITTED, SOON_S, Desk, soon, turns, until_over

from tradewind.streams.runtime import worker as worker_module
from tradewind.streams.runtime.agent import Agent
from tradewind.streams.runtime.commit.outbox import Outcome, Patience
from tradewind.streams.runtime.errors import (
    StartsUncommitted,
    TransactionsFail,
)
from tradewind.streams.runtime.lease import Lease, TopicPartition
from tradewind.streams.runtime.timings import USUAL, Timings
from tradewind.streams.runtime.work.assigned_tasks import Batch
from tradewind.streams.runtime.worker import FAILURES
from tradewind.topics import TICKS

AGENT = Agent("a", (TICKS,), (), lambda state, segment: [], latency_s=0.0)
TURNS = 20
SHORT = Timings(session_s=0.2, transaction_s=0.2)


@pytest.fixture
async def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Give a worker of an agent of ticks."""
    return Desk(monkeypatch, AGENT)


async def test_a_revocation_waits_for_the_transaction_in_hand_and_leaves_it_no_more_than_half_a_session(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Faust lets the partitions go when it has ended, and not before; then nothing begins without a new lease."""
    desk = Desk(monkeypatch, AGENT, SHORT)
    ended: list[str] = []
    wait = until_over(ended, "run")
    desk.tasks.outcome = lambda lease, batch, patience: wait(patience)
    async with desk.running():
        await desk.assigned(0)
        desk.arrive(3)
        await soon(lambda: bool(desk.tasks.batches), "a transaction")
        desk.arrive(3, first=3)
        begun = time.monotonic()
        await asyncio.wait_for(desk.revoked(), SOON_S)
        assert ended == ["run"], "it had to be waited for"
        assert time.monotonic() - begun >= SHORT.revoke_s - 0.02
        desk.arrive(3, first=6)
        await turns()
    assert (len(desk.tasks.batches), len(desk.tasks.established)) == (1, 1)


async def test_a_transaction_has_its_patience_until_somebody_hurries_it(desk: Desk) -> None:
    """From its own begin on."""
    left: list[float] = []

    def outcome(lease: Lease, batch: Batch, patience: Patience) -> Outcome:
        left.append(patience._deadline - time.monotonic())
        return COMMITTED

    desk.tasks.outcome = outcome
    async with desk.running():
        await desk.assigned(0)
        for at in (0, 1):
            desk.arrive(1, first=at)
            await soon(lambda at=at: len(left) == at + 1, "a transaction")  # type: ignore[misc]
            await asyncio.sleep(0.05)
    assert all(USUAL.patience_s - 1.0 < seconds <= USUAL.patience_s for seconds in left)


async def test_a_revocation_hurries_the_first_offsets_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are a transaction as any other: a rebalance does not wait for it longer."""
    desk = Desk(monkeypatch, AGENT, SHORT)
    ended: list[str] = []
    wait = until_over(ended, "establish")

    def positions(lease: Lease) -> dict[TopicPartition, int]:
        ended.append("over" if desk.tasks.patience.over else "begun")
        wait(desk.tasks.patience)
        raise StartsUncommitted

    desk.tasks.positions = positions
    assigned = asyncio.ensure_future(desk.assigned(0))
    await soon(lambda: bool(desk.tasks.established), "the restore")
    await asyncio.wait_for(desk.revoked(), SOON_S)
    assert ended == ["begun", "establish"]
    await asyncio.wait_for(assigned, SOON_S)
    assert desk.worker._lease is None
    assert desk.thread.placed == []
    assert not desk.worker.failed.done()


async def test_first_offsets_that_fail_are_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a pause, under the same lease."""
    desk = Desk(monkeypatch, AGENT, Timings(pause_s=0.001))
    failing = 2

    def positions(lease: Lease) -> dict[TopicPartition, int]:
        assert not desk.tasks.patience.over, "each attempt has its own"
        desk.tasks.patience.shorten(0)
        if len(desk.tasks.established) <= failing:
            raise StartsUncommitted
        return dict.fromkeys(lease.partitions, 0)

    desk.tasks.positions = positions
    lease = await desk.assigned(0)
    assert desk.tasks.established == [lease] * (failing + 1)
    assert len(desk.thread.placed) == 1
    failing = 99
    desk.tasks.established.clear()
    with pytest.raises(TransactionsFail):
        await desk.assigned(0)
    assert isinstance(desk.worker.failed.exception(), TransactionsFail)


async def test_the_event_loop_goes_round_while_the_thread_works(desk: Desk) -> None:
    """Restoring, sending and closing each end only after some turns of the loop, which heartbeats need."""
    loops_thread = threading.get_ident()
    waited: list[str] = []
    loop = asyncio.get_running_loop()

    def wait(call: str) -> None:
        turned = threading.Event()

        async def turn() -> None:
            for _ in range(TURNS):
                await asyncio.sleep(0)
            turned.set()

        assert threading.get_ident() != loops_thread, call
        asyncio.run_coroutine_threadsafe(turn(), loop)
        if turned.wait(SOON_S):
            waited.append(call)

    desk.tasks.before = wait
    async with desk.running():
        await desk.assigned(0)
        desk.arrive(3)
        await soon(lambda: "run" in waited, "a transaction")
    assert waited == ["establish", "run", "close"]


def failing(desk: Desk, monkeypatch: pytest.MonkeyPatch, pauses: list[tuple[float, float]]) -> None:
    """Have every transaction fail, and no pause take time."""

    def uniform(low: float, high: float) -> float:
        pauses.append((low, high))
        return 0.0

    desk.tasks.outcome = lambda lease, batch, patience: ABORTED
    monkeypatch.setattr(worker_module.random, "uniform", uniform)


async def test_failures_in_a_row_stop_the_worker_after_about_a_minute(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pauses between them grow, each with jitter, and the message has the last reason."""
    pauses: list[tuple[float, float]] = []
    failing(desk, monkeypatch, pauses)
    async with desk.running():
        await desk.assigned(0)
        for at in range(FAILURES + 1):
            await soon(lambda at=at: len(desk.thread.placed) == at + 1, "a rewind")  # type: ignore[misc]
            desk.arrive(1)
        with pytest.raises(
            TransactionsFail, match=r"tradewind\.a: 9 transactions in a row failed, .*: the test says so"
        ):
            raise await desk.ended()
    assert len(desk.tasks.batches) == FAILURES + 1 == 9
    assert pauses[0] == (USUAL.pause_s, 2 * USUAL.pause_s)
    assert all(low == high / 2 for low, high in pauses)
    longest = [high for _, high in pauses]
    assert longest == [min(USUAL.longest_pause_s, 0.4 * 2**at) for at in range(FAILURES)]
    assert 30 < sum(longest) * 0.75 < 60


async def test_a_commit_ends_the_row(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many failures with a commit among them stop nobody."""
    pauses: list[tuple[float, float]] = []
    failing(desk, monkeypatch, pauses)
    outcomes = [ABORTED] * FAILURES + [COMMITTED] + [ABORTED] * FAILURES + [COMMITTED]
    desk.tasks.outcome = lambda lease, batch, patience: outcomes[len(desk.tasks.batches) - 1]
    async with desk.running():
        await desk.assigned(0)
        at = 0
        for number, outcome in enumerate(outcomes):
            desk.arrive(1, first=at)
            await soon(lambda number=number: len(desk.tasks.batches) > number, "a transaction")  # type: ignore[misc]
            at = 1 if outcome is COMMITTED else 0
            rewinds = 1 + sum(one is ABORTED for one in outcomes[: number + 1])
            await soon(lambda rewinds=rewinds: len(desk.thread.placed) == rewinds, "a rewind")  # type: ignore[misc]
        assert not desk.worker.failed.done()
    assert [high for _, high in pauses[:2]] == [high for _, high in pauses[FAILURES : FAILURES + 2]]


@pytest.mark.parametrize("end", ["revoked", "stopped"])
async def test_a_pause_ends_at_once_where_the_partitions_go(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    """And nothing is restored for a lease that has ended."""
    pauses: list[float] = []

    def uniform(low: float, high: float) -> float:
        pauses.append(high)
        return 2 * SOON_S

    monkeypatch.setattr(worker_module.random, "uniform", uniform)
    desk.tasks.outcome = lambda lease, batch, patience: ABORTED
    begun = time.monotonic()
    async with desk.running() as worker:
        await desk.assigned(0)
        desk.arrive(1)
        await soon(lambda: bool(pauses), "the pause")
        if end == "revoked":
            await desk.revoked()
            await turns()
            desk.tasks.outcome = lambda lease, batch, patience: COMMITTED
            await desk.assigned(0)
            desk.arrive(1)
            await soon(lambda: len(desk.tasks.batches) == 2, "work goes on")
        assert not worker.done()
    assert time.monotonic() - begun < SOON_S
    assert len(desk.tasks.established) == (2 if end == "revoked" else 1)


async def test_where_the_lease_has_ended_there_is_no_pause_and_no_rewind(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next assignment says where to go on; until then nothing is taken in."""
    pauses: list[tuple[float, float]] = []
    failing(desk, monkeypatch, pauses)
    desk.tasks.outcome = lambda lease, batch, patience: Outcome("lease ended")
    async with desk.running():
        await desk.assigned(0)
        desk.arrive(1)
        await soon(lambda: bool(desk.tasks.batches), "a transaction")
        await turns()
        desk.arrive(1, first=1)
        await turns()
        assert (len(desk.tasks.batches), len(desk.tasks.established), pauses) == (1, 1, [])
        assert any("waits for an assignment" in reason for reason in desk.worker._observer.reasons())
        desk.tasks.outcome = lambda lease, batch, patience: COMMITTED
        await desk.assigned(0)
        desk.arrive(1)
        await soon(lambda: len(desk.tasks.batches) == 2, "work goes on")


async def test_a_worker_attends_unless_one_transaction_is_in_hand_all_the_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An idle one does, one with transactions one after the other does, and one that restores for long does."""
    desk = Desk(monkeypatch, AGENT, Timings(attend_s=0.01))
    goes_on = threading.Event()

    async def attends() -> bool:
        """Tell whether it does so after what it may have been about to do."""
        await asyncio.sleep(0.05)
        before = desk.thread.attended
        await asyncio.sleep(0.1)
        return desk.thread.attended > before

    desk.tasks.before = lambda call: goes_on.wait(SOON_S) and None
    async with desk.running():
        assert await attends(), "idle"
        assigned = asyncio.ensure_future(desk.assigned(0))
        assert await attends(), "restoring"
        goes_on.set()
        await assigned
        assert await attends(), "idle again"
        goes_on.clear()
        desk.arrive(1)
        assert not await attends(), "it hangs"
        goes_on.set()
        assert await attends(), "it goes on"
        following = asyncio.ensure_future(_one_after_the_other(desk))
        assert await attends(), "busy"
        following.cancel()


async def test_a_worker_that_cannot_attend_stops(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be expelled a minute later, and nobody would know why."""

    def attend() -> None:
        raise RuntimeError("no consumer")

    monkeypatch.setattr(desk.thread, "attend", attend)
    async with desk.running():
        assert str(await desk.ended()) == "no consumer"


async def _one_after_the_other(desk: Desk) -> None:
    """Have a transaction in hand whenever somebody looks, and never the same."""
    while True:
        desk.worker._in_hand = Batch()
        await asyncio.sleep(0)
