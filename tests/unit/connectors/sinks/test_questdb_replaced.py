"""A QuestDB that reads no binary lines any more, since an older one has taken its place, costs no tick."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import polars as pl
import pytest
from influxdb_client.rest import ApiException
from runtime.records import NOWHERE

from tradewind.connectors.settings import InfluxSettings
from tradewind.connectors.sinks.questdb.binary_lines import DOUBLE
from tradewind.connectors.sinks.questdb.sink import QuestDbSink
from tradewind.connectors.sinks.sink import Batch, Columns, PoisonBatch
from tradewind.schemas.market import Tick
from tradewind.topics import TICKS


class Server:
    """QuestDB, before 9.0 or since; `refuses` is what it takes in no line."""

    def __init__(self, sink: QuestDbSink, *, old: bool, refuses: bytes = b"\0") -> None:
        self.old, self.refuses = old, refuses
        self.took: list[bytes] = []
        sink._writes = SimpleNamespace(post_write=self.write)  # type: ignore[assignment]
        sink._queries = httpx.Client(base_url="http://store", transport=httpx.MockTransport(self.tell))

    def write(self, body: bytes, **_: object) -> None:
        """Take lines, or refuse them."""
        if (self.old and DOUBLE in body) or self.refuses in body:
            raise ApiException(status=400, reason="no")
        self.took.append(body)

    def tell(self, request: httpx.Request) -> httpx.Response:
        """Tell what it reads."""
        assert request.url.path == "/settings"
        return httpx.Response(200, text="<html>") if self.old else httpx.Response(200, json=VERSIONS)


VERSIONS: dict[str, Any] = {"config": {"line.proto.support.versions": [1, 2]}}


def sink_of() -> QuestDbSink:
    """Return a sink that has seen a server of today."""
    sink = QuestDbSink(NOWHERE.model_copy(update={"influx": InfluxSettings(url="http://127.0.0.1:1")}))
    sink._binary = True
    return sink


FRAME = pl.DataFrame(
    {"symbol": ["EURUSD"] * 2, "venue": ["OANDA"] * 2, "seq": [1, 2], "ts_event": [1, 2]}
    | {name: [1.0, 2.0] for name in ("bid", "ask", "bid_size", "ask_size")}
)
BATCH = Batch(TICKS, 0, Columns(TICKS.name, 0, Tick, FRAME, np.arange(2), np.arange(2)), 2)


def test_it_is_sent_text_from_then_on() -> None:
    """All lines of the batch, and of the next one."""
    sink = sink_of()
    server = Server(sink, old=True)
    asyncio.run(sink.write(BATCH))
    asyncio.run(sink.write(BATCH))
    assert [body.count(b"\n") for body in server.took] == [2, 2]
    assert not any(DOUBLE in body for body in server.took)


def test_one_that_reads_them_has_refused_a_record() -> None:
    """Which is then looked for, and no text is tried."""
    sink = sink_of()
    server = Server(sink, old=False, refuses=b"EURUSD")
    with pytest.raises(PoisonBatch):
        asyncio.run(sink.write(BATCH))
    assert (server.took, sink._binary) == ([], True)
    server.refuses = b"nothing"
    asyncio.run(sink.write(BATCH))
    assert DOUBLE in server.took[0]


def test_what_no_server_says_in_that_way_is_no_version() -> None:
    """A proxy may answer in its place."""
    sink = sink_of()
    for old, versions in ((True, []), (False, [1, 2])):
        Server(sink, old=old)
        assert list(sink._versions()) == versions
    sink._queries = httpx.Client(base_url="http://store", transport=httpx.MockTransport(lambda _: httpx.Response(404)))
    assert list(sink._versions()) == []
