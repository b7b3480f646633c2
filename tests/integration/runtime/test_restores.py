"""Restores that take their time: a kill, a rebalance or a long wait in their midst costs neither state nor tasks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from runtime.agents import AGENTS
from runtime.cluster import Cluster, Worker, soon, ticks, until
from runtime.held_restores import HELD, KEYS, MANY, SUPERSEDED, counted, gate, key_of
from runtime.timings import CALM

from tradewind.connectors.settings import Settings
from tradewind.schemas.market import Tick
from tradewind.streams.runtime.agent import POSITION_KEY
from tradewind.streams.runtime.commit import changelog as changelog_module
from tradewind.streams.runtime.read.consumer_thread import ConsumerThread
from tradewind.topics import LATE_TICKS, TICKS
from tradewind.topics.partitioner import partition_of

COUNT = AGENTS["count"]
MORE = 20_000  # ticks that come while nobody has restored
PROGRAM = "held_restores.py"
RESTORE_S = 1.25 * CALM.session_s


@pytest.fixture
def cluster(settings: Settings, tmp_path: Path) -> Iterator[Cluster]:
    """Give a namespace of the test's own."""
    own = Cluster(settings, tmp_path, timings=HELD)
    yield own
    own.close()


def says(worker: Worker, what: str) -> bool:
    """Return whether it stands in a worker's log, and the worker still runs."""
    text = worker.log.read_text("utf-8", "replace")
    assert worker.process.poll() is None, text[-6000:]
    return what in text


def recounted(count: int) -> dict[int, dict[str, Tick]]:
    """Return the state that so many ticks give, by partition."""
    found: dict[int, dict[str, Tick]] = {partition: {} for partition in range(TICKS.partitions)}
    for tick in ticks(count):
        of = found[partition_of(TICKS.key(tick).encode(), TICKS.partitions)]
        of[key_of(tick)] = counted(of.get(key_of(tick)), tick)
    return found


async def test_state_survives_a_kill_and_a_rebalance_in_the_midst_of_restoring(cluster: Cluster) -> None:
    """Ticks that come meanwhile are in state and outputs once, all of them.

    One worker is killed while it restores 200,000 keys; another one that does has to give some up to a third, at once.
    """
    cluster.create(MANY)
    cluster.publish(TICKS, ticks(KEYS))
    async with cluster.running(MANY):
        await soon(lambda: cluster.caught_up(MANY), "a large state")
    cluster.publish(TICKS, ticks(MORE, KEYS))
    midway = "a restore waits for the changelog's records"
    first = cluster.start(MANY.name, program=PROGRAM)
    until(lambda: says(first, midway), "a restore that goes on")
    first.kill()
    second = cluster.start(MANY.name, program=PROGRAM)
    until(lambda: says(second, midway), "the next restore")
    third = cluster.start(MANY.name, program=PROGRAM)
    until(lambda: says(second, SUPERSEDED), "a restore that another worker's coming ends")
    cluster.publish(TICKS, ticks(MORE, KEYS + MORE))
    until(lambda: says(third, midway), "a restore of a part")
    assert b"\nready\n" not in second.log.read_bytes() + third.log.read_bytes(), "nobody is ready midway"
    gate(cluster.settings).touch()
    for worker in (second, third):
        worker.wait_ready()
    until(lambda: cluster.caught_up(MANY), "all processed")
    assert (second.stop(), third.stop()) == (0, 0)
    count = KEYS + 2 * MORE
    found = {
        partition: {key: cluster.codec.decode(value) for key, value in task.raw.items() if key != POSITION_KEY}
        for partition, task in cluster.state(MANY).items()
    }
    assert found == recounted(count)
    sent = [event for event in cluster.read(LATE_TICKS) if isinstance(event, Tick)]
    assert sorted(sent, key=lambda tick: tick.seq) == ticks(2 * MORE, KEYS)


async def test_a_restore_that_is_longer_than_the_session_keeps_the_membership(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Heartbeats go on while it reads: one assignment, and what follows commits under it."""
    cluster.create(COUNT)
    cluster.publish(TICKS, ticks(1000))
    async with cluster.running(COUNT):
        await soon(lambda: cluster.caught_up(COUNT), "a state")
    generations, slept = list[int](), list[float]()
    grant, take = ConsumerThread.grant, changelog_module.taken

    def granted(self: ConsumerThread) -> None:
        grant(self)
        assert self.lease is not None
        generations.append(self.lease.generation)

    def slow(*of: Any) -> Any:
        if not slept:
            slept.append(RESTORE_S)
            time.sleep(RESTORE_S)
        return take(*of)

    monkeypatch.setattr(ConsumerThread, "grant", granted)
    monkeypatch.setattr(changelog_module, "taken", slow)
    cluster.publish(TICKS, ticks(1000, 1000))
    async with cluster.running(COUNT, timings=CALM):
        assert slept == [RESTORE_S]
        await soon(lambda: cluster.caught_up(COUNT), "all processed")
    assert len(generations) == 1, generations
    cluster.assert_exactly_once(2000, None, COUNT)
