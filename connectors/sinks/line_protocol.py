"""Events as InfluxDB line protocol, column by column.

A line reads `ticks,symbol=EURUSD,venue=OANDA seq=1i,bid=1.08 1398902400000000`: table, tags, fields, time in µs.

Each product reads tags and times in its own way, so that lines are written in its `Dialect`. Control characters are
refused: QuestDB takes an unescaped carriage return for the end of a line, so that one event would become two.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

from tradewind.connectors.sinks.sink import PoisonBatch

CONTROL = r"[\x00-\x1f\x7f]"
Kind = Literal["long", "double", "time", "string"]
SUFFIX: dict[Kind, str] = {"long": "i", "double": "", "time": "t", "string": '"'}
PREFIX: dict[Kind, str] = {"long": "", "double": "", "time": "", "string": '"'}


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a product reads lines."""

    special: re.Pattern[str]
    """Characters of a tag that have a backslash before them."""
    time: str
    """What a field that is a time (µs) ends in."""
    nanoseconds: bool
    """Whether the time of a line is in nanoseconds: the last three digits of a sequence then tell apart what happened
    within a microsecond."""


QUESTDB = Dialect(re.compile(r"([,= \\])"), "t", nanoseconds=False)
INFLUXDB = Dialect(re.compile(r"([,= ])"), "i", nanoseconds=True)
"""In InfluxDB a backslash is a letter like any other, unless one of the three follows (`tagEscapeCodes` of
`models/points.go`)."""
SHIFTS = 1000
"""Nanoseconds in a microsecond."""


@dataclass(frozen=True, slots=True)
class Field:
    """A column that is no tag."""

    name: str
    kind: Kind
    nullable: bool = False
    """Left out of the line where it is null, which QuestDB keeps as null."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How the events of one model are written: which columns are tags, fields and the time (µs)."""

    tags: tuple[str, ...]
    fields: tuple[Field, ...]
    time: str
    sequence: str | None = None
    """The column whose last three digits are the nanoseconds of a time, where the dialect has those."""


def escape_tag(value: str, dialect: Dialect = QUESTDB) -> str:
    """Return the value as it stands in a line."""
    return dialect.special.sub(r"\\\1", value)


def time_of(layout: Layout, dialect: Dialect) -> pl.Expr:
    """Return the time of each line, in the dialect's unit."""
    time = pl.col(layout.time).cast(pl.Int64)
    if not dialect.nanoseconds:
        return time
    shift = pl.lit(0) if layout.sequence is None else pl.col(layout.sequence) % SHIFTS
    return time * SHIFTS + shift


def lines(frame: pl.DataFrame, table: str, layout: Layout, dialect: Dialect = QUESTDB) -> bytes:
    """Return a line for each row; raises `PoisonBatch` that names the first row whose text has a control character."""
    strings = [*layout.tags, *(field.name for field in layout.fields if field.kind == "string")]
    refuse_control_characters(frame, strings)
    head = pl.concat_str(
        pl.lit(table), *(part for tag in layout.tags for part in (pl.lit(f",{tag}="), _escaped(frame, tag, dialect)))
    )
    body: list[pl.Expr] = []
    for field in layout.fields:
        separator = "," if body else " "
        body += _field(field, separator, dialect)
    line = pl.concat_str(head, *body, pl.lit(" "), time_of(layout, dialect).cast(pl.String), pl.lit("\n"))
    text: str = frame.select(line.str.join("")).item()
    return text.encode()


def _field(field: Field, separator: str, dialect: Dialect) -> Sequence[pl.Expr]:
    value = pl.col(field.name).cast(pl.String)
    suffix = dialect.time if field.kind == "time" else SUFFIX[field.kind]
    if field.kind == "string":
        value = value.str.replace_all(r'(["\\])', r"\$1")
    parts = [pl.lit(f"{separator}{field.name}={PREFIX[field.kind]}"), value, pl.lit(suffix)]
    if field.nullable:  # joining a null gives null
        return [pl.concat_str(*parts).fill_null("")]
    return parts


def _escaped(frame: pl.DataFrame, tag: str, dialect: Dialect) -> pl.Expr:
    """Return the tag's values, escaped: each distinct one once, for there are few."""
    values = frame[tag].unique().to_list()
    changed = {value: escaped for value in values if (escaped := escape_tag(value, dialect)) != value}
    return pl.col(tag).replace(changed) if changed else pl.col(tag)


def refuse_control_characters(frame: pl.DataFrame, columns: Sequence[str]) -> None:
    """Raise `PoisonBatch` that names the first row whose text has one."""
    for name in columns:
        texts = frame[name].cast(pl.String)
        if texts.unique().str.contains(CONTROL).any():
            index = texts.str.contains(CONTROL).arg_max()
            assert index is not None
            raise PoisonBatch(f"{name} holds a control character: {texts[index]!r}", index)
