"""The loop of every sink: rebalances, stores that are away, retention that was faster, and sinks of one's own."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from processes.pipeline import environment
from sinks.running import FAST, Publisher, running, tick, until

from tradewind.connectors.dead_letters.topic import letter_topic
from tradewind.connectors.kafka import consume
from tradewind.connectors.settings import Settings
from tradewind.connectors.sinks import Batch, Claim, Limits, Origin, OwnerFenced, PoisonBatch, Sink, StoreUnavailable
from tradewind.connectors.sinks.loop.sink_loop import SinkLoop
from tradewind.schemas.market import Tick
from tradewind.schemas.runtime import DeadLetter
from tradewind.topics import PARTITIONS, TICKS, Topic

RESTARTS = 2  # before positions were known first, either of them stood still
ASSIGNOR = "partition.assignment.strategy"
DEAD_LETTERS = Path(__file__).resolve().parents[3] / "docs/dead-letters.md"


class Store:
    """A store in memory that several sinks share, with offsets and epochs; it can be away, or slow."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.seqs: list[int] = []
        self.offsets: dict[Origin, int] = {}
        self.epochs: Counter[Origin] = Counter()
        self.away = False
        self.hang = threading.Event()
        self.hanging = False


class Plain(Sink):
    """A sink that leaves positions to Kafka."""

    name = "plain"
    topics: tuple[Topic, ...] = (TICKS,)

    def __init__(self, store: Store) -> None:
        self.store = store

    async def write(self, batch: Batch) -> None:
        if self.store.hanging:
            self.store.hang.wait(30)
        if self.store.away:
            raise StoreUnavailable("away")
        with self.store.lock:
            self.store.seqs += [event.seq for event in batch.events if isinstance(event, Tick)]


class Keeping(Plain):
    """A sink whose store keeps the positions, and fences."""

    name = "keeping"

    async def claim(self, origins: Sequence[Origin]) -> Mapping[Origin, Claim]:
        with self.store.lock:
            self.store.epochs.update(origins)
            return {origin: Claim(self.store.offsets.get(origin), self.store.epochs[origin]) for origin in origins}

    async def write(self, batch: Batch) -> None:
        if self.store.away:
            raise StoreUnavailable("away")
        origin = (batch.topic.name, batch.partition)
        with self.store.lock:
            if self.store.epochs[origin] != batch.epoch:
                raise OwnerFenced(f"{origin} has epoch {self.store.epochs[origin]}")
            self.store.offsets[origin] = batch.next_offset
            self.store.seqs += [event.seq for event in batch.events if isinstance(event, Tick)]


@pytest.fixture
def publisher(settings: Settings) -> Publisher:
    """Give a topic of ticks."""
    return Publisher(settings, [TICKS])


@pytest.mark.parametrize("strategy", ["cooperative-sticky", "range"])
def test_sinks_that_come_and_go_write_every_event(settings: Settings, publisher: Publisher, strategy: str) -> None:
    """While members join and leave, incrementally or all at once, nothing is lost and nothing doubled."""
    store = Store()
    options = {"partition.assignment.strategy": strategy}
    published = 0

    def both_have_taken(one: SinkLoop, other: SinkLoop) -> bool:
        nonlocal published
        publisher.publish(TICKS, [tick(seq) for seq in range(published, published + 400)])
        published += 400
        return one.counters.taken > 0 and other.counters.taken > 0

    with running(settings, Keeping(store), publisher.codec, **options) as first:
        for _ in range(3):
            with running(settings, Keeping(store), publisher.codec, **options) as second:
                until(partial(both_have_taken, first, second), "both have partitions")
        until(lambda: len(store.seqs) >= published, "all events are there")
    assert sorted(store.seqs) == list(range(published))
    assert first.counters.fenced == 0


def test_a_late_claim_of_an_earlier_owner_is_overruled(settings: Settings, publisher: Publisher) -> None:
    """Where somebody else raised the epoch, the owner claims again and loses nothing."""
    store = Store()
    with running(settings, Keeping(store), publisher.codec) as loop:
        publisher.publish(TICKS, [tick(seq) for seq in range(100)])
        until(lambda: len(store.seqs) == 100, "the first events are there")
        with store.lock:
            store.epochs.update(list(store.epochs))
        publisher.publish(TICKS, [tick(seq) for seq in range(100, 200)])
        until(lambda: len(store.seqs) == 200, "the others too")
    assert sorted(store.seqs) == list(range(200))
    assert loop.counters.fenced > 0


def test_a_store_that_is_away_costs_no_memory_and_no_membership(settings: Settings, publisher: Publisher) -> None:
    """The sink holds what it may, stays in its group beyond the poll interval, and goes on when the store is back."""
    store = Store()
    store.away = True
    limits = replace(FAST, taken_rows=1000, batch_rows=300, consume_rows=200, session_s=3.0)
    publisher.publish(TICKS, [tick(seq) for seq in range(20_000)])
    options = {"max.poll.interval.ms": 3000}
    with running(settings, Plain(store), publisher.codec, limits, **options) as loop:
        until(lambda: loop.counters.stalls > 0, "the sink notices")
        time.sleep(1.5 * limits.session_s)
        assert loop.counters.taken <= 1000 + 200
        assert loop.counters.retries > 3
        store.away = False
        until(lambda: len(store.seqs) >= 20_000, "all events are there")
        assert loop.counters.dropped == 0  # it was never expelled
    assert sorted(store.seqs) == list(range(20_000))


def test_a_write_that_hangs_does_not_hold_up_the_stop(settings: Settings, publisher: Publisher) -> None:
    """The loop ends within 5 s; what hangs is not committed, and comes again."""
    store = Store()
    store.hanging = True
    publisher.publish(TICKS, [tick(seq) for seq in range(10)])
    loop = SinkLoop(settings, Plain(store), publisher.codec, limits=Limits(linger_s=0.05))
    stop = threading.Event()
    thread = threading.Thread(target=loop.run, args=(stop,))
    thread.start()
    until(lambda: loop.counters.taken == 10, "the events are taken")
    time.sleep(0.3)
    stop.set()
    start = time.monotonic()
    thread.join(30)
    assert time.monotonic() - start < 5
    other = Store()
    with running(settings, Plain(other), publisher.codec):
        until(lambda: len(other.seqs) == 10, "they come again")
    store.hang.set()


def test_what_retention_removed_is_counted_and_the_rest_is_written(settings: Settings, publisher: Publisher) -> None:
    """A sink that was away for too long says how much it missed, at its start and in the midst of running."""
    store = Store()
    with running(settings, Plain(store), publisher.codec):
        publisher.publish(TICKS, [tick(seq) for seq in range(10)], partition=0)
        until(lambda: len(store.seqs) == 10, "the first are written")
    publisher.publish(TICKS, [tick(seq) for seq in range(10, 30)], partition=0)
    place = TopicPartition(settings.physical(TICKS), 0, 25)
    client = AdminClient(settings.librdkafka())
    for future in client.delete_records([place]).values():
        future.result()
    with running(settings, Plain(store), publisher.codec) as loop:
        until(lambda: len(store.seqs) == 15, "what is left is written")
        assert loop.counters.lost == 15
    assert store.seqs == [*range(10), *range(25, 30)]


def test_the_lag_reaches_zero_behind_the_markers_of_transactions(settings: Settings, publisher: Publisher) -> None:
    """The committed position is the end of the partition, though the last record there is a marker."""
    store = Store()
    with running(settings, Plain(store), publisher.codec) as loop:
        publisher.publish_transaction(TICKS, [tick(seq) for seq in range(10)], partition=0)
        publisher.publish_transaction(TICKS, [tick(seq) for seq in range(10, 20)], partition=0, abort=True)
        publisher.publish_transaction(TICKS, [tick(seq) for seq in range(20, 25)], partition=0)
        until(lambda: len(store.seqs) == 15, "what was committed is written")
        until(lambda: publisher.lag(f"tradewind.{Plain.name}", TICKS) == 0, "the lag is zero")
    assert store.seqs == [*range(10), *range(20, 25)]
    assert loop.counters.written == 15


def test_a_dead_letter_holds_the_record_whole(settings: Settings, publisher: Publisher) -> None:
    """The letter tells topic, partition, offset, key, value and why; the events around it are written."""
    store = Store()

    class Refusing(Plain):
        name = "refusing"

        async def write(self, batch: Batch) -> None:
            if any(isinstance(event, Tick) and event.seq == 3 for event in batch.events):
                raise PoisonBatch("no threes")
            await super().write(batch)

    publisher.publish(TICKS, [tick(1), b"\x00garbage", tick(3), tick(4)], partition=2)
    with running(settings, Refusing(store), publisher.codec) as loop:
        until(lambda: loop.counters.poison == loop.counters.undecodable == 1, "both are found")
        until(lambda: store.seqs == [1, 4], "the others are written")
    letters = [record.event for record in consume(letter_topic("refusing"), settings=settings)]
    assert [(one.error, one.partition, one.offset, one.key) for one in letters if isinstance(one, DeadLetter)] == [
        ("UNDECODABLE", 2, 1, b"k"),
        ("POISON", 2, 2, b"k"),
    ]
    assert [one.value for one in letters if isinstance(one, DeadLetter)] == [
        b"\x00garbage",
        publisher.codec.encode(tick(3)),
    ]
    assert letters[1].reason == "no threes"  # type: ignore[attr-defined]


def test_a_sink_without_positions_of_its_own_is_set_back_as_the_document_says(
    settings: Settings, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its program runs as it stands there; the sink reads on from that offset, in that partition alone."""
    store = Store()
    for partition in (1, 2):
        publisher.publish(TICKS, [tick(10 * partition + number) for number in range(5)], partition=partition)
    with running(settings, Plain(store), publisher.codec):
        until(lambda: len(store.seqs) == 10, "all are written")
        until(lambda: publisher.lag(f"tradewind.{Plain.name}", TICKS) == 0, "the lag is zero")
    for name, value in environment(settings).items():
        monkeypatch.setenv(name, value)
    (program,) = re.findall(r"^```python\n(.*?)^```", DEAD_LETTERS.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert program.count('"questdb", "market.ticks", 2, 1234') == 1
    exec(compile(program.replace('"questdb", "market.ticks", 2, 1234', '"plain", "market.ticks", 2, 3'), "doc", "exec"))
    store.seqs.clear()
    with running(settings, Plain(store), publisher.codec):
        until(lambda: len(store.seqs) == 2, "it reads again")
        until(lambda: publisher.lag(f"tradewind.{Plain.name}", TICKS) == 0, "and no more")
    assert store.seqs == [23, 24]


def test_a_sink_of_ones_own_takes_ten_lines(settings: Settings, publisher: Publisher) -> None:
    """A name, topics and `write` are all that a sink needs."""
    prices: list[float] = []

    class Prices(Sink):
        name = "prices"
        topics: tuple[Topic, ...] = (TICKS,)
        form: ClassVar = "columns"

        async def write(self, batch: Batch) -> None:
            prices.extend(batch.frame["bid"])

    publisher.publish(TICKS, [tick(seq) for seq in range(5)])
    with running(settings, Prices(), publisher.codec):
        until(lambda: sorted(prices) == [1.0, 2.0, 3.0, 4.0, 5.0], "all prices are there")


def restarted(publisher: Publisher, sink: Callable[[Store], Sink], published: int, restarts: int, **how: Any) -> None:
    """Restart a sink, with new events each time; fails where it writes twice, stands still, or reads from before."""
    store = Store()
    publisher.publish(TICKS, [tick(seq) for seq in range(published)])

    def all_are_there() -> bool:
        return len(store.seqs) >= published

    for _ in range(restarts):
        with running(publisher.settings, sink(store), publisher.codec, **how) as loop:
            until(all_are_there, "all events are there", 30)
            publisher.publish(TICKS, [tick(seq) for seq in range(published, published + 100)])
            published += 100
            until(all_are_there, "the new ones too", 30)
        assert loop.counters.repeated == 0
    assert sorted(store.seqs) == list(range(published))


@pytest.mark.parametrize(("kind", "strategy"), [(Plain, "cooperative-sticky"), (Keeping, "range")])
def test_a_restart_reads_on_where_it_was_however_much_lies_before(
    publisher: Publisher, kind: type[Plain], strategy: str
) -> None:
    """Partitions hold more than memory takes; no restart reads a record from before, or stands still."""
    # A fetch that waits holds up what is asked behind it, and so the answers that could come too late.
    slow = {"fetch.wait.max.ms": 400, "fetch.min.bytes": 1_000_000, "queued.min.messages": 1_000}
    limits = replace(FAST, taken_rows=1_000, batch_rows=500, consume_rows=500)
    restarted(publisher, kind, 6_000, RESTARTS, limits=limits, **slow, **{ASSIGNOR: strategy})


@pytest.mark.long
@pytest.mark.parametrize(("kind", "strategy"), [(Plain, "cooperative-sticky"), (Keeping, "range")])
def test_a_restart_reads_on_where_it_was_at_full_size(publisher: Publisher, kind: type[Plain], strategy: str) -> None:
    """With the limits and the client's options of a sink in service, and more in each partition than it may take."""
    published = 5 * PARTITIONS * Limits().taken_rows // 4
    restarted(publisher, kind, published, 11, limits=Limits(), **{ASSIGNOR: strategy})


BOTH = ["cooperative-sticky", pytest.param("range", marks=pytest.mark.long)]


@pytest.mark.parametrize("strategy", BOTH)
def test_partitions_that_move_while_the_store_is_away_are_written_once(
    settings: Settings, publisher: Publisher, strategy: str
) -> None:
    """Sinks join and leave, and are fenced, while partitions are paused: all of it is written once there is room."""
    store, limits = Store(), replace(FAST, taken_rows=600, batch_rows=200, consume_rows=200)
    publisher.publish(TICKS, [tick(seq) for seq in range(8_000)])
    store.away = True
    with running(settings, Keeping(store), publisher.codec, limits, **{ASSIGNOR: strategy}) as first:
        until(lambda: first.paused, "it has no room")
        assert any("the store is slow or down" in reason for reason in first.not_ready())
        with running(settings, Keeping(store), publisher.codec, limits, **{ASSIGNOR: strategy}) as second:
            until(lambda: first.paused and second.paused, "both have partitions, and no room")
            with store.lock:
                store.epochs.update(list(store.epochs))
            store.away = False
            until(lambda: len(store.seqs) >= 8_000, "they go on")
            store.away = True
            publisher.publish(TICKS, [tick(seq) for seq in range(8_000, 12_000)])
            until(lambda: first.paused or second.paused, "one has no room again")
        store.away = False
        until(lambda: len(store.seqs) >= 12_000, "all events are there")
    assert sorted(store.seqs) == list(range(12_000))
    assert first.counters.repeated == second.counters.repeated == 0


@pytest.mark.parametrize("strategy", BOTH)
def test_what_retention_removes_under_a_sink_that_waits_is_counted_and_the_rest_is_written(
    settings: Settings, publisher: Publisher, strategy: str
) -> None:
    """It is told so by a fetch, once there is room again, and goes on with what is left of that partition."""
    store, limits = Store(), replace(FAST, taken_rows=600, batch_rows=200, consume_rows=200)
    publisher.publish(TICKS, [tick(seq) for seq in range(5_000)], partition=0)
    publisher.publish(TICKS, [tick(seq) for seq in range(5_000, 5_100)], partition=1)
    store.away = True
    with running(settings, Plain(store), publisher.codec, limits, **{ASSIGNOR: strategy}) as loop:
        until(lambda: loop.paused, "it has no room")
        client = AdminClient(settings.librdkafka())
        for future in client.delete_records([TopicPartition(settings.physical(TICKS), 0, 4_000)]).values():
            future.result()
        store.away = False
        until(lambda: loop.counters.lost > 0 and 4_999 in store.seqs and 5_099 in store.seqs, "the rest is written")
    kept = 4_000 - loop.counters.lost
    assert sorted(store.seqs) == [*range(kept), *range(4_000, 5_100)]
