"""Bars as rows of columns: a bar of many is made when somebody looks at it, and a value of it when it is read.

A strategy reads a price or two of each bar. To make all values of a bar takes longer than most strategies do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields
from typing import Any, Protocol, cast

import numpy as np
import polars as pl

from tradewind.processors.batch import Columns, Micros, Rows, Segment
from tradewind.processors.market.closed import ClosedBars
from tradewind.schemas.market import Bar


class Source(Protocol):
    """Where the values of bars come from."""

    def column(self, name: str) -> Sequence[Any]:
        """Return (n,) values of a field of `Bar`, as the events have them."""
        ...


class BarColumns:
    """Bars by columns. A column has the name of its field, and is made when it is first read."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def __getattr__(self, name: str) -> Sequence[Any]:
        if name.startswith("_"):  # of copy and pickle
            raise AttributeError(name)
        values = self.__dict__[name] = self._source.column(name)
        return values

    def row(self, index: int) -> Bar:
        """Return one bar."""
        made = _new(BarRow)
        _set_columns(made, self)
        _set_row(made, index)
        return made


class BarRow(Bar):
    """A bar whose values stand in columns. It equals the `Bar` with its values; only `type` tells them apart."""

    __slots__ = ("_columns", "_row")
    _columns: BarColumns
    _row: int

    @property  # type: ignore[misc]
    def __class__(self) -> type[Bar]:  # type: ignore[override]  # so that a bar equals it, and `replace` makes one
        return Bar

    def __reduce__(self) -> tuple[Callable[..., Bar], tuple[dict[str, Any]]]:
        return Bar.from_dict, (self.to_dict(),)


def _reader(name: str) -> Any:
    read: Callable[[BarRow], Any] = eval(f"lambda self: self._columns.{name}[self._row]")  # noqa: S307 - the name of a field
    return property(read)


for _field in fields(Bar):
    setattr(BarRow, _field.name, _reader(_field.name))
_new = cast("Callable[[type[BarRow]], BarRow]", object.__new__)
_set_columns = cast("Any", BarRow.__dict__["_columns"]).__set__
_set_row = cast("Any", BarRow.__dict__["_row"]).__set__


class OfFrame:
    """Bars in a frame."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self._frame = frame

    def column(self, name: str) -> Sequence[Any]:
        """Return the values of a column."""
        return self._frame[name].to_list()


class BarSegment(Columns):
    """A run of bars that a market agent has just made (`ClosedBars`)."""

    __slots__ = ("columns", "table")
    table: ClosedBars
    columns: BarColumns

    def __init__(self, topic: str, table: ClosedBars, ts_ingest: Micros) -> None:
        of = {"topic": topic, "partition": 0, "model": Bar, "offsets": np.zeros(len(ts_ingest), np.int64)}
        columns = BarColumns(table.closed)
        for name, value in {**of, "ts_ingest": ts_ingest, "table": table, "columns": columns}.items():
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.table)

    @property
    def frame(self) -> pl.DataFrame:
        """The bars as a frame."""
        return self.table.frame


READ = ("symbol", "venue", "interval_s", "ts_event", "reached_ts", "mid_close")
Read = tuple[str, str, int, int, int, float]
"""What `READ` says, of one bar."""


def read(segment: Segment) -> tuple[Callable[[int], Bar], Iterable[Read]]:
    """Return a function from the place of a bar to the bar, and what is read of each bar of a segment."""
    if isinstance(segment, Rows):
        events = cast("Sequence[Bar]", segment.events)
        return events.__getitem__, _of_events(events)
    columns = columns_of(segment)
    return columns.row, cast("Iterable[Read]", zip(*(getattr(columns, name) for name in READ), strict=True))


def columns_of(segment: Columns) -> BarColumns:
    """Return the bars of a segment by columns."""
    return segment.columns if isinstance(segment, BarSegment) else BarColumns(OfFrame(segment.frame))


def _of_events(bars: Sequence[Bar]) -> Iterator[Read]:
    for bar in bars:
        yield bar.symbol, bar.venue, bar.interval_s, bar.ts_event, bar.reached_ts, bar.mid_close
