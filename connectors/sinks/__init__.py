"""Sinks write the events of topics to stores. `sink.py` says how to write one, `loop.py` how they run."""

from tradewind.connectors.sinks.counters import Counters
from tradewind.connectors.sinks.limits import Limits
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
