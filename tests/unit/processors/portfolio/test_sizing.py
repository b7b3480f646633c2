"""A signal becomes one target for each account, as large as the tenant's risk allows."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from processing import START, assert_law, heartbeat, ingested, knowing, places, tenant_events

from tradewind.connectors.feeds.instruments import KNOWN_SYMBOLS
from tradewind.processors.batch import PoisonRecord
from tradewind.processors.identity import derive_id
from tradewind.processors.market.instruments import INSTRUMENTS, Instrument
from tradewind.processors.portfolio.sizing import sizing
from tradewind.processors.tenancy.tenant import Limits, Sizing, Tenant
from tradewind.schemas.execution import OrderRequest
from tradewind.schemas.signals import Signal
from tradewind.schemas.tenancy import Tenant as TenantEvent
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
        "mode": "TARGET",
        "sizing": "VOLATILITY",
        "volatility": 0.0001,
        "quote_bid": 1.25,
        "quote_ask": 1.27,
        "quote_ts": START - 5,
        "reason": "test",
    }
    return Signal(**{**fields, **other})


def requests(*signals: Signal, tenants: tuple[Tenant, ...] = (MARKET,)) -> list[OrderRequest]:
    """Return the requests made of signals."""
    return [event for event in run(knowing(sizing(), tenants), signals) if isinstance(event, OrderRequest)]


def test_one_deviation_moves_the_order_by_the_risk() -> None:
    """10 / (0.0001 * 1.26) = 79,365 units: 79 lots of 1,000."""
    assert {request.units for request in requests(signal())} == {Decimal(79_000)}
    assert {request.units for request in requests(signal(direction="SHORT"))} == {Decimal(-79_000)}
    assert {request.units for request in requests(signal(strength=0.5))} == {Decimal(39_000)}


def test_a_signal_that_states_no_sizing_is_a_target_of_the_strategy_sized_by_volatility() -> None:
    """A program need not know of modes and deployments: its signal goes to every account."""
    stated = signal()
    plain = {name: value for name, value in stated.to_dict().items() if name not in ("mode", "sizing")}
    made = requests(Signal(**plain))
    assert made == requests(stated)
    assert {(one.mode, one.deployment, one.units) for one in made} == {("TARGET", "test", Decimal(79_000))}


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
    """To buy below the ask, to sell above the bid, each on the grid, away from the touch."""
    for direction in ("LONG", "SHORT"):
        (made,) = requests(signal(direction=direction), tenants=(LIMIT,))
        assert (made.buy_limit, made.sell_limit) == (Decimal("1.26873"), Decimal("1.25125"))
        assert (made.time_in_force, made.expire_ts) == ("GTD", START + 5_000_000)


def test_a_market_order_is_good_for_the_day() -> None:
    """It has no price and no expiry; the quote that it was made on travels with it."""
    made = requests(signal())[0]
    assert (made.order_type, made.buy_limit, made.sell_limit) == ("MARKET", None, None)
    assert (made.time_in_force, made.expire_ts) == ("DAY", None)
    assert (made.quote_bid, made.quote_ask, made.quote_ts) == (Decimal("1.25"), Decimal("1.27"), START - 5)


@pytest.mark.parametrize("change", [{"volatility": 0.0}, {"volatility": 1e-9}])
def test_nothing_is_asked_for_while_the_volatility_is_not_known(change: dict[str, Any]) -> None:
    """A quantity would mean nothing; to get flat, none is needed."""
    assert not requests(signal(**change))
    assert {made.units for made in requests(signal(**change, direction="FLAT"))} == {Decimal(0)}


@pytest.mark.parametrize("change", [{"strength": 0.0}, {"volatility": 0.5}])
def test_what_is_below_a_lot_is_a_target_of_nothing(change: dict[str, Any]) -> None:
    """No strength, or less than a lot: what was held before must not stay."""
    assert {made.units for made in requests(signal(**change))} == {Decimal(0)}


def test_what_is_flat_is_ordered_at_the_market() -> None:
    """A limit order may expire, and leave what must not stay."""
    (made,) = requests(signal(direction="FLAT"), tenants=(LIMIT,))
    assert (made.mode, made.units, made.order_type, made.expire_ts) == ("TARGET", Decimal(0), "MARKET", None)


def test_no_order_is_made_for_an_instrument_that_is_not_known() -> None:
    """Its lots are never guessed; a person states them, and redrives the signal."""
    other = signal(symbol="ETHUSD", quote_bid=100.0, quote_ask=100.0, volatility=0.01)
    with pytest.raises(PoisonRecord, match=r"no order is made for ETHUSD: .* Add it to TRADEWIND_INSTRUMENTS"):
        run(knowing(sizing(), (MARKET,)), [other])
    stated = {"ETHUSD": Instrument(Decimal("0.01"), Decimal("0.25"), Decimal(5), "ETH", "USD")}
    assert {request.units for request in run(knowing(sizing(stated), (MARKET,)), [other])} == {Decimal(10)}


@pytest.mark.parametrize("steps", [("0", "1", "1"), ("1", "-1", "1"), ("1", "NaN", "1"), ("1", "2", "3")])
def test_steps_that_no_order_could_be_made_of_are_refused(steps: tuple[str, str, str]) -> None:
    """Where they are stated, not at the first signal."""
    with pytest.raises(ValueError, match=r"must be above 0|no multiple of the lot_size"):
        Instrument(*map(Decimal, steps), "ETH", "USD")


def test_every_instrument_that_feeds_know_has_lots() -> None:
    """The smallest order is one that can be made."""
    assert INSTRUMENTS.keys() == KNOWN_SYMBOLS
    for instrument in INSTRUMENTS.values():
        assert instrument.min_quantity % instrument.lot_size == 0 < instrument.tick_size


@given(st.floats(1e-7, 0.1), st.floats(0, 1), st.floats(1e-3, 1e6), st.sampled_from(tuple(INSTRUMENTS)))
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
        known = INSTRUMENTS[symbol]
        assert made.units % known.lot_size == 0
        assert made.units >= known.min_quantity or made.units == 0
        priced = float(made.quote_bid)  # to ten decimals, as money is: of 0.04, that may be a 10^-9th less
        assert float(made.units) * volatility * priced <= 10 * strength * (1 + 1e-9)


@given(st.lists(st.tuples(st.sampled_from(("EURUSD", "XAUUSD")), st.floats(0, 1), st.booleans()), max_size=20), places)
def test_cuts_change_nothing(drawn: list[tuple[str, float, bool]], cuts: list[int]) -> None:
    """f(a + b) = f(a) ; f(b), heartbeats among the signals."""
    stream = [
        heartbeat(START + at, symbol=symbol) if beat else signal(at, symbol=symbol, strength=strength)
        for at, (symbol, strength, beat) in enumerate(drawn)
    ]
    assert_law(lambda: knowing(sizing()), ingested(stream), cuts)


def test_a_tenant_that_is_not_active_gets_no_requests() -> None:
    """From its change on, and until it is resumed."""
    (active, *_) = tenant_events((MARKET,))
    assert isinstance(active, TenantEvent)
    suspended = replace(active, revision=2, status="SUSPENDED")
    resumed = replace(active, revision=3, status="ACTIVE")
    made = run(sizing(), [active, signal(1), suspended, signal(2), resumed, signal(3)])
    asked = [event.signal_id for event in made if isinstance(event, OrderRequest)]
    assert asked == [signal(1).event_id] * 2 + [signal(3).event_id] * 2


def test_an_older_revision_changes_nothing() -> None:
    """Dead letters are sent back at any time."""
    (active, *_) = tenant_events((MARKET,))
    assert isinstance(active, TenantEvent)
    suspended = replace(active, revision=2, status="SUSPENDED")
    assert not run(sizing(), [suspended, active, signal(1)])
