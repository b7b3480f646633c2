"""A worker that hangs leaves its group, so that another goes on; one that only takes its time to restore does not."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from runtime.agents import AGENTS, relay
from runtime.cluster import Cluster, soon, ticks

from tradewind.connectors.settings import Settings
from tradewind.processors.batch import Segment, State
from tradewind.schemas.event import Event
from tradewind.streams.runtime import Timings
from tradewind.streams.runtime.commit.outbox import Patience
from tradewind.streams.runtime.lease import Lease, TopicPartition
from tradewind.streams.runtime.read.positions import Superseding
from tradewind.streams.runtime.work.assigned_tasks import AssignedTasks
from tradewind.topics import LATE_TICKS, TICKS

RELAY = AGENTS["relay"]
HUNG = Timings(session_s=4.0, transaction_s=2.0, hung_s=3.0, attend_s=0.5)
RESTORE_S = 2 * HUNG.hung_s
HANGS_S = 90.0


@pytest.fixture
def cluster(settings: Settings, tmp_path: Path) -> Iterator[Cluster]:
    """Give a namespace of the test's own, whose groups are quick to expel."""
    own = Cluster(settings, tmp_path, timings=HUNG)
    yield own
    own.close()


async def test_a_worker_whose_transaction_hangs_loses_its_tasks_to_another(cluster: Cluster) -> None:
    """What it had in hand is given up when it wakes, and then it joins again: outputs and state have each tick once."""
    hangs, wakes = threading.Event(), threading.Event()

    def hanging(state: State, segment: Segment) -> list[Event]:
        hangs.set()
        wakes.wait(HANGS_S)
        return relay(state, segment)

    count = 3000
    cluster.create(RELAY)
    try:
        async with cluster.running(replace(RELAY, processor=hanging)), cluster.running(RELAY):
            cluster.publish(TICKS, ticks(count))
            await soon(hangs.is_set, "a transaction that hangs")
            await soon(lambda: cluster.caught_up(RELAY), "all processed by the other")
            wakes.set()
            cluster.publish(TICKS, ticks(count, count))
            await soon(lambda: cluster.caught_up(RELAY), "the rest")
    finally:
        wakes.set()
    cluster.assert_exactly_once(2 * count, LATE_TICKS, RELAY)


async def test_a_restore_may_take_longer_than_a_hung_worker_is_kept(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large state takes its time: the lease under which it began is the one under which it ends."""
    leases: list[Lease] = []
    establish = AssignedTasks.establish

    def slow(
        self: AssignedTasks, lease: Lease, superseded: Superseding, patience: Patience
    ) -> dict[TopicPartition, int]:
        leases.append(lease)
        time.sleep(RESTORE_S)
        return establish(self, lease, superseded, patience)

    monkeypatch.setattr(AssignedTasks, "establish", slow)
    cluster.create(RELAY)
    cluster.publish(TICKS, ticks(100))
    async with cluster.running(RELAY):
        await soon(lambda: cluster.caught_up(RELAY), "all processed")
    assert len(leases) == 1
    cluster.assert_exactly_once(100, LATE_TICKS, RELAY)
