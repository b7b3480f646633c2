"""Hypothesis strategies for events, driven by their schemas."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from functools import cache, partial
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tradewind.schemas.codec import MODELS
from tradewind.schemas.codec.avro_type import (
    ArrayType,
    AvroType,
    DecimalType,
    EnumType,
    Field,
    OptionalType,
    Plain,
    RecordType,
)
from tradewind.schemas.codec.catalog import NEWEST
from tradewind.schemas.codec.wire import WIDE
from tradewind.schemas.event import Event
from tradewind.schemas.ranges import LATER_END, RANGES, TIME_END, Present, rule_of

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
        case EnumType():
            return st.sampled_from(kind.written)
        case OptionalType(of):
            return st.none() | values(of)
        case ArrayType(items):
            return st.lists(values(items), max_size=3).map(tuple)
        case RecordType(fields=fields):
            return st.fixed_dictionaries({field.name: values(field.type) for field in fields})


@cache  # a strategy that is made for each example is checked for each, which takes longer than drawing
def events(name: str) -> st.SearchStrategy[Event]:
    """Return events of one model, by its schema's full name."""
    return values(NEWEST[name]).map(lambda record: MODELS[name](**record))


def _ranged(field: Field, known: str) -> st.SearchStrategy[Any]:
    """Return values of a field that are in a range."""
    of, kind = RANGES[known], field.type.of if isinstance(field.type, OptionalType) else field.type
    match kind:
        case Plain("string"):
            found: st.SearchStrategy[Any] = st.text(min_size=int(of.low or 0), max_size=20)
        case Plain("double"):
            found = st.floats(of.low, of.high) | st.floats(0.5, 2.0).filter(of.holds)
        case Plain("int" | "long" as name):
            bits = 31 if name == "int" else 63
            least = -(2**bits) if of.low is None else int(of.low)
            found = st.integers(least, 2**bits - 1 if of.high is None else int(of.high))
        case DecimalType(scale):
            widest = 10**38 - 1 if of.high is None else int(of.high) * 10**scale
            low = -widest if of.low is None else int(of.low) * 10**scale + of.above
            found = st.integers(low, widest) | st.integers(max(low, 1), 10 ** (scale + 6))
            found = found.map(lambda unscaled: Decimal(unscaled).scaleb(-scale, WIDE))
        case _:
            raise AssertionError(f"{field} has a range")
    return st.none() | found if isinstance(field.type, OptionalType) else found


@cache
def sound(name: str) -> st.SearchStrategy[Event]:
    """Return events of one model whose values are in their ranges, and whose rules hold."""
    model, record = MODELS[name], NEWEST[name]
    drawn = {
        field.name: _ranged(field, model.RANGES[field.name]) if field.name in model.RANGES else values(field.type)
        for field in record.fields
    }
    return st.fixed_dictionaries(drawn).map(partial(ruled, model)).filter(lambda event: event.in_range())


def ruled(model: type[Event], record: dict[str, Any]) -> Event:
    """Return an event of values, changed so that its rules hold where that is easily done."""
    for rule in map(rule_of, model.RULES):
        if isinstance(rule, Present):
            if record[rule.other] != rule.value:
                record[rule.field] = None
            elif record[rule.field] is None:
                record[rule.field] = Decimal(1) if rule.field == "limit_price" else 1
        elif rule.apart is not None:
            record[rule.more] = min(record[rule.more], record[rule.less] + rule.apart / 2)
        elif record[rule.less] > record[rule.more]:
            record[rule.less], record[rule.more] = record[rule.more], record[rule.less]
        elif rule.strict and record[rule.less] == record[rule.more]:
            record[rule.more] += 1
    return model(**record)


EDGES: dict[str, list[Any]] = {
    "double": [
        *(float("nan"), float("inf"), float("-inf"), 0.0, -0.0, 5e-324, -5e-324, 1e-10, 0.99e-10, 1.0, 1.0000001),
        *(-1.0, 1e8, 1.00001e8, 1e12, 1.00001e12, 1e24, 1.00001e24, 1e32, 1.00001e32, 1e308, -1e308),
    ],
    "long": [0, -1, -2, 1, 2**63 - 1, -(2**63), TIME_END, TIME_END + 1, LATER_END, LATER_END + 1],
    "int": [0, -1, 1, 86_400, 86_401, 2**31 - 1, -(2**31)],
    "decimal": [
        Decimal(number).scaleb(-10, WIDE) for number in (0, 1, -1, 10**25, 10**25 + 1, 10**38 - 1, -(10**38) + 1)
    ],
    "string": ["", "x", "é", "x" * 256, "é" * 256, "x" * 257, "é" * 257, "y" * 16_385, "z" * 65_537, "w" * 200_000],
}
"""Type -> values at and beyond the ends of ranges."""
PLAIN_ONES = {"string": "x", "bytes": b"x", "long": 1, "int": 1, "double": 1.0, "boolean": True}
ONES: dict[type, Any] = {
    Plain: lambda kind: PLAIN_ONES[kind.name],
    DecimalType: lambda kind: Decimal(1).quantize(Decimal(1).scaleb(-kind.scale)),
    EnumType: lambda kind: kind.written[0],
    ArrayType: lambda _: (),
    OptionalType: lambda _: None,
}


def ordinary(name: str, **values: Any) -> Event:
    """Return an event of a model that is in range: ones and short texts, but for some values."""
    drawn = {field.name: ONES[type(field.type)](field.type) for field in NEWEST[name].fields}
    return ruled(MODELS[name], drawn | {key: value for key, value in values.items() if key in drawn})


def near(name: str, **known: Any) -> st.SearchStrategy[Event]:
    """Return an ordinary event of a model with up to three fields changed to any value of their types, edges first."""
    base = ordinary(name, **known)
    changes = [st.tuples(st.just(field.name), _any(field.type)) for field in NEWEST[name].fields]
    return st.lists(st.one_of(changes), max_size=3).map(lambda found: replace(base, **dict(found)))  # type: ignore[type-var]


def _any(kind: AvroType) -> st.SearchStrategy[Any]:
    match kind:
        case OptionalType(of):
            return st.none() | _any(of)
        case DecimalType():
            return st.sampled_from(EDGES["decimal"]) | values(kind)
        case Plain(name) if name in EDGES:
            return st.sampled_from(EDGES[name]) | PLAIN[name]
        case EnumType(symbols):  # as a reader of a newer writer has it, too
            return st.sampled_from(symbols)
    return values(kind)
