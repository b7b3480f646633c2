"""Reads InfluxDB 2 by Flux, whose answers are annotated CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from influxdb_client import Dialect, InfluxDBClient, Query
from influxdb_client.rest import ApiException
from influxdb_client.service.query_service import QueryService
from urllib3.exceptions import HTTPError

from tradewind.connectors.settings import Settings
from tradewind.connectors.sinks.influxdb.layout import LAYOUTS
from tradewind.connectors.sinks.questdb.tables import TABLES
from tradewind.connectors.timeseries.product import Product
from tradewind.connectors.timeseries.reader import ALL, MOST_ROWS, NotReadable, Row, Where
from tradewind.schemas.event import Event

BEGIN, END = "1677-09-22T00:00:00Z", "2262-04-11T00:00:00Z"
"""What InfluxDB can keep. Without an end, a range would end now and leave out events of a fast clock."""
PIVOT = '|> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value") |> group()'
"""One row for each point, of all series together."""
NOT_FOUND, ABSENT = 404, "could not find bucket"
"""The answer to a query of a bucket that does not exist, or that the token may not read."""


class InfluxDbReader:
    """Reads the measurements of a bucket."""

    def __init__(self, settings: Settings, product: Product, timeout_s: float) -> None:
        influx = settings.influx
        token = "" if influx.token is None else influx.token.get_secret_value()
        self.product = product
        self._settings = settings
        self._url = str(influx.url).rstrip("/")
        self._client = InfluxDBClient(url=self._url, token=token, org=influx.org or "-", timeout=int(timeout_s * 1000))
        self._queries = QueryService(self._client.api_client)

    def count(self, model: type[Event], where: Where = ALL) -> int:
        """Return how many events of a model there are: how many values its first field has, which none is without."""
        field = LAYOUTS[model].fields[0].name
        counted = self._asked(
            f"{self._from(model, where)} |> filter(fn: (r) => r._field == {quoted(field)}) "
            "|> count() |> group() |> sum()"
        )
        return sum(int(row["_value"]) for row in counted)

    def last(self, model: type[Event], where: Where = ALL) -> Row | None:
        """Return the row with the latest event time."""
        found = self._rows(model, f'{PIVOT} |> sort(columns: ["_time"], desc: true) |> limit(n: 1)', where, "|> last()")
        return found[0] if found else None

    def rows(self, model: type[Event], where: Where = ALL, limit: int = MOST_ROWS) -> Sequence[Row]:
        """Return the first rows in order of their event time."""
        first = f"|> limit(n: {int(limit)})"
        # of each field first: InfluxDB would otherwise make rows of all that there is before it leaves most of them out
        return self._rows(model, f'{PIVOT} |> sort(columns: ["_time"]) {first}', where, first)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _rows(self, model: type[Event], ending: str, where: Where, before: str = "") -> list[Row]:
        found = self._asked(f"{self._from(model, where)} {before} {ending}")
        return [_row(model, one) for one in found]

    def _from(self, model: type[Event], where: Where) -> str:
        """Return the beginning of a query: bucket, times, measurement and tags."""
        layout, name = LAYOUTS[model], TABLES[model].named(self._settings)
        begin = BEGIN if where.since_us is None else f"time(v: {int(where.since_us) * 1000})"
        end = END if where.until_us is None else f"time(v: {int(where.until_us) * 1000})"
        conditions = [f"r._measurement == {quoted(name)}"]
        for tag, value in where.tags.items():
            if tag not in layout.tags:
                raise ValueError(f"{name} has no tag {tag}: it has {', '.join(layout.tags)}")
            conditions.append(f"r[{quoted(tag)}] == {quoted(value)}")
        return (
            f"from(bucket: {quoted(self._settings.influx.bucket)}) |> range(start: {begin}, stop: {end}) "
            f"|> filter(fn: (r) => {' and '.join(conditions)})"
        )

    def _asked(self, flux: str) -> list[dict[str, Any]]:
        """Run a query."""
        try:
            answer = self._queries.post_query(
                org=self._settings.influx.org or "-",
                query=Query(
                    query=flux,
                    dialect=Dialect(header=True, delimiter=",", annotations=["datatype"], comment_prefix="#"),
                ),
                accept_encoding="identity",
                _preload_content=False,
            )
            text = answer.data.decode()
        except ApiException as error:
            text = str(getattr(error, "message", error.reason))
            if error.status == NOT_FOUND and ABSENT in text:
                text = f"no bucket {self._settings.influx.bucket!r} that the token may read"
            raise NotReadable(f"{self.product} at {self._url} answers {error.status}: {text[:300]}") from error
        except HTTPError as error:
            raise NotReadable(f"{self.product} at {self._url}: {error}") from error
        return list(annotated(text))


def quoted(text: str) -> str:
    r"""Return a text as Flux reads it: `${` begins an expression within one, so that a dollar has a backslash, too."""
    for letter in ("\\", '"', "$"):
        text = text.replace(letter, f"\\{letter}")
    return f'"{text}"'


def annotated(text: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of annotated CSV; each table begins with its types, then names, after an empty line.

    Raises `NotReadable` for a table of an error, which follows on what was sent before it happened.
    """
    kinds: list[str] = []
    names: list[str] = []
    for line in csv.reader(io.StringIO(text, newline="")):
        if not line:
            kinds, names = [], []
        elif line[0] == "#datatype":
            kinds, names = line, []
        elif not names:
            names = line
        else:
            row = {name: CASTS.get(kind, str)(value) for name, kind, value in zip(names, kinds, line, strict=True)}
            if "error" in row:
                raise NotReadable(f"InfluxDB aborted the query: {row['error']}")
            yield row


def _us(text: str) -> int | None:
    """Return a time in µs; its nanoseconds are only there to tell events apart."""
    if not text:
        return None
    whole, _, fraction = text.removesuffix("Z").partition(".")
    seconds = int(datetime.fromisoformat(f"{whole}+00:00").timestamp())
    return seconds * 1_000_000 + int(fraction.ljust(6, "0")[:6])


def _or_none(kind: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda text: kind(text) if text else None


CASTS: dict[str, Callable[[str], Any]] = {
    "long": _or_none(int),
    "unsignedLong": _or_none(int),
    "double": _or_none(float),
    "boolean": _or_none(lambda text: text == "true"),
    "dateTime:RFC3339": _us,
    "dateTime:RFC3339Nano": _us,
}


def _row(model: type[Event], found: dict[str, Any]) -> Row:
    """Return a row with the table's columns, in its order and kinds, as from any other store."""
    columns = TABLES[model].columns()
    values = {"timestamp": found["_time"], **found}
    return {name: _as(kind, values.get(name)) for name, kind in columns.items()}


def _as(kind: str, value: Any) -> Any:
    """Return a value of a tag as the number that it stands for."""
    return int(value) if kind == "LONG" and isinstance(value, str) else value
