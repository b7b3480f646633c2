"""Faust's transport, with one partition's fetch as one event, and with nothing that commits or seeks by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, ClassVar

import faust
from faust.app.base import BootStrategy
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage
from mode.supervisors import CrashingSupervisor

from tradewind.connectors.settings import Settings
from tradewind.streams.runtime.agent import Agent, group_of
from tradewind.streams.runtime.read.chunk import CHUNK_RECORDS, Chunk
from tradewind.streams.runtime.read.connection import consumer_connection
from tradewind.streams.runtime.read.consumer_thread import ConsumerThread
from tradewind.streams.runtime.timings import USUAL, Timings
from tradewind.streams.runtime.work.state_format import client_id_of

STREAM_CHUNKS = 8  # Faust counts fetches here, not records; credits of the inboxes keep it from filling


class Listener(driver.ConsumerRebalanceListener):  # type: ignore[misc]
    """Takes and ends leases, in the consumer's thread, before Faust hears of the rebalance."""

    def on_partitions_revoked(self, revoked: Iterable[Any]) -> Any:
        """End the lease, then let Faust tell the worker, which finishes its transaction."""
        self._thread.revoke()
        return super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: Iterable[Any]) -> None:
        """Take the lease, then let Faust go on; the worker restores once the rebalance is complete."""
        self._thread.grant()
        await super().on_partitions_assigned(assigned)


class NoOffsets(dict[Any, Any]):
    """Faust's record of offsets read, which stays empty.

    It would drop records after a rewind as already read, and account for gaps in acknowledgements that nobody makes.
    """

    def __getitem__(self, key: Any) -> None:
        """Return None for every partition."""
        return

    def __setitem__(self, key: Any, value: Any) -> None:
        """Forget it."""

    def update(self, *offsets: Any, **more: Any) -> None:
        """Forget them."""


class ChunkConsumer(driver.Consumer):  # type: ignore[misc]
    """Faust's consumer: yields chunks, commits nothing, and seeks nowhere."""

    RebalanceListener: ClassVar[type] = Listener
    _thread: ConsumerThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._read_offset = NoOffsets()

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    @property
    def thread(self) -> ConsumerThread:
        """The thread that reads."""
        return self._thread

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[Any, Any]]:  # noqa: ASYNC109, ARG002 - Faust's signature
        """Yield chunks as Faust's messages, each with the partition that it came from."""
        if not self.flow_active:
            await self.wait(self.can_resume_flow)
        for chunk in await self.in_thread(self._thread.take(self.app.timings.take_s)):
            while not (self.flow_active or self.should_stop):
                await self.wait(self.can_resume_flow)  # a new lease was placed while Faust's queues are still shut
            yield chunk.source, self._to_message(chunk.source, chunk)

    async def in_thread(self, work: Any) -> Any:
        """Await a coroutine in the consumer's thread."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._thread.thread_loop))

    def _to_message(self, tp: Any, record: Chunk) -> ConsumerMessage:
        topic, partition = tp
        generation = record.lease.generation  # without it Faust drops the message and says nothing
        return ConsumerMessage(
            topic, partition, record.next, 0.0, 0, [], None, record, None, 0, 0, TP(*tp), generation_id=generation
        )

    def resume_flow(self) -> None:
        """Let chunks through: Faust has emptied and opened its queues just before."""
        super().resume_flow()
        self._thread.thread_loop.call_soon_threadsafe(self._thread.allow)
        self._thread.wake()

    async def perform_seek(self) -> None:
        """Do nothing: the worker has placed the consumer when it restored the tasks."""

    async def seek_to_committed(self) -> Mapping[Any, int]:
        """Refuse, as the thread does."""
        return await self._thread.seek_to_committed()

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:  # noqa: ARG002, FBT001, FBT002
        """Commit nothing: Faust calls this on a timer and at its end."""
        return False

    async def force_commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:  # noqa: FBT001, FBT002
        """Refuse: offsets are committed by the transaction that carries what came of them."""
        raise NotImplementedError("only the transactional producer commits offsets")

    def verify_event_path(self, now: float, tp: Any) -> None:
        """Say nothing, as the thread does."""


class ChunkTransport(driver.Transport):  # type: ignore[misc]
    """Faust's transport with consumers of chunks."""

    Consumer: ClassVar[type] = ChunkConsumer


class Boot(BootStrategy):  # type: ignore[misc]
    """Starts the consumer, the agents and the conductor; no web server, and no producer of Faust's."""

    enable_web = False
    enable_kafka_producer = False


class AsIs(faust.Codec):  # type: ignore[misc]
    """Hands a chunk through Faust's decoding."""

    def _loads(self, s: Any) -> Any:
        return s

    def _dumps(self, s: Any) -> Any:
        return s


class AgentApp(faust.App):  # type: ignore[misc]
    """A Faust app that runs one of our agents: one consumer group, and a stream for each input."""

    BootStrategy = Boot

    def __init__(
        self,
        agent: Agent,
        settings: Settings,
        on_failure: Any,
        timings: Timings = USUAL,
        chunk_records: int = CHUNK_RECORDS,
    ) -> None:
        self.connection = consumer_connection(settings)
        self.timings, self.chunk_records = timings, chunk_records
        self.on_failure = on_failure
        self.tasks = agent.partitions
        super().__init__(
            group_of(agent, settings),
            broker=[f"kafka://{address}" for address in settings.bootstrap.split(",")],
            store="memory://",
            web_enabled=False,
            topic_disable_leader=True,
            topic_allow_declare=False,
            stream_wait_empty=False,
            stream_buffer_maxsize=STREAM_CHUNKS,
            stream_recovery_delay=0.0,
            consumer_auto_offset_reset="none",
            agent_supervisor=CrashingSupervisor,
            broker_session_timeout=timings.session_s,
            broker_heartbeat_interval=timings.heartbeat_s,
            broker_rebalance_timeout=timings.rebalance_s,
            broker_max_poll_interval=timings.hung_s,
            broker_client_id=client_id_of(agent),
        )

    def _new_transport(self) -> ChunkTransport:
        return ChunkTransport(self.conf.broker_consumer, self, self.loop)

    def _create_directories(self) -> None:
        """Create none: state lives in memory and in the changelog."""

    def feed(self, topic: str, deliver: Any) -> None:
        """Read a topic by a Faust agent that hands on each chunk; it never waits, and so nor do other topics."""

        async def reader(stream: Any) -> None:
            async for event in stream.events():
                deliver(event.value)

        source = self.topic(topic, value_serializer=AsIs(), key_serializer="raw", acks=False)
        self.agent(source, name=f"read {topic}", concurrency=1)(reader)
