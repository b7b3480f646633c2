"""The InfluxDB sink: writes to the endpoint that InfluxDB 2 and 3 share, through influxdb-client.

A point that arrives again replaces itself, so that positions can lie in Kafka's consumer group: what a kill -9 makes
the next process write again changes nothing.
"""

from __future__ import annotations

import logging
from typing import ClassVar, Literal
from urllib.parse import urlsplit

import cramjam
import httpx
import polars as pl
from influxdb_client import InfluxDBClient
from influxdb_client.rest import ApiException
from influxdb_client.service.write_service import WriteService
from urllib3.exceptions import HTTPError

from tradewind.connectors.settings import ServiceNotConfigured, Settings
from tradewind.connectors.sinks.influxdb.answers import Conflict, NotFound, Outside, TooLarge, meaning
from tradewind.connectors.sinks.influxdb.apart import Apart
from tradewind.connectors.sinks.influxdb.bucket import ensure_bucket
from tradewind.connectors.sinks.influxdb.layout import LAYOUTS, refuse, with_text_tags
from tradewind.connectors.sinks.line_protocol import INFLUXDB, Layout, lines
from tradewind.connectors.sinks.questdb.sink import GZIP_LEVEL, SAME_MACHINE
from tradewind.connectors.sinks.questdb.tables import TABLES, TableDiffers
from tradewind.connectors.sinks.sink import Batch, PoisonBatch, Sink, StoreUnavailable
from tradewind.connectors.timeseries.product import NoTimeSeriesStore, Product, ask, require
from tradewind.processors.batch import Columns
from tradewind.topics import BARS, TICKS, TRADES, Topic

log = logging.getLogger(__name__)

WRITE_S = 10.0  # InfluxDB gives up a write after as long (`WriteTimeout`); a store that needs longer is tried again
MOST_LINES = 10_000
"""Lines of a request. InfluxDB's own advice is 5,000 to 10,000; it parses a request as a whole, in memory."""
OUTSIDE_ATTEMPTS = 3
"""How often lines that are too old are left out of one request, as the bound moves on with the clock."""


class InfluxDbSink(Sink):
    """Writes `ticks`, `trades` and `bars`. An event that arrives again replaces itself."""

    name = "influxdb"
    topics: tuple[Topic, ...] = (TICKS, TRADES, BARS)
    form: ClassVar[Literal["rows", "columns"]] = "columns"

    def __init__(self, settings: Settings) -> None:
        influx = self._settings = settings.influx
        if influx.url is None:
            raise ServiceNotConfigured("no InfluxDB is known: set TRADEWIND_INFLUX__URL, __TOKEN, __ORG and __BUCKET")
        self._url = influx.url.rstrip("/")
        self._packed = urlsplit(self._url).hostname not in SAME_MACHINE
        self._names = {model: table.named(settings) for model, table in TABLES.items()}
        token = "" if influx.token is None else influx.token.get_secret_value()
        self._client = InfluxDBClient(url=self._url, token=token, org=influx.org or "-", timeout=int(WRITE_S * 1000))
        self._writes = WriteService(self._client.api_client)
        self._apart = Apart()
        self._most_lines = MOST_LINES
        self._product: Product | None = None
        self.outside = 0
        """Events that were older than what the bucket keeps, and that it did not take."""

    async def open(self) -> None:
        """See which product answers, and create a missing bucket; raises `WrongProduct`."""
        try:
            self._product = ask(self._settings)
        except (httpx.TransportError, NoTimeSeriesStore) as error:
            raise StoreUnavailable(f"InfluxDB at {self._url}: {error or type(error).__name__}") from error
        require(self._settings, "influxdb", self._product)
        self._ensure_bucket(self._product)

    async def write(self, batch: Batch) -> None:
        """Write the lines of a batch; raises `PoisonBatch` if some are refused."""
        assert isinstance(batch.data, Columns)
        model, origin = batch.topic.model, (batch.topic.name, batch.partition)
        layout = LAYOUTS[model]
        frame = TABLES[model].prepared(batch.data)
        refuse(frame, layout)
        self._apart.refuse(origin, frame, layout)
        texts = with_text_tags(frame, layout)
        at = outside = 0
        while at < texts.height:
            part = texts.slice(at, self._most_lines)
            try:
                outside += self._write_part(part, self._names[model], layout)
            except TooLarge as error:
                self._halve(part.height, at, error)
                continue
            except PoisonBatch as error:
                raise error.moved(at) from error
            at += part.height
        self._apart.written(origin, frame, layout)
        self.outside += outside  # not before: a batch that fails comes again

    def _halve(self, height: int, at: int, error: TooLarge) -> None:
        """Send half as many lines from now on; raises `PoisonBatch` if one alone is too large."""
        if height == 1:
            raise PoisonBatch(str(error), at) from error
        self._most_lines = height // 2
        log.warning("InfluxDB at %s: %s: %d lines a request from now on", self._url, error, self._most_lines)

    def _write_part(self, part: pl.DataFrame, name: str, layout: Layout) -> int:
        """Write some lines, without those that are older than what the bucket keeps; return how many these were."""
        kept = part
        for _ in range(OUTSIDE_ATTEMPTS):
            try:
                self._send(lines(kept, name, layout, INFLUXDB))
            except Outside as error:
                kept = self._without_outside(kept, layout, error)
                if kept.height:
                    continue
            except Conflict as error:
                raise self._conflict(error, layout) from error
            return part.height - kept.height
        raise PoisonBatch("it is older than what the bucket keeps")

    def _without_outside(self, part: pl.DataFrame, layout: Layout, error: Outside) -> pl.DataFrame:
        kept = part.filter(pl.col(layout.time) >= error.bound_us)
        log.error(
            "InfluxDB at %s: %d events are older than what bucket %s keeps, and it took none of them: %s. Give the "
            "bucket a longer retention and reset the sink's position, or leave them out",
            *(self._url, part.height - kept.height, self._settings.bucket, error),
        )
        return kept

    def _conflict(self, error: Conflict, layout: Layout) -> Exception:
        """Return what a conflict of types means: of a field that every line has, the measurement is another's."""
        if any(field.name == error.field and field.nullable for field in layout.fields):
            return PoisonBatch(str(error))
        return TableDiffers(
            f"bucket {self._settings.bucket} of InfluxDB at {self._url}: {error}. Another program wrote to it: give "
            "the sink a bucket of its own (TRADEWIND_INFLUX__BUCKET), or delete the measurement; then start it again"
        )

    def _send(self, body: bytes) -> None:
        """Write lines; raises what the answer means."""
        packed = bytes(cramjam.gzip.compress(body, GZIP_LEVEL)) if self._packed else body
        try:
            self._writes.post_write(
                org=self._settings.org or "-",
                bucket=self._settings.bucket,
                body=packed,
                precision="ns",
                content_encoding="gzip" if self._packed else "identity",
                content_type="text/plain; charset=utf-8",
            )
        except ApiException as error:
            text = error.body if isinstance(error.body, str) else str(error.body or error.reason)
            raise self._named(meaning(error.status, text, error.headers or {}, body)) from error
        except HTTPError as error:
            raise StoreUnavailable(f"{self}: {error}") from error

    def _named(self, meant: Exception) -> Exception:
        """Return a failure with the name of the store; a bucket that is gone is made again at the next attempt."""
        if isinstance(meant, NotFound):
            assert self._product is not None
            self._ensure_bucket(self._product)
            return StoreUnavailable(f"{self}: {meant}; the bucket was made again")
        if isinstance(meant, StoreUnavailable):
            return StoreUnavailable(f"{self} {meant}", meant.wait_s)
        return meant

    def _ensure_bucket(self, product: Product) -> None:
        if not product.reads_flux:
            return  # InfluxDB 3 makes a database of the first write
        if self._settings.org is None:
            raise ServiceNotConfigured(f"{self} needs an organisation: set TRADEWIND_INFLUX__ORG")
        try:
            ensure_bucket(self._client, self._settings)
        except StoreUnavailable as error:
            raise StoreUnavailable(f"{self} {error}", error.wait_s) from error
        except HTTPError as error:
            raise StoreUnavailable(f"{self}: {error}") from error

    def __str__(self) -> str:
        """Return the store's name and address."""
        return f"{self._product or 'InfluxDB'} at {self._url}"

    async def close(self) -> None:
        """Close the connections."""
        self._client.close()
