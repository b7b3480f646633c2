"""The QuestDB sink: ticks, trades and bars as line protocol through influxdb-client, a request for each batch.

QuestDB applies what it has acknowledged a little later: rows are safe when `write` returns, and visible within
milliseconds to seconds.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal, TypeVar
from urllib.parse import urlsplit

import cramjam
import httpx
from influxdb_client import InfluxDBClient
from influxdb_client.rest import ApiException
from influxdb_client.service.write_service import WriteService
from urllib3.exceptions import HTTPError

from tradewind.connectors.settings import ServiceNotConfigured, Settings
from tradewind.connectors.sinks.line_protocol import lines
from tradewind.connectors.sinks.questdb.binary_lines import VERSION, binary_lines, is_numeric
from tradewind.connectors.sinks.questdb.tables import INGESTED, TABLES, Partition, Table, TableDiffers, to_drop
from tradewind.connectors.sinks.sink import Batch, PoisonBatch, Sink, StoreUnavailable
from tradewind.connectors.timeseries.product import NoTimeSeriesStore, ask, require
from tradewind.processors.batch import Columns
from tradewind.topics import BARS, TICKS, TRADES, Topic

log = logging.getLogger(__name__)

WRITE_S = 10.0  # a batch takes 30 ms; a store that needs longer is tried again later
QUERY_S = 30.0  # counting what lies in a large table reads it
GZIP_LEVEL = 1  # a sixth of the bytes at 3M lines/s; the client's own level 9 manages 150k
SAME_MACHINE = ("127.0.0.1", "::1", "localhost")  # bytes cost nothing on the way there: packing and unpacking them does
REFUSED = (400, 413, 422)  # the store has read the request and does not want it
T = TypeVar("T")


class QuestDbSink(Sink):
    """Writes `ticks`, `trades` and `bars`. An event that arrives again replaces itself."""

    name = "questdb"
    topics: tuple[Topic, ...] = (TICKS, TRADES, BARS)
    form: ClassVar[Literal["rows", "columns"]] = "columns"

    def __init__(self, settings: Settings) -> None:
        influx = self._settings = settings.influx
        if influx.url is None:
            raise ServiceNotConfigured("no QuestDB is known: start one with `./dev up`, or set TRADEWIND_INFLUX__URL")
        password = "" if influx.password is None else influx.password.get_secret_value()
        self._url = influx.url.rstrip("/")
        self._packed = urlsplit(self._url).hostname not in SAME_MACHINE
        self._retention_bytes = influx.retention_bytes
        self._tables = {model: (table, table.named(settings)) for model, table in TABLES.items()}
        self._binary = False
        self._queries = httpx.Client(base_url=self._url, auth=(influx.user, password), timeout=QUERY_S)
        self._client = InfluxDBClient(
            url=self._url, token=f"{influx.user}:{password}", org="-", auth_basic=True, timeout=int(WRITE_S * 1000)
        )
        self._writes = WriteService(self._client.api_client)

    async def open(self) -> None:
        """Create the tables that are missing; raises `TableDiffers` where one has another shape, and `WrongProduct`."""
        self._require_questdb()
        self._binary = VERSION in self._versions()
        for table, name in self._tables.values():
            self._query(table.definition(name))
            found = self._query(f"SELECT * FROM table_columns('{name}')")  # noqa: S608 - no text of others
            if differences := table.differences(found):
                raise TableDiffers(
                    f"table {name} of QuestDB at {self._url}: {'; '.join(differences)}. "
                    "Rename or drop it, and restart the sink"
                )

    def _require_questdb(self) -> None:
        try:
            require(self._settings, "questdb", ask(self._settings))
        except (httpx.TransportError, NoTimeSeriesStore) as error:
            raise StoreUnavailable(f"QuestDB at {self._url}: {error or type(error).__name__}") from error

    async def write(self, batch: Batch) -> None:
        """Write the lines of a batch; raises `PoisonBatch` where one is refused."""
        assert isinstance(batch.data, Columns)
        table, name = self._tables[batch.topic.model]
        frame, layout = table.prepared(batch.data), table.layout
        binary = binary_lines(frame, name, layout) if self._binary and is_numeric(layout) else None
        if binary is not None:
            try:
                self._send(binary)
            except PoisonBatch:
                if VERSION in self._versions():
                    raise
                self._binary = False
                log.warning("QuestDB at %s no longer accepts binary lines, so the sink sends text lines", self._url)
            else:
                return
        self._send(lines(frame, name, layout))

    def _send(self, body: bytes) -> None:
        """Write lines; raises `PoisonBatch` where one is refused, and `StoreUnavailable`."""
        if self._packed:
            body = bytes(cramjam.gzip.compress(body, GZIP_LEVEL))
        _answered(
            lambda: self._writes.post_write(
                org="-",
                bucket="-",
                body=body,
                precision="us",
                content_encoding="gzip" if self._packed else "identity",
                content_type="text/plain; charset=utf-8",
            )
        )

    async def tend(self) -> None:
        """Drop the least recently written partitions of tables that are too large; tell of suspended ones."""
        for table, name in self._tables.values():
            status = self._query(f"SELECT * FROM wal_tables() WHERE name = '{name}'")  # noqa: S608
            if status and status[0]["suspended"]:
                log.error(
                    "QuestDB has suspended table %s (%s): rows are kept and not visible. Free some disk, then run "
                    "ALTER TABLE '%s' RESUME WAL",
                    *(name, status[0].get("errorMessage") or "no reason given", name),
                )
            self._drop_oldest(table, name)

    async def close(self) -> None:
        """Close the connections."""
        self._client.close()
        self._queries.close()

    def _drop_oldest(self, table: Table, name: str) -> None:
        parts = self._query(f"SELECT * FROM table_partitions('{name}') ORDER BY minTimestamp")  # noqa: S608
        rows = table.whole(parts)
        if sum(row["size"] for row in rows) <= self._retention_bytes:
            return
        partitions = [Partition(row["name"], row["size"], self._written(name, row), row["active"]) for row in rows]
        if dropped := to_drop(partitions, self._retention_bytes):
            names = ", ".join(f"'{partition.name}'" for partition in dropped)
            log.warning("table %s exceeds %d bytes: dropping partitions %s", name, self._retention_bytes, names)
            self._query(f"ALTER TABLE '{name}' DROP PARTITION LIST {names}")

    def _written(self, name: str, partition: dict[str, Any]) -> int:
        """Return when the newest row of a partition came into Tradewind, µs."""
        newest = self._query(
            f"SELECT cast(max({INGESTED}) AS long) newest FROM '{name}' "  # noqa: S608
            f"WHERE timestamp >= '{partition['minTimestamp']}' AND timestamp <= '{partition['maxTimestamp']}'"
        )[0]["newest"]
        return newest or 0

    def _versions(self) -> Sequence[int]:
        """Return the versions of line protocol that the server says it reads; before 9.0 it says nothing."""
        response = self._get("/settings")
        try:
            found: Sequence[int] = response.json()["config"]["line.proto.support.versions"]
        except (ValueError, KeyError, TypeError):
            return ()
        return found

    def _query(self, statement: str) -> list[dict[str, Any]]:
        """Run a statement; returns its rows by column name. Raises `StoreUnavailable`, or `RuntimeError` if refused."""
        response = self._get("/exec", query=statement)
        if response.status_code == httpx.codes.BAD_REQUEST:
            raise RuntimeError(f"QuestDB at {self._url} refuses {statement!r}: {response.json().get('error')}")
        if response.status_code != httpx.codes.OK:
            raise StoreUnavailable(f"QuestDB at {self._url} answers {response.status_code}: {response.text[:200]}")
        answer = response.json()
        names = [column["name"] for column in answer.get("columns", ())]
        return [dict(zip(names, row, strict=True)) for row in answer.get("dataset", ())]

    def _get(self, path: str, **parameters: str) -> httpx.Response:
        try:
            return self._queries.get(path, params=parameters)
        except httpx.TransportError as error:
            raise StoreUnavailable(f"QuestDB at {self._url}: {error or type(error).__name__}") from error


def _answered(request: Callable[[], T]) -> T:
    """Make a request; tell a refusal from a store that cannot answer."""
    try:
        return request()
    except ApiException as error:
        text = error.body if isinstance(error.body, str) else str(error.body or error.reason)
        if error.status in REFUSED:
            raise refused(text) from error
        raise StoreUnavailable(f"QuestDB answers {error.status}: {text[:300]}") from error
    except HTTPError as error:
        raise StoreUnavailable(f"QuestDB: {error}") from error


def refused(body: str) -> PoisonBatch:
    """Return the error of a request that QuestDB refused, with the line that it names (lines count from 1)."""
    try:
        answer = json.loads(body)
        reason, line = str(answer["message"]), answer.get("line")
    except (ValueError, TypeError, KeyError):
        return PoisonBatch(body[:300])
    return PoisonBatch(reason, line - 1 if isinstance(line, int) and line > 0 else None)
