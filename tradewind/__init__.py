"""Tradewind: an event-driven, multi-tenant trading platform around Apache Kafka.

The public names below load on first use, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tradewind.connectors.client import AsyncClient as AsyncClient
    from tradewind.connectors.client import Client as Client
    from tradewind.connectors.feeds import Feed as Feed
    from tradewind.connectors.kafka import consume as consume
    from tradewind.connectors.kafka import publish as publish
    from tradewind.connectors.kafka import read as read
    from tradewind.connectors.settings import Settings as Settings
    from tradewind.connectors.sinks import Sink as Sink
    from tradewind.processors.execution.matching import Venue as Venue
    from tradewind.processors.signals.strategy import Answer as Answer
    from tradewind.processors.signals.strategy import Strategy as Strategy
    from tradewind.processors.signals.strategy import View as View
    from tradewind.schemas.event import Event as Event
    from tradewind.schemas.execution import Fill as Fill
    from tradewind.schemas.execution import OrderEvent as OrderEvent
    from tradewind.schemas.execution import OrderRequest as OrderRequest
    from tradewind.schemas.market import Bar as Bar
    from tradewind.schemas.market import Heartbeat as Heartbeat
    from tradewind.schemas.market import News as News
    from tradewind.schemas.market import Tick as Tick
    from tradewind.schemas.market import Trade as Trade
    from tradewind.schemas.notifications import Alert as Alert
    from tradewind.schemas.portfolio import Position as Position
    from tradewind.schemas.risk import Decision as Decision
    from tradewind.schemas.risk import KillSwitch as KillSwitch
    from tradewind.schemas.runtime import DeadLetter as DeadLetter
    from tradewind.schemas.signals import Signal as Signal

__version__ = "0.1.0"

_HOMES = {
    "AsyncClient": "connectors.client",
    "Client": "connectors.client",
    "Feed": "connectors.feeds",
    "Settings": "connectors.settings",
    "Sink": "connectors.sinks",
    "Answer": "processors.signals.strategy",
    "Strategy": "processors.signals.strategy",
    "Venue": "processors.execution.matching",
    "View": "processors.signals.strategy",
    "consume": "connectors.kafka",
    "publish": "connectors.kafka",
    "read": "connectors.kafka",
    "Event": "schemas.event",
    "Alert": "schemas.notifications",
    "Bar": "schemas.market",
    "DeadLetter": "schemas.runtime",
    "Decision": "schemas.risk",
    "Fill": "schemas.execution",
    "Heartbeat": "schemas.market",
    "KillSwitch": "schemas.risk",
    "News": "schemas.market",
    "OrderEvent": "schemas.execution",
    "OrderRequest": "schemas.execution",
    "Position": "schemas.portfolio",
    "Signal": "schemas.signals",
    "Tick": "schemas.market",
    "Trade": "schemas.market",
}

__all__ = sorted(_HOMES)  # noqa: PLE0605 - the table above is the one list of public names


def __getattr__(name: str) -> Any:
    """Import a public name on first use; raises `AttributeError` for any other."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"tradewind has no {name!r}; public names are: {', '.join(__all__)}")
    value = getattr(import_module(f"tradewind.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return __all__
