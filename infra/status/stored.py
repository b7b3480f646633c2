"""What lies in the time-series store, as its reader tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tradewind.connectors.settings import Settings
from tradewind.connectors.timeseries.reader import NotReadable, Reader, open_reader
from tradewind.schemas.event import Event
from tradewind.schemas.market import Bar, Tick, Trade

READ_S = 3.0  # `status` answers in seconds: a store that takes longer to count is shown without its counts
MODELS: Mapping[str, type[Event]] = {"ticks": Tick, "trades": Trade, "bars": Bar}


@dataclass(frozen=True, slots=True)
class Stored:
    """The rows of the time-series store."""

    product: str
    """Such as `InfluxDB 2.8.0`; empty if it does not answer."""
    rows: Mapping[str, int] = field(default_factory=dict)
    """Table -> rows."""
    newest_us: Mapping[str, int] = field(default_factory=dict)
    """Table -> the latest event time, if it has rows."""
    trouble: str | None = None
    """Why nothing could be read; None if it was."""

    def to_json(self) -> dict[str, Any]:
        """Return what `status --json` prints."""
        tables = {name: {"rows": rows, "newest_us": self.newest_us.get(name)} for name, rows in self.rows.items()}
        return {"product": self.product, "tables": tables, "trouble": self.trouble}

    def __str__(self) -> str:
        """Return it in a line."""
        if self.trouble is not None:
            return f"stored: not counted: {self.trouble}"
        tables = (f"{name} {rows:,}{self._until(name)}" for name, rows in self.rows.items())
        return f"stored in {self.product}: {', '.join(tables)}"

    def _until(self, name: str) -> str:
        newest = self.newest_us.get(name)
        if newest is None:
            return ""
        return f" (until {datetime.fromtimestamp(newest / 1e6, UTC):%Y-%m-%d %H:%M:%S})"


def stored(settings: Settings) -> Stored | None:
    """Ask the time-series store what it holds; None if none is known."""
    if settings.influx.url is None:
        return None
    try:
        reader = open_reader(settings, READ_S)
    except NotReadable as error:
        return Stored("", trouble=str(error))
    try:
        return _read(reader)
    except NotReadable as error:
        return Stored(str(reader.product), trouble=str(error))
    finally:
        reader.close()


def _read(reader: Reader) -> Stored:
    rows = {name: reader.count(model) for name, model in MODELS.items()}
    last = {name: reader.last(MODELS[name]) for name, count in rows.items() if count}
    newest = {name: int(row["timestamp"]) for name, row in last.items() if row is not None}
    return Stored(str(reader.product), rows, newest)
