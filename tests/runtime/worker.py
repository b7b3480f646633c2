"""A worker on its own: Faust is a fake that a test gives assignments and chunks, tasks do what the test says."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from runtime.records import CODEC, NOWHERE, chunk, tick
from tradewind.connectors.telemetry.process import Telemetry
from tradewind.streams.runtime import worker as worker_module
from tradewind.streams.runtime.agent import Agent
from tradewind.streams.runtime.commit.outbox import Outcome, Patience
from tradewind.streams.runtime.errors import Superseded
from tradewind.streams.runtime.lease import Lease, TopicPartition
from tradewind.streams.runtime.read.chunk import Chunk
from tradewind.streams.runtime.read.positions import Superseding
from tradewind.streams.runtime.timings import USUAL, Timings
from tradewind.streams.runtime.watch.observer import Observer
from tradewind.streams.runtime.watch.statistics import TaskSize
from tradewind.streams.runtime.work.assigned_tasks import Batch
from tradewind.streams.runtime.worker import Worker
from tradewind.topics import TICKS, Topic

SOON_S = 10.0  # a fraction of it on an idle machine
COMMITTED, ABORTED = Outcome("committed"), Outcome("aborted", "the test says so")
Run = Callable[[Lease, Batch, Patience], Outcome]


class Script:
    """AssignedTasks that keep what they are told, and answer as a test says. Called in the worker's thread."""

    progress: Any = None
    """Of restores: nobody asks here."""

    def __init__(self) -> None:
        self.with_more: list[int] = []
        self.positions: Callable[[Lease], dict[TopicPartition, int]] = lambda lease: dict.fromkeys(lease.partitions, 0)
        self.commands: dict[TopicPartition, int] = {}
        """Where partitions of commands end."""
        self.waiting: dict[int, str] = {}
        """Why tasks process nothing but broadcast inputs."""
        self.outcome: Run = lambda lease, batch, patience: COMMITTED
        self.before: Callable[[str], None] = lambda call: None
        """Called with the name of each call, before anything else."""
        self.batches: list[Batch] = []
        self.established: list[Lease] = []
        self.patience = Patience(0)
        self.closed = 0

    def establish(self, lease: Lease, superseded: Superseding, patience: Patience) -> dict[TopicPartition, int]:
        self.before("establish")
        if superseded():
            raise Superseded
        self.patience = patience
        self.established.append(lease)
        return self.positions(lease)

    def unread_commands(self, lease: Lease, superseded: Superseding) -> dict[TopicPartition, int]:
        return dict(self.commands)

    def waits(self, partition: int) -> str:
        assert partition in {at[1] for at in self.positions(self.established[-1])}, "no task of this worker"
        return self.waiting.get(partition, "")

    def run(self, lease: Lease, batch: Batch, patience: Patience) -> Outcome:
        self.before("run")
        self.patience = patience
        self.batches.append(batch)
        batch.statistics.note_processed()
        batch.statistics.note_end()
        return self.outcome(lease, batch, patience)

    def sizes(self) -> dict[int, TaskSize]:
        return {}

    def close(self) -> None:
        self.before("close")
        self.closed += 1

    def counts(self) -> list[int]:
        """Return the records of each batch."""
        return [records_of(batch) for batch in self.batches]

    def offsets(self, number: int = -1) -> list[int]:
        """Return the offsets of a batch."""
        return [int(at) for _, of in self.batches[number].by_source() for one in of for at in one.records.offsets]


def records_of(batch: Batch) -> int:
    """Return how many records a batch has."""
    return sum(len(one.records) for _, of in batch.by_source() for one in of)


class Signal:
    """Faust's: whoever is connected is told, one after the other."""

    def __init__(self) -> None:
        self._connected: list[Callable[[], Awaitable[None]]] = []

    def connect(self, told: Callable[[], Awaitable[None]]) -> None:
        self._connected.append(told)

    async def send(self) -> None:
        for told in self._connected:
            await told()


class Thread:
    """The consumer's."""

    def __init__(self) -> None:
        self.lease: Lease | None = None
        self.wanted: set[TopicPartition] = set()
        self.placed: list[tuple[int, dict[TopicPartition, int]]] = []
        """Epochs and positions."""
        self.woken = self.attended = 0

    async def place(self, lease: Lease, epoch: int, positions: Mapping[TopicPartition, int]) -> None:
        if lease is not self.lease:
            raise Superseded
        self.placed.append((epoch, dict(positions)))

    def wake(self) -> None:
        self.woken += 1

    def attend(self) -> None:
        self.attended += 1


class FakeApp:
    """Stands for `AgentApp`."""

    def __init__(self, agent: Agent, settings: Any, on_failure: Any, timings: Timings, chunk_records: int) -> None:
        self.deliver: dict[str, Callable[[Chunk], None]] = {}
        self.on_rebalance_complete, self.on_partitions_revoked = Signal(), Signal()
        self.thread = Thread()
        self.consumer = SimpleNamespace(thread=self.thread, in_thread=lambda work: work)
        self.crash_reason: BaseException | None = None
        self._crashed = asyncio.Event()
        self.started = self.stopped = 0

    def feed(self, topic: str, deliver: Callable[[Chunk], None]) -> None:
        self.deliver[topic] = deliver

    async def start(self) -> None:
        self.started += 1

    async def stop(self) -> None:
        self.stopped += 1


class Desk:
    """A worker, and what a test does with it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, agent: Agent, timings: Timings = USUAL) -> None:
        monkeypatch.setattr(worker_module, "AgentApp", FakeApp)
        monkeypatch.setattr(worker_module, "GroupPositions", lambda *_: None)
        monkeypatch.setattr(worker_module, "check_topics", lambda *_: None)
        self.worker = Worker(agent, NOWHERE, CODEC, "slot", Observer(agent, NOWHERE, Telemetry()), timings=timings)
        self.worker.failed.add_done_callback(asyncio.Future.exception)  # else asyncio complains where nobody asks
        self.transactional_id = self.worker._tasks._outbox._id  # type: ignore[attr-defined]
        self.tasks = Script()
        self.worker._tasks = self.tasks  # type: ignore[assignment]
        self.app: FakeApp = self.worker._app  # type: ignore[assignment]
        self.thread = self.app.thread
        self._generation = 0
        self._running: asyncio.Task[None] | None = None
        self._taken: tuple[type[BaseException], ...] = ()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.Task[None]]:
        """Run the worker; what stopped it is raised unless the body has taken it."""
        task = self._running = asyncio.ensure_future(self.worker.run())
        try:
            yield task
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, *self._taken):
                await task

    async def ended(self) -> BaseException:
        """Wait until the running worker has stopped by itself, and return what stopped it."""
        assert self._running is not None
        await asyncio.wait({self._running}, timeout=SOON_S)
        error = self._running.exception()
        assert error is not None
        self._taken = (type(error),)
        return error

    def given(self, *partitions: int) -> Lease:
        """Have the consumer's thread take a lease of some tasks."""
        self._generation += 1
        names = self.app.deliver
        self.thread.lease = Lease(
            "g", self._generation, "m", frozenset((name, number) for name in names for number in partitions)
        )
        return self.thread.lease

    async def assigned(self, *partitions: int) -> Lease:
        """Give the worker a lease of some tasks, and have it restore them."""
        lease = self.given(*partitions)
        await self.app.on_rebalance_complete.send()
        return lease

    async def revoked(self) -> None:
        """Take its partitions."""
        self.thread.lease = None
        await self.app.on_partitions_revoked.send()

    def arrive(self, count: int, first: int = 0, partition: int = 0, topic: Topic = TICKS, **other: Any) -> Chunk:
        """Deliver a chunk of the lease and the epoch that were placed last, or of others."""
        made = chunk(topic, [tick(at) for at in range(first, first + count)], first, partition)
        epoch = self.thread.placed[-1][0] if self.thread.placed else 0
        made = replace(made, **{"lease": self.thread.lease, "epoch": epoch, **other})
        self.app.deliver[made.source[0]](made)
        return made


async def soon(true: Callable[[], bool], what: str) -> None:
    """Wait until something holds."""
    begun = time.monotonic()
    while not true():
        assert time.monotonic() - begun < SOON_S, f"{what}: not within {SOON_S} s"
        await asyncio.sleep(0.001)


async def turns(count: int = 50) -> None:
    """Let everybody go on who can."""
    for _ in range(count):
        await asyncio.sleep(0)
    await asyncio.sleep(0.02)


def until_over(ended: list[str], name: str) -> Callable[[Patience], Outcome]:
    """Return what takes as long as it may."""

    def waiting(patience: Patience) -> Outcome:
        begun = time.monotonic()
        while not patience.over:
            assert time.monotonic() - begun < SOON_S, "its patience was not shortened"
            time.sleep(0.005)
        ended.append(name)
        return ABORTED

    return waiting
