"""Find values that are out of their fields' ranges: in one event, and in columns of many.

Columns are judged by their least and largest values. Only where those are flawed are rows looked at one by one, so that
both ways find the same flaws and say the same of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any, Final, TypeAlias, cast

import nanoarrow as na
import numpy as np
import numpy.typing as npt
import polars as pl

from tradewind.schemas.event import UNKNOWN, Event
from tradewind.schemas.ranges import RANGES, TEXT, Ordered, Range, Rule, rule_of

SHOWN_CHARACTERS: Final = 60  # of a value in a reason: a text may have a million
VIEW_WORDS: Final = 4  # of 32 bits: a string's size comes first in its view
Flags: TypeAlias = npt.NDArray[np.bool_]
Flaws: TypeAlias = dict[int, str]
"""Place -> what is out of range there."""
_Holds: TypeAlias = Callable[[pl.DataFrame], bool]
_Marks: TypeAlias = Callable[[pl.DataFrame], Flags]


def flaw_of(event: Event) -> str | None:
    """Return which field of an event is out of its range, or which rule does not hold; None where all is well."""
    return next((said for _, said in _found(event)), None)


def every_flaw_of(event: Event) -> list[tuple[tuple[str, ...], str]]:
    """Return all fields of an event that are out of their ranges, and all rules that do not hold for the others.

    Each is (fields, text). The text of a single field begins with its name.
    """
    return [*_found(event)]


def _found(event: Event) -> Iterator[tuple[tuple[str, ...], str]]:
    if event.in_range():
        return
    flawed = set()
    for name, known in event.RANGES.items():
        value, of = getattr(event, name), RANGES[known]
        if value is not None and not of.holds(value):
            flawed.add(name)
            yield (name,), f"{name} is {_shown(value)}; its range is {of}"
    broken = False
    for text in event.RULES:
        rule = rule_of(text)
        if not flawed.intersection(rule.fields) and not _kept(rule, event):
            broken = True
            values = " and ".join(f"{name} is {_shown(getattr(event, name))}" for name in rule.fields)
            yield tuple(rule.fields), f"{values}; the rule is {text}"
    if not flawed and not broken:
        raise AssertionError(f"{type(event).__name__}: in_range() finds a flaw that its ranges and rules do not")


def flaws_of(events: Iterable[Event]) -> Flaws:
    """Return what is out of range in events, by their place; empty where all is well."""
    found = {}
    for at, event in enumerate(events):
        if not event.in_range():
            found[at] = cast("str", flaw_of(event))
    return found


def flaws_in(model: type[Event], frame: pl.DataFrame) -> Flaws:
    """Return what is out of range in rows of a frame of a model, by row; empty where all is well."""
    if not frame.height:
        return {}
    broken = [marks(frame) for holds, marks in _checks(model) if not holds(frame)]
    if not broken:
        return {}
    flawed = np.logical_or.reduce(broken)
    found = {}
    for row in np.flatnonzero(flawed).tolist():
        flaw = flaw_of(model.from_dict(frame.row(row, named=True)))
        if flaw is not None:
            found[row] = flaw
    return found


def _shown(value: object) -> str:
    if isinstance(value, str) and len(value) > SHOWN_CHARACTERS:
        return f"{value[:SHOWN_CHARACTERS]!r}... of {len(value)} characters"
    if isinstance(value, Decimal):
        return f"{value:f}"
    return repr(value) if isinstance(value, str) else str(value)


def _kept(rule: Rule, event: Event) -> bool:
    if not isinstance(rule, Ordered):
        other = getattr(event, rule.other)
        return bool(other == UNKNOWN or (getattr(event, rule.field) is not None) == (other == rule.value))
    less, more = getattr(event, rule.less), getattr(event, rule.more)
    if less is None or more is None:
        return True
    if rule.apart is not None:
        return bool(more - less <= rule.apart)
    return bool(less < more if rule.strict else less <= more)


def _checks(model: type[Event]) -> tuple[tuple[_Holds, _Marks], ...]:
    found = _known.get(model)
    if found is None:
        found = _known[model] = _compiled(model)
    return found


_known: dict[type[Event], tuple[tuple[_Holds, _Marks], ...]] = {}


def _compiled(model: type[Event]) -> tuple[tuple[_Holds, _Marks], ...]:
    """Return, for each range and rule, what tells that a frame has no flaw, and what marks rows that may have one."""
    bounded = {name: RANGES[of] for name, of in model.RANGES.items()}
    ranges = [_of_range(name, of) for name, of in bounded.items() if of.low is not None or of.high is not None]
    return (*ranges, *(_of_rule(rule_of(text)) for text in model.RULES))


def _of_range(name: str, of: Range) -> tuple[_Holds, _Marks]:
    def holds(frame: pl.DataFrame) -> bool:
        column = frame[name]
        if isinstance(column.dtype, pl.Decimal):
            low, high = column.min(), column.max()
            return low is None or (of.holds(low) and of.holds(high))
        values = _measured(column, of)
        # Every comparison with a NaN is false, and a NaN among values is their least and their largest one.
        return not len(values) or (of.holds(values.min()) and of.holds(values.max()))

    def marks(frame: pl.DataFrame) -> Flags:
        column = frame[name]
        flawed = ~_good(_measured(column, of), of)
        if not column.null_count():
            return flawed
        found = np.zeros(frame.height, np.bool_)
        found[np.flatnonzero(column.is_not_null().to_numpy())] = flawed
        return found

    return holds, marks


def _good(values: npt.NDArray[Any], of: Range) -> Flags:
    good = np.ones(len(values), np.bool_)
    if of.low is not None:
        good &= values > of.low if of.above else values >= of.low
    return good if of.high is None else good & (values <= of.high)


def _measured(column: pl.Series, of: Range) -> npt.NDArray[Any]:
    """Return the values that are not null, or what their ranges are about: the bytes of texts.

    A text has no more characters than bytes, so that one of too many bytes need not be flawed, but is looked at.
    """
    nulls = column.null_count()
    if nulls == len(column):
        return np.empty(0)
    if nulls:
        column = column.drop_nulls()
    return _text_bytes(column) if of.kinds == TEXT else cast("npt.NDArray[Any]", column.to_numpy())


def _text_bytes(column: pl.Series) -> npt.NDArray[np.int32]:
    """Return (n,) bytes of each text, as Arrow's views of strings say: polars' own count starts its threads for it."""
    parts = []
    for chunk in na.c_array_stream(column):
        views = np.asarray(chunk.view().buffer(1)).view(np.int32).reshape(-1, VIEW_WORDS)
        parts.append(views[chunk.offset : chunk.offset + chunk.length, 0])
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _of_rule(rule: Rule) -> tuple[_Holds, _Marks]:
    def kept(frame: pl.DataFrame) -> pl.Series:
        if not isinstance(rule, Ordered):
            other = frame[rule.other]
            return (other == UNKNOWN) | (frame[rule.field].is_not_null() == (other == rule.value))
        less, more = frame[rule.less], frame[rule.more]
        if rule.apart is not None:
            return more - less <= rule.apart
        return less < more if rule.strict else less <= more

    # A null keeps the rule. A NaN may, too: it is in no range.
    return lambda frame: kept(frame).all(), lambda frame: ~kept(frame).fill_null(value=True).to_numpy()
