"""Faust as this runtime has it: it hands on chunks, remembers no offsets, commits nothing and seeks nowhere."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP
from faust.types.enums import ProcessingGuarantee
from mode.supervisors import CrashingSupervisor
from runtime.fake_faust import TOPIC, ZERO, Place

from tradewind.streams.runtime.read.chunk import Chunk
from tradewind.streams.runtime.read.records import Records
from tradewind.streams.runtime.read.transport import NoOffsets


@pytest.fixture
async def place() -> Place:
    """Give them."""
    return Place()


def test_offsets_read_are_not_remembered() -> None:
    """Faust would drop what is read again after a rewind, and account for gaps."""
    offsets = NoOffsets()
    offsets[TP(TOPIC, 0)] = 5
    offsets.update({TP(TOPIC, 1): 6})
    offsets.update([(TP(TOPIC, 1), 6)])
    assert (offsets[TP(TOPIC, 0)], offsets[TP(TOPIC, 1)], offsets["any"], dict(offsets)) == (None, None, None, {})
    assert offsets.pop(TP(TOPIC, 0), None) is None


async def test_a_chunk_behind_one_that_was_read_is_delivered(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """By Faust's own loop, which compares with what it remembers: it has nothing to compare with."""
    lease = place.granted()
    rewound = [Chunk((TOPIC, 0), lease, epoch, 0, Records.of(()), end) for epoch, end in ((1, 9), (2, 4))]
    delivered: list[Any] = []
    fetcher = SimpleNamespace(_stopped=asyncio.Event())

    async def take(timeout_s: float) -> list[Chunk]:
        if not rewound:
            fetcher._stopped.set()
            return []
        return [rewound.pop(0)]

    async def callback(message: Any) -> None:
        delivered.append((message.value.epoch, message.offset))

    monkeypatch.setattr(place.thread, "take", take)
    monkeypatch.setattr(place.consumer, "in_thread", lambda work: work)
    monkeypatch.setattr(place.consumer, "callback", callback)
    place.consumer.resume_flow()
    await asyncio.wait_for(place.consumer._drain_messages(fetcher), 10)
    assert delivered == [(1, 9), (2, 4)]
    assert isinstance(place.consumer._read_offset, NoOffsets)


async def test_chunks_are_handed_on_with_their_generation_and_while_faust_takes_them(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Faust drops a message without one and says nothing; one that comes while its queues are shut waits."""
    lease = await place.reading()
    place.kafka.fetches(ZERO, 0, 3)
    monkeypatch.setattr(place.consumer, "in_thread", lambda work: work)
    place.consumer.stop_flow()
    found: list[tuple[Any, Any]] = []

    async def read() -> None:
        async for pair in place.consumer.getmany(1.0):
            found.append(pair)  # noqa: PERF401 - one by one

    reading = asyncio.ensure_future(read())
    await asyncio.sleep(0.02)
    assert found == []
    assert place.thread.wanted >= {(TOPIC, 0)}, "not even taken: it would wait outside of what is counted"
    place.consumer.resume_flow()
    await asyncio.wait_for(reading, 30)
    ((source, message),) = found
    assert (source, message.tp, message.offset, message.generation_id) == ((TOPIC, 0), TP(TOPIC, 0), 3, 3)
    assert message.value.lease is lease


async def test_a_chunk_that_comes_while_faust_shuts_its_queues_waits_until_they_are_open(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be of a new lease: thrown away, it would be missing."""
    await place.reading()
    place.kafka.fetches(ZERO, 0, 3)

    async def shut_meanwhile(work: Any) -> Any:
        chunks = await work
        place.consumer.stop_flow()
        return chunks

    monkeypatch.setattr(place.consumer, "in_thread", shut_meanwhile)
    place.consumer.resume_flow()
    reading = asyncio.ensure_future(anext(place.consumer.getmany(1.0)))
    await asyncio.sleep(0.02)
    assert not reading.done()
    place.consumer.resume_flow()
    source, _ = await asyncio.wait_for(reading, 30)
    assert source == (TOPIC, 0)


async def test_faust_lets_the_thread_deliver_when_its_queues_are_open(place: Place) -> None:
    """In the thread's own loop; and whoever waits there for a chunk looks again."""
    lease = place.granted()
    await place.thread.place(lease, 1, {(TOPIC, 0): 0})
    place.thread.wanted.add((TOPIC, 0))
    place.kafka.fetches(ZERO, 0, 1)
    taking = asyncio.ensure_future(place.thread.take(10))
    await asyncio.sleep(0)
    place.consumer.resume_flow()
    assert place.drained() == []
    assert len(await asyncio.wait_for(taking, 30)) == 1


async def test_faust_neither_commits_nor_seeks(place: Place) -> None:
    """Its timer finds nothing to do; who asks for more is refused."""
    assert await place.consumer.commit() is False
    await place.consumer.perform_seek()
    with pytest.raises(NotImplementedError, match="only the transactional producer commits"):
        await place.consumer.force_commit()
    with pytest.raises(NotImplementedError, match="only the transactional producer commits"):
        await place.thread.commit({TP(TOPIC, 0): 5})
    for of in (place.consumer, place.thread):
        with pytest.raises(NotImplementedError, match="placed by the worker"):
            await of.seek_to_committed()
    place.consumer.verify_event_path(0.0, TP(TOPIC, 0))
    place.thread.verify_event_path(0.0, TP(TOPIC, 0))
    assert place.kafka.sought == []


async def test_faust_is_set_up_for_it(place: Place) -> None:
    """Each of these was found to lose or to double records, or to read without bound, with Faust's default."""
    conf = place.app.conf
    expected = {
        "id": "t.tradewind.a",
        "processing_guarantee": ProcessingGuarantee.AT_LEAST_ONCE,  # the other starts aiokafka's transactions
        "agent_supervisor": CrashingSupervisor,  # the default starts an agent again, past what it lost
        "web_enabled": False,
        "topic_disable_leader": True,
        "topic_allow_declare": False,
        "stream_wait_empty": False,
        "stream_recovery_delay": 0.0,  # the default waits for seconds after each rebalance, for no reason
        "broker_session_timeout": 10.0,
        "broker_heartbeat_interval": 3.0,
        "broker_rebalance_timeout": 20.0,
        "broker_max_poll_interval": 60.0,
    }
    assert {name: getattr(conf, name) for name in expected} == expected
    assert 4 <= conf.stream_buffer_maxsize <= 8, "fetches, not records"
    boot = place.app.boot_strategy
    assert (boot.enable_web, boot.enable_kafka_producer) == (False, False)
    assert place.consumer.in_transaction is False


async def test_each_input_is_read_by_one_agent_that_acknowledges_nothing(place: Place) -> None:
    """It hands on each chunk as it is; Faust commits what is acknowledged."""
    delivered: list[Any] = []
    place.app.feed(TOPIC, delivered.append)
    ((agent,),) = ([*place.app.agents.values()],)
    assert (agent.concurrency, agent.isolated_partitions, agent.supervisor_strategy) == (1, False, None)
    assert agent.channel.acks is False
    chunk: Any = object()
    assert agent.channel.value_serializer.loads(chunk) is chunk
    assert agent.channel.value_serializer.dumps(chunk) is chunk

    async def events() -> Any:
        yield SimpleNamespace(value=chunk)

    await agent.fun(SimpleNamespace(events=events))
    assert delivered == [chunk]
