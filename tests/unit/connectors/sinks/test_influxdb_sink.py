"""The InfluxDB sink against a server that answers as InfluxDB 2.8 does: what it writes, keeps apart and repeats."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from influx_double import Double
from influx_double.lines import parse
from sinks.influx_writing import FAST, batch_of, settings_for, writing
from sinks.running import START, envelope, tick

from tradewind.connectors.clock.wall import clock_us
from tradewind.connectors.settings import ServiceNotConfigured, Settings
from tradewind.connectors.sinks.influxdb import InfluxDbSink
from tradewind.connectors.sinks.influxdb import sink as module
from tradewind.connectors.sinks.questdb.sink import QuestDbSink
from tradewind.connectors.sinks.questdb.tables import TableDiffers
from tradewind.connectors.sinks.sink import StoreUnavailable
from tradewind.connectors.timeseries.product import WrongProduct
from tradewind.connectors.timeseries.reader import open_reader
from tradewind.schemas.market import Bar, Tick, Trade
from tradewind.topics import BARS, TICKS, TRADES

ODD = ('a,b c=d"e', "é漢😀", " lead", "'", "NaN", "#", "a\\b")


@pytest.fixture
def double() -> Iterator[Double]:
    """Give a server without buckets."""
    with Double() as running:
        yield running


def bar(revision: int = 0) -> Bar:
    """Make a bar."""
    prices: dict[str, Any] = {
        f"{side}_{what}": 1.5 for side in ("mid", "bid", "ask") for what in ("open", "high", "low", "close")
    }
    values = prices | envelope("bar", revision) | {"tenant_id": None, "symbol": "EURUSD", "venue": "OANDA"}
    values |= {"interval_s": 60, "ts_start": START, "ts_end": START + 60, "ts_event": START + 61, "spread_mean": 0.1}
    return Bar(**{**values, "count": 7, "volume": 0.5, "quote_ts": START + 59, "revision": revision})


def trade(seq: int, trade_id: str = 'x"y\\z') -> Trade:
    """Make a trade."""
    return Trade(
        symbol="BTCUSDT", venue="BINANCE", seq=seq, ts_event=START + 5, trade_id=trade_id,
        price=1.5, size=0.1, aggressor="SELL",
    )  # fmt: skip


def test_every_event_is_read_back_as_it_was(double: Double) -> None:
    """Symbols, prices, sizes, µs and numbers that InfluxDB keeps as text: all are those of the events."""
    ticks = [
        tick(seq, symbol=ODD[seq % len(ODD)], bid_size=None if seq % 3 else 0.1 * seq, ask_size=5e-324 * seq)
        for seq in range(100)
    ]
    settings = settings_for(double)
    with writing(settings) as written:
        for events, topic in ((ticks, TICKS), ([trade(4)], TRADES), ([bar(0), bar(1)], BARS)):
            written.write(events, topic)
        assert (written.counters.written, written.letters.got) == (103, [])
    reader = open_reader(settings)
    assert [reader.count(model) for model in (Tick, Trade, Bar)] == [100, 1, 2]
    assert [
        (row["symbol"], row["seq"], row["timestamp"], row["bid"], row["bid_size"], row["ask_size"], row["ts_ingest"])
        for row in reader.rows(Tick)
    ] == [(one.symbol, one.seq, one.ts_event, one.bid, one.bid_size, one.ask_size, 0) for one in ticks]
    (found,) = reader.rows(Trade)
    assert (found["trade_id"], found["aggressor"], found["price"]) == ('x"y\\z', "SELL", 1.5)
    assert [(row["revision"], row["interval_s"], row["count"], row["timestamp"]) for row in reader.rows(Bar)] == [
        (0, 60, 7, START),
        (1, 60, 7, START),
    ]
    reader.close()


def test_ticks_of_one_microsecond_stay_apart_in_one_series(double: Double) -> None:
    """Their sequences shift them by nanoseconds: 1,000 of them are 1,000 points, and written again no more."""
    ticks = [tick(seq, ts_event=START + seq // 1000) for seq in range(2500)]
    with writing(settings_for(double)) as written:
        for _ in range(3):
            written.write(ticks)
        assert (written.counters.written, written.letters.got) == (7500, [])
    bucket = double.buckets["tradewind"]
    assert bucket.points("ticks") == 2500
    ((_, times),) = bucket.series.items()
    assert [time_ns // 1000 for time_ns in sorted(times)] == [one.ts_event for one in ticks]
    assert [times[time_ns]["seq"] for time_ns in sorted(times)] == [one.seq for one in ticks]


@pytest.mark.parametrize("together", [True, False])
def test_an_event_that_would_overwrite_another_is_a_dead_letter(double: Double, *, together: bool) -> None:
    """Sequences that differ by a multiple of 1,000 in a microsecond are one point: the second is told by its offset."""
    ticks = [tick(seq, ts_event=START) for seq in (1, 2, 1001, 3, 2001)]
    with writing(settings_for(double)) as written:
        for part in [ticks] if together else [[one] for one in ticks]:
            written.write(part)
        assert written.letters.offsets == [2, 4]
        assert "1001 would overwrite another event of EURUSD.OANDA" in written.letters.got[0].reason
        lease = written.write([tick(1001, ts_event=START + 1), tick(1, ts_event=START)])
        assert (written.letters.offsets, lease.written) == ([2, 4], 7)
    (times,) = double.buckets["tradewind"].series.values()
    assert sorted(point["seq"] for point in times.values()) == [1, 2, 3, 1001]


def test_what_influxdb_cannot_keep_is_a_dead_letter(double: Double) -> None:
    """A symbol that ends in a backslash, a year that its nanoseconds do not reach, a control character."""
    ticks = [tick(seq) for seq in range(50)]
    ticks[3] = tick(3, symbol="ab\\")
    ticks[9] = tick(9, symbol="a\\,b")
    ticks[20] = tick(20, ts_event=9_223_372_036_854_775)
    ticks[40] = tick(40, symbol="a\rb")
    with writing(settings_for(double)) as written:
        written.write(ticks)
        assert sorted(written.letters.offsets) == [3, 9, 20, 40]
    assert double.buckets["tradewind"].points("ticks") == 46


def test_lines_that_influxdb_cannot_parse_are_dead_letters_at_once(
    double: Double, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The 400 names every bad line: the good ones are written, and each bad one is told by its offset and reason."""
    monkeypatch.setattr(module, "refuse", lambda *_: None)  # as for a rule of InfluxDB's that the sink does not know
    ticks = [tick(seq) for seq in range(1000)]
    bad = [7, 8, 500, 999]
    for at in bad:
        ticks[at] = tick(at, symbol="ab\\")
    with writing(settings_for(double)) as written:
        lease = written.write(ticks)
        assert written.letters.offsets == bad
        assert {one.reason for one in written.letters.got} == {"invalid tag format"}
        assert (lease.written, written.counters.written) == (1000, 996)
    writes = [status for _, path, status in double.requests if path == "/api/v2/write"]
    assert len(writes) <= 2 + 3 * len(
        bad
    )  # one that is refused, then each run and each line alone: nothing is looked for
    assert double.buckets["tradewind"].points("ticks") == 996


def test_a_partial_write_keeps_the_good_lines_and_finds_the_bad_ones(double: Double) -> None:
    """The 422 names the first field only: what InfluxDB drops is found, and is all that is a dead letter."""
    bucket = double.add_bucket("tradewind")
    bucket.write(parse(f'ticks bid_size="another program" {START * 1000}', "ns", 0)[0], 0)
    ticks = [tick(seq, bid_size=1.0 if seq in (5, 77) else None) for seq in range(200)]
    with writing(settings_for(double)) as written:
        written.write(ticks)
        assert written.letters.offsets == [5, 77]
        assert 'input field "bid_size" on measurement "ticks" is type float' in written.letters.got[0].reason
    assert bucket.points("ticks") == 199  # with that of the other program


def test_a_measurement_of_another_program_stops_the_sink(double: Double) -> None:
    """Where a field of every line has another type nothing could be written: it stops, and its position stays."""
    bucket = double.add_bucket("tradewind")
    bucket.write(parse(f"ticks bid=1i {START * 1000}", "ns", 0)[0], 0)
    sink = InfluxDbSink(settings_for(double))
    asyncio.run(sink.open())
    with pytest.raises(TableDiffers, match="give the sink a bucket of its own"):
        asyncio.run(sink.write(batch_of([tick(1)])))
    assert bucket.points("ticks") == 1


def test_what_is_older_than_the_bucket_keeps_is_left_out_and_counted(
    double: Double, caplog: pytest.LogCaptureFixture
) -> None:
    """InfluxDB drops such points by itself; they are no dead letters, and the sink goes on."""
    now_us = clock_us()
    young = [tick(seq, ts_event=now_us - seq) for seq in range(10)]
    old = [tick(seq) for seq in range(100, 140)]
    with writing(settings_for(double, retention_s=3600)) as written:
        lease = written.write([*young[:5], *old, *young[5:]])
        assert (lease.written, written.sink.outside, written.letters.got) == (50, 40, [])
        written.write(old)
        assert (written.sink.outside, written.letters.got) == (80, [])
    assert double.buckets["tradewind"].retention_s == 3600
    assert double.buckets["tradewind"].points("ticks") == 10
    assert "40 events are older than what bucket tradewind keeps" in caplog.text


def test_a_batch_that_fails_is_counted_once(double: Double) -> None:
    """The server ends between the answer that some events are too old and the write of the others."""
    now_us = clock_us()
    with writing(settings_for(double, retention_s=3600)) as written:
        send, fails = written.sink._send, [True]

        def failing(body: bytes) -> None:
            if body.count(b"\n") == 1 and fails.pop():
                fails.append(False)
                raise StoreUnavailable("not now")
            send(body)

        written.sink._send = failing  # type: ignore[method-assign]
        lease = written.write([tick(1, ts_event=now_us), *(tick(seq) for seq in range(2, 6))])
        assert (written.counters.retries, written.sink.outside, lease.written) == (1, 4, 5)


def test_a_request_that_is_too_large_is_made_smaller_and_stays_so(double: Double) -> None:
    """After a 413 fewer lines are sent at once; a line that is too large alone is a dead letter."""
    double.most_bytes = 20_000
    with writing(settings_for(double)) as written:
        written.write([tick(seq) for seq in range(1000)])
        first = len(double.requests)
        written.write([tick(seq) for seq in range(1000, 2000)])
        assert (written.counters.written, written.letters.got) == (2000, [])
        assert not any(status == 413 for _, _, status in double.requests[first:])
        double.most_bytes = 250
        written.write([trade(1), trade(2, "x" * 240), trade(3)], TRADES)
        assert written.letters.offsets == [1]
        assert written.letters.got[0].reason == "unable to read data: points batch is too large"
    assert double.buckets["tradewind"].points("ticks") == 2000


def test_the_bucket_is_made_where_it_is_missing_and_again_where_it_is_gone(double: Double) -> None:
    """With the retention of the settings; what was on its way is written to the new one."""
    with writing(settings_for(double, bucket="prices", retention_s=7200)) as written:
        now_us = clock_us()
        written.write([tick(1, ts_event=now_us)])
        assert double.buckets["prices"].retention_s == 7200
        del double.buckets["prices"]
        written.write([tick(2, ts_event=now_us)])
        assert written.counters.retries == 1
    assert double.buckets["prices"].points("ticks") == 1


def test_a_token_that_may_only_write_is_enough_for_a_bucket_that_is_there(double: Double) -> None:
    """And for one that is not, the message says how it is made by hand."""
    double.tokens["writer"] = frozenset({"write"})
    with pytest.raises(
        StoreUnavailable, match=r"no organisation 'trading', .*influx bucket create -o trading -n tradewind"
    ):
        asyncio.run(InfluxDbSink(settings_for(double, token="writer")).open())
    double.tokens["reader"] = frozenset({"read", "write"})
    with pytest.raises(
        StoreUnavailable, match=r"has no bucket 'tradewind', and the token may not create it \(401: write:orgs"
    ):
        asyncio.run(InfluxDbSink(settings_for(double, token="reader")).open())
    double.add_bucket("tradewind")
    with writing(settings_for(double, token="writer")) as written:
        written.write([tick(1)])
    assert double.buckets["tradewind"].points("ticks") == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"token": "wrong"},
            r"InfluxDB 2.8.0 at http://127.0.0.1:\d+ refuses the token \(401: unauthorized access\): set",
        ),
        ({"token": None}, r"refuses the token \(401: unauthorized access\): set TRADEWIND_INFLUX__TOKEN"),
        (
            {"org": "nobody"},
            r"InfluxDB 2.8.0 at http://127.0.0.1:\d+ knows no organisation 'nobody': set TRADEWIND_INFLUX__ORG",
        ),
    ],
)
def test_what_is_wrong_with_the_settings_is_said(double: Double, changes: dict[str, Any], said: str) -> None:
    """With the product, its address and the variable."""
    with pytest.raises(StoreUnavailable, match=said):
        asyncio.run(InfluxDbSink(settings_for(double, **changes)).open())
    with pytest.raises(ServiceNotConfigured, match="set TRADEWIND_INFLUX__ORG"):
        asyncio.run(InfluxDbSink(settings_for(double, org=None)).open())


def test_a_token_that_is_withdrawn_and_given_again_costs_no_event(double: Double) -> None:
    """The sink tries again until it is let in."""
    with writing(settings_for(double)) as written:
        written.write([tick(1)])
        may = double.tokens.pop(double.token)
        mend = threading.Timer(0.1, lambda: double.tokens.update({double.token: may}))
        mend.start()
        written.write([tick(2)])
        mend.join()
        assert written.counters.retries > 0
    assert double.buckets["tradewind"].points("ticks") == 2


@pytest.mark.parametrize(("code", "status"), [("too many requests", 429), ("unavailable", 503)])
def test_a_store_that_asks_for_time_is_given_it(double: Double, code: str, status: int) -> None:
    """`Retry-After` is kept to, however short the sink's own pauses are."""
    with writing(settings_for(double)) as written:
        written.write([tick(1)])
        double.fail(code, "later", 2, Retry_After="1")
        begun = time.monotonic()
        written.write([tick(2)])
        assert 2.0 <= time.monotonic() - begun < 10.0
        assert written.counters.retries == 2
    assert [found for _, path, found in double.requests if path == "/api/v2/write"][-3:] == [status, status, 204]


def test_a_proxy_cannot_silence_the_sink(double: Double) -> None:
    """A pause of an hour is cut."""
    with writing(settings_for(double), replace(FAST, asked_most_s=0.1)) as written:
        double.fail("unavailable", "later", 1, Retry_After="3600")
        written.write([tick(1)])
    assert double.buckets["tradewind"].points("ticks") == 1


def test_a_server_that_is_away_is_waited_for(double: Double) -> None:
    """Nothing is lost between its end and its start."""
    with writing(settings_for(double)) as written:
        written.write([tick(1)])
        double.__exit__()
        back = threading.Timer(0.2, double.__enter__)
        back.start()
        written.write([tick(2)])
        back.join()
    assert double.buckets["tradewind"].points("ticks") == 2


def test_lines_for_another_machine_are_packed(double: Double) -> None:
    """They are the same when they are unpacked."""
    sink = InfluxDbSink(settings_for(double))
    assert not sink._packed
    sink._packed = True
    asyncio.run(sink.open())
    asyncio.run(sink.write(batch_of([tick(seq) for seq in range(100)])))
    assert double.write_sizes == [100]


def test_influxdb_3_needs_neither_organisation_nor_bucket() -> None:
    """It makes the database of the first write; a line that it refuses is found, and is the only dead letter."""
    with Double(third=True, version="3.8.0") as third, pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "refuse", lambda *_: None)
        ticks = [tick(seq, symbol="ab\\" if seq == 60 else "EURUSD") for seq in range(100)]
        with writing(settings_for(third, org=None, bucket="prices")) as written:
            lease = written.write(ticks)
            assert (lease.written, written.letters.offsets) == (100, [60])
            assert str(written.sink).startswith("InfluxDB 3.8.0 at http")
        assert third.buckets["prices"].points("ticks") == 99
        assert {path for _, path, _ in third.requests} == {"/health", "/ping", "/api/v2/write"}


def test_a_sink_for_the_other_product_names_the_one_that_answers(double: Double) -> None:
    """It does not end in what a page that is not there answers."""
    with pytest.raises(WrongProduct, match=r"InfluxDB 2.8.0 answers at .*, where QuestDB is expected"):
        asyncio.run(QuestDbSink(settings_for(double)).open())


def test_without_an_address_there_is_nothing_to_write_to() -> None:
    """The error names every variable."""
    with pytest.raises(ServiceNotConfigured, match=re.escape("TRADEWIND_INFLUX__URL, __TOKEN, __ORG and __BUCKET")):
        InfluxDbSink(Settings(_env_file=None))
