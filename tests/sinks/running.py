"""What tests of sinks share: topics with events on them, a sink that runs, a way to its store that can be cut."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
from confluent_kafka import Consumer, Producer, TopicPartition
from runtime.cluster import delivered

from tradewind.connectors.kafka.admin import create_missing
from tradewind.connectors.registry import open_codec
from tradewind.connectors.settings import Settings
from tradewind.connectors.sinks.loop.limits import Limits
from tradewind.connectors.sinks.loop.sink_loop import SinkLoop
from tradewind.connectors.sinks.sink import Sink
from tradewind.processors.identity import derive_id
from tradewind.schemas.codec import Codec
from tradewind.schemas.event import Event
from tradewind.schemas.execution import Fill
from tradewind.schemas.market import Tick
from tradewind.schemas.portfolio import Position
from tradewind.topics import PARTITIONS, Topic

START = 1_398_902_400_000_000
TERMINATE = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE pid <> pg_backend_pid() AND datname = current_database()"
)
"""Ends every other connection to a database."""
FAST = Limits(linger_s=0.05, retry_first_s=0.05, retry_most_s=0.5, stall_s=0.5, stop_s=2.0)


def tick(seq: int, **changes: Any) -> Tick:
    """Make a quote; its time and prices follow from the sequence."""
    values: dict[str, Any] = {
        "symbol": "EURUSD",
        "venue": "OANDA",
        "seq": seq,
        "ts_event": START + seq,
        "bid": 1.0 + seq,
        "ask": 1.1 + seq,
    }
    return Tick(**{**values, **changes})


def envelope(*parts: str | int) -> dict[str, Any]:
    """Make what every event but ticks begins with."""
    id_ = derive_id(*parts)
    ids = {"event_id": id_, "correlation_id": id_, "causation_id": id_}
    return {"tenant_id": "alpha", "ts_event": START, "ts_ingest": START, **ids}


def fill(number: int, **changes: Any) -> Fill:
    """Make a fill; its id follows from the number."""
    values = envelope("fill", number) | {
        "order_id": f"order {number}",
        "account_id": "main",
        "deployment": "ema",
        "symbol": "EURUSD",
        "venue": "OANDA",
        "side": "BUY",
        "quantity": Decimal(number + 1),
        "price": Decimal("1.0812300001"),
        "fee": Decimal("0.0000000001"),
        "liquidity": "TAKER",
        "quote_seq": number,
        "strategy": "ema",
    }
    return Fill(**{**values, **changes})


def position(version: int, **changes: Any) -> Position:
    """Make a version of a position."""
    amounts = ("average_price", "realised_pnl", "unrealised_pnl", "fees", "mark_price")
    values = envelope("position", version) | dict.fromkeys(amounts, Decimal(0))
    values |= {"account_id": "main", "symbol": "EURUSD", "venue": "OANDA", "version": version, "fills": version}
    return Position(**{**values, "quantity": Decimal(version), **changes})


class Publisher:
    """Puts events on topics, to partitions by turns, and counts on each record being there."""

    def __init__(self, settings: Settings, topics: Sequence[Topic]) -> None:
        create_missing(settings, topics)
        self.settings = settings
        self.codec: Codec = open_codec(settings)
        self._producer = Producer({**settings.librdkafka(), "linger.ms": 5, "enable.idempotence": True})

    def publish(
        self,
        topic: Topic,
        events: Sequence[Event | bytes | None],
        partition: int | None = None,
        ingested_us: int = START,
    ) -> None:
        """Publish events, or values as they are."""
        for number, event in enumerate(events):
            value = self.codec.encode(event) if isinstance(event, Event) else event
            self._producer.produce(
                self.settings.physical(topic),
                value,
                key=b"k",
                partition=number % PARTITIONS if partition is None else partition,
                timestamp=ingested_us // 1000,
                on_delivery=delivered,
            )
            if number % 10_000 == 0:
                self._producer.poll(0)
        assert self._producer.flush(30) == 0

    def publish_transaction(
        self, topic: Topic, events: Sequence[Event], partition: int, *, abort: bool = False
    ) -> None:
        """Publish events in one transaction, and commit it unless told to abort."""
        producer = Producer({**self.settings.librdkafka(), "transactional.id": self.settings.physical("test")})
        producer.init_transactions(30)
        producer.begin_transaction()
        for event in events:
            producer.produce(self.settings.physical(topic), self.codec.encode(event), partition=partition)
        producer.flush(30)
        if abort:
            producer.abort_transaction(30)
        else:
            producer.commit_transaction(30)

    def lag(self, group: str, topic: Topic) -> int:
        """Return the offsets between a group's commits and the ends of the partitions that it has committed."""
        consumer = Consumer({**self.settings.librdkafka(), "group.id": self.settings.physical(group)})
        try:
            places = [TopicPartition(self.settings.physical(topic), number) for number in range(PARTITIONS)]
            committed = [place for place in consumer.committed(places, timeout=30) if place.offset >= 0]
            return sum(consumer.get_watermark_offsets(place, timeout=30)[1] - place.offset for place in committed) or (
                0 if committed else -1
            )
        finally:
            consumer.close()


@contextmanager
def running(settings: Settings, sink: Sink, codec: Codec, limits: Limits = FAST, **options: Any) -> Iterator[SinkLoop]:
    """Run a sink while the block runs; fails where the sink does."""
    loop = SinkLoop(settings, sink, codec, limits=limits, consumer_options=options)
    stop = threading.Event()
    errors: list[Exception] = []

    def run() -> None:
        try:
            loop.run(stop)
        except Exception as error:  # noqa: BLE001 - raised below, in the test's thread
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield loop
    finally:
        stop.set()
        thread.join(30)
    assert not thread.is_alive()
    if errors:
        raise errors[0]


def until(true: Callable[[], bool], what: str, timeout_s: float = 60) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, f"{what}: not within {timeout_s} s"
        time.sleep(0.05)


def questdb(settings: Settings, query: str) -> list[list[Any]]:
    """Return the rows of a query."""
    influx = settings.influx
    assert influx.url is not None
    assert influx.password is not None
    answer = httpx.get(
        f"{influx.url}/exec", params={"query": query}, auth=(influx.user, influx.password.get_secret_value())
    )
    found = answer.json()
    assert "dataset" in found or "ddl" in found, found
    return list(found.get("dataset", ()))


class Cable:
    """A TCP connection to a store, as many as wanted: it can be cut, so that the store is away, and mended."""

    def __init__(self, host: str, port: int, *, tells_ends: bool = True) -> None:
        """Connect to a store; without `tells_ends` a client reads the store's last words and not the end after them."""
        self._target, self._tells_ends = (host, port), tells_ends
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._stores: set[socket.socket] = set()
        self._cut = False
        threading.Thread(target=self._accept, daemon=True).start()

    @classmethod
    def through(cls, settings: Settings, *, tells_ends: bool = True) -> tuple[Cable, Settings]:
        """Lay a cable to PostgreSQL; returns it and the settings that go through it."""
        url = urlsplit(str(settings.postgres.url))
        cable = cls(str(url.hostname), int(url.port or 0), tells_ends=tells_ends)
        through = urlunsplit(url._replace(netloc=f"127.0.0.1:{cable.port}"))
        postgres = settings.postgres.model_copy(update={"url": through})
        return cable, settings.model_copy(update={"postgres": postgres})

    def cut(self) -> None:
        """End every connection, and each new one at once."""
        self._cut = True
        for one in list(self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Let connections through again."""
        self._cut = False

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            if self._cut:
                client.close()
                continue
            server = socket.create_connection(self._target)
            self._open |= {client, server}
            self._stores.add(server)
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        if source in self._stores and not self._tells_ends:
            return
        for one in (source, sink):
            self._open.discard(one)
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
