"""Positions add up exactly: quantities are the fills', and profit is what was paid and what is held."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from processing import START, assert_law, bar, heartbeat, ingested, places

from tradewind.processors.batch import PoisonRecord
from tradewind.processors.identity import derive_id
from tradewind.processors.portfolio.holding import Holding
from tradewind.processors.portfolio.processor import portfolio
from tradewind.schemas.event import Event
from tradewind.schemas.execution import Fill
from tradewind.schemas.market import Mark
from tradewind.schemas.portfolio import DeploymentPosition, Position
from tradewind.testing import run

HALF_PLACE = Fraction(1, 2 * 10**10)


def fill(number: int, side: Literal["BUY", "SELL"], quantity: str, price: str, **other: Any) -> Fill:
    """Return a fill of EURUSD for tenant alpha's account main, unless told otherwise."""
    fields: dict[str, Any] = {
        "event_id": derive_id("fill", number),
        "tenant_id": "alpha",
        "ts_event": START + number,
        "ts_ingest": START,
        "correlation_id": "c",
        "causation_id": "c",
        "order_id": f"order-{number}",
        "account_id": "main",
        "deployment": "test",
        "symbol": "EURUSD",
        "venue": "OANDA",
        "side": side,
        "quantity": Decimal(quantity),
        "price": Decimal(price),
        "fee": Decimal(0),
        "liquidity": "TAKER",
        "quote_seq": number,
        "strategy": "test",
    }
    return Fill(**{**fields, **other})


def positions(*events: Event) -> list[Position]:
    """Return the positions made of fills and bars."""
    return [event for event in run(portfolio(), events) if isinstance(event, Position)]


def test_each_bar_of_a_minute_is_a_mark_whoever_holds_the_instrument() -> None:
    """Dated as the bar, with the mid of its close; other bars and heartbeats are none."""
    events = [bar(START, 2.0, interval_s=1), bar(START, 1.23456), heartbeat(START)]
    (made,) = run(portfolio(), events)
    assert isinstance(made, Mark)
    assert (made.symbol, made.venue, made.ts_event, made.price) == ("EURUSD", "OANDA", START, Decimal("1.23456"))
    assert run(portfolio(marks=False), events) == []


def figures(of: Position) -> tuple[Decimal, ...]:
    """Return quantity, average price, realised and unrealised profit."""
    return of.quantity, of.average_price, of.realised_pnl, of.unrealised_pnl


def test_a_position_through_its_life() -> None:
    """Opened, enlarged, reduced, turned through zero, and closed."""
    life = positions(
        fill(1, "BUY", "100", "1.00"),
        fill(2, "BUY", "100", "2.00"),
        fill(3, "SELL", "50", "3.00"),
        fill(4, "SELL", "250", "2.00"),
        fill(5, "BUY", "100", "1.00"),
    )
    assert [tuple(map(float, figures(of))) for of in life] == [
        (100, 1.0, 0, 0),
        (200, 1.5, 0, 100),
        (150, 1.5, 75, 225),
        (-100, 2.0, 150, 0),
        (0, 0, 250, 0),
    ]
    assert [of.version for of in life] == [of.fills for of in life] == [1, 2, 3, 4, 5]


def test_a_bar_of_a_minute_values_open_positions_anew() -> None:
    """Only those that are open, only by a new price, and never by a bar of a second."""
    others = {"tenant_id": "beta"}, {"symbol": "XAUUSD"}
    stream = [fill(1, "BUY", "100", "1.00"), *(fill(2, "BUY", "10", "1.00", **other) for other in others)]
    closed = fill(3, "SELL", "10", "1.00", tenant_id="beta")
    minute = START + 60_000_000
    again = [bar(minute, 1.5), bar(minute + 1, 1.5), bar(minute + 2, 1.75, interval_s=1), heartbeat(minute + 3)]
    *_, last = made = positions(*stream, closed, *again)
    assert len(made) == 5
    assert (last.tenant_id, last.symbol) == ("alpha", "EURUSD")
    assert (last.mark_price, last.unrealised_pnl) == (Decimal("1.5"), Decimal(50))
    assert (last.ts_event, last.version, last.fills) == (minute, 2, 1)


def test_the_newest_price_values_a_position_whichever_came_first() -> None:
    """A fill that comes after a later bar is valued by the bar."""
    early, late = fill(1, "BUY", "100", "1.00"), bar(START + 60_000_000, 1.5)
    assert positions(early, late)[-1].mark_price == positions(late, early)[-1].mark_price == Decimal("1.5")
    newer = fill(2, "BUY", "100", "2.00", ts_event=START + 61_000_000)
    assert positions(late, newer)[-1].mark_price == Decimal(2)


def test_a_fill_that_names_no_deployment_is_of_the_strategy_s_own() -> None:
    """It costs nothing, and closes what the deployment of that name has bought."""
    known = fill(2, "SELL", "100", "1.50")
    plain = {name: value for name, value in known.to_dict().items() if name not in ("deployment", "fee")}
    sent = run(portfolio(), [fill(1, "BUY", "100", "1.00"), Fill(**plain)])
    last, own = sent[-2:]
    assert isinstance(last, Position)
    assert isinstance(own, DeploymentPosition)
    assert (own.deployment, own.fees) == ("test", 0)
    assert figures(last) == (own.quantity, own.average_price, own.realised_pnl, own.unrealised_pnl) == (0, 0, 50, 0)


def test_what_is_no_fill_is_poison() -> None:
    """Nobody's position cannot change."""
    too_large = (fill(2, "BUY", "1e15", "1e13"), fill(2, "BUY", "1e18", "1"), fill(2, "SELL", "1e16", "1"))
    for bad in (*too_large, fill(2, "BUY", "1", "1", tenant_id=None)):
        with pytest.raises(PoisonRecord) as error:
            run(portfolio(), [fill(1, "BUY", "1", "1"), bad])
        assert error.value.index == 1


amounts = st.decimals("0.0000000001", "1000000", places=10)
trades = st.lists(st.tuples(st.sampled_from((1, -1)), amounts, amounts), max_size=30)


@given(trades, amounts)
def test_quantity_is_the_sum_of_fills_and_profit_is_what_was_paid_and_is_held(
    drawn: list[tuple[int, Decimal, Decimal]], mark: Decimal
) -> None:
    """Realised + unrealised = quantity * mark - what was paid, but for half a place of each rounded product."""
    holding, paid, units = Holding(), Fraction(0), Fraction(0)
    for side, quantity, price in drawn:
        holding = holding.filled(side * quantity, price)
        units += side * Fraction(quantity)
        paid += side * Fraction(quantity) * Fraction(price)
        assert Fraction(holding.quantity) == units
    profit = Fraction(holding.realised_pnl) + Fraction(holding.unrealised_pnl(mark))
    # At most two products of a fill are rounded, and the valuation once.
    assert abs(profit - (units * Fraction(mark) - paid)) <= (2 * len(drawn) + 1) * HALF_PLACE
    assert all(figure.as_tuple().exponent >= -10 for figure in (holding.cost, holding.realised_pnl))  # type: ignore[operator]


@given(st.lists(st.tuples(st.sampled_from((1, -1)), st.integers(1, 50), st.integers(1, 400)), max_size=30))
def test_realised_profit_is_that_of_average_cost(drawn: list[tuple[int, int, int]]) -> None:
    """Against the textbook: average the price when the position grows, earn the difference when it shrinks."""
    holding = Holding()
    quantity, average, realised = 0, Fraction(0), Fraction(0)
    for side, size, cents in drawn:
        units, price = side * size, Fraction(cents, 100)
        holding = holding.filled(Decimal(units), Decimal(cents) / 100)
        if quantity * units < 0:
            closed = min(abs(units), abs(quantity)) * (1 if units > 0 else -1)
            realised += -closed * (price - average)
            quantity, units = quantity + closed, units - closed
        if units:
            average = (average * quantity + price * units) / (quantity + units)
            quantity += units
        average = average if quantity else Fraction(0)
        assert holding.quantity == quantity
        tolerance = (2 * len(drawn) + 1) * HALF_PLACE * 50
        assert abs(Fraction(holding.realised_pnl) - realised) <= tolerance
        assert abs(Fraction(holding.average_price) - average) <= tolerance


@st.composite
def portfolio_streams(draw: st.DrawFn) -> list[Event]:
    """Draw fills of several positions, bars of both lengths and heartbeats, out of order."""
    stream: list[Event] = []
    for number in range(draw(st.integers(0, 40))):
        symbol, ts_event = draw(st.sampled_from(("EURUSD", "XAUUSD"))), START + draw(st.integers(0, 100)) * 1_000_000
        kind = draw(st.integers(0, 9))
        if kind < 6:
            side: Literal["BUY", "SELL"] = "BUY" if draw(st.booleans()) else "SELL"
            quantity, price = draw(st.sampled_from(("1", "2", "3"))), draw(st.sampled_from(("1.1", "1.2", "1.3")))
            tenant, of = draw(st.sampled_from(("alpha", "beta"))), draw(st.sampled_from(("one", "two", "three")))
            other = {"tenant_id": tenant, "deployment": of, "symbol": symbol, "ts_event": ts_event}
            stream.append(fill(number, side, quantity, price, **other))
        elif kind < 9:
            interval_s = draw(st.sampled_from((1, 60, 60)))
            stream.append(bar(ts_event, draw(st.sampled_from((1.1, 1.2))), interval_s=interval_s, symbol=symbol))
        else:
            stream.append(heartbeat(ts_event, symbol=symbol))
    return stream


@given(portfolio_streams(), places)
def test_cuts_change_nothing(stream: list[Event], cuts: list[int]) -> None:
    """f(a + b) = f(a) ; f(b), over fills and bars."""
    assert_law(portfolio, ingested(stream), cuts)


@given(portfolio_streams())
def test_bars_may_be_faster_than_fills(stream: list[Event]) -> None:
    """All bars before all fills, or between them: each position ends with the same figures."""

    def last(events: list[Event]) -> dict[Any, Any]:
        found = {(of.tenant_id, of.symbol): of for of in positions(*events)}
        return {key: (*figures(of), of.fills) for key, of in found.items() if of.quantity != 0}

    fills: list[Event] = [event for event in stream if isinstance(event, Fill)]
    others = [event for event in stream if not isinstance(event, Fill)]
    assert last(others + fills) == last(stream)


def test_one_deployment_never_closes_what_another_holds() -> None:
    """The account has sold as much as it bought; each of its deployments still holds its own."""
    other = {"deployment": "other"}
    sent = run(
        portfolio(), [fill(1, "BUY", "100", "1.00"), fill(2, "SELL", "100", "1.50", **other), bar(START + 9, 2.0)]
    )
    account, *_ = (of for of in reversed(sent) if isinstance(of, Position))
    own = {of.deployment: of for of in sent if isinstance(of, DeploymentPosition)}
    assert figures(account) == (0, 0, 50, 0)
    assert {name: (of.quantity, of.realised_pnl, of.unrealised_pnl) for name, of in own.items()} == {
        "test": (100, 0, 100),
        "other": (-100, 0, -50),
    }


@given(portfolio_streams())
def test_deployments_add_up_to_their_account(stream: list[Event]) -> None:
    """Quantities and counts exactly; the whole profit but for half a place of each rounded product."""
    accounts: dict[Any, Position] = {}
    shares: dict[Any, dict[str, DeploymentPosition]] = {}
    valued = [bar(START + 1_000_000_000, 1.1, symbol=symbol) for symbol in ("EURUSD", "XAUUSD")]
    for of in run(portfolio(), [*stream, *valued]):
        if isinstance(of, Position):
            accounts[of.tenant_id, of.symbol] = of
        elif isinstance(of, DeploymentPosition):
            shares.setdefault((of.tenant_id, of.symbol), {})[of.deployment] = of
    for key, account in accounts.items():
        own = shares[key].values()
        assert sum(of.quantity for of in own) == account.quantity
        assert (sum(of.fills for of in own), sum(of.fees for of in own)) == (account.fills, account.fees)
        profit = sum(of.realised_pnl + of.unrealised_pnl for of in own)
        rounded = 4 * account.fills + len(own) + 1
        assert abs(Fraction(profit) - Fraction(account.realised_pnl + account.unrealised_pnl)) <= rounded * HALF_PLACE
