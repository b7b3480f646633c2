"""Events go onto topics and come back, in code and on the command line."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from processes.forking import finished
from processes.pipeline import environment

from tradewind.connectors.clock.wall import clock_ms
from tradewind.connectors.kafka import StreamError, Undecodable, consume, publish, read
from tradewind.connectors.kafka.admin import create_missing, ensure
from tradewind.connectors.kafka.errors import (
    OffsetGone,
    ProducerLost,
    ReadTooLarge,
    TopicMissing,
    UnreadableRecord,
    WrongEvent,
)
from tradewind.connectors.kafka.producer import Run, Transactions
from tradewind.connectors.kafka.records import raw_records
from tradewind.connectors.settings import KafkaSettings, Settings
from tradewind.infra.cli.processes.prepare import every_topic
from tradewind.schemas.billing import Usage
from tradewind.schemas.market import Heartbeat, Tick
from tradewind.schemas.portfolio import Position
from tradewind.schemas.risk import KillSwitch
from tradewind.topics import DOMAIN_TOPICS, KILL_SWITCHES, POSITIONS, TICKS, USAGE, UnknownTopic
from tradewind.topics.partitioner import partition_of

HASH = "0" * 32


@pytest.fixture
def ready(settings: Settings) -> Settings:
    """Give settings whose topics exist."""
    ensure(settings, DOMAIN_TOPICS)
    return settings


def tick(seq: int, symbol: str = "EURUSD") -> Tick:
    """Return a quote."""
    return Tick(symbol=symbol, venue="SIM", seq=seq, ts_event=1_788_000_000_000_000 + seq, bid=1.1, ask=1.2)


def position(tenant: str, version: int) -> Position:
    """Return a position."""
    money = {name: Decimal("1.25000000") for name, kind in Position.__annotations__.items() if kind == "Decimal"}
    values = {
        "event_id": HASH,
        "tenant_id": tenant,
        "ts_event": version,
        "ts_ingest": 1_788_000_000_000_000,
        "correlation_id": HASH,
        "causation_id": HASH,
        "account_id": "main",
        "symbol": "EURUSD",
        "venue": "SIM",
        "version": version,
        "fills": 3,
        **money,
    }
    return Position(**values)  # type: ignore[arg-type]


def raw(settings: Settings, topic: str, value: bytes | None, key: bytes = b"k", partition: int = 0) -> None:
    """Write bytes as any program could."""
    producer = Producer(settings.librdkafka())
    producer.produce(settings.physical(topic), value, key, partition)
    assert producer.flush(30) == 0


def test_what_is_published_is_consumed(ready: Settings) -> None:
    """By topic or by name, in order, each instrument in its partition, dated when it came in."""
    assert publish(TICKS, [tick(n) for n in range(2500)], ready) == 2500
    assert publish("market.ticks", iter([tick(1, "XAUUSD")]), ready) == 1
    assert publish(TICKS, [], ready) == 0
    records = list(consume("market.ticks", settings=ready))
    assert [r.event for r in records if r.key == b"EURUSD.SIM"] == [tick(n) for n in range(2500)]
    assert {r.partition for r in records if r.key == b"EURUSD.SIM"} == {partition_of(b"EURUSD.SIM", TICKS.partitions)}
    assert all(abs(r.timestamp_ms / 1000 - time.time()) < 300 for r in records)


def test_a_record_is_dated_when_its_event_came_in(ready: Settings) -> None:
    """Not when it was published: a replay is years later, and latency and retention go by it."""
    publish(POSITIONS, [position("alpha", 1)], ready)
    (record,) = consume(POSITIONS, settings=ready)
    assert record.timestamp_ms == 1_788_000_000_000


def test_a_wrong_event_is_refused_before_anything_is_published(ready: Settings) -> None:
    """The message says what the topic carries, and where the event belongs."""
    event = position("alpha", 1)
    with pytest.raises(
        WrongEvent, match=r"event 2: market\.ticks carries Tick or Heartbeat.*portfolio\.positions.*nothing"
    ):
        publish(TICKS, [tick(1), event], ready)
    with pytest.raises(WrongEvent, match="was given str, no event"):
        publish(TICKS, ["x"], ready)  # type: ignore[list-item]
    with pytest.raises(WrongEvent, match=r"event 1,002: .*the first 1,000 are published"):
        publish(TICKS, [*(tick(n) for n in range(1001)), event], ready)
    assert len(list(consume(TICKS, settings=ready))) == 1000
    nanoseconds = replace(tick(2), ts_event=1000 * tick(2).ts_event)
    with pytest.raises(WrongEvent, match=r"event 2: its ts_event .* days ahead of the clock.*nothing was published"):
        publish(TICKS, [tick(1), nanoseconds], ready)


def test_an_unknown_topic_is_told_with_those_there_are(ready: Settings) -> None:
    """By a name that is near, or one that the cluster lacks."""
    with pytest.raises(
        UnknownTopic, match=r"no topic 'market\.tick' \(did you mean market\.ticks\?\); topics are: .*market\.bars"
    ):
        publish("market.tick", [], ready)
    other = ready.model_copy(update={"namespace": f"t{secrets.token_hex(4)}."})
    with pytest.raises(TopicMissing, match="tradewind topics apply"):
        consume(TICKS, settings=other)


def test_a_command_goes_to_every_partition(ready: Settings) -> None:
    """Each task of the risk agent sees it."""
    values = {"event_id": HASH, "tenant_id": "alpha", "ts_event": 1, "ts_ingest": 1_788_000_000_000_000}
    more = {"correlation_id": HASH, "causation_id": HASH, "account_id": None, "engaged": True, "reason": "test"}
    assert publish(KILL_SWITCHES, [KillSwitch(**values, **more)], ready) == 1  # type: ignore[arg-type]
    records = list(consume(KILL_SWITCHES, settings=ready))
    assert sorted(record.partition for record in records) == list(range(KILL_SWITCHES.partitions))


def test_a_topic_is_read_from_anywhere(ready: Settings) -> None:
    """From its ends, an offset, or a time; up to a limit."""
    publish(TICKS, [tick(n) for n in range(10)], ready)
    middle = datetime.now(UTC)
    time.sleep(0.05)
    publish(TICKS, [tick(n) for n in range(10, 20)], ready)
    place = partition_of(b"EURUSD.SIM", TICKS.partitions)

    def seqs(**options: object) -> list[int]:
        found = consume(TICKS, settings=ready, **options)  # type: ignore[arg-type]
        return [record.event.seq for record in found if isinstance(record.event, Tick)]

    assert seqs() == list(range(20))
    assert seqs(start="latest") == []
    assert seqs(start=middle) == list(range(10, 20))
    assert seqs(start=datetime.now(UTC) + timedelta(days=1)) == []
    for year in (1, 1905, 1969, 1970):
        assert seqs(start=datetime(year, 1, 1, tzinfo=UTC)) == list(range(20)), "every record came in later"
    assert seqs(start=datetime(1970, 1, 1, tzinfo=UTC) - timedelta(milliseconds=1)) == list(range(20))
    assert seqs(start=datetime(9999, 12, 31, tzinfo=UTC)) == []
    assert seqs(limit=3) == [0, 1, 2]
    assert seqs(limit=0) == []
    assert seqs(start=10**9) == []
    offsets = [r.offset for r in consume(TICKS, settings=ready, partitions=[place])]
    assert seqs(start=offsets[5], partitions=[place]) == list(range(5, 20))
    with pytest.raises(StreamError, match="has no partition 99: it has 0 to 3"):
        consume(TICKS, settings=ready, partitions=[99])
    with pytest.raises(StreamError, match="time zone"):
        seqs(start=datetime(2026, 1, 1))  # noqa: DTZ001
    with pytest.raises(StreamError, match="earliest"):
        seqs(start=-5)
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    with closing(raw_records(ready, ready.physical(TICKS), [place], tomorrow, follow=True)) as later:
        next(later)
        publish(TICKS, [tick(n) for n in range(20, 25)], ready)
        assert not any(next(later) for _ in range(10)), "records of today come in while it is looked for tomorrow's"


def test_a_start_that_retention_removed_is_told(ready: Settings) -> None:
    """The message has the first offset there is."""
    publish(TICKS, [tick(n) for n in range(10)], ready)
    place = TopicPartition(ready.physical(TICKS), partition_of(b"EURUSD.SIM", TICKS.partitions), 5)
    admin = AdminClient(ready.librdkafka())
    admin.delete_records([place])[place].result(30)
    with pytest.raises(OffsetGone, match="begins at offset 5: 2 was removed"):
        list(consume(TICKS, settings=ready, partitions=[place.partition], start=2))


def test_a_record_that_is_no_event_is_told_with_its_coordinates(ready: Settings) -> None:
    """Without anyone to tell, the first one raises; nothing is swallowed."""
    publish(TICKS, [tick(1)], ready)
    bad = [b"", b"x", b"\x00\x7f\xff\xff\xff", b"\x00\x00"]
    place = partition_of(b"EURUSD.SIM", TICKS.partitions)
    for value in bad:
        raw(ready, "market.ticks", value, partition=place)
    publish(TICKS, [tick(2)], ready)
    with pytest.raises(UnreadableRecord, match=rf"market\.ticks/{place}@\d+: "):
        list(consume(TICKS, settings=ready))
    with pytest.raises(UnreadableRecord, match=rf"market\.ticks/{place}@\d+: "):
        read(TICKS, settings=ready)
    for reader in (consume, read):
        told: list[Undecodable] = []
        found = reader(TICKS, settings=ready, on_undecodable=told.append)  # type: ignore[operator]
        rows = [r.event.seq for r in found] if reader is consume else found["seq"].to_list()
        assert rows == [1, 2]
        assert sorted(record.value for record in told) == sorted(bad)
        assert all(record.reason and record.partition == place for record in told)


def test_a_deleted_key_is_no_event_and_no_error(ready: Settings) -> None:
    """Compacted topics hold tombstones."""
    publish(POSITIONS, [position("alpha", 1)], ready)
    raw(ready, "portfolio.positions", None, key=b"alpha/main/EURUSD.SIM", partition=0)
    events = [record.event for record in consume(POSITIONS, settings=ready)]
    assert sorted(map(type, events), key=str) == [type(None), Position]
    assert read(POSITIONS, settings=ready).height == 1


def test_a_tenant_sees_its_own_and_what_all_share(ready: Settings) -> None:
    """Another tenant's positions are not among them; heartbeats are not a tenant's."""
    publish(POSITIONS, [position("alpha", 1), position("beta", 1), position("alpha", 2)], ready)
    mine = [record.event for record in consume(POSITIONS, settings=ready, tenant="alpha")]
    assert mine == [position("alpha", 1), position("alpha", 2)]
    beat = Heartbeat(symbol="EURUSD", venue="SIM", ts_event=5, ts_ingest=1_788_000_000_000_000)
    publish(TICKS, [tick(1), beat], ready)
    assert [record.event for record in consume(TICKS, settings=ready, tenant="alpha")] == [tick(1)]


def test_a_frame_has_the_events_of_one_model(ready: Settings) -> None:
    """Decimals stay decimals; coordinates on request; bounded by rows and bytes."""
    beat = Heartbeat(symbol="EURUSD", venue="SIM", ts_event=5, ts_ingest=1_788_000_000_000_000)
    publish(TICKS, [tick(1), beat, tick(2)], ready)
    assert read("market.ticks", settings=ready)["seq"].to_list() == [1, 2]
    assert read(TICKS, model=Heartbeat, settings=ready)["ts_event"].to_list() == [5]
    assert read(TICKS, settings=ready, limit=1).height == 1
    assert read(TICKS, settings=ready, coordinates=True).columns[-3:] == ["_partition", "_offset", "_timestamp_ms"]
    with pytest.raises(ReadTooLarge, match="give a limit"):
        read(TICKS, settings=ready, max_bytes=10)
    with pytest.raises(WrongEvent, match="carries Tick or Heartbeat, not Position"):
        read(TICKS, model=Position, settings=ready)
    publish(POSITIONS, [position("alpha", 1)], ready)
    frame = read(POSITIONS, settings=ready)
    assert Position.from_dict(frame.row(0, named=True)) == position("alpha", 1)
    empty = read("execution.fills", settings=ready)
    assert (empty.height, "quantity" in empty.columns) == (0, True)


def test_an_open_transaction_is_not_read_and_does_not_hang(ready: Settings) -> None:
    """The end is where committed records end."""
    publish(TICKS, [tick(1)], ready)
    producer = Producer(
        {**ready.librdkafka(), "transactional.id": ready.physical("open"), "transaction.timeout.ms": 60_000}
    )
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(ready.physical(TICKS), b"x", b"EURUSD.SIM", partition_of(b"EURUSD.SIM", TICKS.partitions))
    producer.flush(30)
    assert [record.event for record in consume(TICKS, settings=ready)] == [tick(1)]
    producer.abort_transaction(30)
    publish(TICKS, [tick(2)], ready)
    assert [record.event for record in consume(TICKS, settings=ready)] == [tick(1), tick(2)]


def test_following_sees_what_comes_later(ready: Settings) -> None:
    """A reader that follows is told of new events soon."""
    seen: list[object] = []
    done = Event()

    def follow() -> None:
        seen.extend(r.event for r in consume(TICKS, settings=ready, start="latest", follow=True, limit=2))
        done.set()

    Thread(target=follow, daemon=True).start()
    deadline = time.monotonic() + 60
    number = 0
    while not done.is_set() and time.monotonic() < deadline:
        number += 1
        publish(TICKS, [tick(number)], ready)
    assert done.is_set()
    assert len(seen) == 2


def test_a_transaction_that_its_broker_timed_out_is_told(ready: Settings) -> None:
    """A producer whose id another took over is lost, and writes nothing more."""
    name = ready.physical(TICKS)
    with Transactions(ready, ready.physical("one")) as first:
        first.write([Run(name, 0, b"k", (b"a",), 1)])
        with Transactions(ready, ready.physical("one")) as second:
            second.write([Run(name, 0, b"k", (b"b",), 1)])
            with pytest.raises(ProducerLost, match="Another process may have taken over"):
                first.write([Run(name, 0, b"k", (b"c",), 1)])
    told: list[Undecodable] = []
    assert list(consume(TICKS, settings=ready, on_undecodable=told.append)) == []
    assert [record.value for record in told] == [b"a", b"b"]


class Interrupted(list[bytes]):
    """Values in the midst of which something happens: what is given, once."""

    def __init__(self, values: Iterable[bytes], happens: Callable[[], object]) -> None:
        super().__init__(values)
        self._happens: list[Callable[[], object]] = [happens]

    def _pass(self, at: int) -> None:
        if at >= len(self) // 2 and self._happens:
            self._happens.pop()()

    def __getitem__(self, at: Any) -> Any:
        self._pass(at.start)
        time.sleep(0.2)  # what was handed over before is sent, and answered
        return super().__getitem__(at)

    def __iter__(self) -> Iterator[bytes]:
        for at in range(len(self)):
            self._pass(at)
            if at % 1_000 == 0:
                time.sleep(0.2)
            yield super().__getitem__(at)


@pytest.mark.parametrize("timestamp_ms", [None, 1])
def test_a_producer_that_is_shut_out_while_it_hands_over_is_told_so(ready: Settings, timestamp_ms: int | None) -> None:
    """As a process that was suspended in the midst of a long run; its caller knows what to do then."""
    name = ready.physical(TICKS)

    def superseded() -> None:
        with Transactions(ready, ready.physical("late")) as later:
            later.write([Run(name, 0, b"k", (b"later",), 1)])

    with Transactions(ready, ready.physical("late")) as transactions:
        values = Interrupted([b"v"] * 4_000, superseded)
        with pytest.raises(ProducerLost, match="Another process may have taken over"):
            transactions.write([Run(name, 0, b"k", values, timestamp_ms)])
    found = [one.value() for batch in raw_records(ready, name, [0], "earliest") for one in batch]
    assert found == [b"later"]


@pytest.mark.parametrize("timestamp_ms", [None, 1_788_000_000_000])
def test_a_run_that_is_longer_than_the_queue_waits_for_room_and_keeps_its_order(
    ready: Settings, timestamp_ms: int | None
) -> None:
    """However records are handed over; what has no time of its own has that of its sending."""
    values = [None if number % 7 == 0 else b"%d" % number for number in range(5_000)]
    before_ms = clock_ms()
    with Transactions(ready, ready.physical("long"), queued_records=700) as transactions:
        transactions.write([Run(ready.physical(TICKS), 1, b"k", values, timestamp_ms)])
    after_ms = clock_ms()
    found = [one for batch in raw_records(ready, ready.physical(TICKS), [1], "earliest") for one in batch]
    assert [(one.key(), one.value()) for one in found] == [(b"k", value) for value in values]
    times = [one.timestamp()[1] for one in found]
    assert (before_ms <= times[0] <= times[-1] <= after_ms) if timestamp_ms is None else set(times) == {timestamp_ms}


@pytest.mark.parametrize("timestamp_ms", [None, 1])
def test_a_record_that_no_broker_takes_fails_its_run_whole(ready: Settings, timestamp_ms: int | None) -> None:
    """In the midst of others: none of them is visible, and the error names the reason."""
    name = ready.physical(TICKS)
    values = [b"a"] * 600 + [bytes(2_000_000)] + [b"b"] * 600
    with (
        Transactions(ready, ready.physical("large")) as transactions,
        pytest.raises(StreamError, match=r"(?i)message size"),
    ):
        transactions.write([Run(name, 0, b"k", values, timestamp_ms)])
    with Transactions(ready, ready.physical("large")) as transactions:
        transactions.write([Run(name, 0, b"k", (b"c",))])
    found = [one.value() for batch in raw_records(ready, name, [0], "earliest") for one in batch]
    assert found == [b"c"]


def test_a_broker_that_is_not_there_is_told_in_time(settings: Settings) -> None:
    """Where it was looked for, and what to do."""
    absent = settings.model_copy(update={"kafka": KafkaSettings(bootstrap="127.0.0.1:1")})
    start = time.monotonic()
    with pytest.raises(StreamError, match=r"no answer from Kafka at 127\.0\.0\.1:1 .*tradewind status"):
        consume(TICKS, settings=absent)
    assert time.monotonic() - start < 30


def command(settings: Settings, *arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command of Tradewind."""
    return finished(*arguments, environment=environment(settings), given=given, timeout_s=120)


def test_the_commands_publish_and_consume_lines_of_json(ready: Settings) -> None:
    """What one prints the other takes, and gives the same events."""
    publish(POSITIONS, [position("alpha", 1), position("beta", 2)], ready)
    printed = command(ready, "consume", "portfolio.positions", "--tenant", "beta")
    assert printed.returncode == 0, printed.stderr
    (line,) = printed.stdout.splitlines()
    assert json.loads(line)["at"].startswith(f"{ready.physical(POSITIONS)}/")
    again = command(ready, "publish", "portfolio.positions", given=line + "\n\n")
    assert again.returncode == 0, again.stderr
    assert "published 1 event to" in again.stderr
    events = [record.event for record in consume(POSITIONS, settings=ready, tenant="beta")]
    assert events == [position("beta", 2)] * 2


def test_what_a_tenant_is_served_is_its_usage(ready: Settings) -> None:
    """A call, its time, and each tick; SIGTERM sends what was not sent yet. Who names no tenant is not counted."""
    publish(TICKS, [tick(number) for number in range(3)], ready)
    assert command(ready, "consume", "market.ticks").returncode == 0
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "tradewind.infra.cli", "consume", "market.ticks", "--tenant", "alpha", "--follow"],
        env=environment(ready),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for _ in range(3):
        process.stdout.readline()
    os.kill(process.pid, signal.SIGTERM)
    _, said = process.communicate(timeout=30)
    assert (process.returncode, said) == (-signal.SIGTERM, "")
    sent = [record.event for record in consume(USAGE, settings=ready)]
    used = {one.meter: one for one in sent if isinstance(one, Usage)}
    assert {one.tenant_id for one in used.values()} == {"alpha"}
    assert sorted(one.sequence for one in used.values()) == list(range(len(sent))) == [0, 1, 2]
    assert (used["api.calls"].quantity, used["api.calls"].dimension) == (1, "consume")
    assert used["market.ticks"].quantity in (2, 3), "the last may be printed and not counted yet"
    assert used["stream.ms"].quantity > 0
    (source,) = {one.source for one in used.values()}
    assert source.startswith("consume/")


def test_the_commands_tell_what_is_wrong(ready: Settings) -> None:
    """By line, by name, by coordinates; and end with a code."""
    good = '{"symbol":"A","venue":"B","seq":1,"ts_event":1,"bid":1,"ask":2}'
    told = command(ready, "publish", "market.ticks", given=f"{good}\n{good.replace('1,', '1.5,', 1)}\n")
    assert told.returncode == 1
    assert "line 2: seq: expected a whole number" in told.stderr
    assert "nothing was published" in told.stderr
    assert list(consume(TICKS, settings=ready)) == []
    wrong = [
        ("\n\n", "has no events (2 lines, all empty): nothing was published"),
        (f"\n{good.replace('2}', '1e400}')}\n", "line 2: ask: 1E+400 is too large or too small for a double"),
        (good.replace('"A"', '"\\ud800"'), "line 1: symbol: '\\ud800' at character 1 is half a character"),
        (
            "\n" + good.replace('"ts_event":1', f'"ts_event":{2**62}'),
            "line 2: ts_event is 4611686018427387904; its",
        ),
    ]
    for given, said in wrong:
        refused = command(ready, "publish", "market.ticks", given=given)
        assert (refused.returncode, said in refused.stderr) == (1, True), refused.stderr
        assert "nothing was published" in refused.stderr
    assert list(consume(TICKS, settings=ready)) == []
    unknown = command(ready, "publish", "market.tick", given="")
    assert unknown.returncode == 1
    assert "did you mean market.ticks?" in unknown.stderr
    raw(ready, "market.ticks", b"garbage")
    bad = command(ready, "consume", "market.ticks")
    assert bad.returncode == 1
    assert f"not an event: {ready.physical(TICKS)}/0@0" in bad.stderr
    create_missing(ready, every_topic(ready))
    dead = command(ready, "consume", "market.dlq")
    assert (dead.returncode, dead.stdout) == (0, ""), dead.stderr
    assert f"no events on {ready.physical('market.dlq')}" in dead.stderr
    tenant = command(ready, "consume", "market.ticks", "--tenant", "gamma")
    assert "no tenant 'gamma'; tenants are: alpha, beta" in tenant.stderr


def test_a_feed_ends_soon_after_it_is_asked_to(ready: Settings, tmp_path: Path) -> None:
    """SIGTERM ends it after its block, within two seconds, with a report."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "tradewind.infra.cli", "feed", "simulator", "--rate", "200", "--no-sessions"],
        env=environment(ready),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    assert process.stderr is not None
    while "published" not in process.stderr.readline():
        assert process.poll() is None
    start = time.monotonic()
    os.kill(process.pid, signal.SIGTERM)
    out, _ = process.communicate(timeout=30)
    assert time.monotonic() - start < 2 * max(1, os.getloadavg()[0] / (os.cpu_count() or 1))
    assert process.returncode == 0
    assert "stopped after record" in out
    assert read(TICKS, settings=ready).height > 0
