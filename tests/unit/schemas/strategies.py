"""Hypothesis strategies for events, driven by their schemas."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tradewind.schemas.codec import MODELS
from tradewind.schemas.codec.avro_type import (
    ArrayType,
    AvroType,
    DecimalType,
    EnumType,
    OptionalType,
    Plain,
    RecordType,
)
from tradewind.schemas.codec.catalog import NEWEST
from tradewind.schemas.event import Event

EDGES = sorted({sign * (2**bits + near) for bits in range(0, 63, 7) for near in (-1, 0, 1) for sign in (-1, 1)})
LONGS = st.one_of(st.integers(-(2**63), 2**63 - 1), st.sampled_from([*EDGES, 2**63 - 1, -(2**63)]))
TEXTS = st.one_of(st.text(max_size=20), st.sampled_from(["", "EURUSD", "a" * 12, "b" * 13, "é" * 40, "c" * 300]))
PLAIN: dict[str, st.SearchStrategy[Any]] = {
    "string": TEXTS,
    "bytes": st.binary(max_size=70),
    "long": LONGS,
    "int": st.integers(-(2**31), 2**31 - 1),
    "double": st.floats(),
    "boolean": st.booleans(),
}


def examples(count: int) -> settings:
    """Return settings for so many examples, however busy the machine is."""
    return settings(max_examples=count, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def values(kind: AvroType) -> st.SearchStrategy[Any]:
    """Return what models may hold for an Avro type."""
    match kind:
        case Plain(name):
            return PLAIN[name]
        case DecimalType(scale):
            whole = st.integers(-(10**38) + 1, 10**38 - 1)
            return whole.map(lambda unscaled: Decimal((unscaled < 0, tuple(map(int, str(abs(unscaled)))), -scale)))
        case EnumType(symbols):
            return st.sampled_from(symbols)
        case OptionalType(of):
            return st.none() | values(of)
        case ArrayType(items):
            return st.lists(values(items), max_size=3).map(tuple)
        case RecordType(fields=fields):
            return st.fixed_dictionaries({field.name: values(field.type) for field in fields})


def events(name: str) -> st.SearchStrategy[Event]:
    """Return events of one model, by its schema's full name."""
    return values(NEWEST[name]).map(lambda record: MODELS[name](**record))
