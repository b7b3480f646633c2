"""Read quotes from QuestDB: the instruments of a range, and each one's quotes by event time, page by page."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator
from typing import Final

import httpx
import polars as pl

from tradewind.connectors.feeds.feed import TICK_COLUMNS
from tradewind.connectors.settings import Settings, revealed
from tradewind.connectors.sinks.questdb.tables import TABLES
from tradewind.connectors.timeseries.reader import NotReadable, open_reader
from tradewind.schemas.market import Tick

PAGE_ROWS: Final = 200_000  # some 20 MB of CSV, and a query of under a second: QuestDB ends those of over a minute
READ_S: Final = 60.0
ABSENT: Final = "does not exist"
Name = tuple[str, str]
"""Symbol and venue."""


class QuestDbQuotes:
    """The quotes that QuestDB has, from event time `start` up to and without `stop`, µs. For one thread.

    Every method raises `NotReadable`. Another time-series store than QuestDB is refused.
    """

    def __init__(self, settings: Settings, start: int | None, stop: int | None, page_rows: int = PAGE_ROWS) -> None:
        self._page_rows = page_rows
        reader = open_reader(settings, READ_S)
        product = reader.product
        reader.close()
        influx = settings.influx
        if product.kind != "questdb":
            raise NotReadable(f"{product} at {influx.url} keeps no quotes for backtests: name another --source")
        self._where = f"{product} at {influx.url}"
        auth = (influx.user, revealed(influx.password) or "")
        self._client = httpx.Client(base_url=str(influx.url).rstrip("/"), auth=auth, timeout=READ_S)
        self._table = TABLES[Tick].named(settings)
        self._bounds = [
            *([] if start is None else [f"timestamp >= {start}"]),
            *([] if stop is None else [f"timestamp < {stop}"]),
        ]

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def instruments(self, symbols: Collection[str] = ()) -> list[Name]:
        """Return the instruments that have quotes in the range, sorted; only some symbols', if any are given."""
        found = self._asked(f"SELECT DISTINCT symbol, venue FROM '{self._table}'{_where(self._bounds)}")  # noqa: S608
        if found is None:
            return []
        return sorted(name for name in found.iter_rows() if not symbols or name[0] in symbols)

    def blocks(self, name: Name) -> Iterator[pl.DataFrame]:
        """Yield an instrument's quotes by (event time, sequence), columns as in `TICK_COLUMNS`."""
        own = [f"{column} = {_quoted(value)}" for column, value in zip(("symbol", "venue"), name, strict=True)]
        columns = "cast(timestamp AS long) ts_event, symbol, venue, seq, bid, ask, bid_size, ask_size"
        reached: int | None = None
        while True:
            begun = [] if reached is None else [f"timestamp >= {reached}"]
            page = self._asked(
                f"SELECT {columns} FROM '{self._table}'{_where([*own, *self._bounds, *begun])} "  # noqa: S608 - quoted
                f"ORDER BY timestamp LIMIT {self._page_rows}"
            )
            if page is None or page.is_empty():
                return
            page = page.sort("ts_event", "seq", maintain_order=True)
            last = page["ts_event"][-1]
            if page.height < self._page_rows:
                yield page
                return
            if page["ts_event"][0] == last:
                raise NotReadable(f"{self._where}: {'.'.join(name)} has over {self._page_rows:,} quotes at {last} µs")
            # The page may end among quotes of one time: those come with the next page.
            yield page.filter(pl.col("ts_event") < last)
            reached = last

    def _asked(self, statement: str) -> pl.DataFrame | None:
        """Return the rows of a statement; None if there is no table."""
        try:
            answer = self._client.get("/exp", params={"query": statement})
        except httpx.TransportError as error:
            raise NotReadable(f"{self._where}: {error or type(error).__name__}") from error
        if answer.status_code == httpx.codes.BAD_REQUEST and ABSENT in answer.text:
            return None
        if answer.status_code != httpx.codes.OK:
            raise NotReadable(f"{self._where} answers {answer.status_code}: {answer.text[:200]}")
        head = answer.content.split(b"\r\n", 1)[0].decode().replace('"', "").split(",")
        kinds = {column: TICK_COLUMNS[column] for column in head}
        frame = pl.read_csv(io.BytesIO(answer.content), schema=kinds)
        return frame.select(name for name in TICK_COLUMNS if name in kinds)


def _where(conditions: list[str]) -> str:
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
