"""Faust's app and consumer of this runtime, without a broker: aiokafka's consumer is a fake that a test fills."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import aiokafka
from aiokafka.consumer.fetcher import READ_COMMITTED, FetchResult, PartitionRecords
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from runtime.records import NOWHERE
from tradewind.streams.runtime.agent import Agent
from tradewind.streams.runtime.lease import Lease
from tradewind.streams.runtime.read.chunk import Chunk
from tradewind.streams.runtime.read.consumer_thread import ConsumerThread
from tradewind.streams.runtime.read.record_batches import FetchedBatches
from tradewind.streams.runtime.read.transport import AgentApp, ChunkConsumer
from tradewind.topics import BARS, TICKS

TOPIC = "t.market.ticks"
ZERO, ONE = aiokafka.TopicPartition(TOPIC, 0), aiokafka.TopicPartition(TOPIC, 1)
AGENT = Agent("a", (TICKS, BARS), (), lambda state, segment: [])


class Fetcher:
    """aiokafka's."""

    def __init__(self, subscriptions: SubscriptionState) -> None:
        self._subscriptions = subscriptions
        self._records: dict[Any, Any] = {}
        self._fetch_waiters: set[asyncio.Future[None]] = set()
        self._wait_consume_future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._closed = False
        self.error_future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def _create_fetch_waiter(self) -> asyncio.Future[None]:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._fetch_waiters.add(waiter)
        waiter.add_done_callback(self._fetch_waiters.discard)
        return waiter

    def _notify(self, future: asyncio.Future[None]) -> None:
        if not future.done():
            future.set_result(None)


class Kafka:
    """What an aiokafka consumer is to the thread, of one member that has two partitions of a topic."""

    def __init__(self) -> None:
        self._subscription = SubscriptionState()
        self._subscription.subscribe({TOPIC})
        self._subscription.assign_from_subscribed([ZERO, ONE])
        self._fetcher = Fetcher(self._subscription)
        self._coordinator = SimpleNamespace(generation=3, member_id="m", check_errors=lambda: None)
        self._closed = False
        self.sought: list[tuple[Any, int]] = []

    def assignment(self) -> Iterable[Any]:
        return self._subscription.assigned_partitions()

    def seek(self, at: Any, offset: int) -> None:
        self.sought.append((at, offset))
        self._subscription.seek(at, offset)

    def fetches(self, at: Any, first: int, count: int) -> None:
        """Have records at hand, from an offset on."""
        builder = DefaultRecordBatchBuilder(2, 0, 0, -1, 0, 0, 1 << 20)
        for number in range(count):
            builder.append(number, 1, b"key", b"value", [])
        built = bytearray(builder.build())
        built[:8] = first.to_bytes(8, "big")
        assignment = self._subscription.subscription.assignment
        records = PartitionRecords(at, FetchedBatches(bytes(built)), [], first, None, None, True, READ_COMMITTED)
        self._fetcher._records[at] = FetchResult(at, assignment=assignment, partition_records=records, backoff=0)


class Place:
    """A consumer of chunks, its thread, and the fake that both read from."""

    def __init__(self) -> None:
        self.failures: list[BaseException] = []
        self.app = AgentApp(AGENT, NOWHERE, self.failures.append)
        self.consumer: ChunkConsumer = self.app.transport.create_consumer(
            lambda message: None, on_partitions_assigned=None, on_partitions_revoked=None
        )
        self.thread: ConsumerThread = self.consumer.thread
        self.thread.thread_loop.close()
        self.thread.thread_loop = asyncio.get_running_loop()
        self.kafka = Kafka()
        self.thread._consumer = self.kafka

    def granted(self) -> Lease:
        """Return the lease of the assignment."""
        self.thread.grant()
        assert self.thread.lease is not None
        return self.thread.lease

    async def reading(self, at: int = 0) -> Lease:
        """Return a lease that was granted, placed and allowed, with both partitions wanted."""
        lease = self.granted()
        await self.thread.place(lease, 1, {(TOPIC, 0): at, (TOPIC, 1): at})
        self.thread.allow()
        self.thread.wanted.update({(TOPIC, 0), (TOPIC, 1)})
        return lease

    def drained(self) -> list[Chunk]:
        return self.thread._drain(self.kafka._fetcher)
