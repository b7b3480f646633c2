"""The quotes of a segment as arrays, each instrument's together.

The runtime has checked the ranges that the schema states: prices are finite, and no bid is above its ask.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import polars as pl

from tradewind.processors.batch import Columns, Rows, Segment
from tradewind.schemas.market import Tick

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

FEW_ROWS = 256  # up to here a dictionary is faster than columns
FEW_INSTRUMENTS = 24  # up to here one comparison for each instrument is faster than a sort
SEPARATOR = "\x1f"  # no symbol contains it


@dataclass(frozen=True, slots=True)
class Quotes:
    """n quotes, sorted by instrument; those of one instrument are in the order of their arrival."""

    instruments: tuple[tuple[str, str], ...]
    """k instruments as (symbol, venue), sorted."""
    bounds: tuple[int, ...]
    """k + 1 rows: instrument i holds rows bounds[i] to bounds[i + 1]."""
    index: Ints
    """(n,) place in the segment."""
    seq: Ints
    """(n,) the source's sequence."""
    ts_event: Ints
    """(n,) event time, µs."""
    bid: Floats
    """(n,) price."""
    ask: Floats
    """(n,) price."""
    size: Floats
    """(n,) mean of bid size and ask size, units; a size that the source does not state counts as 0."""

    def __len__(self) -> int:
        return len(self.index)

    def each(self) -> Iterator[tuple[str, str, slice]]:
        """Iterate over (symbol, venue, rows) of the instruments."""
        for at, (symbol, venue) in enumerate(self.instruments):
            yield symbol, venue, slice(self.bounds[at], self.bounds[at + 1])

    def between(self, start: int, stop: int) -> Quotes:
        """Return the quotes at places [start, stop) of the segment, as those of a segment that begins at `start`."""
        parts: list[tuple[tuple[str, str], slice]] = []
        for number, name in enumerate(self.instruments):
            first, end = self.bounds[number], self.bounds[number + 1]
            low, high = self.index[first:end].searchsorted((start, stop)).tolist()
            if low < high:
                parts.append((name, slice(first + low, first + high)))
        rows = [of for _, of in parts]
        bounds = [0]
        for of in rows:
            bounds.append(bounds[-1] + of.stop - of.start)
        return Quotes(
            tuple(name for name, _ in parts),
            tuple(bounds),
            _picked(self.index, rows) - start,
            _picked(self.seq, rows),
            _picked(self.ts_event, rows),
            _picked(self.bid, rows),
            _picked(self.ask, rows),
            _picked(self.size, rows),
        )


def _picked(values: npt.NDArray[Any], rows: Sequence[slice]) -> npt.NDArray[Any]:
    return values[rows[0]] if len(rows) == 1 else np.concatenate([values[own] for own in rows or (slice(0),)])


class Quoted(Columns):
    """A segment of ticks whose quotes are known already. A part of it shares the quotes, and makes no frame."""

    __slots__ = ("_rows", "_whole", "quotes")
    quotes: Quotes
    _whole: Columns
    _rows: slice

    def __init__(self, whole: Columns, quotes: Quotes, rows: slice) -> None:
        """Take rows of a segment, and their quotes."""
        of: dict[str, Any] = {
            "topic": whole.topic,
            "partition": whole.partition,
            "model": whole.model,
            "offsets": whole.offsets[rows],
            "ts_ingest": whole.ts_ingest[rows],
            "quotes": quotes,
            "_whole": whole,
            "_rows": rows,
        }
        for name, value in of.items():
            object.__setattr__(self, name, value)

    @classmethod
    def of(cls, segment: Columns) -> Quoted:
        """Return a whole segment with its quotes."""
        return cls(segment, quotes_of(segment), slice(0, len(segment)))

    def __len__(self) -> int:
        return len(self.ts_ingest)

    @property
    def frame(self) -> pl.DataFrame:
        """The ticks as a frame."""
        return self._whole.frame[self._rows]

    def between(self, start: int, stop: int) -> Quoted:
        """Return the ticks at places [start, stop)."""
        first = self._rows.start
        return Quoted(self._whole, self.quotes.between(start, stop), slice(first + start, first + stop))


def quotes_of(segment: Segment) -> Quotes:
    """Return the quotes of a segment of ticks."""
    if isinstance(segment, Quoted):
        return segment.quotes
    frame = segment.frame if isinstance(segment, Columns) else _frame(segment)
    numbers = {name: frame[name].to_numpy() for name in ("seq", "ts_event", "bid", "ask")}
    bid_size, ask_size = _sizes(frame["bid_size"]), _sizes(frame["ask_size"])
    numbers["size"] = (bid_size + ask_size) / 2
    instruments, bounds, order = _grouped(frame["symbol"], frame["venue"])
    if order is None:
        return Quotes(instruments, bounds, np.arange(len(segment)), **numbers)
    return Quotes(instruments, bounds, order, **{name: values[order] for name, values in numbers.items()})


def tick_at(segment: Segment, index: int) -> Tick:
    """Return one tick of a segment, whole."""
    if isinstance(segment, Rows):
        return cast("Tick", segment.events[index])
    return Tick.from_dict(segment.frame.row(index, named=True))


def _frame(segment: Rows) -> pl.DataFrame:
    ticks = cast("list[Tick]", list(segment.events))
    return pl.DataFrame(
        {
            "symbol": [tick.symbol for tick in ticks],
            "venue": [tick.venue for tick in ticks],
            "seq": np.array([tick.seq for tick in ticks], np.int64),
            "ts_event": np.array([tick.ts_event for tick in ticks], np.int64),
            "bid": np.array([tick.bid for tick in ticks], np.float64),
            "ask": np.array([tick.ask for tick in ticks], np.float64),
            "bid_size": pl.Series([tick.bid_size for tick in ticks], dtype=pl.Float64),
            "ask_size": pl.Series([tick.ask_size for tick in ticks], dtype=pl.Float64),
        }
    )


def _sizes(column: pl.Series) -> Floats:
    """Return sizes with 0 for null."""
    nulls = column.null_count()
    if nulls == 0:
        return cast("Floats", column.to_numpy())
    if nulls == len(column):
        return np.zeros(nulls)
    return np.where(column.is_null().to_numpy(), 0.0, column.to_numpy())


def _grouped(symbol: pl.Series, venue: pl.Series) -> tuple[tuple[tuple[str, str], ...], tuple[int, ...], Ints | None]:
    """Return the instruments, the bounds of their rows, and the order that sorts by instrument (None: sorted)."""
    n = len(symbol)
    first = (symbol[0], venue[0])
    if n == 1 or ((symbol == first[0]).all() and (venue == first[1]).all()):
        return (first,), (0, n), None
    rows = _rows_by_name(symbol, venue) if n <= FEW_ROWS else _rows_by_column(symbol, venue)
    names = [(symbol[int(own[0])], venue[int(own[0])]) for own in rows]
    ordered = sorted(range(len(rows)), key=names.__getitem__)
    bounds = np.cumsum([0, *(len(rows[at]) for at in ordered)]).tolist()
    return tuple(names[at] for at in ordered), tuple(bounds), np.concatenate([rows[at] for at in ordered])


def _rows_by_name(symbol: pl.Series, venue: pl.Series) -> list[Ints]:
    rows: dict[tuple[str, str], list[int]] = {}
    for at, name in enumerate(zip(symbol.to_list(), venue.to_list(), strict=True)):
        rows.setdefault(name, []).append(at)
    return [np.array(own, np.int64) for own in rows.values()]


def _rows_by_column(symbol: pl.Series, venue: pl.Series) -> list[Ints]:
    key = symbol if (venue == venue[0]).all() else symbol + SEPARATOR + venue
    names = key.unique().to_list()
    if len(names) <= FEW_INSTRUMENTS:
        return [np.flatnonzero((key == name).to_numpy()) for name in names]
    codes = key.rank("dense").to_numpy()
    # Stable sorts of 16 bits are by radix, several times faster.
    narrow = codes.astype(np.uint16) if len(names) <= np.iinfo(np.uint16).max else codes
    order = np.argsort(narrow, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)
