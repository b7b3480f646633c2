"""The newest marks of each instrument, so that a request is judged by none that is later than itself.

Instruments have event times of their own (docs/adr/0003-event-time.md), and a replay at full speed reads marks ahead of
requests. So one mark of each instrument would not do: several are kept, and a request takes the newest one that is not
dated after it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from decimal import Decimal
from typing import Final, NamedTuple

from tradewind.processors.batch import State
from tradewind.processors.identity import instrument
from tradewind.schemas.market import Mark
from tradewind.schemas.risk import MarkedState, MarksState

KEPT: Final = 64  # marks of an instrument: an hour, in 1.5 kB; requests that are further behind find none
MARKED: Final = "marked"


class Marked(NamedTuple):
    """What an instrument was worth."""

    name: str
    """`SYMBOL.VENUE`."""
    symbol: str
    ts_event: int
    price: Decimal


def keep_mark(state: State, mark: Mark) -> None:
    """Keep a mark among the newest `KEPT` of its instrument. Of two marks of one time, the later one stays."""
    name = instrument(mark.symbol, mark.venue)
    known = state.get(_key(name), MarksState)
    if known is None:
        known = MarksState(symbol=mark.symbol, venue=mark.venue, times=(), prices=())
        before = state.get(MARKED, MarkedState)
        names = () if before is None else before.instruments
        state.put(MARKED, MarkedState(instruments=tuple(sorted({*names, name}))))
    place = bisect_right(known.times, mark.ts_event)
    rest = place - 1 if place and known.times[place - 1] == mark.ts_event else place
    times = (*known.times[:rest], mark.ts_event, *known.times[place:])
    prices = (*known.prices[:rest], mark.price, *known.prices[place:])
    after = MarksState(symbol=mark.symbol, venue=mark.venue, times=times[-KEPT:], prices=prices[-KEPT:])
    state.put(_key(name), after)


def marks_at(state: State, ts_event: int, oldest: int) -> Iterator[Marked]:
    """Yield the newest mark of each instrument that is dated from `oldest` to `ts_event`, µs, by name."""
    known = state.get(MARKED, MarkedState)
    for name in () if known is None else known.instruments:
        of = state.get(_key(name), MarksState)
        place = 0 if of is None else bisect_right(of.times, ts_event)
        if of is not None and place and of.times[place - 1] >= oldest:
            yield Marked(name, of.symbol, of.times[place - 1], of.prices[place - 1])


def _key(name: str) -> str:
    return f"mark/{name}"
