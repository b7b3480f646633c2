"""Ticks, trades and bars in QuestDB: all of them, once, as they were."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import Any

import numpy as np
import polars as pl
import pytest
from processes.pipeline import environment
from sinks.running import START, Publisher, envelope, questdb, running, tick, until

from tradewind.connectors.settings import Settings
from tradewind.connectors.sinks import Batch
from tradewind.connectors.sinks.loop.sink_loop import SinkLoop
from tradewind.connectors.sinks.questdb.binary_lines import VERSION
from tradewind.connectors.sinks.questdb.sink import QuestDbSink
from tradewind.connectors.sinks.questdb.tables import TABLES, TableDiffers
from tradewind.processors.batch import Columns
from tradewind.schemas.market import Bar, Heartbeat, Tick, Trade
from tradewind.topics import BARS, TICKS, TRADES

HOUR_US = 3_600_000_000
LIVE = 1_767_225_600_000_000  # 2026-01-01
TOPICS = (TICKS, TRADES, BARS)
ODD = ('a,b c=d\\e"f', "é漢😀", " lead", "tail\\", "'", "NaN")


@pytest.fixture
def publisher(settings: Settings) -> Publisher:
    """Give topics to publish to."""
    return Publisher(settings, TOPICS)


def table(settings: Settings, name: str) -> str:
    """Return the name of a table."""
    return settings.physical(name).replace(".", "_")


def count(settings: Settings, name: str = "ticks") -> int:
    """Return the rows of a table."""
    return int(questdb(settings, f"SELECT count() FROM '{table(settings, name)}'")[0][0])


@pytest.mark.parametrize(("packed", "versions"), [(False, None), (True, None), (False, (1,))])
def test_every_event_arrives_as_it_was(
    settings: Settings,
    publisher: Publisher,
    packed: bool,
    versions: tuple[int, ...] | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Symbols, prices, sizes and µs are those that were published; heartbeats are left out.

    Lines for a store on another machine are compressed; one that reads no binary doubles is sent text.
    """
    rng = random.Random(7)
    ticks = [
        tick(
            seq,
            symbol=ODD[seq % len(ODD)],
            bid=rng.uniform(5e7, 1e8),
            ask=rng.uniform(1e8, 1.4e8),
            bid_size=None if seq % 3 else 0.1 * seq,
            ask_size=5e-324 * seq,
        )
        for seq in range(200)
    ]
    publisher.publish(TICKS, [Heartbeat(symbol="EURUSD", venue="OANDA", ts_event=1, ts_ingest=1), *ticks])
    trade = Trade(
        symbol="BTCUSDT",
        venue="BINANCE",
        seq=4,
        ts_event=START + 5,
        trade_id='x"y\\z',
        price=1.5,
        size=0.1,
        aggressor="SELL",
    )
    publisher.publish(TRADES, [trade])
    prices: dict[str, Any] = {
        f"{side}_{what}": 1.5 for side in ("mid", "bid", "ask") for what in ("open", "high", "low", "close")
    }
    values = prices | envelope("bar") | {"event_id": "b", "tenant_id": None, "ts_event": START + 61}
    values |= {"symbol": "EURUSD", "venue": "OANDA", "interval_s": 60, "ts_start": START, "ts_end": START + 60}
    bar = Bar(**{**values, "spread_mean": 0.1, "count": 7, "volume": 0.5, "quote_ts": START + 59, "revision": 1})
    publisher.publish(BARS, [bar])
    sink = QuestDbSink(settings)
    assert not sink._packed
    assert VERSION in sink._versions()
    sink._packed = packed
    if versions is not None:
        monkeypatch.setattr(sink, "_versions", lambda: versions)
    with running(settings, sink, publisher.codec) as loop:
        until(lambda: loop.counters.written == 202, "all events are written")
        until(
            lambda: [count(settings, name) for name in ("ticks", "trades", "bars")] == [200, 1, 1],
            "all rows are visible",
        )
    assert sink._binary == (versions is None)
    columns = "symbol, venue, seq, cast(timestamp AS long), bid, ask, bid_size, ask_size, cast(ts_ingest AS long)"
    rows = questdb(settings, f"SELECT {columns} FROM '{table(settings, 'ticks')}' ORDER BY seq")
    assert rows == [
        [one.symbol, one.venue, one.seq, one.ts_event, one.bid, one.ask, one.bid_size, one.ask_size, START]
        for one in ticks
    ]
    assert questdb(settings, f"SELECT aggressor, trade_id, price FROM '{table(settings, 'trades')}'") == [
        ["SELL", 'x"y\\z', 1.5]
    ]
    assert questdb(
        settings, f"SELECT cast(timestamp AS long), revision, count, event_id FROM '{table(settings, 'bars')}'"
    ) == [[START, 1, 7, "b"]]
    assert loop.counters.undecodable == loop.counters.poison == 0


def test_an_event_that_arrives_twice_changes_nothing(settings: Settings, publisher: Publisher) -> None:
    """A topic that holds every tick three times gives each one once; equal times with other sequences stay apart."""
    ticks = [tick(seq, ts_event=START + seq // 4) for seq in range(1000)]
    for _ in range(3):
        publisher.publish(TICKS, ticks, partition=0)
    with running(settings, QuestDbSink(settings), publisher.codec) as loop:
        until(lambda: loop.counters.written == 3000, "all records are written")
    until(lambda: count(settings) >= 1000, "all rows are visible")
    assert count(settings) == 1000


def test_what_questdb_or_the_ranges_refuse_is_a_dead_letter(settings: Settings, publisher: Publisher) -> None:
    """Control characters, and what is out of range, go to the dead letters; all others are written."""
    ticks = [tick(seq) for seq in range(500)]
    ticks[3] = tick(3, ts_event=-5)
    ticks[77] = tick(77, bid=float("inf"))
    ticks[78] = tick(78, ask=float("nan"))
    ticks[79] = tick(79, bid=100.0, ask=99.0)
    ticks[80] = tick(80, bid=-1.0)
    ticks[450] = tick(450, symbol="a\rb")
    publisher.publish(TICKS, [*ticks, b"no record"], partition=0)
    with running(settings, QuestDbSink(settings), publisher.codec) as loop:
        until(lambda: loop.counters.poison == 6, "the bad records are found")
        until(lambda: count(settings) == 494, "all others are written")
    assert loop.counters.written == 494
    assert loop.counters.undecodable == 1


async def test_a_table_that_is_too_large_loses_what_was_written_least_recently(
    settings: Settings, publisher: Publisher
) -> None:
    """A small table keeps all; a large one drops old writes: a replay of 2014 outlives live data from before it."""
    live = [tick(hour * 10 + one, ts_event=LIVE + hour * HOUR_US + one) for hour in range(8) for one in range(10)]
    for hour in range(8):
        publisher.publish(TICKS, live[hour * 10 : hour * 10 + 10], partition=0, ingested_us=LIVE + hour * HOUR_US)
    publisher.publish(TICKS, [tick(seq) for seq in range(40)], partition=0, ingested_us=LIVE + 100 * HOUR_US)
    with running(settings, QuestDbSink(settings), publisher.codec):
        until(lambda: _rows(settings) == 120, "all ticks are there")
    row = TABLES[Tick].row_bytes
    for limit, left in ((120 * row, 120), (100 * row, 100), (10 * row, 10)):
        influx = settings.influx.model_copy(update={"retention_bytes": limit})
        sink = QuestDbSink(settings.model_copy(update={"influx": influx}))
        await sink.tend()
        until(lambda: count(settings) == left, f"{left} rows are left")  # noqa: B023
        await sink.close()
        hours = questdb(settings, f"SELECT min(timestamp) FROM '{table(settings, 'ticks')}'")[0][0]
        assert hours.startswith("2014" if left > 10 else "2026-01-01T07")  # the open partition is always kept


def part_of_hour(venue: str, first: int, rows: int) -> Batch:
    """Return ticks of the hour from `LIVE` on, one each ms."""
    seq = np.arange(first, first + rows)
    frame = pl.DataFrame(
        {
            "symbol": pl.repeat("EURUSD", rows, eager=True),
            "venue": pl.repeat(venue, rows, eager=True),
            "seq": seq,
            "ts_event": LIVE + seq * 1000,
            **dict.fromkeys(("bid", "ask", "bid_size", "ask_size"), seq.astype(float)),
        }
    )
    return Batch(TICKS, 0, Columns(TICKS.name, 0, Tick, frame, seq, LIVE + seq), first + rows)


async def test_an_hour_that_questdb_has_split_stays_whole_while_it_is_open(settings: Settings) -> None:
    """What comes late splits it, and to drop one of the parts drops them all."""
    few = settings.influx.model_copy(update={"retention_bytes": 1})
    sink = QuestDbSink(settings.model_copy(update={"influx": few}))
    await sink.open()
    rows = 2_000
    for at in range(12):
        for number, venue in enumerate(("A", "B"), 1):  # as from two partitions of a topic, whose times overlap
            await sink.write(part_of_hour(venue, at * rows, rows))
            until(lambda: count(settings) == (2 * at + number) * rows, "they are visible")  # noqa: B023
    parts = questdb(settings, f"SELECT active FROM table_partitions('{table(settings, 'ticks')}')")
    assert [False] in parts
    await sink.tend()
    await sink.close()
    await asyncio.sleep(1)  # partitions are dropped some time after they are asked to be
    assert count(settings) == 24 * rows


def test_a_table_of_another_shape_stops_the_sink_before_it_writes(settings: Settings, publisher: Publisher) -> None:
    """Where somebody has made a table without the keys, the sink says so."""
    questdb(settings, f"CREATE TABLE '{table(settings, 'ticks')}' (timestamp TIMESTAMP, seq LONG) TIMESTAMP(timestamp)")
    loop = SinkLoop(settings, QuestDbSink(settings), publisher.codec)
    with pytest.raises(TableDiffers, match="column symbol is missing"):
        loop.run(threading.Event())


@pytest.mark.long
def test_a_batch_written_and_not_committed_is_written_again_without_a_trace(
    settings: Settings, publisher: Publisher
) -> None:
    """Where the process ends between the write and the commit, the same rows come again and change nothing."""
    ends: list[int] = []

    class TheEnd(Exception):
        pass

    class EndsAfterWriting(QuestDbSink):
        async def write(self, batch: Batch) -> None:
            await super().write(batch)
            ends.append(len(batch))
            raise TheEnd

    publisher.publish(TICKS, [tick(seq) for seq in range(4000)])
    for _ in range(2):
        with suppress(TheEnd), running(settings, EndsAfterWriting(settings), publisher.codec):
            until(lambda: len(ends) > 0, "the first batch is written")
        assert ends.pop() > 0
    with running(settings, QuestDbSink(settings), publisher.codec) as loop:
        until(lambda: loop.counters.written == 4000, "every record came again")
        until(lambda: _rows(settings) == 4000, "all ticks are there")
    assert count(settings) == 4000


@pytest.mark.long
def test_killed_anywhere_it_loses_and_doubles_nothing(settings: Settings, publisher: Publisher) -> None:
    """A kill -9 at any point leaves each tick there once in the end; a SIGTERM ends the process well, within 5 s."""
    rng = random.Random(1)
    command = [sys.executable, "-m", "tradewind.infra.cli", "sink", "questdb"]
    sent = 0
    for last in (False, False, False, True):
        publisher.publish(TICKS, [tick(seq) for seq in range(sent, sent + 30_000)])
        process = subprocess.Popen(command, env=environment(settings), stderr=subprocess.DEVNULL)
        enough = 30_000 if last else rng.randrange(1, 30_000)
        try:
            until(lambda: _rows(settings) >= sent + enough, "ticks are written", 120)  # noqa: B023
            sent += 30_000
            if last:
                start = time.monotonic()
                process.terminate()
                assert process.wait(30) == 0
                assert time.monotonic() - start < 5
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait(30)
    time.sleep(1)
    assert count(settings) == sent


def _rows(settings: Settings) -> int:
    tables = [row[0] for row in questdb(settings, "SELECT table_name FROM tables()")]
    return count(settings) if table(settings, "ticks") in tables else 0
