"""The writer of a sink: a thread that decodes runs, writes them, tries again, and finds the record that is poison."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Protocol, TypeVar

from tradewind.connectors.sinks.loop.causes import Doing
from tradewind.connectors.sinks.loop.counters import Counters
from tradewind.connectors.sinks.loop.dead_letters import Rejected
from tradewind.connectors.sinks.loop.decode import Codec, Decoded, decode
from tradewind.connectors.sinks.loop.lease import Lease, Run
from tradewind.connectors.sinks.loop.limits import Limits, pause_s
from tradewind.connectors.sinks.sink import (
    Batch,
    KeepsPositions,
    OwnerFenced,
    PoisonBatch,
    Sink,
    StoreUnavailable,
    is_transient,
)
from tradewind.topics import Topic

log = logging.getLogger(__name__)

T = TypeVar("T")


class Letters(Protocol):
    """Takes dead letters."""

    def send(self, topic: Topic, rejected: Sequence[Rejected]) -> None:
        """Keep what was rejected; raises `StoreUnavailable` where that cannot be done for now."""
        ...


class _Dropped(Exception):
    """The lease ended, or the sink stops: what is in hand is not written."""


class Writer:
    """Writes what it is handed, in order. `submit`, `claim` and the waits are for the consumer's thread."""

    def __init__(self, sink: Sink, codec: Codec, letters: Letters, limits: Limits, counters: Counters) -> None:
        self._sink = sink
        self._codec = codec
        self._limits = limits
        self._counters = counters
        self._letters = letters
        self._jobs: queue.SimpleQueue[Run | list[Lease] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._main, name=f"{sink.name}-writer", daemon=True)
        self._changed = threading.Condition()
        self._stopping = False
        self._failure: BaseException | None = None
        self._busy: Lease | None = None
        self._random = Random()  # noqa: S311 - jitter, not a secret
        self._tend_at_s = 0.0
        self.load = 0
        """Records handed over and not done with."""
        self.load_bytes = 0
        self.moved = False
        """Set whenever a run is done with; the reader resets it."""
        self.doing: Doing | None = None
        """What is being done; None where the writer is idle."""
        self.trouble: str | None = None
        """What is being tried again, and why it failed; None where nothing is."""
        self.untended: str | None = None
        """Why tending the store failed the last time; None where it did not."""

    # -- for the consumer's thread ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the thread; it opens the sink first."""
        self._thread.start()

    def check(self) -> None:
        """Raise what ended the thread, if something did."""
        if self._failure is not None:
            raise self._failure

    def submit(self, run: Run) -> None:
        """Hand over a run."""
        with self._changed:
            self.load += len(run.messages)
            self.load_bytes += run.size
        self._jobs.put(run)

    def claim(self, leases: list[Lease]) -> None:
        """Have the store tell where these partitions go on."""
        self._jobs.put(leases)

    def wait(self, timeout_s: float) -> None:
        """Wait until something was done, or the time is over."""
        with self._changed:
            self._changed.wait(timeout_s)

    def wait_for(self, leases: Sequence[Lease], timeout_s: float) -> None:
        """Wait until nothing of these leases is being written, or the time is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._busy not in leases or self._failure is not None, timeout_s)

    def stop(self, timeout_s: float) -> None:
        """Let a write in flight finish, and end; a thread that takes longer is left behind and commits nothing."""
        self._stopping = True
        self._jobs.put(None)
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            log.error(
                "sink %s: a write takes over %.0f s and is abandoned; it is not committed", self._sink.name, timeout_s
            )

    # -- the thread ---------------------------------------------------------------------------------------------------

    def _main(self) -> None:
        with asyncio.Runner() as runner:
            try:
                runner.run(self._retrying("opening", self._sink.open, lambda: True))
                while (job := self._next(runner)) is not None and not self._stopping:
                    runner.run(self._claim(job) if isinstance(job, list) else self._handle(job))
            except _Dropped:
                pass
            except BaseException as error:  # raised again in the consumer's thread
                log.exception("sink %s cannot go on", self._sink.name)
                self._failure = error
            finally:
                with self._changed:
                    self._busy = None
                    self._changed.notify_all()
                runner.run(self._sink.close())

    def _next(self, runner: asyncio.Runner) -> Run | list[Lease] | None:
        """Return the next job, tending the store while there is none."""
        while not self._stopping:
            if time.monotonic() >= self._tend_at_s:
                runner.run(self._tend())
            try:
                return self._jobs.get(timeout=max(0.0, self._tend_at_s - time.monotonic()))
            except queue.Empty:
                continue
        return None

    async def _tend(self) -> None:
        self._tend_at_s = time.monotonic() + self._limits.tend_s
        try:
            await self._sink.tend()
            self.untended = None
        except Exception as error:
            if not is_transient(error):
                raise
            self.untended = f"tending the store failed: {error or type(error)}"
            log.error("sink %s: tending the store failed, trying again later: %s", self._sink.name, error)  # noqa: TRY400

    async def _claim(self, leases: list[Lease]) -> None:
        sink = self._sink
        assert isinstance(sink, KeepsPositions)
        live = [lease for lease in leases if lease.live]
        try:
            claims = await self._retrying(
                "claiming partitions",
                lambda: sink.claim([lease.origin for lease in live]),
                lambda: any(of.live for of in live),
            )
        except _Dropped:
            return
        for lease in live:
            claim = claims[lease.origin]
            lease.start, lease.epoch, lease.claimed = claim.next_offset, claim.epoch, True

    async def _handle(self, run: Run) -> None:
        self._busy = run.lease
        try:
            if run.lease.live:
                await self._store(run)
            else:
                self._counters.dropped += len(run.messages)
        except _Dropped:
            self._counters.dropped += sum(message.offset() >= run.lease.written for message in run.messages)
        except OwnerFenced as error:
            log.error("sink %s: %s; %d records dropped", self._sink.name, error, len(run.messages))  # noqa: TRY400
            self._counters.fenced += 1
            run.lease.fenced = True
        finally:
            with self._changed:
                self._busy, self.moved = None, True
                self.load -= len(run.messages)
                self.load_bytes -= run.size
                self._changed.notify_all()

    async def _store(self, run: Run) -> None:
        """Write a run. What is refused is cut at the record that the store names, or in two, until it is found."""
        lease = run.lease
        decoded = await self._retrying(f"decoding {run.lease.topic.name}", self._decoding(run), lambda: lease.live)
        await self._bury(lease, decoded.rejected)
        poison = sum(one.error == "POISON" for one in decoded.rejected)
        self._counters.poison += poison
        self._counters.undecodable += len(decoded.rejected) - poison
        parts = deque([decoded.batch])
        while parts:
            batch = parts.popleft()
            try:
                await self._write(lease, batch)
            except PoisonBatch as refused:
                parts.extendleft(reversed(await self._without_poison(run, batch, refused)))
            else:
                lease.written = batch.next_offset

    def _decoding(self, run: Run) -> Callable[[], Awaitable[Decoded]]:
        async def work() -> Decoded:  # may ask the registry for a schema, which may not answer for now
            return decode(run, self._sink.form, self._codec)

        return work

    async def _write(self, lease: Lease, batch: Batch) -> None:
        if len(batch) == 0 and not isinstance(self._sink, KeepsPositions):
            return
        what = f"writing {len(batch)} events of {batch.topic.name}/{batch.partition} up to offset {batch.next_offset}"
        await self._retrying(what, lambda: self._sink.write(batch), lambda: lease.live)
        self._counters.written += len(batch)
        self._counters.batches += 1

    async def _without_poison(self, run: Run, batch: Batch, poison: PoisonBatch) -> list[Batch]:
        """Return what is to be written instead of a batch that was refused."""
        if len(batch) == 0:
            raise poison  # no record is to blame
        if len(batch) == 1:
            offset = batch.offset(0)
            message = next(message for message in run.messages if message.offset() == offset)
            log.error(
                "sink %s: %s/%d offset %d is refused and goes to the dead letters: %s",
                *(self._sink.name, *run.lease.origin, offset, poison.reason),
            )
            await self._bury(run.lease, [Rejected(message, "POISON", poison.reason)])
            self._counters.poison += 1
            return [batch.emptied()]
        return cut_around(batch, poison.named) if poison.named else cut(batch, poison.index)

    async def _bury(self, lease: Lease, rejected: Sequence[Rejected]) -> None:
        if not rejected:
            return

        async def send() -> None:
            self._letters.send(lease.topic, rejected)

        await self._retrying(f"sending {len(rejected)} dead letters", send, lambda: lease.live)

    async def _retrying(self, what: str, work: Callable[[], Awaitable[T]], wanted: Callable[[], bool]) -> T:
        """Do some work, again and again while what stops it is transient; raises `_Dropped` once it is not wanted."""
        attempt = 0
        self.doing = Doing(what, time.monotonic())
        while True:
            if self._stopping or not wanted():
                self.trouble = self.doing = None
                raise _Dropped
            try:
                done = await work()
            except Exception as error:
                if not is_transient(error):
                    self.trouble = self.doing = None  # what was wrong before is not what is now
                    raise
                attempt += 1
                self._counters.retries += 1
                self.trouble = f"{what} failed {attempt} times: {error or type(error)}"
                pause = max(pause_s(self._limits, attempt, self._random), self._asked_s(error))
                log.error(  # noqa: TRY400 - the same trace every few seconds says no more
                    "sink %s: %s failed %d times, again in %.1f s: %s",
                    self._sink.name,
                    what,
                    attempt,
                    pause,
                    error or type(error),
                )
            else:
                self.trouble = self.doing = None
                return done
            until = time.monotonic() + pause
            while (left := until - time.monotonic()) > 0 and wanted() and not self._stopping:  # noqa: ASYNC110
                await asyncio.sleep(min(left, self._limits.notice_s))

    def _asked_s(self, error: Exception) -> float:
        """Return how long the store asks to be left alone, within reason."""
        asked = error.wait_s if isinstance(error, StoreUnavailable) else 0.0
        return min(asked, self._limits.asked_most_s)


def cut(batch: Batch, index: int | None) -> list[Batch]:
    """Cut a batch of two or more, in order: around record `index` where it is known, else in the middle.

    What follows the record is halved too: it may hold more of its kind, and naming one at a time would take n² lines.
    """
    if index is None or not 0 <= index < len(batch):
        return list(batch.split(len(batch) // 2))
    parts = []
    if index > 0:
        before, batch = batch.split(index)
        parts.append(before)
    if len(batch) == 1:
        return [*parts, batch]
    bad, rest = batch.split(1)
    return [*parts, bad, *(rest.split(len(rest) // 2) if len(rest) > 1 else [rest])]


def cut_around(batch: Batch, places: Sequence[int]) -> list[Batch]:
    """Cut a batch of two or more into the records at `places`, each alone, and the runs between them, in order."""
    cuts = sorted({cut for place in places for cut in (place, place + 1) if 0 < cut < len(batch)})
    if not cuts:
        return cut(batch, None)
    parts, begun = [], 0
    for at in cuts:
        part, batch = batch.split(at - begun)
        parts.append(part)
        begun = at
    return [*parts, batch]
