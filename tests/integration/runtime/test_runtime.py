"""Agents on a real broker: what goes in comes out once, what cannot be processed is set aside, bugs commit nothing."""

import asyncio
import struct
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka import TopicPartition as Coordinates
from runtime.agents import AGENTS
from runtime.cluster import Cluster, failing_commits, group_metadata, soon, ticks, until
from runtime.records import CODEC, NO_PRICE, beat

from tradewind.connectors.settings import Settings
from tradewind.schemas.market import Heartbeat, Tick
from tradewind.schemas.runtime import DeadLetter
from tradewind.streams.runtime import AgentCrashed, RuntimeStopped, Sizes, Timings
from tradewind.streams.runtime.agent import LONGEST_LATENCY_S, dead_letter_topic
from tradewind.streams.runtime.commit.outbox import Outbox, Outcome, Patience
from tradewind.streams.runtime.lease import Lease
from tradewind.streams.runtime.read.chunk import Chunk
from tradewind.streams.runtime.read.positions import GroupPositions
from tradewind.streams.runtime.read.transport import ChunkConsumer
from tradewind.streams.runtime.work.assigned_tasks import AssignedTasks, Batch
from tradewind.streams.runtime.worker import Worker
from tradewind.topics import BARS, DECISIONS, LATE_TICKS, TICKS

RELAY, SUMS, PICKY, BROKEN, HOLDING, COUNT = (
    AGENTS[name] for name in ("relay", "sums", "picky", "broken", "holding", "count")
)


@pytest.fixture
def cluster(settings: Settings, tmp_path: Path) -> Iterator[Cluster]:
    """Give a namespace of the test's own."""
    own = Cluster(settings, tmp_path)
    yield own
    own.close()


async def test_each_tick_comes_out_once_over_two_agents_and_a_restart(cluster: Cluster) -> None:
    """Order, timestamps and state included; the second run goes on where the first one stopped."""
    cluster.create(RELAY, SUMS)
    cluster.publish(TICKS, ticks(7000))
    async with cluster.running(RELAY, SUMS):
        await soon(lambda: cluster.caught_up(RELAY) and cluster.caught_up(SUMS), "the first 7,000")
    cluster.publish(TICKS, ticks(5000, 7000))
    async with cluster.running(RELAY, SUMS):
        await soon(lambda: cluster.caught_up(RELAY) and cluster.caught_up(SUMS), "the other 5,000")
    cluster.assert_exactly_once(12_000, LATE_TICKS, RELAY, SUMS)


async def test_one_undecodable_record_among_5000_is_one_dead_letter_and_4999_results(cluster: Cluster) -> None:
    """The record is kept whole, and costs no other."""
    cluster.create(PICKY)
    good = ticks(4999, symbols=("EURUSD",))
    cluster.publish(TICKS, [*good[:1234], b"\x00\x00\x00\x00\x09garbage", *good[1234:]])
    async with cluster.running(PICKY):
        await soon(lambda: cluster.caught_up(PICKY), "all processed")
    assert cluster.read(LATE_TICKS) == good
    (letter,) = cluster.read(dead_letter_topic(PICKY))
    assert isinstance(letter, DeadLetter)
    assert (letter.error, letter.topic, letter.offset) == ("UNDECODABLE", "market.ticks", 1234)
    assert (letter.key, letter.value) == (b"EURUSD.T", b"\x00\x00\x00\x00\x09garbage")
    assert cluster.totals(PICKY)[0] == 4999


async def test_poison_is_set_aside_and_the_state_knows_nothing_of_it(cluster: Cluster) -> None:
    """What a processor calls poison is a dead letter; the segment is run again without it, from the state before."""
    cluster.create(PICKY)
    events = [replace(tick, bid=NO_PRICE) if tick.seq % 1000 == 7 else tick for tick in ticks(5000)]
    cluster.publish(TICKS, events)
    async with cluster.running(PICKY):
        await soon(lambda: cluster.caught_up(PICKY), "all processed")
    letters = cluster.read(dead_letter_topic(PICKY))
    assert [letter.error for letter in letters if isinstance(letter, DeadLetter)] == ["POISON"] * 5
    assert len(cluster.read(LATE_TICKS)) == 4995
    assert cluster.totals(PICKY) == (4995, sum(tick.seq for tick in events if tick.bid != NO_PRICE))


async def test_a_bug_stops_the_worker_and_commits_nothing_of_its_batch(cluster: Cluster) -> None:
    """Started again it meets the same records, and a repaired agent processes them."""
    cluster.create(BROKEN)
    cluster.publish(TICKS, ticks(1000, symbols=("EURUSD",)))
    for _ in range(2):
        with pytest.raises(
            AgentCrashed, match=r"agent broken on market.ticks, partition ., offset 500; .* RuntimeError: sequence 500"
        ):
            async with cluster.running(BROKEN) as worker:
                await asyncio.wait({worker}, timeout=30)
    committed = max(offset or 0 for offset in cluster.offsets(BROKEN).values())
    assert committed <= 500
    assert len(cluster.read(LATE_TICKS)) == committed
    repaired = replace(BROKEN, processor=RELAY.processor)
    async with cluster.running(repaired):
        await soon(lambda: cluster.caught_up(repaired), "the rest")
    cluster_ticks = [event.seq for event in cluster.read(LATE_TICKS) if isinstance(event, Tick)]
    assert cluster_ticks == list(range(1000))


async def test_held_ticks_wait_and_never_block_the_decisions_that_release_them(cluster: Cluster) -> None:
    """Far more ticks than the inbox has room for are held; a heartbeat comes through, and lets out what it may."""
    cluster.create(HOLDING)
    count = 60_000
    events = [replace(tick, ts_event=tick.seq) for tick in ticks(count, symbols=("EURUSD",))]
    cluster.publish(TICKS, events)
    released = lambda: sum(isinstance(event, Tick) for event in cluster.read(LATE_TICKS))  # noqa: E731
    async with cluster.running(HOLDING):
        await asyncio.sleep(3)
        assert released() == 0
        assert max(cluster.offsets(HOLDING).values(), key=lambda at: at or 0) == 0, "what is held stays uncommitted"
        beats = [replace(beat(at), venue="T") for at in (20_000, 40_000)]
        cluster.publish(DECISIONS, beats[:1])
        await soon(lambda: released() == 21_001, "up to the heartbeat and the lookahead")
        cluster.publish(DECISIONS, beats[1:])
        await soon(lambda: released() == 41_001, "up to the next heartbeat")
    async with cluster.running(HOLDING):
        cluster.publish(DECISIONS, [replace(beat(count), venue="T")])
        await soon(lambda: released() == count, "the rest, after a restart")
    assert cluster.read(LATE_TICKS) == events
    assert [event.ts_event for event in cluster.read(BARS) if isinstance(event, Heartbeat)] == [20_000, 40_000, count]


async def test_failed_transactions_rewind_and_lose_and_double_nothing(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every third transaction is aborted, every seventh has a commit whose answer is lost.

    Fetches come in many chunks, so that some of an earlier epoch are under way whenever a worker starts over.
    """
    attempts, stale = failing_commits(monkeypatch), 0
    arrived = Worker._take_in

    def counted(self: Worker, chunk: Chunk) -> None:
        nonlocal stale
        stale += chunk.epoch != self._epoch or chunk.lease is not self._lease
        arrived(self, chunk)

    monkeypatch.setattr(Worker, "_take_in", counted)
    limited = replace(RELAY, batch_limit=1000)
    cluster.create(limited, SUMS)
    cluster.publish(TICKS, ticks(20_000))
    async with cluster.running(limited, SUMS, timings=Timings(pause_s=0.01), sizes=Sizes(chunk_records=200)):
        await soon(lambda: cluster.caught_up(limited) and cluster.caught_up(SUMS), "all processed")
    assert attempts() > 12
    assert stale > 0
    cluster.assert_exactly_once(20_000, LATE_TICKS, limited, SUMS)


async def test_transactions_keep_an_agents_latency_apart(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records that come one by one share them; with a backlog they follow one another at once."""
    began: list[tuple[float, int]] = []
    run = AssignedTasks.run

    def noted(self: AssignedTasks, lease: Lease, batch: Batch, patience: Patience) -> Outcome:
        began.append((time.monotonic(), sum(len(chunk.records) for _, of in batch.by_source() for chunk in of)))
        return run(self, lease, batch, patience)

    monkeypatch.setattr(AssignedTasks, "run", noted)
    patient = replace(RELAY, latency_s=1.0)
    cluster.create(patient)
    async with cluster.running(patient):
        for number in range(40):
            cluster.publish(TICKS, ticks(1, number))
            await asyncio.sleep(0.05)
        await soon(lambda: cluster.caught_up(patient), "all processed")
    times = [at for at, records in began if records]
    assert all(after - before > 0.8 for before, after in pairwise(times)), "but for how long a thread takes to begin"
    assert len(times) < 40 / 4
    assert next(records for _, records in began if records) == 1, "it waits for none when there is no other"
    cluster.assert_exactly_once(40, LATE_TICKS, patient)
    began.clear()
    cluster.publish(TICKS, ticks(100_000, 40, symbols=("EURUSD",)))
    rare = replace(patient, latency_s=LONGEST_LATENCY_S)
    async with cluster.running(rare):
        await soon(lambda: cluster.caught_up(rare), "the backlog")
    times = [at for at, records in began if records]
    assert max(records for _, records in began) > 1000
    assert any(after - before < LONGEST_LATENCY_S for before, after in pairwise(times))


async def test_only_the_transactional_producer_moves_the_offsets(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With every transaction aborted, offsets stay where the first start put them, though Faust delivers and stops."""
    cluster.create(COUNT)
    cluster.publish(TICKS, ticks(100))
    async with cluster.running(COUNT):
        await soon(lambda: cluster.caught_up(COUNT), "a start")
    before = cluster.offsets(COUNT)
    cluster.publish(TICKS, ticks(1000, 100))
    monkeypatch.setattr(
        Outbox, "_commit", lambda self, producer, patience: self._abort(producer, "the test says so", patience)
    )
    async with cluster.running(COUNT):
        await asyncio.sleep(4)  # longer than the interval at which Faust commits
    assert cluster.offsets(COUNT) == before
    with pytest.raises(NotImplementedError, match="only the transactional producer"):
        await ChunkConsumer.force_commit(object())  # type: ignore[arg-type]


async def test_expired_offsets_are_taken_from_the_changelog(cluster: Cluster) -> None:
    """Brokers forget the offsets of an idle group after a week; the tasks go on where they were, and double nothing."""
    cluster.create(COUNT)
    cluster.publish(TICKS, ticks(1000))
    async with cluster.running(COUNT):
        await soon(lambda: cluster.caught_up(COUNT), "the first")
    cluster.forget_offsets(COUNT)
    assert set(cluster.offsets(COUNT).values()) == {None}
    cluster.publish(TICKS, ticks(500, 1000))
    async with cluster.running(COUNT):
        await soon(lambda: cluster.caught_up(COUNT), "the rest")
    cluster.assert_exactly_once(1500, None, COUNT)


async def test_offsets_that_somebody_moved_stop_the_worker(cluster: Cluster) -> None:
    """State and records would not fit: the message says which offsets, and what to do."""
    cluster.create(COUNT)
    cluster.publish(TICKS, ticks(1000))
    async with cluster.running(COUNT):
        await soon(lambda: cluster.caught_up(COUNT), "the first")
    cluster.move_offsets(COUNT, 3)
    with pytest.raises(RuntimeStopped, match=r"the group is at offset 3 of market.ticks, the changelog at \d+"):
        async with cluster.running(COUNT) as worker:
            await asyncio.wait({worker}, timeout=30)


async def test_a_first_start_at_the_latest_skips_what_was_there_and_says_so(cluster: Cluster) -> None:
    """The start is committed at once: what comes before the first batch commits is not skipped by a restart."""
    latest = replace(COUNT, first_start="latest")
    cluster.create(latest)
    cluster.publish(TICKS, ticks(1000))
    async with cluster.running(latest):
        pass
    assert cluster.caught_up(latest)
    cluster.publish(TICKS, ticks(10, 1000))
    async with cluster.running(latest):
        await soon(lambda: cluster.caught_up(latest), "the new ones")
    assert cluster.totals(latest) == (10, sum(range(1000, 1010)))


def test_group_metadata_is_what_a_real_consumer_has(cluster: Cluster) -> None:
    """Librdkafka's serialised form is internal to it: this fails where an upgrade changes it."""
    cluster.create(COUNT)
    group, topic = cluster.settings.physical("metadata"), cluster.settings.physical(TICKS)
    real, consumer = group_metadata(cluster.settings, group, topic)
    try:
        (generation,) = struct.unpack("=i", real[7:11])
        member = real[11:].split(b"\0")[1].decode()
        assert Lease(group, generation, member, frozenset()).metadata() == real
    finally:
        consumer.close()


@pytest.mark.parametrize(
    ("generation", "member", "code"),
    [(99, None, KafkaError.ILLEGAL_GENERATION), (None, "nobody", KafkaError.UNKNOWN_MEMBER_ID)],
)
def test_the_broker_fences_a_lease_that_is_not_the_groups(
    cluster: Cluster, generation: int | None, member: str | None, code: int
) -> None:
    """A wrong generation or member is refused, and the transaction can be aborted."""
    cluster.create(COUNT)
    group, topic = cluster.settings.physical("fenced"), cluster.settings.physical(TICKS)
    real, consumer = group_metadata(cluster.settings, group, topic)
    own = struct.unpack("=i", real[7:11])[0], real[11:].split(b"\0")[1].decode()
    lease = Lease(group, generation or own[0], member or own[1], frozenset())
    producer = Producer({**cluster.settings.librdkafka(), "transactional.id": group})
    try:
        producer.init_transactions(10)
        producer.begin_transaction()
        with pytest.raises(KafkaException) as refused:
            producer.send_offsets_to_transaction([Coordinates(topic, 0, 1)], lease.metadata(), 10)
        assert refused.value.args[0].code() == code
        assert refused.value.args[0].txn_requires_abort()
        producer.abort_transaction(10)
    finally:
        consumer.close()


def test_a_successor_of_the_same_slot_ends_what_is_pending(cluster: Cluster) -> None:
    """Records and offsets of a worker that is gone are aborted when it begins: here the broker would wait a minute."""
    cluster.create(RELAY)
    group, topic = cluster.settings.physical("pending"), cluster.settings.physical(LATE_TICKS)
    metadata, member = group_metadata(cluster.settings, group, topic)
    options = {"transactional.id": f"{group}.slot", "transaction.timeout.ms": 60_000}
    gone = Producer({**cluster.settings.librdkafka(), **options})
    positions = GroupPositions(cluster.settings, group)
    successor = Outbox(cluster.settings, f"{group}.slot")
    try:
        member.commit(offsets=[Coordinates(topic, 0, 5)], asynchronous=False)
        gone.init_transactions(10)
        gone.begin_transaction()
        gone.produce(topic, CODEC.encode(ticks(1)[0]), b"EURUSD.T", 0)
        assert gone.flush(10) == 0
        gone.send_offsets_to_transaction([Coordinates(topic, 0, 9)], metadata, 10)
        assert cluster.ends(COUNT, LATE_TICKS)[LATE_TICKS.name, 0] == 0, "it is pending"
        successor.ready(lambda: False)
        begun = time.monotonic()
        assert positions.stable([(topic, 0)], lambda: time.monotonic() > begun + 30) == {(topic, 0): 5}
        until(lambda: cluster.ends(COUNT, LATE_TICKS)[LATE_TICKS.name, 0] == 2, "a record and a marker", 30)
        assert cluster.read(LATE_TICKS) == []
        with pytest.raises(KafkaException) as refused:
            gone.commit_transaction(10)
        assert refused.value.args[0].fatal(), "it is fenced"
    finally:
        successor.close()
        positions.close()
        member.close()
