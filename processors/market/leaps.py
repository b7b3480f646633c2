"""Ticks from the future: one that leaps ahead of its instrument's time waits until another one agrees.

A single tick that is dated years ahead would close its instrument's bars and make all that follows late; after a night
or a weekend the first tick is as far ahead, and right. A processor has no clock, but the next tick tells: where it
is as far ahead, time has gone on; where it is not, the doubted one was wrong.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tradewind.processors.identity import instrument
from tradewind.processors.market.quotes import Quotes
from tradewind.schemas.market import Tick

LEAP_US = 3_600_000_000


def doubt_key(symbol: str, venue: str) -> str:
    """Return where the state keeps the doubted tick of an instrument, of which there is one at most."""
    return f"doubted/{instrument(symbol, venue)}"


def first_in_doubt(
    quotes: Quotes, watermarks: Sequence[int | None], doubted: Sequence[Tick | None], leap_us: int
) -> int | None:
    """Return the place in the segment of the first quote that leaps ahead, or whose instrument has a doubted tick.

    `watermarks` (None: nothing came yet, so that any time is right) and `doubted` are those of the quotes' instruments.
    """
    found: list[int] = []
    for (_, _, rows), watermark, waiting in zip(quotes.each(), watermarks, doubted, strict=True):
        times, places = quotes.ts_event[rows], quotes.index[rows]
        before = int(times[0]) if watermark is None else watermark
        if waiting is not None:
            found.append(int(places[0]))
        elif int(times.max()) > min(before, int(times.min())) + leap_us:
            reached = np.maximum.accumulate(np.concatenate(([before], times[:-1])))
            leaps = np.flatnonzero(times > reached + leap_us)
            found += [int(places[leaps[0]])] if len(leaps) else []
    return min(found, default=None)
