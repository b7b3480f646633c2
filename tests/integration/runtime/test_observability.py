"""What a worker tells of itself on real Kafka: counts, readiness, alerts, and one trace from bar to fill."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka import TopicPartition as Coordinates
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from processes.scraping import Scrape, readiness, served
from processing import deployed, tenant_events
from runtime.agents import AGENTS
from runtime.cluster import Cluster, soon, ticks
from runtime.records import CODEC
from sinks.running import Publisher, running, tick, until

from tradewind import Bar, Fill, Strategy, View
from tradewind.connectors.kafka import consume
from tradewind.connectors.kafka.admin import ensure
from tradewind.connectors.kafka.records import raw_records
from tradewind.connectors.settings import Settings, WatchdogSettings
from tradewind.connectors.sinks import Batch, Sink, StoreUnavailable
from tradewind.connectors.sinks.loop.telemetry import SinkTelemetry
from tradewind.connectors.telemetry.health import Health
from tradewind.connectors.telemetry.process import Telemetry, telemetry
from tradewind.connectors.telemetry.spans import Spans
from tradewind.connectors.telemetry.trace_context import span_id
from tradewind.connectors.watchdogs.watch import watched
from tradewind.schemas.event import Event
from tradewind.schemas.market import Heartbeat, Tick
from tradewind.schemas.notifications import Alert
from tradewind.streams.agents import OURS as TRADING
from tradewind.streams.runtime import Agent, group_of
from tradewind.streams.runtime.agent import changelog_topic
from tradewind.streams.runtime.commit.outbox import Outbox, Outcome
from tradewind.topics import (
    ALERTS,
    BARS,
    DECISIONS,
    FILLS,
    ORDER_EVENTS,
    ORDER_REQUESTS,
    POSITIONS,
    SIGNALS,
    TENANT_CHANGES,
    TICKS,
    Topic,
)

PICKY, COUNT = AGENTS["picky"], AGENTS["count"]
QUICK = WatchdogSettings(position_s=600, transaction_s=2, restore_s=600, broker_s=600)
CHAIN = (SIGNALS, ORDER_REQUESTS, DECISIONS, ORDER_EVENTS, FILLS, POSITIONS)


async def test_a_worker_shows_what_it_has_done(settings: Settings, tmp_path: Path) -> None:
    """Over some thousand records: counts by partition, transactions, dead letters, state, latency; no lag at last."""
    told, url = served(settings)
    cluster = Cluster(told, tmp_path)
    cluster.create(PICKY)
    events: list[Event | bytes | None] = [*ticks(6000)[:3000], b"garbage", *ticks(3000, 3000)]
    cluster.publish(TICKS, events)
    with telemetry(told, "picky") as found:
        assert readiness(url)[0] == 200, "nothing is asked of the process yet"
        async with cluster.running(PICKY, telemetry=found):
            assert readiness(url) == (200, {})
            await soon(lambda: cluster.caught_up(PICKY), "all processed")
            group, topic = told.physical("tradewind.picky"), told.physical(TICKS)
            of = {"messaging_consumer_group_name": group}
            on = {**of, "messaging_destination_name": topic}
            await soon(lambda: Scrape(url).has("tradewind_consumer_lag", 0, **on), "the watch has seen the ends")
            scrape = Scrape(url)
    assert scrape.sum("messaging_client_consumed_messages_total", messaging_system="kafka", **on) == 6001
    partitions = [labels for name, labels, _ in scrape.samples if name == "messaging_client_consumed_messages_total"]
    assert {labels["messaging_destination_partition_id"] for labels in partitions} <= {"0", "1", "2", "3"}
    assert scrape.sum("tradewind_dead_letters_total", tradewind_kind="UNDECODABLE", **of) == 1
    committed = scrape.sum("tradewind_transactions_total", tradewind_outcome="committed", **of)
    assert committed >= 1
    assert scrape.sum("tradewind_batch_records_count", **of) == committed
    assert scrape.sum("tradewind_batch_records_sum", **of) == 6001
    for name in ("messaging_process_duration_seconds", "messaging_client_operation_duration_seconds"):
        assert scrape.sum(f"{name}_count", **of) == committed
        assert scrape.sum(f"{name}_sum", **of) > 0
    assert scrape.sum("tradewind_batch_queue_time_seconds_count", **of) == committed
    assert scrape.sum("tradewind_latency_seconds_count", **on) == committed
    assert scrape.sum("tradewind_state_keys", **of) == 6, "one for each symbol"
    assert scrape.sum("tradewind_rebalances_total", **of) == 1
    assert scrape.sum("tradewind_restore_duration_seconds_count", **of) == 1
    assert scrape.sum("tradewind_consumer_lag_time_seconds", **on) == 0
    assert scrape.sum("tradewind_watchdog_stuck", **of) == 0
    assert scrape.sum("tradewind_ready") == 1


async def test_a_transaction_that_hangs_is_told_and_so_is_its_end(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """On `/ready`, as a metric, in the log once, and as an alert once; the worker goes on as soon as it can."""
    told, url = served(settings, watchdog=QUICK)
    cluster = Cluster(told, tmp_path)
    cluster.create(COUNT)
    ensure(told, (ALERTS,))
    go_on, commit = threading.Event(), Outbox._commit

    def waits(self: Outbox, producer: Producer, patience: object) -> Outcome:
        go_on.wait(30)
        return commit(self, producer, patience)  # type: ignore[arg-type]

    group = told.physical("tradewind.count")
    with telemetry(told, "count") as found:
        async with cluster.running(COUNT, telemetry=found):
            await soon(lambda: readiness(url) == (200, {}), "ready")
            monkeypatch.setattr(Outbox, "_commit", waits)
            cluster.publish(TICKS, ticks(100))
            await soon(lambda: readiness(url)[0] == 503, "not ready")
            ((reason,),) = readiness(url)[1].values()
            in_hand = f"the current batch is of {told.physical(TICKS)}, partition"
            assert reason.startswith(f"{group}: no transaction has committed for ")
            assert in_hand in reason
            stuck = {"messaging_consumer_group_name": group, "tradewind_kind": "transaction"}
            inputs = Scrape(url).sum(
                "tradewind_watchdog_stuck", **stuck, messaging_destination_name=told.physical(TICKS)
            )
            assert inputs >= 1
            assert Scrape(url).sum("tradewind_watchdog_stuck", **stuck) == 1 + inputs, "one of the whole group"
            await soon(lambda: len(cluster.alerts()) == 1, "an alert, while the transaction still hangs")
            go_on.set()
            await soon(lambda: readiness(url) == (200, {}), "ready again")
            await soon(lambda: cluster.caught_up(COUNT), "all processed")
            await soon(lambda: len(cluster.alerts()) == 2, "its end")
            assert Scrape(url).sum("tradewind_watchdog_stuck", **stuck) == 0
    first, end = cluster.alerts()
    assert (first.code, first.severity, first.group) == ("WATCHDOG_TRANSACTION", "CRITICAL", group)
    assert (first.topic, in_hand in first.message) == (told.physical(TICKS), True)
    assert (end.code, end.severity, end.since) == ("WATCHDOG_TRANSACTION_OVER", "INFO", first.since)
    assert (end.correlation_id, end.causation_id) == (first.event_id, first.event_id)
    said = [record.message for record in caplog.records if record.message.startswith("watchdog: ")]
    assert [line.startswith("watchdog: over") for line in said] == [False, True]
    cluster.assert_exactly_once(100, None, COUNT)


async def test_a_restore_that_hangs_is_told_with_what_it_waits_for_and_so_is_its_end(
    settings: Settings, tmp_path: Path
) -> None:
    """Somebody's transaction is pending on the group's offsets: the worker waits for its end, and then goes on."""
    bounds = WatchdogSettings(position_s=600, transaction_s=600, restore_s=2, broker_s=600)
    told, url = served(settings, watchdog=bounds)
    cluster = Cluster(told, tmp_path)
    cluster.create(COUNT)
    ensure(told, (ALERTS,))
    cluster.publish(TICKS, ticks(100))
    async with cluster.running(COUNT):
        await soon(lambda: cluster.caught_up(COUNT), "offsets and a changelog")
    changelog, group = told.physical(changelog_topic(COUNT)), told.physical("tradewind.count")
    written = sum(len(batch) for batch in raw_records(told, changelog, range(COUNT.partitions), "earliest"))
    foreign, ends = pending_on(cluster, COUNT), asyncio.Event()

    async def working() -> None:
        async with cluster.running(COUNT, telemetry=found):
            await ends.wait()

    with telemetry(told, "count") as found:
        worker = asyncio.ensure_future(working())
        await soon(lambda: len(cluster.alerts()) == 1, "an alert, while the restore still hangs")
        status, reasons = readiness(url)
        assert (status, list(reasons)) == (503, ["agent count"])
        waits = f"it waits for stable offsets of the group, to be read: {changelog}, partitions 0, 1, 2, 3"
        stands, restores = reasons["agent count"]
        assert stands.startswith(f"{group}: a restore has read nothing more for ")
        assert restores.startswith(f"{group}: its tasks are being restored, for ")
        assert (stands.endswith(waits), restores.endswith(waits)) == (True, True)
        stuck = {"messaging_consumer_group_name": group, "tradewind_kind": "restore"}
        on = {"messaging_destination_name": changelog, "messaging_destination_partition_id": "2"}
        assert Scrape(url).has("tradewind_watchdog_stuck", 1, **stuck, **on)
        assert Scrape(url).has("tradewind_watchdog_stuck", 1 + COUNT.partitions, **stuck)
        foreign.abort_transaction(10)
        await soon(lambda: readiness(url) == (200, {}), "ready")
        await soon(lambda: len(cluster.alerts()) >= 2, "its end")
        await soon(lambda: Scrape(url).has("tradewind_watchdog_stuck", 0, **stuck), "nothing is stuck")
        assert Scrape(url).has("tradewind_restore_records_total", written, messaging_consumer_group_name=group)
        cluster.publish(TICKS, ticks(100, 100))
        await soon(lambda: cluster.caught_up(COUNT), "it works on")
        ends.set()
        await worker
    first, end = cluster.alerts()[:2]  # what follows on a busy machine is another complaint
    assert (first.code, first.severity, first.group) == ("WATCHDOG_RESTORE", "CRITICAL", group)
    assert (first.topic, first.partition, first.message.endswith(waits)) == (changelog, None, True)
    assert (end.code, end.causation_id, end.since) == ("WATCHDOG_RESTORE_OVER", first.event_id, first.since)
    cluster.assert_exactly_once(200, None, COUNT)


def pending_on(cluster: Cluster, agent: Agent) -> Producer:
    """Return a producer with a transaction that is pending on the offsets of an agent that does not run."""
    connection = cluster.settings.librdkafka()
    stranger = Consumer({**connection, "group.id": group_of(agent, cluster.settings)})
    metadata = stranger.consumer_group_metadata()
    stranger.close()
    offsets = [
        Coordinates(cluster.settings.physical(topic), partition, offset or 0)
        for (topic, partition), offset in cluster.offsets(agent).items()
    ]
    producer = Producer({**connection, "transactional.id": cluster.settings.physical("foreign")})
    producer.init_transactions(10)
    producer.begin_transaction()
    producer.send_offsets_to_transaction(offsets, metadata, 10)
    return producer


async def test_a_position_that_does_not_move_is_told_with_its_partition(settings: Settings, tmp_path: Path) -> None:
    """Ticks that wait for decisions which never come: the alert names group, topic, partition and offset."""
    bounds = WatchdogSettings(position_s=3, transaction_s=600, restore_s=600, broker_s=600)
    told, url = served(settings, watchdog=bounds)
    cluster = Cluster(told, tmp_path)
    holding = AGENTS["holding"]
    cluster.create(holding)
    ensure(told, (ALERTS,))
    with telemetry(told, "holding") as found:
        async with cluster.running(holding, telemetry=found):
            cluster.publish(TICKS, ticks(50, symbols=("EURUSD",)))
            await soon(lambda: readiness(url)[0] == 503 and len(cluster.alerts()) == 1, "told")
            scrape = Scrape(url)
    (alert,) = cluster.alerts()
    assert (alert.code, alert.topic) == ("WATCHDOG_POSITION", told.physical(TICKS))
    assert f"partition {alert.partition}, stands at 0 for " in alert.message
    on = {
        "messaging_destination_name": told.physical(TICKS),
        "messaging_destination_partition_id": str(alert.partition),
    }
    assert scrape.sum("tradewind_held_records", **on) == 50
    assert scrape.sum("tradewind_consumer_lag", **on) == 50
    assert scrape.sum("tradewind_consumer_lag_time_seconds", **on) > 1_000_000, "these records are of 2023"
    assert scrape.sum("tradewind_watchdog_stuck", tradewind_kind="position", **on) == 1


class InMemory(Sink):
    """A store that can be away."""

    name = "memory"
    topics: tuple[Topic, ...] = (TICKS,)
    away = True

    async def write(self, batch: Batch) -> None:
        """Take a batch, or nothing."""
        if self.away:
            raise StoreUnavailable("away")


def test_a_sink_whose_store_is_away_is_not_ready_and_shows_its_lag(settings: Settings) -> None:
    """Once the store is back it is, without any."""
    told, url = served(settings)
    publisher = Publisher(told, [TICKS, ALERTS])
    publisher.publish(TICKS, [tick(seq) for seq in range(1000)])
    sink = InMemory()
    told = told.model_copy(update={"watchdog": WatchdogSettings(position_s=1.0)})
    with (
        telemetry(told, "memory") as found,
        running(told, sink, publisher.codec) as loop,
        watched([SinkTelemetry(loop, found)], told, publisher.codec, found.health),
    ):
        until(lambda: loop.counters.retries > 2, "writes fail")
        status, reasons = readiness(url)
        assert status == 503
        assert any("writing" in reason and "away" in reason for reason in reasons["sink memory"])
        of = {"messaging_consumer_group_name": told.physical("tradewind.memory")}
        until(lambda: Scrape(url).has("tradewind_consumer_lag", 1000, **of), "the broker tells where the topic ends")
        assert Scrape(url).sum("tradewind_sink_retries_total", **of) > 2
        stuck = {**of, "tradewind_kind": "position"}
        until(lambda: Scrape(url).sum("tradewind_watchdog_stuck", **stuck) == 4, "each partition is complained of")
        _, reasons = readiness(url)
        assert sum(" stands at 0 for " in reason and "away" in reason for reason in reasons["sink memory"]) == 4
        sink.away = False
        until(lambda: readiness(url) == (200, {}) and loop.counters.written == 1000, "all is written")
        until(lambda: Scrape(url).has("tradewind_consumer_lag", 0, **of), "no lag")
        assert Scrape(url).sum("tradewind_watchdog_stuck", **of) == 0
        assert Scrape(url).has("tradewind_sink_written_total", 1000, **of)
        assert Scrape(url).has("messaging_client_consumed_messages_total", 1000, **of)
        until(lambda: len(alerts(told)) == 8, "the alerts are there, and their ends")
    assert sorted(alerts(told)) == [
        (told.physical("tradewind.memory"), code, partition)
        for code in ("WATCHDOG_POSITION", "WATCHDOG_POSITION_OVER")
        for partition in range(4)
    ]


def alerts(settings: Settings) -> list[tuple[str | None, str, int | None]]:
    """Return group, code and partition of the alerts that there are."""
    found = [record.event for record in consume(ALERTS, settings=settings)]
    return [(one.group, one.code, one.partition) for one in found if isinstance(one, Alert)]


class AlwaysLong(Strategy):
    """Buys at every bar of a minute."""

    name, interval_s = "always-long", 60

    def on_bar(self, memory: object, bar: Bar) -> View:
        """Say so."""
        return View("LONG", 1.0, "it is a test")


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    """Give a place for spans."""
    made = InMemorySpanExporter()
    yield made
    made.shutdown()


def traceparents(settings: Settings, topic: Topic) -> list[tuple[Event, str | None]]:
    """Return the events of a topic with the traces that their records name."""
    found: list[tuple[Event, str | None]] = []
    for batch in raw_records(settings, settings.physical(topic), range(topic.partitions), "earliest"):
        for record in batch:
            headers = dict(record.headers() or [])
            trace = headers.get("traceparent")
            found.append((CODEC.decode(record.value() or b""), None if trace is None else trace.decode()))
    return found


async def test_one_trace_runs_from_the_bar_to_the_fill(
    settings: Settings, tmp_path: Path, spans: InMemorySpanExporter
) -> None:
    """Through all agents: headers name the bar as the trace and each event as a span, whose parent caused it."""
    cluster = Cluster(settings, tmp_path)
    agents: list[Agent] = [one.declare(settings) for one in TRADING]
    agents = [
        Agent(agent.name, agent.inputs, agent.outputs, deployed([AlwaysLong()])) if agent.name == "signals" else agent
        for agent in agents
    ]
    cluster.create(*agents)
    found = Telemetry(Health(), None, Spans(SimpleSpanProcessor(spans), Resource.create({}), 1.0))
    mids = [1.1 + n % 7 / 1e4 for n in range(600)]
    quotes = [
        Tick(symbol="EURUSD", venue="TEST", seq=n, ts_event=n * 1_000_000, bid=mid, ask=mid + 0.0002)
        for n, mid in enumerate(mids)
    ]
    for partition in range(TENANT_CHANGES.partitions):
        cluster.publish(TENANT_CHANGES, tenant_events(), to=lambda _, at=partition: at)  # type: ignore[misc]
    async with cluster.running(*agents, telemetry=found):
        cluster.publish(TICKS, quotes)
        await soon(lambda: len(cluster.read(FILLS)) > 2, "fills")
        await soon(lambda: all(cluster.caught_up(agent) for agent in agents if agent.hold is None), "all processed")
    bars = {event.event_id for event, trace in traceparents(settings, BARS) if isinstance(event, Bar) and trace is None}
    exported = {span.context.span_id: span for span in spans.get_finished_spans()}
    seen = 0
    for topic in CHAIN:
        for event, trace in traceparents(settings, topic):
            if isinstance(event, Heartbeat):
                assert trace is None
                continue
            seen += 1
            assert event.correlation_id in bars  # type: ignore[attr-defined]
            own = span_id(event.event_id)  # type: ignore[attr-defined]
            assert trace == f"00-{event.correlation_id}-{own}-01"  # type: ignore[attr-defined]
            span = exported[int(own, 16)]
            assert span.parent is not None
            assert span.parent.span_id == int(span_id(event.causation_id), 16)  # type: ignore[attr-defined]
            assert span.parent.span_id in exported
    fills = [event for event, _ in traceparents(settings, FILLS) if isinstance(event, Fill)]
    assert fills
    assert seen >= 6 * len(fills)
    assert all(span.end_time >= span.start_time for span in exported.values())  # type: ignore[operator]
