"""The thread that reads Kafka: it takes the lease of an assignment, delivers whole fetches as chunks, and rewinds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import aiokafka
from aiokafka.consumer import fetcher as aiokafka_fetcher
from aiokafka.consumer.fetcher import FetchResult
from aiokafka.errors import ConsumerStoppedError, OffsetOutOfRangeError
from faust.transport.drivers import aiokafka as driver

from tradewind.streams.runtime.errors import LeaseRefused, RuntimeStopped, Superseded
from tradewind.streams.runtime.lease import Lease, TopicPartition
from tradewind.streams.runtime.read.assignor import assignor_of
from tradewind.streams.runtime.read.chunk import Chunk
from tradewind.streams.runtime.read.record_batches import Fetched, FetchedBatches
from tradewind.streams.runtime.read.records import Records
from tradewind.streams.runtime.timings import in_ms

FETCH_WAIT_MS = 100  # a fetch on an idle topic waits this long at the broker; records that arrive end it at once
PARTITION_FETCH_BYTES = 1024 * 1024  # some 14,000 ticks; bounds what is buffered unparsed per partition
FETCH_BYTES = 8 * 1024 * 1024  # of one answer over all partitions
PACE_S = 0.01  # from a small take to the next fetch: it costs broker and worker a millisecond, however little it brings
MANY_RECORDS = 500  # of a take, after which the next fetch follows at once: there is a backlog

aiokafka_fetcher.MemoryRecords = FetchedBatches  # the same to everyone else who reads through aiokafka


class ConsumerThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    """Faust's consumer thread, reading committed records by whole fetches and by explicit positions only.

    All but `wanted` and `lease` belongs to the thread's own event loop. `wanted` is filled by the main loop, and a
    partition is taken out of it with each chunk: so one that nobody has room for is not fetched, and the others go on.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self.wanted: set[TopicPartition] = set()
        self.lease: Lease | None = None
        self._epoch = 0
        self._positions: dict[TopicPartition, int] = {}
        self._placed: Lease | None = None
        self._reading = False
        self._out_of_range_s: float | None = None

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:  # noqa: ARG002 - Faust's signature
        conf, timings = self.app.conf, self.app.timings
        return aiokafka.AIOKafkaConsumer(
            **self.app.connection,
            client_id=conf.broker_client_id,
            group_id=conf.id,
            partition_assignment_strategy=[assignor_of(self.app.tasks)],
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            fetch_max_wait_ms=FETCH_WAIT_MS,
            fetch_max_bytes=FETCH_BYTES,
            max_partition_fetch_bytes=PARTITION_FETCH_BYTES,
            metadata_max_age_ms=in_ms(timings.metadata_s),
            max_poll_interval_ms=in_ms(timings.hung_s),
            session_timeout_ms=in_ms(timings.session_s),
            heartbeat_interval_ms=in_ms(timings.heartbeat_s),
            rebalance_timeout_ms=in_ms(timings.rebalance_s),
        )

    def grant(self) -> None:
        """Take the lease of the assignment that has just been made; a refused one stops the worker."""
        coordinator = self._ensure_consumer()._coordinator
        try:
            self.lease = Lease(
                group=self.app.conf.id,
                generation=coordinator.generation,
                member=coordinator.member_id,
                partitions=frozenset((tp.topic, tp.partition) for tp in self.assignment()),
            )
        except LeaseRefused as refused:
            self.app.loop.call_soon_threadsafe(self.app.on_failure, refused)

    def revoke(self) -> None:
        """End the lease: nothing more is delivered until there is another, and it has been placed."""
        self.lease = self._placed = self._out_of_range_s = None
        self._reading = False

    async def place(self, lease: Lease, epoch: int, positions: Mapping[TopicPartition, int]) -> None:
        """Start reading at explicit positions, from a new epoch on; raises `Superseded` where the lease has ended.

        This is the only seek there is, at the begin of a lease and to rewind within one. What was fetched is dropped.
        """
        if lease is not self.lease:
            raise Superseded
        consumer = self._ensure_consumer()
        for (topic, partition), offset in positions.items():
            consumer.seek(aiokafka.TopicPartition(topic, partition), offset)
        self._positions = dict(positions)
        self._epoch = epoch
        self._placed = lease
        self._out_of_range_s = None

    def allow(self) -> None:
        """Deliver chunks of the lease that has been placed: Faust has its queues open."""
        self._reading = self._placed is not None

    def wake(self) -> None:
        """Look again, for `wanted` has grown. From any thread."""
        if self._consumer is not None and not self.thread_loop.is_closed():
            self.thread_loop.call_soon_threadsafe(self._notify_waiters)

    def attend(self) -> None:
        """Tell aiokafka that the worker goes on; without it, the worker leaves the group. From any thread."""
        if self._consumer is not None and not self.thread_loop.is_closed():
            self.thread_loop.call_soon_threadsafe(self._attend)

    def _attend(self) -> None:
        with self._ensure_consumer()._subscription.fetch_context():
            pass  # aiokafka counts from its end

    def _notify_waiters(self) -> None:
        fetcher = self._ensure_consumer()._fetcher
        for waiter in list(fetcher._fetch_waiters):
            fetcher._notify(waiter)

    async def take(self, timeout_s: float) -> list[Chunk]:
        """Return a chunk of every wanted partition that has one, waiting for the first; raises what ended fetching."""
        consumer = self._ensure_consumer()
        fetcher, coordinator = consumer._fetcher, consumer._coordinator
        deadline = time.monotonic() + timeout_s
        while True:
            if consumer._closed or fetcher._closed:
                raise ConsumerStoppedError
            coordinator.check_errors()
            if fetcher.error_future.done():
                fetcher.error_future.result()
            chunks = self._drain(fetcher)
            remaining = deadline - time.monotonic()
            if chunks or remaining <= 0:
                return chunks
            waiter = fetcher._create_fetch_waiter()
            done, _ = await asyncio.wait([waiter], timeout=remaining)
            if not done:
                waiter.cancel()
                return []
            waiter.result()

    def _drain(self, fetcher: Any) -> list[Chunk]:
        lease = self.lease
        if lease is None or not self._reading or lease is not self._placed:
            return []
        chunks: list[Chunk] = []
        for tp in [tp for tp in self._positions if tp in self.wanted]:
            state = fetcher._subscriptions.subscription.assignment.state_value(tp)
            start, before = self._positions[tp], state.position
            fetched = fetcher._records.get(tp)
            records = None if fetched is None else self._records(fetcher, tp, fetched)
            position = state.position
            first = int(records.offsets[0]) if records else start
            if before != start or first < start or position < start:
                raise _moved_error(lease, tp, start, before if before != start else min(first, position))
            if not records and position == start:
                continue
            self.wanted.discard(tp)
            self._positions[tp] = position
            chunks.append(Chunk(tp, lease, self._epoch, start, records or Records.of(()), position))
        if chunks:
            self._fetch_on(fetcher, sum(len(chunk.records) for chunk in chunks))
        return chunks

    def _fetch_on(self, fetcher: Any, taken: int) -> None:
        """Have the next fetch sent, after a rest where little was taken.

        It is the fetch that rests, not what it brought: so what comes meanwhile waits for one thing only.
        """
        rest_s = PACE_S if taken < MANY_RECORDS else 0.0
        self.thread_loop.call_later(rest_s, lambda: fetcher._notify(fetcher._wait_consume_future))

    def _records(self, fetcher: Any, tp: TopicPartition, fetched: Any) -> Records | None:
        """Return the next chunk's records of what was fetched of a partition."""
        if type(fetched) is not FetchResult:
            if isinstance(fetched._error, OffsetOutOfRangeError) and not self._still_ours():
                return None
            del fetcher._records[tp]
            fetched.check_raise()
            return None
        records = None
        if fetched.check_assignment(tp) and fetched.has_more():
            unread = fetched._partition_records
            if not isinstance(unread, Fetched):
                unread = fetched._partition_records = Fetched(unread)
            try:
                records = unread.take(self.app.chunk_records)
            except BaseException:
                del fetcher._records[tp]  # aiokafka's position is past it already: it must not be taken again
                raise
            fetched._update_position()
            if unread.exhausted:
                fetched._partition_records = None
        if not fetched.has_more():
            del fetcher._records[tp]
            if not records:
                fetcher._notify(fetcher._wait_consume_future)
        return records

    def _still_ours(self) -> bool:
        """Return whether the lease has outlived a session since an offset was out of range.

        A worker that was frozen hears of retention, which others' commits let go on, before it hears that it was
        expelled. Records are gone only for whoever still has the partition.
        """
        now = time.monotonic()
        if self._out_of_range_s is None:
            self._out_of_range_s = now
        return bool(now - self._out_of_range_s > self.app.timings.session_s)

    async def seek_to_committed(self) -> Mapping[Any, int]:
        """Refuse: aiokafka reads offsets that are not stable, and positions come from `place` alone."""
        raise NotImplementedError("positions are placed by the worker, never taken from aiokafka")

    async def commit(self, offsets: Mapping[Any, int]) -> bool:
        """Refuse: offsets are committed by the transaction that carries what came of them."""
        raise NotImplementedError("only the transactional producer commits offsets")

    def verify_event_path(self, now: float, tp: Any) -> None:
        """Say nothing: Faust's watchdog takes a partition that is held back for a stuck one."""


def _moved_error(lease: Lease, tp: TopicPartition, start: int, at: int) -> RuntimeStopped:
    """Return the error of a consumer that goes on elsewhere than where the last chunk of a partition ended."""
    what = "records would be processed again" if at < start else f"{at - start} offsets would be passed over unseen"
    return RuntimeStopped(
        f"group {lease.group}: {tp[0]}, partition {tp[1]}, was read up to offset {start} and goes on at {at}: {what}. "
        "Only the worker moves a consumer, so something else has; nothing of it is committed. Start the worker again."
    )
