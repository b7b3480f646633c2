"""Instruments as the signals agent knows them while it processes a segment: read once, written once."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from tradewind.processors.batch import State
from tradewind.processors.identity import instrument
from tradewind.processors.signals.answers import QUESTIONS
from tradewind.processors.signals.volatility import variance_after
from tradewind.schemas.market import Bar
from tradewind.schemas.signals import InstrumentState, QuestionsState, VolatilityState

INSTRUMENT: Final = "instrument/"
MINUTE_S: Final = 60
NONE: Final = -1
NEVER: Final = -(2**63)


@dataclass(slots=True)
class Moves:
    """How much an instrument moves, by its bars of one length."""

    interval_s: int
    mid_close: float | None = None
    """Before the bars of `closes`; None before the first bar of all."""
    variance: float = 0.0
    closes: list[float] = field(default_factory=list)
    """Mid closes of bars that the variance does not know yet."""

    def fold(self) -> None:
        """Let the variance know all bars."""
        if not self.closes:
            return
        before = self.closes[0] if self.mid_close is None else self.mid_close
        later = self.closes[self.mid_close is None :]
        self.variance = variance_after(self.variance, before, later)
        self.mid_close = self.closes[-1]
        self.closes.clear()

    @property
    def volatility(self) -> float:
        """The standard deviation of returns per minute; 0 before the second bar.

        Returns of bars of different lengths are compared by the square root of time, so that a signal's volatility
        means the same whatever bars it was made on.
        """
        self.fold()
        return math.sqrt(self.variance * MINUTE_S / self.interval_s)


@dataclass(slots=True)
class Tracked:
    """One instrument. What it takes from its newest bar is looked up when it is needed (`settle`)."""

    symbol: str
    venue: str
    name: str
    asks: bool = False
    """Whether there were questions about it."""
    known: bool = False
    """Whether it has had a bar."""
    reached: int = NEVER
    """How far its time has come, µs."""
    volatility: float = 0.0
    bid: float = 0.0
    ask: float = 0.0
    quote_ts: int = 0
    changed: bool = False
    moves: dict[int, Moves] = field(default_factory=dict)
    """By the length of bars, seconds."""
    newest: int = NONE
    """Place of the newest bar, which is not settled."""
    moved: Moves | None = None
    """Moves by the newest bar of a length that somebody looks at."""

    def settle(self, bar_at: Callable[[int], Bar]) -> None:
        """Look up what a signal carries."""
        if self.newest == NONE:
            return
        bar, self.newest = bar_at(self.newest), NONE
        self.bid, self.ask, self.quote_ts = bar.bid_close, bar.ask_close, bar.quote_ts
        if self.moved is not None:
            self.volatility = self.moved.volatility

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

    def moves(self, of: Tracked, interval_s: int) -> Moves:
        """Return how an instrument moves by bars of a length, which will change with the bar at hand."""
        kept = self._state.get(_moves_key(of.name, interval_s), VolatilityState)
        made = Moves(interval_s) if kept is None else Moves(interval_s, kept.mid_close, kept.variance)
        of.moves[interval_s] = made
        return made

    def close(self, bar_at: Callable[[int], Bar]) -> None:
        """Write what changed."""
        for of in self._known.values():
            if of.changed:
                of.settle(bar_at)
                self._state.put(f"{INSTRUMENT}{of.name}", _kept(of))
            for length, moves in of.moves.items():
                moves.fold()
                assert moves.mid_close is not None  # of the bar that it was read for
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
        asks = self._state.get(f"{QUESTIONS}{name}", QuestionsState) is not None
        if kept is None:
            return Tracked(symbol, venue, name, asks)
        quote = kept.quote_bid, kept.quote_ask, kept.quote_ts
        return Tracked(symbol, venue, name, asks, True, kept.reached, kept.volatility, *quote)  # noqa: FBT003 - it is known


def no_bar(place: int) -> Bar:
    """Stand for the bars of a segment that has none."""
    raise AssertionError(f"bar {place} of a segment without bars")


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
