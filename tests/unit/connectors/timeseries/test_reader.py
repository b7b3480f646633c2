"""The reader: counts, the last row and rows in order, the same whatever answers; and what it says where none can."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from influx_double import Double
from influx_double.flux import FluxError, run
from influx_double.store import Bucket
from sinks.influx_writing import batch_of, settings_for
from sinks.running import START, tick

from tradewind.connectors.settings import InfluxSettings, ServiceNotConfigured, Settings
from tradewind.connectors.sinks.influxdb import InfluxDbSink
from tradewind.connectors.timeseries.influxdb import InfluxDbReader, annotated, quoted
from tradewind.connectors.timeseries.product import Product
from tradewind.connectors.timeseries.questdb import QuestDbReader
from tradewind.connectors.timeseries.reader import NotReadable, Where, open_reader
from tradewind.infra.status.stored import stored
from tradewind.schemas.market import Bar, Tick, Trade

SYMBOL = 'a"b\\c${1}'


@pytest.fixture(scope="module")
def double() -> Iterator[Double]:
    """Give a server with 30 ticks of two instruments."""
    with Double() as running:
        sink = InfluxDbSink(settings_for(running))
        asyncio.run(sink.open())
        asyncio.run(
            sink.write(
                batch_of(
                    [
                        tick(seq, symbol=SYMBOL if seq % 3 else "EURUSD", bid_size=1.0 if seq > 9 else None)
                        for seq in range(30)
                    ]
                )
            )
        )
        yield running


@pytest.fixture
def reader(double: Double) -> Iterator[InfluxDbReader]:
    """Give a reader of it."""
    found = open_reader(settings_for(double))
    assert isinstance(found, InfluxDbReader)
    yield found
    found.close()


def test_it_counts_and_lists_what_is_asked_for(reader: InfluxDbReader) -> None:
    """By times, which end before their second one, and by tags, whose values are texts and never Flux."""
    assert (reader.count(Tick), reader.count(Trade), reader.count(Bar)) == (30, 0, 0)
    assert reader.count(Tick, Where(tags={"symbol": SYMBOL})) == 20
    some = Where(since_us=START + 3, until_us=START + 9)
    assert [row["seq"] for row in reader.rows(Tick, some)] == [3, 4, 5, 6, 7, 8]
    assert [row["seq"] for row in reader.rows(Tick, some, limit=2)] == [3, 4]
    sized = [(row["seq"], row["bid_size"], row["ask"]) for row in reader.rows(Tick, limit=3)]
    assert sized == [(0, None, 1.1), (1, None, 2.1), (2, None, 3.1)]  # though the first sizes are of later ticks
    one = Where(tags={"symbol": "EURUSD"}, since_us=START + 20)
    assert [(row["seq"], row["symbol"]) for row in reader.rows(Tick, one)] == [
        (21, "EURUSD"),
        (24, "EURUSD"),
        (27, "EURUSD"),
    ]


def test_the_last_row_is_that_of_the_latest_time(reader: InfluxDbReader) -> None:
    """Over all series; where there is none there is no row."""
    last = reader.last(Tick)
    assert last is not None
    assert (last["seq"], last["timestamp"], last["bid"]) == (29, START + 29, 30.0)
    assert list(last) == ["timestamp", "symbol", "venue", "seq", "bid", "ask", "bid_size", "ask_size", "ts_ingest"]
    assert reader.last(Bar) is None
    other = reader.last(Tick, Where(tags={"symbol": "EURUSD"}))
    assert other is not None
    assert other["seq"] == 27


def test_a_tag_that_a_table_lacks_is_a_mistake_of_the_caller(double: Double, reader: InfluxDbReader) -> None:
    """It is told before anything is asked."""
    asked = len(double.queries)
    with pytest.raises(ValueError, match="ticks has no tag side: it has symbol, venue"):
        reader.count(Tick, Where(tags={"side": "BUY"}))
    assert len(double.queries) == asked
    questdb = QuestDbReader(settings_for(double), Product("questdb"), 1.0)
    with pytest.raises(ValueError, match="ticks has no tag side"):
        questdb.count(Tick, Where(tags={"side": "BUY"}))


def test_what_cannot_be_read_is_told_with_the_product(double: Double) -> None:
    """A token that may not read sees no bucket, which is not the same as a bucket without rows."""
    double.tokens["writer"] = frozenset({"write"})
    blind = open_reader(settings_for(double, token="writer"))
    with pytest.raises(NotReadable, match=r"answers 404: no bucket 'tradewind' that the token may read"):
        blind.count(Tick)
    wrong = open_reader(settings_for(double, org="nobody"))
    with pytest.raises(NotReadable, match=r"InfluxDB 2.8.0 at .* answers 404: organization name"):
        wrong.count(Tick)
    refused = open_reader(settings_for(double, token="wrong"))
    with pytest.raises(NotReadable, match="answers 401: unauthorized access"):
        refused.last(Tick)
    with pytest.raises(NotReadable, match="Connection refused"):
        open_reader(Settings(_env_file=None, influx=InfluxSettings(url="http://127.0.0.1:1")))
    with pytest.raises(ServiceNotConfigured):
        open_reader(Settings(_env_file=None))


def test_influxdb_3_is_not_read(monkeypatch: pytest.MonkeyPatch, double: Double) -> None:
    """It has no Flux; the error says so instead of failing in a query."""
    monkeypatch.setattr("tradewind.connectors.timeseries.reader.ask", lambda _: Product("influxdb", "3.8.0"))
    with pytest.raises(NotReadable, match=r"InfluxDB 3.8.0 at .* cannot be queried: only InfluxDB 2 has Flux"):
        open_reader(settings_for(double))


def test_questdb_is_asked_in_sql(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quote within a value cannot end it; a table that is not there has no rows."""
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.params["query"])
        if "trades" in asked[-1]:
            return httpx.Response(400, json={"error": "table does not exist [table=trades]"})
        return httpx.Response(200, json={"dataset": [[7]]})

    settings = Settings(_env_file=None, namespace="t.", influx=InfluxSettings(url="http://store"))
    reader = QuestDbReader(settings, Product("questdb"), 1.0)
    reader._client = httpx.Client(base_url="http://store", transport=httpx.MockTransport(answer))
    assert reader.count(Tick, Where(since_us=5, tags={"symbol": "a'b"})) == 7
    assert asked == ["SELECT count() FROM 't_ticks' WHERE timestamp >= 5 AND symbol = 'a''b'"]
    assert (reader.count(Trade), reader.last(Trade)) == (0, None)


@given(st.text())
def test_no_text_ends_its_quotes(text: str) -> None:
    """Nor begins an expression, as `${` would."""
    inner = quoted(text)[1:-1]
    assert inner.replace("\\\\", "").replace('\\"', "").replace("\\$", "").count('"') == 0
    assert "${" not in inner.replace("\\\\", "").replace("\\$", "")


def test_an_error_behind_rows_is_told() -> None:
    """InfluxDB sends it as a table of its own where it has begun to answer (`flux/csv`)."""
    counted = "#datatype,string,long,long\r\n,result,table,_value\r\n,_result,0,3\r\n\r\n"
    text = f"{counted}#datatype,string,string\r\n,error,reference\r\n,out of memory,897\r\n"
    rows = annotated(text)
    assert next(rows)["_value"] == 3
    with pytest.raises(NotReadable, match="InfluxDB aborted the query: out of memory"):
        next(rows)


def test_status_tells_what_lies_in_the_store(double: Double) -> None:
    """The product, its version, rows and the latest time; or why nothing could be counted."""
    found = stored(settings_for(double))
    assert found is not None
    assert str(found) == "stored in InfluxDB 2.8.0: ticks 30 (until 2014-05-01 00:00:00), trades 0, bars 0"
    assert found.to_json()["tables"]["ticks"] == {"rows": 30, "newest_us": START + 29}
    away = stored(Settings(_env_file=None, influx=InfluxSettings(url="http://127.0.0.1:1")))
    assert away is not None
    assert str(away).startswith("stored: not counted: http://127.0.0.1:1: ")
    assert stored(Settings(_env_file=None)) is None


@pytest.mark.parametrize(
    "ending",
    [
        "|> range(start: -1h)",
        "|> range(start: time(v: 0), stop: time(v: 1)) |> filter(fn: (r) => r._value > 1)",
        '|> range(start: time(v: 0), stop: time(v: 1)) |> filter(fn: (r) => r._field == "a") |> drop()',
        "nonsense",
    ],
)
def test_the_double_refuses_flux_that_it_does_not_know(ending: str) -> None:
    """So that a reader which asks for more fails here, and not in front of InfluxDB."""
    with pytest.raises(FluxError, match="compilation failed"):
        run(f'from(bucket: "b") {ending}', lambda _: Bucket("b", "1"))
