"""A backtest decides what the agents decide, however its quotes come in blocks; a case by hand is exact."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from backtesting import LOOSE, MARKET, RESTING, SECOND, Planned, frame_of
from days.recorded import XAUUSD
from hypothesis import given, settings
from hypothesis import strategies as st
from processing import INSTRUMENTS, LEAP, quote_streams, tick

from tradewind import Bar, Fill, Heartbeat, Settings, Strategy, Tick, View
from tradewind.processors.tenancy.tenant import Sizing, Tenant
from tradewind.schemas.event import Event
from tradewind.schemas.portfolio import Position
from tradewind.schemas.risk import Decision
from tradewind.schemas.signals import Signal
from tradewind.streams.backtest.planning import planned
from tradewind.streams.backtest.run import Plan, run
from tradewind.testing.equality import COMPARED, backtested, compare

MORNING = {"start": "2014-05-01", "stop": "2014-05-01T00:12"}


def gold(strategy: str, tenant: str) -> Plan:
    """Return a plan on the first minutes of a day of real quotes."""
    return planned(strategy, [str(XAUUSD.path)], tenant=tenant, settings=Settings(), **MORNING)  # type: ignore[arg-type]


@pytest.mark.parametrize(("strategy", "tenant"), [("ema_crossover_1s", "alpha"), ("ema_crossover_1s", "beta")])
def test_it_decides_what_the_agents_decide_on_real_quotes(strategy: str, tenant: str) -> None:
    """Market and limit orders: equal ids and equal bytes, through the codec, topics and hold of the runtime.

    Positions are numbered in the order in which fills and bars reach the portfolio agent, which the hold delays.
    """
    found = compare(gold(strategy, tenant))
    assert found.differing.keys() <= {"Position"}
    assert found.equal["Fill"] > 3
    assert found.equal["Signal"] > 5


def test_a_changed_quote_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison can fail: it names the first event that differs."""
    plan = gold("ema_crossover_1s", "alpha")
    monkeypatch.setattr("tradewind.streams.backtest.engine.Engine._venue", lambda *_: None)
    found = compare(plan)
    assert not found.holds
    assert found.first[0].kind == "Fill"
    assert found.first[0].text == "the backtest lacks it"


def decided(plan: Plan) -> list[tuple[str, dict[str, object]]]:
    """Return what a backtest decides, in order."""
    return [(type(event).__name__, event.to_dict()) for event in backtested(plan) if isinstance(event, COMPARED)]


@given(quote_streams(), st.sets(st.integers(1, 60)), st.sampled_from([MARKET, RESTING]))
@settings(deadline=None)
def test_blocks_may_be_cut_anywhere(events: list[Tick | Heartbeat], places: set[int], tenant: Tenant) -> None:
    """The same decisions in the same order: also where quotes are late, astray, in doubt or of several instruments."""
    ticks = [event for event in events if isinstance(event, Tick)]
    if not ticks:
        return
    bounds = sorted({0, len(ticks), *(place for place in places if place < len(ticks))})
    blocks = [frame_of(ticks[start:stop]) for start, stop in pairwise(bounds)]
    planner = Planned(tenant)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tradewind.streams.backtest.engine.FIRST_QUOTES", 2)
        found = decided(planner.on(*blocks))
    assert found == decided(planner.on(frame_of(ticks)))


@given(st.lists(st.tuples(st.sampled_from(INSTRUMENTS), st.integers(1, 900), st.integers(0, 9)), min_size=2))
@settings(deadline=None, max_examples=20)
def test_it_decides_what_the_agents_decide_on_drawn_quotes(steps: list[tuple[tuple[str, str], int, int]]) -> None:
    """Several instruments, with silences of any length below a leap."""
    now, ticks = 1_398_902_400 * SECOND, []
    for number, ((symbol, venue), wait, level) in enumerate(steps):
        now += wait * (wait % 7 + 1) * 1_000
        ticks.append(tick(now, 1.0 + level / 1000, symbol=symbol, venue=venue, seq=number))
    found = compare(Planned().on(frame_of(ticks)))
    assert found.differing.keys() <= {"Position"}


def test_limits_of_accounts_deny_the_same_orders_in_a_backtest() -> None:
    """What two accounts hold together, and what one has lost: it buys each rise and sells each fall."""
    limits = replace(LOOSE, max_exposure_notional=Decimal(500_000), max_daily_loss=Decimal(9_000))
    tenant = replace(MARKET, accounts=("main", "second"), limits=replace(limits, max_drawdown=Decimal(12_000)))
    start = 1_398_902_400 * SECOND
    prices = [1.0 + (second % 2) / 100 for second in range(20) for _ in range(4)]
    quotes = [tick(start + n * SECOND // 4, bid, bid + 0.001, seq=n) for n, bid in enumerate(prices)]
    plan = Planned(tenant).on(frame_of(quotes))
    found = compare(plan)
    assert found.differing.keys() <= {"Position"}
    codes = {code for event in backtested(plan) if isinstance(event, Decision) for code in event.codes}
    assert codes == {"MAX_EXPOSURE", "DAILY_LOSS", "DRAWDOWN"}


EXPOSURES = {"TOTAL_EXPOSURE", "CURRENCY_EXPOSURE"}


def minutes(*symbols: str) -> list[Tick]:
    """Return 75 s of quotes, one a second of each symbol, whose prices go up and down."""
    start = 1_398_902_400 * SECOND
    return [
        tick(start + second * SECOND + place * 1_000, bid, bid + 0.001, symbol=symbol, seq=second)
        for second in range(75)
        for place, symbol in enumerate(symbols)
        for bid in (1.0 + second % 3 / 100,)
    ]


@pytest.mark.parametrize(
    ("symbols", "wanted"),
    [(["EURUSD"], EXPOSURES), (["EURUSD", "GBPUSD"], EXPOSURES | {"NO_RATE"})],
)
def test_limits_over_instruments_deny_the_same_orders_in_a_backtest(symbols: list[str], wanted: set[str]) -> None:
    """On one instrument by its own quotes, on two by marks, of which there are none in the first minute."""
    limits = replace(LOOSE, max_total_exposure=Decimal(400_000), max_currency_exposure=Decimal(300_000))
    tenant = replace(MARKET, accounts=("main", "second"), limits=limits)
    plan = Planned(tenant).on(frame_of(minutes(*symbols)))
    found = compare(plan)
    assert found.differing.keys() <= {"Position"}
    decisions = [event for event in backtested(plan) if isinstance(event, Decision)]
    assert {code for event in decisions for code in event.codes} == wanted
    assert sum(event.outcome == "APPROVED" for event in decisions) > 3


def test_a_tick_from_the_future_is_left_out() -> None:
    """The next quote disagrees with it: no bar closes, and no order fills at it."""
    quotes = [tick(n * SECOND // 4, 1.0 + (n % 5) / 100, seq=n) for n in range(40)]
    astray = tick(quotes[20].ts_event + 2 * LEAP, 9.0, seq=99)
    found = decided(Planned().on(frame_of([*quotes[:20], astray, *quotes[20:]])))
    wanted = decided(Planned().on(frame_of(quotes)))
    end = quotes[-1].ts_event  # after it, the source closes as far ahead as its furthest quote
    assert [one for one in found if one[1]["ts_event"] <= end] == [one for one in wanted if one[1]["ts_event"] <= end]
    assert [kind for kind, _ in found].count("Fill") > 5


class Twice(Strategy):
    """Wants a quarter long at the second bar, and all short at the third."""

    name, interval_s = "twice", 1

    def on_bar(self, memory: dict[str, int], bar: Bar) -> View | None:
        """Return the view of the bar."""
        memory["bars"] = memory.get("bars", 0) + 1
        sizes = {2: View("LONG", 0.25, "two"), 3: View("SHORT", 1.0, "three")}
        return sizes.get(memory["bars"])


def test_a_case_by_hand(tmp_path: Path) -> None:
    """Six quotes, two orders, slippage, fees, a reversal: exact to the last decimal, in events, result and report.

    Mids of the bars' closes: 100, 110, 99. The bars of a second close at the first quote at or after their end + 0.5 s.
    Variance after the second bar: 0.1^2 = 0.01, and 0.94 * 0.01 + 0.06 * 0.1^2 = 0.01 after the third: a deviation of
    0.1 * sqrt(60) = 0.7745966692414834 a minute. The tenant risks 10,000: the targets are 2,500 / 85.2056 = 29.34 and
    -10,000 / 76.6851 = -130.40 ounces, rounded down to whole ones: it buys 29, and sells 29 + 130. Each fill is 3 ticks
    of 0.001 worse than its quote. The fees are 2.5 bps: 29 * 100.003 * 0.00025 = 0.72502175, and
    159 * 96.497 * 0.00025 = 3.83575575, of which 29 / 159 = 0.69960325 belong to the trade that the sell closes.
    """
    start = 1_398_902_400 * SECOND
    prices = [(0.1, 99.0, 101.0), (1.5, 109.0, 111.0), (2.5, 98.0, 100.0), (2.7, 98.0, 100.0), (3.5, 97.0, 99.0)]
    prices.append((3.7, 96.5, 98.5))
    ticks = [
        Tick(symbol="XAUUSD", venue="T", seq=n, ts_event=start + round(at * SECOND), bid=bid, ask=ask)
        for n, (at, bid, ask) in enumerate(prices)
    ]
    tenant = Tenant("h", ("main",), Sizing(Decimal(10_000), "MARKET"), LOOSE)
    plan = Planned(tenant, Twice()).on(frame_of(ticks), slippage_ticks=3, fee_bps="2.5")
    told: list[Event] = backtested(plan)
    fills = [(fill.side, fill.quantity, fill.price, fill.fee, fill.quote_seq) for fill in told if type(fill) is Fill]
    # The buy is decided when the quote of 2.5 s closes the second bar, and fills at the ask of 2.7 s; the sell is
    # decided at 3.5 s, and fills at the bid of 3.7 s.
    assert fills == [
        ("BUY", Decimal(29), Decimal("100.003"), Decimal("0.72502175"), 3),
        ("SELL", Decimal(159), Decimal("96.497"), Decimal("3.83575575"), 5),
    ]
    last = [event for event in told if isinstance(event, Position)][-1]
    assert (last.quantity, last.realised_pnl) == (Decimal(-130), Decimal("-101.674"))  # 29 * (96.497 - 100.003)
    assert (last.average_price, last.fees) == (Decimal("96.497"), Decimal("4.5607775"))
    assert last.unrealised_pnl == Decimal("-130.39")  # 130 * (96.497 - 97.5), the mid of the closing quote
    assert compare(plan).holds
    result = run(plan, tmp_path)
    account = {name: Decimal(amount) for name, amount in result.summary["account"].items()}
    assert account == {
        "deposits": Decimal(100_000),
        "realised_pnl": Decimal("-101.674"),
        "fees": Decimal("4.5607775"),
        "cash": Decimal("99893.7652225"),
    }
    assert Decimal(result.summary["equity"]) == Decimal("99763.3752225")
    trade = result.trades.row(0, named=True)
    assert (trade["fees"], trade["profit"]) == (Decimal("1.424625"), Decimal("-103.098625"))
    assert result.orders["fee"].to_list() == [fee for _, _, _, fee, _ in fills]
    report = result.report.read_text()
    assert "3 ticks more for what takes liquidity; a fee of 2.5 bps of each fill" in report
    assert "<td>Fees</td><td class='n'>4.56</td>" in report


class Noting(Strategy):
    """Remembers the bars that it sees, and wants to be long at each but the first."""

    name, interval_s = "noting", 1

    def __init__(self) -> None:
        self.seen: list[int] = []

    def on_bar(self, memory: dict[str, int], bar: Bar) -> View | None:
        """Return the view of the bar."""
        self.seen.append(bar.ts_start)
        known, memory["known"] = "known" in memory, 1
        return View("LONG", 0.5, "up") if known else None


@given(st.integers(1, 30), st.integers(0, 40), st.sets(st.integers(1, 200)))
@settings(deadline=None, max_examples=50)
def test_a_warm_up_is_seen_and_not_ordered_on(bars: int, begins: int, places: set[int]) -> None:
    """The newest bars before the start, or as many as there are; then the same bars as without a warm-up."""
    start = 1_398_902_400 * SECOND
    ticks = [tick(start + n * SECOND // 4, 1.0 + n % 7 / 1000, symbol="EURUSD", seq=n) for n in range(200)]
    bounds = sorted({0, len(ticks), *(place for place in places if place < len(ticks))})
    noting = Noting()
    at = start + begins * SECOND
    frames = [frame_of(ticks[one:other]) for one, other in pairwise(bounds)]
    told = backtested(Planned(strategy=noting).on(*frames, start=at, warmup=bars))
    there = range(max(begins - bars, 0), 50)
    assert noting.seen == [start + n * SECOND for n in there]
    signals = [event for event in told if isinstance(event, Signal)]
    first = max(begins, there[0] + 1)  # its first bar makes no view
    closes = [*(start + (n + 1) * SECOND + SECOND // 2 for n in range(first, 49)), ticks[-1].ts_event]
    assert [signal.ts_event for signal in signals[:-1]] == closes[:-1]
    assert len(signals) == len(closes)
