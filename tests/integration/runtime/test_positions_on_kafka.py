"""Agents begin at offsets that are final, and stop where the records that come next are gone."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka import TopicPartition as AioCoordinates
from confluent_kafka import Producer
from confluent_kafka import TopicPartition as Coordinates
from confluent_kafka.admin import AdminClient
from runtime.agents import AGENTS
from runtime.cluster import WAIT_S, Cluster, delete_records, group_metadata, soon, ticks, until
from runtime.records import beat

from tradewind.connectors.kafka.admin import partition_counts
from tradewind.connectors.settings import Settings
from tradewind.schemas.market import Tick
from tradewind.streams.runtime import Agent, RuntimeStopped, group_of
from tradewind.streams.runtime.agent import changelog_topic
from tradewind.streams.runtime.errors import RecordsGone
from tradewind.streams.runtime.lease import Lease, TopicPartition
from tradewind.streams.runtime.read.consumer_thread import ConsumerThread
from tradewind.streams.runtime.read.positions import GroupPositions
from tradewind.topics import DECISIONS, LATE_TICKS, TICKS

COUNT, HOLDING = AGENTS["count"], AGENTS["holding"]
PENDING_S = 2.0  # for which an answer is not to come while a transaction is pending; it takes milliseconds otherwise
FILLED_S = 3.0  # for an inbox that nothing leaves: it takes much less than a second


@pytest.fixture
def cluster(settings: Settings, tmp_path: Path) -> Iterator[Cluster]:
    """Give a namespace of the test's own."""
    own = Cluster(settings, tmp_path)
    yield own
    own.close()


@pytest.mark.parametrize(("end", "expected"), [("commit_transaction", 9), ("abort_transaction", 5)])
def test_offsets_that_are_staged_are_waited_for(cluster: Cluster, end: str, expected: int) -> None:
    """A second worker that took the old ones meanwhile would make the first one's output a second time."""
    cluster.create(COUNT)
    group, topic = cluster.settings.physical("staged"), cluster.settings.physical(TICKS)
    metadata, member = group_metadata(cluster.settings, group, topic)
    producer = Producer({**cluster.settings.librdkafka(), "transactional.id": group})
    positions = GroupPositions(cluster.settings, group)
    try:
        member.commit(offsets=[Coordinates(topic, 0, 5)], asynchronous=False)
        assert positions.stable([(topic, 0)], lambda: False) == {(topic, 0): 5}
        producer.init_transactions(WAIT_S)
        producer.begin_transaction()
        producer.send_offsets_to_transaction([Coordinates(topic, 0, 9)], metadata, WAIT_S)
        with ThreadPoolExecutor(1) as thread:
            answer = thread.submit(positions.stable, [(topic, 0)], lambda: False)
            with pytest.raises(TimeoutError):
                answer.result(PENDING_S)
            getattr(producer, end)(WAIT_S)
            assert answer.result(WAIT_S) == {(topic, 0): expected}
    finally:
        positions.close()
        member.close()


def test_an_end_is_that_of_what_is_pending_too(cluster: Cluster) -> None:
    """The marker of a changelog's last transaction may be on its way there: its records are read all the same."""
    cluster.create(COUNT)
    name = cluster.settings.physical(changelog_topic(COUNT))
    at = [(name, partition) for partition in range(COUNT.partitions)]
    positions = GroupPositions(cluster.settings, "ends")
    producer = Producer({**cluster.settings.librdkafka(), "transactional.id": cluster.settings.physical("ends")})
    try:
        producer.init_transactions(WAIT_S)
        producer.begin_transaction()
        producer.produce(name, b"v", b"k", 1)
        producer.flush(WAIT_S)
        nothing = dict.fromkeys(at, (0, 0))
        assert positions.bounds(at, lambda: False) == {**nothing, (name, 1): (0, 1)}
        assert positions.stable_ends(at, lambda: False) == dict.fromkeys(at, 0), "a pending record is not waited for"
        producer.commit_transaction(WAIT_S)
        until(lambda: positions.bounds(at, lambda: False) == {**nothing, (name, 1): (0, 2)}, "the marker")
        until(lambda: positions.stable_ends(at, lambda: False)[name, 1] == 2, "the stable end")
    finally:
        positions.close()


async def stopped(cluster: Cluster, agent: Agent, meanwhile: Callable[[], None] = lambda: None) -> str:
    """Return with which words an agent stops that finds records gone, after something has been done."""

    async def run() -> None:
        async with cluster.running(agent) as worker:
            await asyncio.to_thread(meanwhile)
            await asyncio.wait({worker}, timeout=WAIT_S)

    with pytest.raises(RecordsGone) as reason:
        await run()
    return str(reason.value)


async def test_records_that_went_while_an_agent_was_down_stop_it(cluster: Cluster) -> None:
    """At every start, with all that is needed to judge the loss; nothing moves. Anew, it processes what is left."""
    cluster.create(COUNT)
    cluster.publish(TICKS, ticks(600))
    async with cluster.running(COUNT):
        await soon(lambda: cluster.caught_up(COUNT), "the first")
    before = cluster.offsets(COUNT)
    (_, partition), needed = next((at, offset) for at, offset in before.items() if offset)
    assert needed
    cluster.publish(TICKS, ticks(3000, 600))
    delete_records(cluster.settings, TICKS, partition, needed + 100)
    names = cluster.settings.physical(TICKS), group_of(COUNT, cluster.settings)
    for _ in range(2):
        assert await stopped(cluster, COUNT) == (
            f"agent count, group {names[1]}: {names[0]}, partition {partition}, is needed from offset {needed} on and "
            f"begins at {needed + 100}: 100 offsets are gone, by retention or by hand. The agent stops, because "
            "it cannot process them. A restart does not help. What can be done: docs/architecture.md, "
            '"Records that are gone".'
        )
    assert cluster.offsets(COUNT) == before
    assert cluster.totals(COUNT) == (600, sum(range(600)))
    begin_anew(cluster, COUNT)
    async with cluster.running(COUNT):
        await soon(lambda: cluster.caught_up(COUNT), "what is left")
    assert cluster.totals(COUNT)[0] == 3600 - needed - 100


def begin_anew(cluster: Cluster, agent: Agent) -> None:
    """Do as docs/architecture.md says: delete the agent's group and its changelog, and create the changelog."""
    admin, changelog = AdminClient(cluster.settings.librdkafka()), cluster.settings.physical(changelog_topic(agent))
    for deleted in (
        *admin.delete_consumer_groups([group_of(agent, cluster.settings)]).values(),
        *admin.delete_topics([changelog]).values(),
    ):
        deleted.result(WAIT_S)
    until(lambda: changelog not in partition_counts(cluster.settings), "the changelog is gone")
    cluster.create(agent)


async def test_records_that_go_while_an_agent_waits_stop_it(cluster: Cluster) -> None:
    """It has room for no more of a held input; when it goes on, they are gone. What it had read came out once."""
    cluster.create(HOLDING)
    count = 120_000
    cluster.publish(TICKS, [replace(tick, ts_event=tick.seq) for tick in ticks(count, symbols=("EURUSD",))])
    partition, end = next((at, end) for (topic, at), end in cluster.ends(HOLDING).items() if end)
    assert end == count

    def remove() -> None:
        time.sleep(FILLED_S)
        delete_records(cluster.settings, TICKS, partition, count)
        cluster.publish(DECISIONS, [replace(beat(count), venue="T")])

    words, name = await stopped(cluster, HOLDING, remove), re.escape(cluster.settings.physical(TICKS))
    found = re.search(
        f"{name}, partition {partition}, is needed from offset (\\d+) on and begins at {count}: (\\d+) ", words
    )
    assert found
    needed, gone = int(found[1]), int(found[2])
    assert needed + gone == count
    committed = cluster.offsets(HOLDING)[TICKS.name, partition]
    assert committed is not None
    assert committed <= needed
    assert [event.seq for event in cluster.read(LATE_TICKS) if isinstance(event, Tick)] == list(range(committed))


async def test_a_consumer_that_is_moved_behind_the_worker_s_back_stops_it(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records that were processed would be processed again."""
    cluster.create(COUNT)
    cluster.publish(TICKS, ticks(600))
    async with cluster.running(COUNT):
        await soon(lambda: cluster.caught_up(COUNT), "the first")
    before = cluster.offsets(COUNT)
    place = ConsumerThread.place

    async def back(self: ConsumerThread, lease: Lease, epoch: int, positions: Mapping[TopicPartition, int]) -> None:
        await place(self, lease, epoch, positions)
        for at in positions:
            self._ensure_consumer().seek(AioCoordinates(*at), 0)

    monkeypatch.setattr(ConsumerThread, "place", back)
    with pytest.raises(
        RuntimeStopped, match=r"^group .* was read up to offset \d+ and goes on at 0: records would be processed"
    ):
        async with cluster.running(COUNT) as worker:
            await asyncio.wait({worker}, timeout=WAIT_S)
    assert cluster.offsets(COUNT) == before
    assert cluster.totals(COUNT) == (600, sum(range(600)))
