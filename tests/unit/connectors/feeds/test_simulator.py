"""The simulated market: the same seed and position give the same prices, and the quotes are sane."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice, pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.connectors.feeds.feed import Bounds, FeedError, SourcePosition
from tradewind.connectors.feeds.simulator.sessions import Calendar, is_open
from tradewind.connectors.feeds.simulator.simulator import Simulator
from tradewind.connectors.feeds.simulator.walk import CHUNK, INSTRUMENTS, draw, initial

WEDNESDAY = int(datetime(2026, 1, 7, 9, tzinfo=UTC).timestamp()) * 1_000_000
SATURDAY = int(datetime(2026, 1, 10, 9, tzinfo=UTC).timestamp()) * 1_000_000
SECOND = 1_000_000
ALL = Bounds(1_000_000, 2**62)


def ticks(simulator: Simulator, position: SourcePosition | None = None, bounds: Bounds = ALL) -> pl.DataFrame:
    """Return what a simulator with an end gives."""
    return pl.concat(block.ticks for block in simulator.read(position or SourcePosition(), bounds))


def test_a_seed_tells_the_prices() -> None:
    """The same seed gives the same quotes, another one others."""
    one = Simulator(seed=1, start_us=WEDNESDAY, count=5000)
    assert ticks(one).equals(ticks(one))
    assert not ticks(one)["bid"].equals(ticks(Simulator(seed=2, start_us=WEDNESDAY, count=5000))["bid"])


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=6), st.integers(0, 5))
@settings(deadline=None, max_examples=30)
def test_a_killed_simulator_goes_on_as_if_it_were_not(sizes: list[int], at: int) -> None:
    """However it is read, and wherever it is stopped, the quotes are those of one run."""
    count = sum(sizes)
    whole = ticks(Simulator(seed=7, start_us=WEDNESDAY, count=count))
    position, parts = SourcePosition(), []
    for number, size in enumerate(sizes):
        bounds = Bounds(size, 2**62) if number != at else Bounds(size, max(1, size * 500))
        block = next(iter(Simulator(seed=7, start_us=WEDNESDAY, count=count).read(position, bounds)))
        parts.append(block.ticks)
        position = block.next
    parts.append(
        ticks(Simulator(seed=7, start_us=WEDNESDAY, count=count), position)
    ) if position.record < count else None
    assert pl.concat(parts).equals(whole)


def test_another_rate_goes_on_from_the_same_price() -> None:
    """What was begun at the old rate is finished with it; the price does not jump."""
    first = next(
        iter(Simulator(seed=3, rate=10, start_us=WEDNESDAY, count=10_000).read(SourcePosition(), Bounds(500, 2**62)))
    )
    after = ticks(Simulator(seed=3, rate=5000, start_us=WEDNESDAY, count=10_000), first.next)
    for symbol in ("EURUSD", "XAUUSD", "BTCUSDT"):
        before = first.ticks.filter(symbol=symbol)["bid"][-1]
        assert after.filter(symbol=symbol)["bid"][0] == pytest.approx(before, rel=2e-3)


def test_quotes_are_quotes() -> None:
    """Bids are below asks, prices on the instrument's grid and near their usual level, sizes above zero."""
    found = ticks(Simulator(seed=11, start_us=WEDNESDAY, count=300_000))
    assert set(found["symbol"].unique()) == {instrument.symbol for instrument in INSTRUMENTS}
    for instrument in INSTRUMENTS:
        mine = found.filter(symbol=instrument.symbol)
        assert (mine["bid"] < mine["ask"]).all()
        assert (mine["bid_size"] > 0).all()
        assert mine["bid"].round(instrument.digits).equals(mine["bid"])
        assert mine["bid"].is_between(instrument.price * 0.9, instrument.price * 1.1).all()
    assert found["seq"].is_sorted()
    assert found["ts_event"].is_sorted()


def test_forex_and_gold_close_at_the_weekend() -> None:
    """Bitcoin trades on; the draws of the others are counted as skipped."""
    blocks = list(Simulator(start_us=SATURDAY, count=3000).read(SourcePosition(), ALL))
    assert set(pl.concat(block.ticks for block in blocks)["symbol"]) == {"BTCUSDT"}
    assert sum(block.ticks.height + block.skipped for block in blocks) == 3000
    assert set(ticks(Simulator(start_us=SATURDAY, count=3000, sessions=False))["symbol"]) == {
        "EURUSD",
        "XAUUSD",
        "BTCUSDT",
    }


@pytest.mark.parametrize(
    ("calendar", "weekday", "hour", "expected"),
    [
        (Calendar.FOREX, 4, 21, True),
        (Calendar.FOREX, 4, 22, False),
        (Calendar.FOREX, 6, 21, False),
        (Calendar.FOREX, 6, 22, True),
        (Calendar.METAL, 1, 22, False),
        (Calendar.METAL, 1, 23, True),
        (Calendar.ALWAYS, 5, 12, True),
    ],
)
def test_the_hours_of_the_week(calendar: Calendar, weekday: int, hour: int, expected: bool) -> None:
    """The week begins on Monday at 00:00 UTC."""
    moment = int(datetime(2026, 1, 5 + weekday, hour, 30, tzinfo=UTC).timestamp()) * 1_000_000
    assert bool(is_open(calendar, np.array([moment]))[0]) is expected


def test_spreads_widen_at_night_and_in_volatile_markets() -> None:
    """The roll-over hour is wider than London's."""

    def spread(hour: int) -> float:
        start = int(datetime(2026, 1, 7, hour, tzinfo=UTC).timestamp()) * 1_000_000
        quotes = ticks(Simulator(seed=5, start_us=start, count=60_000)).filter(symbol="EURUSD")
        return float((quotes["ask"] - quotes["bid"]).mean())  # type: ignore[arg-type]

    assert spread(21) > 2 * spread(13)


def test_regimes_change_and_the_price_stays_near_home() -> None:
    """Over days of draws every regime is met, and the log price stays within 30 % of the usual one."""
    state, met = initial(1000), set()
    for _ in range(3000):
        _, state = draw(1, state)
        met |= set(state.regime)
        for index, instrument in enumerate(INSTRUMENTS):
            assert abs(state.log_price[index] - np.log(instrument.price)) < 0.3
    assert met == {0, 1, 2, 3}
    assert state.chunk == 3000


class Clock:
    """A clock that goes on by what is slept."""

    def __init__(self, now: int) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += int(seconds * 1e6)


def live(clock: Clock, **options: object) -> Simulator:
    """Return a live simulator by a clock of our own."""
    return Simulator(clock=clock, sleep=clock.sleep, **options)  # type: ignore[arg-type]


def test_history_comes_at_once_at_the_first_start_alone() -> None:
    """At the rate, up to the moment of the start; who goes on has it already."""
    clock = Clock(WEDNESDAY)
    blocks = list(islice(live(clock, rate=1000, history_s=15.0).read(SourcePosition(), Bounds(4_000, 50_000)), 8))
    history = pl.concat(block.ticks for block in blocks[:4])
    assert [block.ticks.height for block in blocks[:4]] == [4_000, 4_000, 4_000, 3_000]
    assert history["ts_event"].min() == WEDNESDAY - 15 * SECOND
    assert history["ts_event"].max() < WEDNESDAY <= blocks[4].ticks["ts_event"].min()  # type: ignore[operator]
    assert pl.concat(block.ticks for block in blocks)["ts_event"].is_sorted()
    again = next(iter(live(clock, rate=1000, history_s=15.0).read(blocks[-1].next, Bounds(4_000, 50_000))))
    assert again.ticks["ts_event"].min() > blocks[-1].ticks["ts_event"].max()  # type: ignore[operator]
    assert again.ticks.height < 1_100


def test_a_live_simulator_keeps_its_rate_by_the_clock() -> None:
    """Times are the clock's; the rate holds on weekends too, with what is open."""
    for start in (WEDNESDAY, SATURDAY):
        clock = Clock(start)
        found = pl.concat(b.ticks for b in islice(live(clock).read(SourcePosition(), Bounds(20_000, 50_000)), 200))
        assert 9_000 < found.height < 11_000
        assert found["ts_event"].is_between(start, clock.now).all()
        assert found["ts_event"].is_sorted()


def test_later_ticks_are_later_than_the_floor() -> None:
    """That is what a heartbeat at the floor promises."""
    blocks = list(islice(live(Clock(WEDNESDAY)).read(SourcePosition(), Bounds(20_000, 50_000)), 20))
    for block, following in pairwise(blocks):
        assert block.floor is not None
        assert (following.ticks["ts_event"] > block.floor).all()


def test_a_restart_never_goes_back_in_time() -> None:
    """A clock that was set back a little is waited for; a wrong one is told."""

    def after(step: int) -> Iterator[int]:
        clock = Clock(WEDNESDAY)
        block = next(iter(live(clock).read(SourcePosition(), Bounds(1000, 50_000))))
        clock.now += step
        following = next(iter(live(clock).read(block.next, Bounds(1000, 50_000))))
        assert block.floor is not None
        yield from (following.ticks["ts_event"] - block.floor).to_list()

    assert min(after(-SECOND)) > 0
    with pytest.raises(FeedError, match=r"the clock is .* behind"):
        next(after(-3600 * SECOND))


def test_a_long_pause_is_not_made_up_for() -> None:
    """After a machine slept, no flood of old ticks follows."""
    clock = Clock(WEDNESDAY)
    blocks = live(clock).read(SourcePosition(), Bounds(20_000, 50_000))
    next(blocks)
    clock.now += 3600 * SECOND
    assert next(blocks).next.record < 2000


def test_chunks_are_drawn_alike_from_their_number() -> None:
    """The generator is keyed by the seed and counted by the chunk: nothing depends on what was drawn before."""
    state = initial(1000)
    for _ in range(5):
        _, state = draw(9, state)
    first, second = draw(9, state)[0], draw(9, state)[0]
    assert (first.mid == second.mid).all()
    assert len(first.mid) == CHUNK


@pytest.mark.parametrize("options", [{"rate": 0}, {"rate": -5}, {"rate": 1e9}, {"rate": float("nan")}, {"seed": -1}])
def test_a_rate_or_seed_that_cannot_be_is_refused(options: dict[str, float]) -> None:
    """The message says what can."""
    with pytest.raises(FeedError, match="give"):
        Simulator(**options)  # type: ignore[arg-type]
