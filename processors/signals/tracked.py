"""Instruments as the signals agent knows them while it processes a segment: read once, written once."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

from tradewind.processors.batch import State
from tradewind.processors.identity import instrument
from tradewind.processors.signals.volatility import next_variance
from tradewind.schemas.market import Bar
from tradewind.schemas.signals import InstrumentState, VolatilityState

INSTRUMENT: Final = "instrument/"
MINUTE_S: Final = 60


@dataclass(slots=True)
class _Moves:
    """How much an instrument moves, by its bars of one length."""

    mid_close: float
    variance: float


@dataclass(slots=True)
class Tracked:
    """One instrument."""

    symbol: str
    venue: str
    name: str
    known: bool = False
    """Whether it has had a bar."""
    reached: int = 0
    """How far its time has come, µs."""
    volatility: float = 0.0
    bid: float = 0.0
    ask: float = 0.0
    quote_ts: int = 0
    changed: bool = False
    moves: dict[int, _Moves | None] = field(default_factory=dict)
    """By the length of bars, seconds; None where there was no bar."""

    def on_bar(self, bar: Bar, volatility: float | None) -> None:
        """Note what a signal carries that is made before the next bar."""
        if not self.known:
            self.known, self.reached = True, bar.ts_event - 1
        if volatility is not None:
            self.volatility = volatility
        self.bid, self.ask, self.quote_ts = bar.bid_close, bar.ask_close, bar.quote_ts
        self.changed = True

    def reach(self, ts_event: int) -> None:
        """Note how far time has come."""
        if ts_event > self.reached:
            self.reached, self.changed = ts_event, True


class Instruments:
    """The instruments of a segment, over the task's state; `close` writes those that changed."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._known: dict[tuple[str, str], Tracked] = {}

    def of(self, symbol: str, venue: str) -> Tracked:
        """Return an instrument."""
        found = self._known.get((symbol, venue))
        if found is None:
            found = self._known[symbol, venue] = self._read(symbol, venue)
        return found

    def volatility(self, of: Tracked, bar: Bar) -> float:
        """Return the standard deviation of returns per minute after a bar; 0 before the second bar.

        Returns of bars of different lengths are compared by the square root of time, so that a signal's volatility
        means the same whatever bars it was made on.
        """
        length = bar.interval_s
        if length not in of.moves:
            kept = self._state.get(_moves_key(of.name, length), VolatilityState)
            of.moves[length] = None if kept is None else _Moves(kept.mid_close, kept.variance)
        before = of.moves[length]
        if before is None:
            of.moves[length] = _Moves(bar.mid_close, 0.0)
            return 0.0
        before.variance = next_variance(before.variance, before.mid_close, bar.mid_close)
        before.mid_close = bar.mid_close
        return math.sqrt(before.variance * MINUTE_S / length)

    def close(self) -> None:
        """Write what changed."""
        for of in self._known.values():
            if of.changed:
                self._state.put(f"{INSTRUMENT}{of.name}", _kept(of))
            for length, moves in of.moves.items():
                if moves is not None:
                    kept = VolatilityState(
                        symbol=of.symbol,
                        venue=of.venue,
                        interval_s=length,
                        mid_close=moves.mid_close,
                        variance=moves.variance,
                    )
                    self._state.put(_moves_key(of.name, length), kept)

    def _read(self, symbol: str, venue: str) -> Tracked:
        name = instrument(symbol, venue)
        kept = self._state.get(f"{INSTRUMENT}{name}", InstrumentState)
        if kept is None:
            return Tracked(symbol, venue, name)
        quote = kept.quote_bid, kept.quote_ask, kept.quote_ts
        return Tracked(symbol, venue, name, True, kept.reached, kept.volatility, *quote)  # noqa: FBT003 - it is known


def _moves_key(name: str, interval_s: int) -> str:
    return f"volatility/{name}/{interval_s}"


def _kept(of: Tracked) -> InstrumentState:
    return InstrumentState(
        symbol=of.symbol,
        venue=of.venue,
        reached=of.reached,
        volatility=of.volatility,
        quote_bid=of.bid,
        quote_ask=of.ask,
        quote_ts=of.quote_ts,
    )
