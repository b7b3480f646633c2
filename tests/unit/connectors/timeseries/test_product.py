"""Which product answers is told by its own answers, and an error names it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from influx_double import Double

from tradewind.connectors.settings import InfluxSettings
from tradewind.connectors.timeseries.product import (
    NoTimeSeriesStore,
    Product,
    WrongProduct,
    ask,
    hinted,
    kind_of,
    require,
)

Pages = Mapping[str, tuple[int, dict[str, str], str]]
QUESTDB: Pages = {"/ping": (204, {"X-Influxdb-Version": "v2.7.4"}, "")}
"""LineHttpPingProcessor.java: one header, which names an InfluxDB; there is no `/health` on this port."""
INFLUXDB_3: Pages = {  # influxdb3_server/src/http.rs
    "/health": (200, {"Content-Type": "text/plain; charset=utf-8"}, "OK"),
    "/ping": (
        200,
        {"X-Influxdb-Build": "Core", "X-Influxdb-Version": "3.8.0"},
        json.dumps({"product_name": "InfluxDB 3 Core", "version": "3.8.0", "revision": "0", "process_id": "0"}),
    ),
}
SIGNED_OUT: Pages = {page: (401, {}, '{"error": "the request was not authenticated"}') for page in ("/health", "/ping")}
UNHEALTHY: Pages = {"/health": (503, {}, '{"name":"influxdb","status":"fail","version":"v2.9.1","checks":[]}')}
SOMETHING: Pages = {"/health": (200, {}, '{"status":"UP"}')}


@contextmanager
def serving(pages: Pages) -> Iterator[str]:
    """Serve pages on loopback; any other is none."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            status, headers, text = pages.get(self.path, (404, {}, ""))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text.encode())

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("pages", "product"),
    [
        (QUESTDB, Product("questdb")),
        (INFLUXDB_3, Product("influxdb", "3.8.0")),
        (SIGNED_OUT, Product("influxdb", "3")),
        (UNHEALTHY, Product("influxdb", "2.9.1")),
    ],
)
def test_each_product_is_known_by_its_answers(pages: Pages, product: Product) -> None:
    """QuestDB claims to be an InfluxDB on `/ping`, and is not taken for one."""
    with serving(pages) as url:
        assert ask(InfluxSettings(url=url)) == product
        assert product.reads_flux == (product.version == "2.9.1")


def test_influxdb_2_says_its_name() -> None:
    """On `/health`, for which it wants no token."""
    with Double() as double:
        assert str(ask(InfluxSettings(url=double.url))) == "InfluxDB 2.8.0"
        assert double.requests == [("GET", "/health", 200)]


def test_what_is_neither_is_no_store() -> None:
    """The error says what was answered, and what to correct."""
    with serving(SOMETHING) as url, pytest.raises(NoTimeSeriesStore, match=r"/ping 404. Correct TRADEWIND_INFLUX__URL"):
        ask(InfluxSettings(url=url))
    with pytest.raises(httpx.TransportError):
        ask(InfluxSettings(url="http://127.0.0.1:1"))


def test_the_kind_is_what_the_settings_say_and_else_what_answers() -> None:
    """Where nothing answers, a token or an organisation stands for InfluxDB."""
    nowhere = "http://127.0.0.1:1"
    assert hinted(InfluxSettings()) == "questdb"
    assert hinted(InfluxSettings(url=nowhere)) is None
    assert hinted(InfluxSettings(url=nowhere, password="p")) == "questdb"
    assert hinted(InfluxSettings(url=nowhere, token="t")) == hinted(InfluxSettings(url=nowhere, org="o")) == "influxdb"
    assert hinted(InfluxSettings(url=nowhere, token="t", kind="questdb")) == "questdb"
    assert kind_of(InfluxSettings(url=nowhere)) == "questdb"
    with serving(INFLUXDB_3) as url:
        assert kind_of(InfluxSettings(url=url)) == "influxdb"
    with serving(QUESTDB) as url:
        assert kind_of(InfluxSettings(url=url)) == "questdb"


def test_another_product_is_named() -> None:
    """With the setting that would make it right."""
    settings = InfluxSettings(url="http://host:8086")
    require(settings, "influxdb", Product("influxdb", "2.8.0"))
    with pytest.raises(WrongProduct, match=r"InfluxDB 2.8.0 answers at http://host:8086, where QuestDB is expected"):
        require(settings, "questdb", Product("influxdb", "2.8.0"))
    with pytest.raises(WrongProduct, match=r"set TRADEWIND_INFLUX__KIND=questdb$"):
        require(settings, "influxdb", Product("questdb"))
