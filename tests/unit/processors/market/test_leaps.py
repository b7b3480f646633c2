"""Quotes are weighed as a loop over the segment would weigh them, and nothing is touched that there is no doubt of."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tradewind.processors.market.leaps import FIRST_LOOK, LEAP_US, Weighed, doubt_key, weigh
from tradewind.processors.market.quotes import quotes_of
from tradewind.schemas.market import Tick
from tradewind.testing import columns

LEAP = 10
A_QUOTE = st.tuples(st.integers(0, 2), st.integers(0, 60))
"""Of which instrument, and when."""
WATERMARKS = st.tuples(*[st.none() | st.integers(0, 40)] * 3)
WAITING = st.tuples(*[st.none() | st.integers(0, 60)] * 3)
BEFORE = 1_000  # sequences of ticks that were in doubt before


def tick(which: int, ts_event: int, seq: int) -> Tick:
    """Return a quote of one of the instruments."""
    return Tick(symbol=f"S{which}", venue="V", seq=seq, ts_event=ts_event, bid=1.0 + seq, ask=2.0 + seq)


def weighed(
    ticks: list[Tick],
    watermarks: tuple[int | None, ...],
    waiting: tuple[Tick | None, ...],
    leap: int = LEAP,
    look: int = FIRST_LOOK,
) -> Weighed | None:
    """Weigh a segment."""
    segment = columns(ticks)
    quotes = quotes_of(segment)
    present = [int(symbol[1:]) for symbol, _ in quotes.instruments]
    known = [watermarks[of] for of in present], [waiting[of] for of in present]
    return weigh(segment, quotes, *known, leap, first_look=look)


@given(st.lists(A_QUOTE, min_size=1, max_size=14), WATERMARKS, WAITING, st.sampled_from([1, 2, 64]))
def test_quotes_are_weighed_as_a_loop_would(
    given_quotes: list[tuple[int, int]], watermarks: tuple[int | None, ...], times: tuple[int | None, ...], look: int
) -> None:
    """What goes and where, what is set aside and where, and what is in doubt in the end; each by its own time."""
    ticks = [tick(which, at, seq) for seq, (which, at) in enumerate(given_quotes)]
    waiting = [None if at is None else tick(which, at, BEFORE + which) for which, at in enumerate(times)]
    before, reached = list(waiting), list(watermarks)
    goes: dict[str, list[tuple[int, int]]] = {}
    aside: list[tuple[int, Tick]] = []
    for place, one in enumerate(ticks):
        which = given_quotes[place][0]
        lane, doubted, known = goes.setdefault(one.symbol, []), waiting[which], reached[which]
        if doubted is not None and (known is None or one.ts_event > known + LEAP):
            if one.ts_event < doubted.ts_event - LEAP:
                aside.append((place, doubted))
            else:
                lane.append((doubted.seq, place))
                reached[which] = known = doubted.ts_event
        elif doubted is not None:
            aside.append((place, doubted))
        waiting[which] = None
        if known is None or one.ts_event > known + LEAP:
            waiting[which] = one
        else:
            lane.append((one.seq, place))
            reached[which] = max(known, one.ts_event)
    found = weighed(ticks, watermarks, tuple(before), look=look)
    if found is None:
        assert not aside
        assert waiting == before
        return
    shown = {name: rows for (name, _, rows) in found.quotes.each()}
    assert {
        name: list(zip(found.quotes.seq[rows].tolist(), found.quotes.index[rows].tolist(), strict=True))
        for name, rows in shown.items()
    } == {name: lane for name, lane in goes.items() if lane}
    assert (found.quotes.bid == 1.0 + found.quotes.seq).all()
    assert sorted(found.discarded, key=lambda one: one[0]) == aside
    for (name, _), doubted in found.in_doubt.items():
        assert doubted == waiting[int(name[1:])]


@given(st.lists(A_QUOTE, min_size=1, max_size=14), WATERMARKS)
def test_without_a_leap_there_is_nothing_to_weigh(
    given_quotes: list[tuple[int, int]], watermarks: tuple[int | None, ...]
) -> None:
    """And with one there is: what is quick in the steady state is no less exact."""
    reached = list(watermarks)
    leaps = False
    for which, at in given_quotes:
        known = reached[which]
        leaps |= known is None or at > known + LEAP
        reached[which] = at if known is None else max(known, at)
    ticks = [tick(which, at, seq) for seq, (which, at) in enumerate(given_quotes)]
    assert (weighed(ticks, watermarks, (None,) * 3) is not None) == leaps


def test_an_hour_ahead_is_no_leap_and_a_microsecond_more_is_one() -> None:
    """Sessions begin later than that after the one before, and feeds stumble for less."""
    for ahead, leaps in ((LEAP_US, False), (LEAP_US + 1, True)):
        found = weighed([tick(0, 1, 0), tick(0, 1 + ahead, 1)], (1,), (None,), LEAP_US)
        assert (found is not None) == leaps


def test_a_first_quote_goes_with_the_second_one_that_is_an_hour_behind_at_the_most() -> None:
    """One that is later agrees, however much; one that is a microsecond further behind takes its place."""
    for second, goes in ((None, []), (-LEAP_US, [0, 1]), (-LEAP_US - 1, []), (LEAP_US, [0, 1]), (LEAP_US + 1, [0])):
        ticks = [tick(0, 2 * LEAP_US, 0), *([] if second is None else [tick(0, 2 * LEAP_US + second, 1)])]
        found = weighed(ticks, (None,), (None,), LEAP_US)
        assert found is not None
        assert found.quotes.seq.tolist() == goes, second


def test_a_doubted_tick_is_kept_by_instrument() -> None:
    """One of another venue is another instrument's."""
    assert doubt_key("EURUSD", "OANDA") == "doubted/EURUSD.OANDA"
