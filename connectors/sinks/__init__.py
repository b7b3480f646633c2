"""Sinks write events to stores. `sink.py` says how to write one, `loop/` runs it; each store has a folder."""

from tradewind.connectors.sinks.loop.counters import Counters
from tradewind.connectors.sinks.loop.limits import Limits
from tradewind.connectors.sinks.sink import (
    Batch,
    Claim,
    KeepsPositions,
    Origin,
    OwnerFenced,
    PoisonBatch,
    Sink,
    SinkFactory,
    StoreUnavailable,
)

__all__ = [
    "Batch",
    "Claim",
    "Counters",
    "KeepsPositions",
    "Limits",
    "Origin",
    "OwnerFenced",
    "PoisonBatch",
    "Sink",
    "SinkFactory",
    "StoreUnavailable",
]
