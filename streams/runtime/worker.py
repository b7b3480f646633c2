"""A worker of one agent: gathers batches under a lease, runs them in a thread, and rewinds if one fails."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

from aiokafka.errors import OffsetOutOfRangeError

from tradewind.connectors.settings import Settings
from tradewind.schemas.codec import Codec
from tradewind.streams.runtime.agent import Agent, check_topics, group_of, redrive_topic
from tradewind.streams.runtime.commit.outbox import Outbox, Outcome, Patience
from tradewind.streams.runtime.commit.pacing import Pacing
from tradewind.streams.runtime.errors import (
    PositionsUnavailable,
    RuntimeStopped,
    StartsUncommitted,
    Superseded,
    TransactionsFail,
)
from tradewind.streams.runtime.lease import Lease, TopicPartition
from tradewind.streams.runtime.read.chunk import Chunk
from tradewind.streams.runtime.read.inbox import Inbox, take_fairly
from tradewind.streams.runtime.read.positions import GroupPositions
from tradewind.streams.runtime.read.transport import AgentApp, ChunkConsumer
from tradewind.streams.runtime.sizes import AS_USUAL, Sizes
from tradewind.streams.runtime.timings import USUAL, Timings
from tradewind.streams.runtime.watch.observer import Observer
from tradewind.streams.runtime.work.agent_work import AgentWork
from tradewind.streams.runtime.work.assigned_tasks import AssignedTasks, Batch

FAILURES = 8  # transactions in a row; with the usual pauses about a minute
log = logging.getLogger(__name__)


class Worker:
    """Runs one agent in this process, in the main event loop. Only the thread touches `AssignedTasks`."""

    def __init__(
        self,
        agent: Agent,
        settings: Settings,
        codec: Codec,
        slot: str,
        observer: Observer,
        *,
        timings: Timings = USUAL,
        sizes: Sizes = AS_USUAL,
    ) -> None:
        self.agent = agent
        self._timings = timings
        self._observer = observer
        self._settings = settings
        self.group = group_of(agent, settings)
        work = AgentWork(agent, settings, codec, timings=timings, sizes=sizes)
        positions = GroupPositions(settings, self.group, timings)
        outbox = Outbox(settings, f"{self.group}.{slot}", timings)
        self._tasks = AssignedTasks(work, positions, outbox, traces=observer.traces)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"transactions of {agent.name}")
        self._app = AgentApp(agent, settings, self._fail, timings, sizes.chunk_records)
        self._names = {settings.physical(topic): topic.name for topic in (*agent.inputs, redrive_topic(agent))}
        broadcast = {settings.physical(topic) for topic in agent.inputs if topic.broadcast}
        self._first = tuple(name for name in self._names if name in broadcast)
        self._others = tuple(name for name in self._names if name not in broadcast)
        for name in self._names:
            self._app.feed(name, self._take_in)
        self._app.on_rebalance_complete.connect(self._on_assigned)
        self._app.on_partitions_revoked.connect(self._on_revoked)
        self._lease: Lease | None = None
        self._epoch = 0
        self._inboxes: dict[TopicPartition, Inbox] = {}
        self._expected: dict[TopicPartition, int] = {}
        self._commands: dict[TopicPartition, int] = {}
        """Partitions of commands, with their ends when the tasks began: read before anything else of their task."""
        self._lock = asyncio.Lock()
        self._pending = asyncio.Event()
        self._patience = Patience(0)
        self._in_hand: Batch | None = None
        self._interrupted = asyncio.Event()
        self._failures = 0
        self._limit = agent.batch_limit
        self._pacing = Pacing(agent.latency_s)
        self._full = asyncio.Event()
        self._stopping = False
        self._first_task = 0
        self.ready = asyncio.Event()
        """Set once the worker has restored its tasks for the first time, if only to find that it has none."""
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Ends with the exception that stops the worker."""

    async def run(self) -> None:
        """Process until cancelled; raises what stopped the worker."""
        starting = asyncio.ensure_future(self._start())
        crashed = asyncio.ensure_future(self._watch_faust())
        batches = asyncio.ensure_future(self._batches())
        attending = asyncio.ensure_future(self._attend())
        try:
            watched = (self.failed, batches, crashed, attending)
            await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
            for ended in watched:
                if ended.done():
                    ended.result()
        finally:
            await self._stop()
            for task in (starting, crashed, batches, attending):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await task

    async def _start(self) -> None:
        try:
            await asyncio.to_thread(check_topics, self.agent, self._settings)
            await self._app.start()
        except RuntimeStopped as reason:
            self._fail(reason)
        except Exception as reason:  # noqa: BLE001 - whatever it is, it ends this worker, with its cause
            self._fail(RuntimeStopped(f"agent {self.agent.name}: it did not start: {reason!r}"))

    async def _watch_faust(self) -> None:
        """Raise what crashed Faust: its consumer thread, a stream, a rebalance."""
        await self._app._crashed.wait()
        reason = self._app.crash_reason
        if isinstance(reason, RuntimeStopped):
            raise reason
        if isinstance(reason, OffsetOutOfRangeError):
            with contextlib.suppress(Superseded, PositionsUnavailable):  # `reason` is raised then, by itself
                await self._in_thread(self._tasks.check_reachable, reason.args[0], lambda: self._stopping)
        raise RuntimeStopped(f"agent {self.agent.name}: reading failed: {reason!r}") from reason

    async def _attend(self) -> None:
        """Give a sign of life each second, unless the same transaction has run for longer than that.

        So a worker whose transaction or event loop hangs leaves the group. A worker that restores for long does not.
        """
        before: Batch | None = None
        while True:
            if self._in_hand is None or self._in_hand is not before:
                self._consumer.thread.attend()
            before = self._in_hand
            await asyncio.sleep(self._timings.attend_s)

    async def _stop(self) -> None:
        self._stopping = True
        self._hurry()
        async with self._lock:
            self._lease = None
        most_s = self._timings.stop_s
        try:
            async with asyncio.timeout(most_s):
                await self._app.stop()
        except TimeoutError:
            log.warning("%s: Faust did not stop within %.0f s; the group expels this member later", self.group, most_s)
        await self._in_thread(self._tasks.close)
        self._thread.shutdown()

    @property
    def _consumer(self) -> ChunkConsumer:
        return cast("ChunkConsumer", self._app.consumer)

    def _fail(self, reason: BaseException) -> None:
        if not self.failed.done():
            self.failed.set_exception(reason)

    async def _in_thread(self, work: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *args)

    # Leases

    async def _on_assigned(self, *_: Any, **__: Any) -> None:
        """Restore and place the tasks of a new lease, before Faust opens its streams."""
        lease = self._consumer.thread.lease
        if lease is None or self._stopping:
            return
        try:
            async with self._lock:
                self._observer.note_assignment()
                await self._establish(lease)
        except Superseded:
            return
        except BaseException as reason:
            self._fail(reason)
            raise
        self.ready.set()

    async def _on_revoked(self, *_: Any, **__: Any) -> None:
        """Commit or abort the transaction in flight. Then Faust releases the partitions."""
        self._lease = None
        self._hurry()
        async with self._lock:
            self._lease = None  # an assignment may have been under way
            self._observer.note_lease_end()

    def _hurry(self) -> None:
        self._patience.hurry(self._timings.revoke_s)
        self._interrupted.set()

    async def _establish(self, lease: Lease) -> None:
        """Set tasks, inboxes and the consumer to the committed positions: when a lease begins, and after a failure."""

        def superseded() -> bool:
            return self._stopping or self._consumer.thread.lease is not lease

        self._observer.note_restoring(lambda: self._tasks.progress)
        self._epoch += 1
        self._interrupted.clear()
        thread = self._consumer.thread
        thread.wanted.clear()
        while True:
            try:
                self._patience = Patience(math.inf)
                positions: dict[TopicPartition, int] = await self._in_thread(
                    self._tasks.establish, lease, superseded, self._patience
                )
                self._commands = await self._in_thread(self._tasks.unread_commands, lease, superseded)
                break
            except StartsUncommitted as reason:
                log.warning("%s: the first offsets were not committed (%s)", self.group, reason)
                await self._pause(str(reason))
                if superseded() or self._interrupted.is_set():
                    raise Superseded from reason
        hold = self.agent.hold
        held = None if hold is None else hold.topic.name
        self._inboxes = {at: Inbox(retains=self._names[at[0]] == held) for at in positions}
        self._expected = dict(positions)
        await self._consumer.in_thread(thread.place(lease, self._epoch, positions))
        self._lease = lease
        thread.wanted.update(positions)
        thread.wake()
        self._observer.note_restored(positions, self._tasks.sizes())
        log.info("%s: generation %d, %d tasks, epoch %d", self.group, lease.generation, len(lease.tasks), self._epoch)

    # Chunks

    def _take_in(self, chunk: Chunk) -> None:
        """Queue a chunk. Drop a chunk of an ended lease or an earlier epoch, because its records are read again."""
        if chunk.lease is not self._lease or chunk.epoch != self._epoch:
            return
        expected = self._expected[chunk.source]
        if chunk.start != expected:
            self._fail(
                RuntimeStopped(
                    f"{self.group}: {chunk.source} went on at {chunk.start}, not at {expected}: records were lost"
                )
            )
            return
        self._expected[chunk.source] = chunk.next
        inbox = self._inboxes[chunk.source]
        inbox.put(chunk)
        self._want(chunk.source, inbox)
        if chunk.records:
            self._pending.set()
        else:
            asyncio.get_running_loop().call_later(self._timings.idle_position_s, self._pending.set)

    def _want(self, source: TopicPartition, inbox: Inbox) -> None:
        """Have a partition fetched where there is room for it."""
        thread = self._consumer.thread
        if not inbox.has_room:
            self._full.set()
        elif source not in thread.wanted:
            thread.wanted.add(source)
            thread.wake()

    # Batches

    async def _batches(self) -> None:
        while True:
            await self._pending.wait()
            await self._wait_until_due()
            self._pending.clear()
            async with self._lock:
                lease = self._lease
                if lease is None or self._stopping:
                    continue
                batch = self._gather(lease)
                if batch is None:
                    continue
                try:
                    await self._transact(lease, batch)
                except Superseded:
                    continue
            if any(len(inbox) for inbox in self._inboxes.values()):
                self._pending.set()

    async def _wait_until_due(self) -> None:
        """Wait until a batch is due: the last one is far enough away, or an inbox is full."""
        rest_s = self._pacing.rest_s(time.monotonic())
        if rest_s > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(rest_s):
                    await self._full.wait()
            await asyncio.sleep(max(0.0, self._pacing.markers_s(time.monotonic())))

    def _gather(self, lease: Lease) -> Batch | None:
        """Take what is queued, up to the batch's limit, starting with another task each time so that none starves."""
        tasks = lease.tasks
        self._full.clear()
        self._first_task = (self._first_task + 1) % max(1, len(tasks))
        batch, count = Batch(self._limit), 0
        for partition in (*tasks[self._first_task :], *tasks[: self._first_task]):
            own = {name: self._inboxes[name, partition] for name in self._names if (name, partition) in self._inboxes}
            if not own:
                continue  # a part of a task without the rest is not read: see `AssignedTasks.establish`
            for turn in self._turns(partition, own):
                inboxes = {name: own[name] for name in turn if name in own}
                for name, chunk in take_fairly(inboxes, self._limit - count):
                    count += max(1, len(chunk.records))
                    batch.add(partition, self._names[name], chunk)
            for name, inbox in own.items():
                self._want((name, partition), inbox)
        for partition in self._tasks.with_more:
            batch.touch(partition)
        return batch if batch.chunks else None

    def _turns(self, partition: int, own: dict[str, Inbox]) -> tuple[tuple[str, ...], ...]:
        """Return the inputs that a task takes from, turn by turn: first broadcast inputs, then the others.

        The others have no turn until the task has all commands that were there when it began, nor while the agent says
        that it waits for one. So a halt that came while the worker was away is in force before any record that it finds
        beside the halt. There is no limit of time: a clock that ran out would let orders of a halted account be filled.
        If a task waits for long because a broker is away, the watchdog of positions reports it.
        """
        ends = {name: end for (name, number), end in self._commands.items() if number == partition}
        if any(self._expected[name, partition] < end or len(own[name]) for name, end in ends.items()):
            return (self._first,)
        for name in ends:
            del self._commands[name, partition]
        return (self._first,) if self._tasks.waits(partition) else (self._first, self._others)

    async def _transact(self, lease: Lease, batch: Batch) -> None:
        """Run a batch as one transaction; where it fails, go back to what is committed."""
        self._patience = Patience(self._timings.patience_s)
        begun = time.monotonic()
        self._pacing.note_begin(begun, len(batch.chunks))
        self._observer.note_begin(batch, self._inboxes)
        self._in_hand = batch
        try:
            outcome: Outcome = await self._in_thread(self._tasks.run, lease, batch, self._patience)
        finally:
            self._in_hand = None
        self._pacing.note_end(time.monotonic())
        self._observer.note_end(batch, outcome, self._inboxes)
        seconds = time.monotonic() - begun
        if outcome.kind == "committed":
            self._failures = 0
            self._adapt(seconds)
            self._free(batch)
            if self._tasks.with_more:
                self._pending.set()
            return
        log.warning("%s: transaction %s (%s)", self.group, outcome.kind, outcome.reason)
        if seconds > self._timings.slow_s:
            self._adapt(seconds)  # what is too much for one transaction is so each time
        self._lease = None  # what is queued follows on what has failed
        if outcome.kind == "lease ended":
            self._observer.note_lease_end()
            return  # the next assignment says where to go on
        await self._pause(outcome.reason)
        await self._establish(lease)

    async def _pause(self, reason: str) -> None:
        """Wait after a failed transaction, longer each time; raises `TransactionsFail` after too many in a row."""
        self._failures += 1
        if self._failures > FAILURES:
            raise TransactionsFail(
                f"{self.group}: {self._failures} transactions in a row failed, the last one: {reason}"
            )
        longest = min(self._timings.longest_pause_s, self._timings.pause_s * 2**self._failures)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(random.uniform(longest / 2, longest)):  # noqa: S311 - jitter, not a secret
                await self._interrupted.wait()

    def _adapt(self, seconds: float) -> None:
        """Take less at once where processing is slow, so that a revocation need not wait long for it."""
        slow_s = self._timings.slow_s
        if seconds > slow_s:
            self._limit = max(1, self._limit // 2)
        elif seconds < slow_s / 4:
            self._limit = min(self.agent.batch_limit, self._limit * 2)

    def _free(self, batch: Batch) -> None:
        """Give back the room of held records that went."""
        hold = self.agent.hold
        if hold is None:
            return
        for (name, partition), inbox in self._inboxes.items():
            if self._names[name] == hold.topic.name:
                inbox.free(batch.released.get(partition, 0))
                self._want((name, partition), inbox)
