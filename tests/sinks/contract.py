"""What every sink must do, whatever its store: claims that are run against embedded servers, a double, and containers.

A store is a way to make the sink, and to count and list what lies in its store. The claims are told in
`tests/integration/sinks/test_contract.py`, and again in `tests/containers/`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sinks.running import FAST, START, Publisher, fill, running, tick, until
from tradewind.connectors.postgres.connection import connect
from tradewind.connectors.settings import Settings
from tradewind.connectors.sinks.influxdb import InfluxDbSink
from tradewind.connectors.sinks.postgres import PostgresSink
from tradewind.connectors.sinks.questdb.sink import QuestDbSink
from tradewind.connectors.sinks.sink import Sink
from tradewind.connectors.timeseries.reader import open_reader
from tradewind.schemas.event import Event
from tradewind.schemas.market import Heartbeat, Tick
from tradewind.topics import FILLS, TICKS, Topic

EVENTS = 3_000
HEARTBEAT = Heartbeat(symbol="EURUSD", venue="OANDA", ts_event=1, ts_ingest=1)


@dataclass(frozen=True, slots=True)
class Store:
    """A sink with its store."""

    settings: Settings
    topic: Topic
    make: Callable[[Settings], Sink]
    event: Callable[[int], Event]
    """The event of a number."""
    numbers: Callable[[], Sequence[int]]
    """Of the events that lie in the store, in order."""

    def publisher(self) -> Publisher:
        """Return one for the sink's topics, which are there then."""
        return Publisher(self.settings, self.make(self.settings).topics)


def timeseries(settings: Settings, make: Callable[[Settings], Sink]) -> Store:
    """Return a store of ticks that the reader reads; four of them share each microsecond."""

    def numbers() -> list[int]:
        reader = open_reader(settings)
        try:
            return sorted(int(row["seq"]) for row in reader.rows(Tick, limit=10 * EVENTS))
        finally:
            reader.close()

    return Store(settings, TICKS, make, lambda seq: tick(seq, ts_event=START + seq // 4), numbers)


def questdb(settings: Settings) -> Store:
    """Return the ticks of QuestDB."""
    return timeseries(settings, QuestDbSink)


def influxdb(settings: Settings) -> Store:
    """Return the ticks of InfluxDB."""
    return timeseries(settings, InfluxDbSink)


def postgres(settings: Settings) -> Store:
    """Return the fills of PostgreSQL, whose tables are there."""

    async def read() -> list[int]:
        connection = await connect(settings)
        try:
            rows = await connection.fetch("SELECT quote_seq FROM fills ORDER BY quote_seq")
        finally:
            await connection.close()
        return [row[0] for row in rows]

    return Store(settings, FILLS, PostgresSink, fill, lambda: asyncio.run(read()))


# -- the claims --------------------------------------------------------------------------------------------------------


def every_event_arrives_once(store: Store) -> None:
    """All of them, without heartbeats, and written twice they are there once."""
    publisher = store.publisher()
    events = [store.event(number) for number in range(EVENTS)]
    publisher.publish(store.topic, [HEARTBEAT, *events] if store.topic is TICKS else events)
    publisher.publish(store.topic, events[:500])
    with running(store.settings, store.make(store.settings), publisher.codec) as loop:
        until(lambda: loop.counters.written == EVENTS + 500, "all records are written")
        until(lambda: len(store.numbers()) >= EVENTS, "all rows are visible")
    assert store.numbers() == list(range(EVENTS))
    assert (loop.counters.poison, loop.counters.undecodable) == (0, 0)


def a_sink_goes_on_where_the_last_one_ended(store: Store) -> None:
    """Nothing is taken again, and nothing is left out."""
    publisher = store.publisher()
    for begin in (0, 1000, 2000):
        publisher.publish(store.topic, [store.event(number) for number in range(begin, begin + 1000)])
        with running(store.settings, store.make(store.settings), publisher.codec) as loop:
            until(lambda: loop.counters.written >= 1000, "the new records are written")
        assert (loop.counters.taken, loop.counters.written) == (1000, 1000)
    until(lambda: len(store.numbers()) >= EVENTS, "all rows are visible")
    assert store.numbers() == list(range(EVENTS))


def what_no_schema_fits_is_a_dead_letter(store: Store) -> None:
    """And what comes before and after it is written."""
    publisher = store.publisher()
    publisher.publish(store.topic, [store.event(0), b"no record", store.event(1)], partition=0)
    with running(store.settings, store.make(store.settings), publisher.codec, FAST) as loop:
        until(lambda: loop.counters.written == 2, "the others are written")
    assert loop.counters.undecodable == 1
    until(lambda: store.numbers() == [0, 1], "the rows are visible")


CLAIMS = (every_event_arrives_once, a_sink_goes_on_where_the_last_one_ended, what_no_schema_fits_is_a_dead_letter)
