"""Reads what lies in the time-series store, the same way from each product: no caller writes SQL or Flux.

A row is a dict of the table's columns, times being µs as in the events: `timestamp` is the event's time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx

from tradewind.connectors.settings import ServiceNotConfigured, Settings
from tradewind.connectors.timeseries.product import NoTimeSeriesStore, Product, ask
from tradewind.schemas.event import Event

Row = dict[str, Any]
READ_S = 30.0  # counting what lies in a large table reads it
MOST_ROWS = 1_000


class NotReadable(RuntimeError):
    """The store does not answer, refuses, or is one that nothing is read from; the message says which."""


@dataclass(frozen=True, slots=True)
class Where:
    """Which rows are meant."""

    since_us: int | None = None
    """The first event time."""
    until_us: int | None = None
    """The first event time that is not meant."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Values of tags, such as `symbol`."""


ALL = Where()


class Reader(Protocol):
    """What lies in a store. For one thread. Every method raises `NotReadable`."""

    product: Product

    def count(self, model: type[Event], where: Where = ALL) -> int:
        """Return how many events of a model there are."""
        ...

    def last(self, model: type[Event], where: Where = ALL) -> Row | None:
        """Return the row with the latest event time; None if there is none."""
        ...

    def rows(self, model: type[Event], where: Where = ALL, limit: int = MOST_ROWS) -> Sequence[Row]:
        """Return the first rows in order of their event time, `limit` at the most."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


def open_reader(settings: Settings, timeout_s: float = READ_S) -> Reader:
    """Return the reader for the store that answers; raises `NotReadable` if none does."""
    from tradewind.connectors.timeseries.influxdb import InfluxDbReader  # noqa: PLC0415 - they are readers themselves
    from tradewind.connectors.timeseries.questdb import QuestDbReader  # noqa: PLC0415

    if settings.influx.url is None:
        raise ServiceNotConfigured(
            "no time-series store is known: start one by `./dev up`, or set TRADEWIND_INFLUX__URL"
        )
    try:
        product = ask(settings.influx)
    except (httpx.TransportError, NoTimeSeriesStore) as error:
        raise NotReadable(f"{settings.influx.url}: {error or type(error).__name__}") from error
    if product.kind == "questdb":
        return QuestDbReader(settings, product, timeout_s)
    if not product.reads_flux:
        raise NotReadable(f"{product} at {settings.influx.url} cannot be queried: only InfluxDB 2 has Flux")
    return InfluxDbReader(settings, product, timeout_s)
