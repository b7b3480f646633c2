"""Fold quotes into candles: prices, count and sums of each interval, exactly, however the quotes are cut.

Prices are kept as they came, so highs and lows need no rounding. Sums are whole numbers, so the order of adding does
not matter: spreads in 10^-10 of the quote currency, volumes in 10^-6 units. A quote adds at most 10^18 to either
(limits in `quotes.py`), and the sums are stored with 38 digits, so that 10^20 quotes fit in one bar.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple, cast

import numpy as np

from tradewind.processors.market.quotes import Floats, Ints

SECOND_US = 1_000_000
SPREAD_SCALE = 10**10  # as fine as every decimal price
VOLUME_SCALE = 10**6
SUM_LIMIT = 2**63 - 1  # above this a sum of a segment is made with Python's unbounded integers


class Candle(NamedTuple):
    """The quotes of one instrument and interval so far."""

    interval_s: int
    ts_start: int
    quotes: int
    """How many."""
    quote_ts: int
    """Event time of the newest quote by arrival, µs."""
    spread_sum: int
    """In 10^-10 of the quote currency."""
    volume_sum: int
    """In 10^-6 units."""
    mid_open: float
    mid_high: float
    mid_low: float
    mid_close: float
    bid_open: float
    bid_high: float
    bid_low: float
    bid_close: float
    ask_open: float
    ask_high: float
    ask_low: float
    ask_close: float

    @property
    def ts_end(self) -> int:
        """End of the interval, exclusive, µs."""
        return self.ts_start + self.interval_s * SECOND_US

    def to_state(self) -> dict[str, Decimal | float | int]:
        """Return the record that `BarsState` keeps."""
        return self._asdict() | {"spread_sum": Decimal(self.spread_sum), "volume_sum": Decimal(self.volume_sum)}

    @classmethod
    def from_state(cls, record: Mapping[str, Decimal | float | int]) -> Candle:
        """Return the candle that a record of `BarsState` holds."""
        sums = {"spread_sum": int(record["spread_sum"]), "volume_sum": int(record["volume_sum"])}
        return cls(**cast("dict[str, Any]", {**record, **sums}))


def joined(earlier: Candle, later: Candle) -> Candle:
    """Return one candle of two of the same interval, of which one's quotes all arrived before the other's."""
    return Candle(
        interval_s=later.interval_s,
        ts_start=later.ts_start,
        quotes=earlier.quotes + later.quotes,
        quote_ts=later.quote_ts,
        spread_sum=earlier.spread_sum + later.spread_sum,
        volume_sum=earlier.volume_sum + later.volume_sum,
        mid_open=earlier.mid_open,
        mid_high=max(earlier.mid_high, later.mid_high),
        mid_low=min(earlier.mid_low, later.mid_low),
        mid_close=later.mid_close,
        bid_open=earlier.bid_open,
        bid_high=max(earlier.bid_high, later.bid_high),
        bid_low=min(earlier.bid_low, later.bid_low),
        bid_close=later.bid_close,
        ask_open=earlier.ask_open,
        ask_high=max(earlier.ask_high, later.ask_high),
        ask_low=min(earlier.ask_low, later.ask_low),
        ask_close=later.ask_close,
    )


class Prices(NamedTuple):
    """n quotes in the order of arrival, one instrument after the other, ready to be folded."""

    instrument: Ints
    """(n,) number of the instrument, never falling."""
    ts_event: Ints
    """(n,) event time, µs."""
    sides: tuple[Floats, Floats, Floats]
    """(n,) each: mid, bid, ask."""
    spread: Ints
    """(n,) in 10^-10 of the quote currency."""
    volume: Ints
    """(n,) in 10^-6 units."""

    @classmethod
    def of(cls, instrument: Ints, ts_event: Ints, bid: Floats, ask: Floats, size: Floats) -> Prices:
        """Derive what candles are made of; each value depends on its own quote alone."""
        spread = np.rint((ask - bid) * SPREAD_SCALE).astype(np.int64)
        volume = np.rint(size * VOLUME_SCALE).astype(np.int64)
        return cls(instrument, ts_event, ((bid + ask) / 2, bid, ask), spread, volume)

    def take(self, rows: Any) -> Prices:
        """Return some of the rows."""
        mid, bid, ask = self.sides
        return Prices(
            self.instrument[rows],
            self.ts_event[rows],
            (mid[rows], bid[rows], ask[rows]),
            self.spread[rows],
            self.volume[rows],
        )


def fold(prices: Prices, interval_s: int) -> tuple[Ints, list[Candle]]:
    """Return (instrument of each candle, the candles), sorted by instrument and start."""
    interval = interval_s * SECOND_US
    start = prices.ts_event // interval * interval
    same = prices.instrument[1:] == prices.instrument[:-1]
    if (same & (start[1:] < start[:-1])).any():  # quotes out of order, within the grace
        order = np.lexsort((start, prices.instrument))  # stable: arrival order within a candle
        prices, start = prices.take(order), start[order]
        same = prices.instrument[1:] == prices.instrument[:-1]
    first = np.concatenate(([0], np.flatnonzero(~same | (start[1:] != start[:-1])) + 1))
    last = np.append(first[1:], len(start)) - 1
    columns: list[list[Any]] = [
        [interval_s] * len(first),
        start[first].tolist(),
        (last - first + 1).tolist(),
        prices.ts_event[last].tolist(),
        _sums(prices.spread, first),
        _sums(prices.volume, first),
    ]
    for side in prices.sides:
        highs, lows = np.maximum.reduceat(side, first), np.minimum.reduceat(side, first)
        columns += [side[first].tolist(), highs.tolist(), lows.tolist(), side[last].tolist()]
    return prices.instrument[first], list(map(Candle._make, zip(*columns, strict=True)))


def _sums(values: Ints, first: Ints) -> list[int]:
    if int(values.max()) * len(values) > SUM_LIMIT:
        return cast("list[int]", np.add.reduceat(values.astype(object), first).tolist())
    return cast("list[int]", np.add.reduceat(values, first).tolist())
