"""The bars of candles that close: a table whose frame is made for those who need one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, overload

import numpy as np
import numpy.typing as npt
import polars as pl

from tradewind.processors.batch import Table
from tradewind.processors.identity import id_with, instrument
from tradewind.processors.market.candles import SPREAD_SCALE, VOLUME_SCALE, Candles, means
from tradewind.processors.market.quotes import Ints
from tradewind.schemas.market import Bar

PRICE_FIELDS: Final = tuple(
    f"{side}_{part}" for side in ("mid", "bid", "ask") for part in ("open", "high", "low", "close")
)
FIELDS: Final = (
    "event_id",
    "tenant_id",
    "ts_event",
    "ts_ingest",
    "correlation_id",
    "causation_id",
    "symbol",
    "venue",
    "interval_s",
    "ts_start",
    "ts_end",
    "revision",
    *PRICE_FIELDS,
    "spread_mean",
    "count",
    "volume",
    "quote_ts",
    "reached_ts",
)
"""Columns of the frame, in their order."""
IDS: Final = frozenset({"event_id", "correlation_id", "causation_id"})  # ticks have no ids: a chain starts with its bar


class Closed(NamedTuple):
    """n candles that close, in the order in which their bars are sent."""

    candles: Candles
    ts_event: Ints
    """(n,) event time of the bar, µs."""
    reached: Ints
    """(n,) what each promises, µs."""
    ts_ingest: Ints
    """(n,) of the record that closes each, µs."""
    instruments: Sequence[tuple[str, str]]
    """(symbol, venue) of the candles' instruments."""

    def column(self, name: str) -> Sequence[Any]:
        """Return (n,) values of a field of the bars. An id is computed when it is read."""
        if name in IDS:
            return Ids(self)
        if name in {"symbol", "venue"}:
            names = [of[name == "venue"] for of in self.instruments]
            return [names[number] for number in self.candles.instrument.tolist()]
        if name == "tenant_id":
            return [None] * len(self.ts_event)
        values: Sequence[Any] = self.numbers(name).tolist()
        return values

    def numbers(self, name: str) -> npt.NDArray[Any]:
        """Return (n,) values of a field that holds numbers."""
        candles, one = self.candles, np.ones(len(self.ts_event), np.int64)
        if name in PRICE_FIELDS:
            of_side: npt.NDArray[Any] = candles.prices[PRICE_FIELDS.index(name)]
            return of_side
        match name:
            case "ts_event" | "ts_ingest":
                found: npt.NDArray[Any] = getattr(self, name)
                return found
            case "reached_ts":
                return self.reached
            case "count":
                return candles.quotes
            case "revision":
                return one - 1
            case "spread_mean":
                return means(candles.spread_sum, candles.quotes, SPREAD_SCALE)
            case "volume":
                return means(candles.volume_sum, one, VOLUME_SCALE)
        of_candle: npt.NDArray[Any] = getattr(candles, name)
        return of_candle


class Ids(Sequence[str]):
    """The ids of bars. A backtest needs those of the bars that lead to something."""

    def __init__(self, closed: Closed) -> None:
        names = [instrument(*name) for name in closed.instruments]
        candles = closed.candles
        self._of: list[tuple[int, int]] = list(
            zip(candles.instrument.tolist(), candles.interval_s.tolist(), strict=True)
        )
        self._starts: list[int] = candles.ts_start.tolist()
        self._id: dict[tuple[int, int], Callable[[int], str]] = {
            of: id_with("Bar", names[of[0]], of[1], after=0) for of in set(self._of)
        }

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, place: int) -> str: ...

    @overload
    def __getitem__(self, place: slice) -> list[str]: ...

    def __getitem__(self, place: int | slice) -> str | list[str]:
        """Return the id of a bar, or of several."""
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        return self._id[self._of[place]](self._starts[place])


class ClosedBars(Table):
    """Bars that close, as a table."""

    __slots__ = ("_made", "closed")
    closed: Closed
    _made: pl.DataFrame | None

    def __init__(self, closed: Closed) -> None:
        for name, value in {"model": Bar, "closed": closed, "_made": None}.items():
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.closed.ts_event)

    def __reduce__(self) -> tuple[type[ClosedBars], tuple[Closed]]:
        """Return what makes it again: its frame is made from the candles."""
        return ClosedBars, (self.closed,)

    @property
    def frame(self) -> pl.DataFrame:
        """The bars as a frame."""
        if self._made is None:
            object.__setattr__(self, "_made", _frame(self.closed))
        assert self._made is not None
        return self._made


def _frame(closed: Closed) -> pl.DataFrame:
    ids = pl.Series(Ids(closed)[:], dtype=pl.String)
    texts = {"tenant_id": pl.Series([None] * len(ids), dtype=pl.String), **dict.fromkeys(IDS, ids)}
    for at, name in enumerate(("symbol", "venue")):
        names = pl.Series([of[at] for of in closed.instruments], dtype=pl.String)
        texts[name] = names.gather(closed.candles.instrument)
    return pl.DataFrame({name: texts[name] if name in texts else closed.numbers(name) for name in FIELDS})
