"""Metrics are those of their authors: compared with values that empyrical publishes, and with cases by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import accumulate
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tradewind.processors.performance import ratios
from tradewind.processors.performance.curve import Curve
from tradewind.processors.performance.days import DAY_US, HOUR_US, NEW_YORK_DAYS, UTC_DAYS, Days
from tradewind.processors.performance.metrics import FEWEST_DAYS, metrics
from tradewind.processors.performance.trades import Traded

SECOND = 1_000_000
MIXED = (0.01, 0.10, -0.04, 0.02, 0.03, 0.02, 0.01, -0.10)
"""`mixed_returns` of empyrical's own tests (quantopian/empyrical, tests/test_stats.py), by the day."""
POSITIVE = (0.01, 0.02, 0.03, 0.04)
NEW_YORK = ZoneInfo("America/New_York")


def grown(returns: tuple[float, ...]) -> list[float]:
    """Return the amounts that returns lead to, from 100 on."""
    return list(accumulate(returns, lambda amount, value: amount * (1 + value), initial=100.0))


def test_ratios_are_those_that_empyrical_publishes() -> None:
    """Its tests state these values for `mixed_returns`, at 252 days a year."""
    equity = grown(MIXED)
    returns = ratios.returns_of(equity)
    assert returns == pytest.approx(MIXED)
    # Its series begins with a return that is not a number: a day more, on which nothing changed.
    assert ratios.annual_return([equity[0], *equity], 252) == pytest.approx(1.9135925373194231, rel=1e-9)
    assert ratios.volatility(returns, 252) == pytest.approx(0.9136465399704637, rel=1e-9)
    assert ratios.sharpe(returns, 252) == pytest.approx(1.7238613961706866, rel=1e-9)
    assert ratios.sortino(returns, 252) == pytest.approx(2.605531251673693, rel=1e-9)
    assert ratios.drawdown(equity).depth == pytest.approx(-0.1, rel=1e-9)
    assert ratios.calmar(1.9135925373194231, -0.1) == pytest.approx(19.135925373194233, rel=1e-9)


def test_ratios_that_divide_by_nothing_have_no_value() -> None:
    """A market that only rises has no downside, and one that stands still no spread."""
    assert ratios.sortino(POSITIVE, 252) is None
    assert ratios.sharpe((0.01, 0.01), 252) is None
    assert ratios.calmar(0.1, 0.0) is None


@pytest.mark.parametrize(
    ("equity", "depth", "length"),
    [
        ([100.0, 90.0, 95.0, 100.0, 101.0], -0.1, 3),  # three days until the peak is reached again
        ([100.0, 110.0, 99.0, 104.5], -0.1, 2),  # still below at the end
        ([100.0, 100.0, 101.0], 0.0, 0),
        ([100.0, 80.0], -0.2, 1),  # a first day that loses falls from the starting capital
    ],
)
def test_a_drawdown_by_hand(equity: list[float], depth: float, length: int) -> None:
    """The depth, and the days from a peak until it is reached again."""
    found = ratios.drawdown(equity)
    assert found.depth == pytest.approx(depth)
    assert found.length == length


@given(st.datetimes(datetime(1987, 6, 1), datetime(2060, 1, 1)))  # noqa: DTZ001 - in UTC, as below
@example(datetime(2014, 3, 9, 6, 59, 59))  # noqa: DTZ001 - the second before the clock changes
@example(datetime(2014, 11, 2, 6, 0, 0))  # noqa: DTZ001
def test_the_day_of_new_york_is_that_of_the_tables_of_time_zones(moment: datetime) -> None:
    """17:00 there, in summer and winter, and five days a week."""
    there = moment.replace(tzinfo=UTC).astimezone(NEW_YORK)
    date = (there + timedelta(hours=7)).date() if there.hour >= 17 else there.date()
    while date.weekday() >= 5:
        date += timedelta(days=1)
    ts = round(moment.replace(tzinfo=UTC).timestamp()) * SECOND
    day = NEW_YORK_DAYS.of(ts)
    assert day == (date - datetime(1970, 1, 1, tzinfo=UTC).date()).days
    end = datetime.fromtimestamp(NEW_YORK_DAYS.end(day) // SECOND, NEW_YORK)
    assert (end.date(), end.hour, end.minute) == (date, 17, 0)
    assert ts < NEW_YORK_DAYS.end(day)


def test_quiet_days_are_days() -> None:
    """Equity that does not change for a week makes five days of currencies, and seven of UTC."""
    monday = round(datetime(2014, 5, 5, tzinfo=UTC).timestamp()) * SECOND
    for days, count in ((NEW_YORK_DAYS, 6), (UTC_DAYS, 8)):
        curve = Curve(Decimal(100), days)
        curve.take(monday, Decimal(101), Decimal(0))
        curve.take(monday + 7 * DAY_US, Decimal(99), Decimal(0))
        equity = [amount for _, amount in curve.daily()]
        assert equity == [101.0] * (count - 1) + [99.0]


def test_an_account_by_hand() -> None:
    """Half of two days in the market with half of the capital; a ratio needs thirty days."""
    curve, traded = Curve(Decimal(1_000), UTC_DAYS), Traded()
    curve.begin(0)
    traded.on_fill(Decimal(5), Decimal("100.1"), Decimal(100))
    curve.take(DAY_US // 2, Decimal(1_000), Decimal(500))
    curve.take(DAY_US, Decimal(1_250), Decimal(500))
    traded.on_fill(Decimal(-5), Decimal("109.9"), Decimal(110))
    traded.on_trade(Decimal(49))
    traded.on_trade(Decimal(-7))
    curve.take(DAY_US * 3 // 2, Decimal(1_042), Decimal(0))
    curve.reach(2 * DAY_US - HOUR_US)
    found = metrics(curve, traded)
    passed = 47 / 48
    assert found.values["days"] == 2
    assert found.values["total_return"] == pytest.approx(0.042)
    assert found.values["time_in_market"] == pytest.approx(0.5 / passed)
    assert found.values["average_exposure"] == pytest.approx((0.25 * 0.5 + 0.25 * 0.4) / passed)
    assert found.values["max_drawdown_intraday"] == pytest.approx(1_042 / 1_250 - 1)
    assert found.values["max_drawdown"] == 0.0  # the days ended with 1,000 and 1,042
    assert found.values["profit_factor"] == pytest.approx(7.0)
    assert found.values["win_rate"] == pytest.approx(0.5)
    assert found.values["shortfall"] == pytest.approx(1.0)  # 5 * 0.1 on each side
    assert found.values["turnover"] == pytest.approx((5 * 100.1 + 5 * 109.9) / ((1_000 + 1_000 + 1_042) / 3))
    assert found.values["sharpe"] is None
    assert found.why["sharpe"] == f"2 session days; a ratio of a year needs {FEWEST_DAYS}"


def test_thirty_days_have_ratios_and_a_ruined_account_has_none() -> None:
    """The reasons differ."""
    for amounts, reason in ((range(1_000, 1_030), None), ((1_000, *[-1] * 29), "the equity was 0 or below")):
        curve = Curve(Decimal(1_000), UTC_DAYS)
        for day, amount in enumerate(amounts):
            curve.take(day * DAY_US, Decimal(amount), Decimal(0))
        found = metrics(curve, Traded())
        assert found.values["days"] == FEWEST_DAYS
        assert found.why.get("sharpe") == reason
        assert (found.values["sharpe"] is None) == (reason is not None)


@given(st.lists(st.integers(0, 3 * DAY_US), min_size=1, max_size=60), st.sampled_from([UTC_DAYS, NEW_YORK_DAYS]))
@settings(max_examples=50)
def test_equity_ends_the_session_day_of_its_time(steps: list[int], days: Days) -> None:
    """Whatever the steps: over weekends, and where the clock changes."""
    ts = round(datetime(2014, 3, 1, tzinfo=UTC).timestamp()) * SECOND
    curve, wanted = Curve(Decimal(100), days), dict[int, Decimal]()
    for number, step in enumerate(steps):
        ts += step
        curve.take(ts, Decimal(number), Decimal(0))
        wanted[days.of(ts)] = Decimal(number)
    assert curve.ends == wanted
