"""Fold quotes into candles: prices, count and sums of each interval, exactly, however the quotes are cut.

Candles of a segment are columns, for a quiet market makes nearly as many as it has quotes; a `Candle` is one of them
that stays open.

Prices are kept as they came, so highs and lows need no rounding. Sums are whole numbers, so the order of adding does
not matter: spreads in 10^-10 of the quote currency, volumes in 10^-6 units. A quote adds at most 10^18 to either
(limits in `schemas/ranges.py`), and the sums are stored with 38 digits, so that 10^20 quotes fit in one bar.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple, cast

import numpy as np

from tradewind.processors.market.quotes import Floats, Ints

SECOND_US = 1_000_000
SPREAD_SCALE = 10**10  # as fine as every decimal price
VOLUME_SCALE = 10**6
PRICES = 12  # of a candle: four of each of three sides
SUM_LIMIT = 2**63 - 1  # above this a sum of a segment is made with Python's unbounded integers


class Candle(NamedTuple):
    """The quotes of one instrument and interval so far; its fields are, in this order, the columns of `Candles`."""

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


class Candles(NamedTuple):
    """n candles, column by column."""

    instrument: Ints
    """(n,) number of the instrument."""
    interval_s: Ints
    ts_start: Ints
    quotes: Ints
    """(n,) how many."""
    quote_ts: Ints
    """(n,) event time of the newest quote by arrival, µs."""
    spread_sum: Ints
    """(n,) in 10^-10 of the quote currency; Python's integers where 64 bits do not hold them."""
    volume_sum: Ints
    """(n,) in 10^-6 units; likewise."""
    prices: Floats
    """(12, n): open, high, low and close of mid, of bid, and of ask."""

    @property
    def ts_end(self) -> Ints:
        """(n,) end of each interval, exclusive, µs."""
        return self.ts_start + self.interval_s * SECOND_US

    def take(self, rows: Any) -> Candles:
        """Return some of the candles."""
        return Candles._make(column[..., rows] for column in self)

    def one(self, row: int) -> Candle:
        """Return one candle."""
        prices = self.prices[:, row].tolist()
        return Candle(*(int(column[row]) for column in self[1:-1]), *prices)

    @classmethod
    def of(cls, instruments: Sequence[int], candles: Sequence[Candle]) -> Candles:
        """Return candles as columns."""
        numbers = list(zip(*(candle[:6] for candle in candles), strict=True)) or [()] * 6
        sums = (_fitting(column) for column in numbers[4:])
        prices = np.array([candle[6:] for candle in candles], np.float64).reshape(-1, PRICES).T
        whole = [np.array(column, np.int64) for column in (instruments, *numbers[:4])]
        return cls._make([*whole, *sums, prices])


def _fitting(sums: Sequence[int]) -> Ints:
    wide = any(value > SUM_LIMIT for value in sums)
    return np.array(sums, object if wide else np.int64)


def joined(parts: Sequence[Candles]) -> Candles:
    """Return the candles of several parts, each interval of an instrument once, sorted by instrument.

    Where two parts have the same one, all quotes of the part that is named first arrived before the other's.
    """
    columns = [np.concatenate(column, axis=-1) for column in zip(*parts, strict=True)]
    every = Candles(*columns)
    order = np.lexsort((every.ts_start, every.interval_s, every.instrument))  # stable: earlier parts come first
    every = every.take(order)
    same = (
        (every.instrument[1:] == every.instrument[:-1])
        & (every.interval_s[1:] == every.interval_s[:-1])
        & (every.ts_start[1:] == every.ts_start[:-1])
    )
    if not same.any():
        return every
    first = np.concatenate(([0], np.flatnonzero(~same) + 1))
    last = np.append(first[1:], len(order)) - 1
    prices = every.prices[:, last]
    for side in range(0, PRICES, 4):
        prices[side] = every.prices[side, first]
        prices[side + 1] = np.maximum.reduceat(every.prices[side + 1], first)
        prices[side + 2] = np.minimum.reduceat(every.prices[side + 2], first)
    return Candles(
        every.instrument[first],
        every.interval_s[first],
        every.ts_start[first],
        np.add.reduceat(every.quotes, first),
        every.quote_ts[last],
        _sums(every.spread_sum, first),
        _sums(every.volume_sum, first),
        prices,
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


def fold(prices: Prices, interval_s: int) -> Candles:
    """Return the candles of some quotes, at least one, sorted by instrument and start."""
    interval = interval_s * SECOND_US
    start = prices.ts_event // interval * interval
    same = prices.instrument[1:] == prices.instrument[:-1]
    if (same & (start[1:] < start[:-1])).any():  # quotes out of order, within the grace
        order = np.lexsort((start, prices.instrument))  # stable: arrival order within a candle
        prices, start = prices.take(order), start[order]
        same = prices.instrument[1:] == prices.instrument[:-1]
    first = np.concatenate(([0], np.flatnonzero(~same | (start[1:] != start[:-1])) + 1))
    last = np.append(first[1:], len(start)) - 1
    sides: list[Floats] = []
    for side in prices.sides:
        sides += [side[first], np.maximum.reduceat(side, first), np.minimum.reduceat(side, first), side[last]]
    return Candles(
        prices.instrument[first],
        np.full(len(first), interval_s),
        start[first],
        last - first + 1,
        prices.ts_event[last],
        _sums(prices.spread, first),
        _sums(prices.volume, first),
        np.stack(sides),
    )


def _sums(values: Ints, first: Ints) -> Ints:
    if values.dtype == object or int(values.max()) * len(values) > SUM_LIMIT:
        values = values.astype(object)
    return cast("Ints", np.add.reduceat(values, first))


def means(sums: Ints, counts: Ints, scale: int) -> Floats:
    """Return sums / (scale * counts), each the double nearest to the exact quotient."""
    exact = 2**53  # up to here a double holds every integer, and IEEE rounds a quotient of two doubles once
    small = sums.dtype != object and int(sums.max(initial=0)) <= exact and int(counts.max(initial=0)) <= exact // scale
    if small:
        found: Floats = sums / (counts * scale)
        return found
    whole = zip(sums.tolist(), counts.tolist(), strict=True)
    return np.array([total / (scale * count) for total, count in whole], np.float64)
