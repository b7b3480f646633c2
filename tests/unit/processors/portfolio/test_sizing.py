"""A signal becomes one request for each account, as large as the tenant's risk allows."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from processing import START, assert_law, heartbeat, ingested, places

from tradewind.processors.identity import derive_id
from tradewind.processors.market.instruments import instrument_of
from tradewind.processors.portfolio.sizing import sizing
from tradewind.processors.tenancy.tenant import DEFAULT_TENANTS, Limits, Sizing, Tenant
from tradewind.schemas.execution import OrderRequest
from tradewind.schemas.signals import Signal
from tradewind.testing import run

LIMITS = Limits(max_order_notional=Decimal(1), max_position_notional=Decimal(1), max_quote_age_us=1)
MARKET = Tenant("alpha", ("main", "second"), Sizing(Decimal(10), "MARKET"), LIMITS)
LIMIT = Tenant("beta", ("main",), Sizing(Decimal(10), "LIMIT", Decimal("0.001"), 5_000_000), LIMITS)


def signal(number: int = 0, **other: Any) -> Signal:
    """Return a signal to buy EURUSD at 1.25 to 1.27, of a volatility of 0.0001."""
    fields: dict[str, Any] = {
        "event_id": derive_id("signal", number),
        "ts_event": START,
        "ts_ingest": START,
        "correlation_id": "c",
        "causation_id": "b",
        "symbol": "EURUSD",
        "venue": "OANDA",
        "strategy": "test",
        "direction": "LONG",
        "strength": 1.0,
        "volatility": 0.0001,
        "quote_bid": 1.25,
        "quote_ask": 1.27,
        "quote_ts": START - 5,
        "reason": "test",
    }
    return Signal(**{**fields, **other})


def requests(*signals: Signal, tenants: tuple[Tenant, ...] = (MARKET,)) -> list[OrderRequest]:
    """Return the requests made of signals."""
    return [event for event in run(sizing(tenants), signals) if isinstance(event, OrderRequest)]


def test_one_deviation_moves_the_order_by_the_risk() -> None:
    """10 / (0.0001 * 1.26) = 79,365 units: 79 lots of 1,000."""
    assert {request.quantity for request in requests(signal())} == {Decimal(79_000)}
    assert {request.quantity for request in requests(signal(strength=0.5))} == {Decimal(39_000)}


def test_every_account_gets_its_own_request() -> None:
    """Ids derive from signal, tenant and account; the chain leads back to the signal."""
    made = requests(signal(), tenants=(LIMIT, MARKET))
    assert [(one.tenant_id, one.account_id) for one in made] == [
        ("alpha", "main"),
        ("alpha", "second"),
        ("beta", "main"),
    ]
    assert made[0].event_id == derive_id("OrderRequest", signal().event_id, "alpha", "main")
    assert len({one.order_id for one in made}) == 3
    assert {(one.causation_id, one.signal_id, one.correlation_id) for one in made} == {
        (signal().event_id, signal().event_id, "c")
    }


def test_a_limit_order_is_better_than_the_touch_and_expires() -> None:
    """A buy below the ask, a sell above the bid, each on the grid, away from the touch."""
    (buy,) = requests(signal(), tenants=(LIMIT,))
    (sell,) = requests(signal(direction="SHORT"), tenants=(LIMIT,))
    assert (buy.side, buy.limit_price) == ("BUY", Decimal("1.26873"))
    assert (sell.side, sell.limit_price) == ("SELL", Decimal("1.25125"))
    assert (buy.time_in_force, buy.expire_ts) == ("GTD", START + 5_000_000)


def test_a_market_order_is_good_for_the_day() -> None:
    """It has no price and no expiry; the quote that it was made on travels with it."""
    made = requests(signal())[0]
    assert (made.order_type, made.limit_price, made.time_in_force, made.expire_ts) == ("MARKET", None, "DAY", None)
    assert (made.quote_bid, made.quote_ask, made.quote_ts) == (Decimal("1.25"), Decimal("1.27"), START - 5)


@pytest.mark.parametrize("change", [{"volatility": 0.0}, {"volatility": 1e-9}, {"strength": 0.0}, {"volatility": 0.5}])
def test_nothing_is_asked_for_where_the_quantity_means_nothing(change: dict[str, Any]) -> None:
    """An unknown volatility, no strength, or less than a lot."""
    assert not requests(signal(**change))


def test_an_unknown_instrument_has_fine_lots() -> None:
    """Anything can be traded; only the steps of known instruments are coarser."""
    (made, _) = requests(signal(symbol="SOLUSDT", quote_bid=100.0, quote_ask=100.0, volatility=0.01))
    assert made.quantity == Decimal("10.000")


@given(
    st.floats(1e-7, 0.1), st.floats(0, 1), st.floats(1e-3, 1e6), st.sampled_from(("EURUSD", "XAUUSD", "BTCUSDT", "X"))
)
@example(1e-7, 1.0, 0.03533681834308484, "XAUUSD")
def test_a_quantity_is_whole_lots_and_no_more_than_the_risk(
    volatility: float, strength: float, price: float, symbol: str
) -> None:
    """Rounding is always down."""
    change: dict[str, Any] = {
        "volatility": volatility,
        "strength": strength,
        "symbol": symbol,
        "quote_bid": price,
        "quote_ask": price,
    }
    for made in requests(signal(**change)):
        known = instrument_of(symbol)
        assert made.quantity % known.lot_size == 0
        assert made.quantity >= known.min_quantity
        priced = float(made.quote_bid)  # to ten decimals, as money is: of 0.04, that may be a 10^-9th less
        assert float(made.quantity) * volatility * priced <= 10 * strength * (1 + 1e-9)


@given(st.lists(st.tuples(st.sampled_from(("EURUSD", "XAUUSD")), st.floats(0, 1), st.booleans()), max_size=20), places)
def test_cuts_change_nothing(drawn: list[tuple[str, float, bool]], cuts: list[int]) -> None:
    """f(a + b) = f(a) ; f(b), heartbeats among the signals."""
    stream = [
        heartbeat(START + at, symbol=symbol) if beat else signal(at, symbol=symbol, strength=strength)
        for at, (symbol, strength, beat) in enumerate(drawn)
    ]
    assert_law(lambda: sizing(DEFAULT_TENANTS), ingested(stream), cuts)


def test_an_account_is_named_once() -> None:
    """Two of one name would get each other's orders."""
    with pytest.raises(ValueError, match="appears twice"):
        sizing((MARKET, MARKET))
