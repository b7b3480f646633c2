"""Reads QuestDB by SQL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import httpx

from tradewind.connectors.settings import Settings
from tradewind.connectors.sinks.questdb.tables import TABLES, Table
from tradewind.connectors.timeseries.product import Product
from tradewind.connectors.timeseries.reader import ALL, MOST_ROWS, NotReadable, Row, Where
from tradewind.schemas.event import Event

ABSENT = "does not exist"


class QuestDbReader:
    """Reads the tables of QuestDB."""

    def __init__(self, settings: Settings, product: Product, timeout_s: float) -> None:
        influx = settings.influx
        password = "" if influx.password is None else influx.password.get_secret_value()
        self.product = product
        self._settings = settings
        self._url = str(influx.url).rstrip("/")
        self._client = httpx.Client(base_url=self._url, auth=(influx.user, password), timeout=timeout_s)

    def count(self, model: type[Event], where: Where = ALL) -> int:
        """Return how many events of a model there are."""
        rows = self._asked(f"SELECT count() FROM {self._from(model, where)}")  # noqa: S608 - names and numbers of ours
        return int(rows[0][0]) if rows else 0

    def last(self, model: type[Event], where: Where = ALL) -> Row | None:
        """Return the row with the latest event time."""
        found = self._rows(model, f"{self._from(model, where)} ORDER BY timestamp DESC LIMIT 1")
        return found[0] if found else None

    def rows(self, model: type[Event], where: Where = ALL, limit: int = MOST_ROWS) -> Sequence[Row]:
        """Return the first rows in order of their event time."""
        return self._rows(model, f"{self._from(model, where)} ORDER BY timestamp LIMIT {int(limit)}")

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _rows(self, model: type[Event], source: str) -> list[Row]:
        columns = TABLES[model].columns()
        chosen = (f"cast({name} AS long)" if kind == "TIMESTAMP" else name for name, kind in columns.items())
        found = self._asked(f"SELECT {', '.join(chosen)} FROM {source}")  # noqa: S608 - names and numbers of ours
        return [dict(zip(columns, row, strict=True)) for row in found]

    def _from(self, model: type[Event], where: Where) -> str:
        table = TABLES[model]
        conditions = [*_times(where), *_tags(table, where)]
        name = table.named(self._settings)
        return f"'{name}'" + (f" WHERE {' AND '.join(conditions)}" if conditions else "")

    def _asked(self, statement: str) -> list[list[Any]]:
        """Run a statement; a table that nothing was written to has no rows."""
        try:
            answer = self._client.get("/exec", params={"query": statement})
        except httpx.TransportError as error:
            raise NotReadable(f"{self.product} at {self._url}: {error or type(error).__name__}") from error
        if answer.status_code == httpx.codes.BAD_REQUEST and ABSENT in answer.text:
            return []
        if answer.status_code != httpx.codes.OK:
            raise NotReadable(f"{self.product} at {self._url} answers {answer.status_code}: {answer.text[:200]}")
        found: list[list[Any]] = answer.json()["dataset"]
        return found


def _times(where: Where) -> Iterable[str]:
    """Yield conditions: a number beside a timestamp is in µs."""
    if where.since_us is not None:
        yield f"timestamp >= {int(where.since_us)}"
    if where.until_us is not None:
        yield f"timestamp < {int(where.until_us)}"


def _tags(table: Table, where: Where) -> Iterable[str]:
    for tag, value in where.tags.items():
        if tag not in table.layout.tags:
            raise ValueError(f"{table.name} has no tag {tag}: it has {', '.join(table.layout.tags)}")
        quoted = value.replace("'", "''")
        yield f"{tag} = '{quoted}'"
