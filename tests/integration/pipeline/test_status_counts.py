"""`status` counts distinct events: no markers, rolled back records, heartbeats or duplicates. On a real Kafka."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from confluent_kafka import Consumer, IsolationLevel, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from tradewind.connectors.health.ledger import FILE
from tradewind.connectors.health.watch import Watch
from tradewind.connectors.kafka.admin import ensure
from tradewind.connectors.registry import open_codec
from tradewind.connectors.settings import Settings
from tradewind.infra.status.names import known
from tradewind.infra.status.report import report
from tradewind.schemas.codec import Codec
from tradewind.schemas.event import Event
from tradewind.schemas.market import Bar, Heartbeat, Tick
from tradewind.topics import BARS, DOMAIN_TOPICS, LATE_TICKS, TICKS

TIME_US = 1_700_000_000_000_000
COUNT_S = 30.0


def tick(seq: int) -> Tick:
    """Return a tick of EURUSD."""
    return Tick(symbol="EURUSD", venue="OANDA", seq=seq, ts_event=TIME_US + seq, bid=1.1, ask=1.2)


def heartbeat() -> Heartbeat:
    """Return a heartbeat of EURUSD."""
    return Heartbeat(symbol="EURUSD", venue="OANDA", ts_event=TIME_US, ts_ingest=TIME_US)


def bar(number: int) -> Bar:
    """Return one of many bars."""
    prices = {f"{side}_{part}": 1.0 for side in ("mid", "bid", "ask") for part in ("open", "high", "low", "close")}
    return Bar(
        event_id=f"{number:032x}",
        tenant_id=None,
        ts_event=TIME_US,
        ts_ingest=TIME_US,
        correlation_id="",
        causation_id="",
        symbol="EURUSD",
        venue="OANDA",
        interval_s=60,
        ts_start=TIME_US,
        ts_end=TIME_US,
        revision=0,
        **prices,
        spread_mean=0.1,
        count=1,
        volume=0.0,
        quote_ts=TIME_US,
    )


class Writer:
    """Writes transactions, each to be committed or rolled back."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.codec: Codec = open_codec(settings)
        ensure(settings, DOMAIN_TOPICS)
        self._admin = AdminClient(settings.librdkafka())
        self._producer = Producer(
            {**settings.librdkafka(), "transactional.id": settings.physical("writer"), "linger.ms": 0}
        )
        self._producer.init_transactions()

    def write(self, topic: str, events: Sequence[Event | bytes], *, commit: bool = True, partition: int = 0) -> None:
        """Write events, or raw bytes, to a partition in one transaction."""
        self._producer.begin_transaction()
        for event in events:
            value = event if isinstance(event, bytes) else self.codec.encode(event)
            self._producer.produce(self.settings.physical(topic), value, b"key", partition)
        self._producer.flush()
        if commit:
            self._producer.commit_transaction()
        else:
            self._producer.abort_transaction()
        self._wait_for_markers(TopicPartition(self.settings.physical(topic), partition))

    def _wait_for_markers(self, of: TopicPartition) -> None:
        """Wait until nothing is open: Kafka writes a transaction's markers after it has said that it is committed."""
        while True:
            stable, high = (
                self._admin.list_offsets({of: OffsetSpec.latest()}, isolation_level=level)[of].result().offset
                for level in (IsolationLevel.READ_COMMITTED, IsolationLevel.READ_UNCOMMITTED)
            )
            if stable == high:
                return
            time.sleep(0.01)


@pytest.fixture
def writer(settings: Settings) -> Writer:
    """Give a writer, with all topics made."""
    return Writer(settings)


@pytest.fixture
def watch(settings: Settings, tmp_path: Path, writer: Writer) -> Iterator[Watch]:
    """Give a watch with a ledger of its own."""
    made = Watch(settings, tmp_path, known(settings))
    yield made
    made.close()


def records(watch: Watch, topic: str) -> int:
    """Return what the watch says that a topic has carried."""
    found = {flow.name: flow.records for flow in watch.look(COUNT_S).topics}
    return found[topic]


def test_markers_and_rolled_back_records_are_no_records(settings: Settings, writer: Writer, watch: Watch) -> None:
    """Ten transactions of three, four of them rolled back, are 18 records, whatever the offsets say."""
    for number in range(10):
        writer.write(TICKS.name, [tick(3 * number + n) for n in range(3)], commit=number % 3 != 0)
    assert watch.look(COUNT_S).totals["ticks"] == 18
    assert records(watch, settings.physical(TICKS)) == 18


def test_heartbeats_and_bytes_that_are_no_event_are_records_and_no_events(
    settings: Settings, writer: Writer, watch: Watch
) -> None:
    """They share a topic with events."""
    unknown, torn = b"\x00\x7f\xff\xff\xffabc", writer.codec.encode(bar(7))[:9]
    writer.write(BARS.name, [bar(1), heartbeat(), bar(2), b"not framed", b"", unknown, torn])
    assert watch.look(COUNT_S).totals["bars"] == 2
    assert records(watch, settings.physical(BARS)) == 7


def test_an_event_that_was_published_twice_is_one_event(writer: Writer, watch: Watch) -> None:
    """In one transaction, in two, and on another partition."""
    writer.write(BARS.name, [bar(1), bar(1), bar(2)])
    assert watch.look(COUNT_S).totals["bars"] == 2
    writer.write(BARS.name, [bar(2), bar(3)], partition=1)
    assert watch.look(COUNT_S).totals["bars"] == 3


def test_counting_goes_on_where_another_process_ended(settings: Settings, writer: Writer, tmp_path: Path) -> None:
    """And nothing is counted twice."""
    for number in range(3):
        writer.write(TICKS.name, [tick(number)])
        once = Watch(settings, tmp_path, known(settings))
        assert once.look(COUNT_S).totals["ticks"] == number + 1
        once.close()


def test_counting_goes_on_behind_what_retention_removed(settings: Settings, writer: Writer, tmp_path: Path) -> None:
    """What was never counted is gone; the rest is counted once."""
    writer.write(TICKS.name, [tick(number) for number in range(10)])
    watch = Watch(settings, tmp_path, known(settings))
    assert watch.look(COUNT_S).totals["ticks"] == 10
    watch.close()  # it reads ahead
    writer.write(TICKS.name, [tick(number) for number in range(10, 30)])
    gone = TopicPartition(settings.physical(TICKS), 0, 16)
    client = AdminClient(settings.librdkafka())
    for future in client.delete_records([gone]).values():
        future.result()
    watch = Watch(settings, tmp_path, known(settings))
    assert watch.look(COUNT_S).totals["ticks"] == 10 + 15
    watch.close()


def test_two_that_count_at_once_agree(settings: Settings, writer: Writer, watch: Watch, tmp_path: Path) -> None:
    """As `up` and `status` do."""
    other = Watch(settings, tmp_path, known(settings))
    for number in range(6):
        writer.write(TICKS.name, [tick(number), tick(100 + number)])
        seen = (watch if number % 2 else other).look(COUNT_S)
        assert seen.totals["ticks"] == 2 * number + 2
    assert watch.look(COUNT_S).totals == other.look(COUNT_S).totals
    other.close()


def _count_for_ever(settings: Settings, folder: Path) -> None:
    watch = Watch(settings, folder, known(settings))
    while True:
        watch.look(COUNT_S)


@pytest.mark.parametrize("kills", [1, pytest.param(10, marks=pytest.mark.long)])
def test_kill_9_in_the_middle_of_counting_changes_no_total(
    settings: Settings, writer: Writer, tmp_path: Path, kills: int
) -> None:
    """Killed while events come in, the ledger ends at the right numbers."""
    spawning = multiprocessing.get_context("spawn")
    for number in range(kills):
        counting = spawning.Process(target=_count_for_ever, args=(settings, tmp_path), daemon=True)
        counting.start()
        while not (tmp_path / FILE).exists():
            time.sleep(0.05)
        for part in range(20):
            base = 1_000 * number + 10 * part
            writer.write(TICKS.name, [tick(base + n) for n in range(10)], commit=part % 5 != 4)
            writer.write(BARS.name, [bar(base), bar(base), heartbeat()], partition=part % 4)
        time.sleep(0.5)
        assert counting.pid is not None
        os.kill(counting.pid, signal.SIGKILL)
        counting.join()
    watch = Watch(settings, tmp_path, known(settings))
    totals = watch.look(COUNT_S).totals
    watch.close()
    assert (totals["ticks"], totals["bars"]) == (kills * 16 * 10, kills * 20)


def test_a_group_that_has_read_everything_has_no_lag(settings: Settings, writer: Writer, watch: Watch) -> None:
    """Though a marker lies between its position and the end; one record more is a lag of its offsets, with its age."""
    group, topic = settings.physical("tradewind.market"), settings.physical(TICKS)
    writer.write(TICKS.name, [tick(1), tick(2)])
    consumer = Consumer({**settings.librdkafka(), "group.id": group, "enable.auto.commit": False})
    consumer.commit(offsets=[TopicPartition(topic, 0, 2)], asynchronous=False)
    seen = {lag.partition: lag for lag in watch.look(COUNT_S).lags if lag.topic == topic}
    assert [(lag.lag, lag.lag_seconds) for _, lag in sorted(seen.items())] == [(0, 0.0)] * 4
    writer.write(TICKS.name, [tick(3)])
    seen = {lag.partition: lag for lag in watch.look(COUNT_S).lags if lag.topic == topic}
    assert seen[0].group == group
    assert seen[0].lag > 0
    assert seen[0].lag_seconds is not None
    assert 0 <= seen[0].lag_seconds < 60
    consumer.commit(offsets=[TopicPartition(topic, 0, 4)], asynchronous=False)
    assert all(lag.lag == 0 for lag in watch.look(COUNT_S).lags)
    consumer.close()


def test_status_tells_services_topics_sizes_and_totals(settings: Settings, writer: Writer, tmp_path: Path) -> None:
    """In one JSON object, with the sizes that the brokers tell."""
    writer.write(TICKS.name, [tick(n) for n in range(1_000)])
    writer.write(LATE_TICKS.name, [tick(n) for n in range(7)])
    told = report(settings, tmp_path).to_json()
    assert {(one["name"], one["healthy"]) for one in told["services"]} >= {("kafka", True), ("registry", True)}
    found = {topic["name"]: topic for topic in told["topics"]}[settings.physical(TICKS)]
    assert found["records"] == 1_000
    assert found["bytes"] > 1_000
    assert {"bars", "signals", "orders", "decisions", "denied", "fills", "dead_letters"} < told["totals"].keys()
    assert told["totals"] == {
        **dict.fromkeys(told["totals"], 0),
        "ticks": 1_000,
        "late": 7,
    }
