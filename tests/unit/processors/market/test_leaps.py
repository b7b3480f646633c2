"""The first quote in doubt is the one that a loop over the segment would stop at."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tradewind.processors.market.leaps import LEAP_US, doubt_key, first_in_doubt
from tradewind.processors.market.quotes import Quotes
from tradewind.schemas.market import Tick

LEAP = 10
A_QUOTE = st.tuples(st.integers(0, 2), st.integers(0, 40))
"""Of which instrument, and when."""
WATERMARKS = st.tuples(*[st.none() | st.integers(0, 40)] * 3)
WAITING = st.tuples(*[st.booleans()] * 3)
DOUBTED = Tick(symbol="X", venue="V", seq=0, ts_event=1, bid=1.0, ask=1.0)


def quotes_of(given_quotes: list[tuple[int, int]]) -> tuple[Quotes, list[int]]:
    """Return quotes by instrument, in the order of their arrival, and the instruments that have any."""
    present = sorted({which for which, _ in given_quotes})
    index = [at for of in present for at, (which, _) in enumerate(given_quotes) if which == of]
    bounds = np.cumsum([0, *(sum(which == of for which, _ in given_quotes) for of in present)])
    times = np.array([given_quotes[at][1] for at in index], np.int64)
    zeros = np.zeros(len(index))
    places = np.array(index, np.int64)
    names = tuple((f"S{of}", "V") for of in present)
    return Quotes(names, tuple(bounds.tolist()), places, places, times, zeros, zeros, zeros), present


def expected(
    given_quotes: list[tuple[int, int]], watermarks: tuple[int | None, ...], waiting: tuple[bool, ...]
) -> int | None:
    """Return the place of the first quote in doubt, quote by quote."""
    reached = list(watermarks)
    for place, (which, at) in enumerate(given_quotes):
        before = reached[which]
        if waiting[which] or (before is not None and at > before + LEAP):
            return place
        reached[which] = at if before is None else max(before, at)
    return None


@given(st.lists(A_QUOTE, max_size=12), WATERMARKS, WAITING)
def test_the_first_in_doubt_is_where_a_loop_would_stop(
    given_quotes: list[tuple[int, int]], watermarks: tuple[int | None, ...], waiting: tuple[bool, ...]
) -> None:
    """Over all instruments, though each is judged by its own time."""
    quotes, present = quotes_of(given_quotes)
    found = first_in_doubt(
        quotes, [watermarks[of] for of in present], [DOUBTED if waiting[of] else None for of in present], LEAP
    )
    assert found == expected(given_quotes, watermarks, waiting)


def test_an_hour_ahead_is_no_leap_and_a_microsecond_more_is_one() -> None:
    """Sessions begin later than that after the one before, and feeds stumble for less."""
    for ahead, leaps in ((LEAP_US, None), (LEAP_US + 1, 1)):
        quotes, _ = quotes_of([(0, 1), (0, 1 + ahead)])
        assert first_in_doubt(quotes, [None], [None], LEAP_US) == leaps
    assert LEAP_US == 3600 * 1_000_000


def test_a_doubted_tick_is_kept_by_instrument() -> None:
    """One of another venue is another instrument's."""
    assert doubt_key("EURUSD", "OANDA") == "doubted/EURUSD.OANDA"
