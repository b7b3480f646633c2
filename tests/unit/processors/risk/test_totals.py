"""Limits on what a tenant's accounts hold of all instruments: values by marks, converted by mids."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from processing import SECOND, START, assert_law, ingested, knowing, mark, places, request, tenant_events

from tradewind.processors.batch import Processor
from tradewind.processors.risk.conversion import Rates
from tradewind.processors.risk.explained import explained
from tradewind.processors.risk.marks import KEPT
from tradewind.processors.risk.processor import risk
from tradewind.processors.tenancy.tenant import Limits, Sizing, Tenant
from tradewind.schemas.event import Event
from tradewind.schemas.execution import OrderEvent, OrderRequest
from tradewind.schemas.risk import Decision
from tradewind.schemas.tenancy import Tenant as TenantEvent
from tradewind.testing import MemoryState, run

PLENTY = Decimal(10**9)
AGE = 120 * SECOND
LIMITS = Limits(max_order_notional=PLENTY, max_position_notional=PLENTY, max_quote_age_us=SECOND, max_mark_age_us=AGE)
QUOTES = {"EURUSD": "1.10", "EURJPY": "165", "USDJPY": "150", "XAUUSD": "2000", "EURGBP": "0.85"}


def tenants(currency: str = "USD", **limits: Any) -> tuple[Tenant, ...]:
    """Return a tenant with two accounts and limits."""
    sizing = Sizing(Decimal(1), "MARKET")
    return (Tenant("alpha", ("main", "second"), sizing, replace(LIMITS, **limits), currency),)


def make(currency: str = "USD", **limits: Any) -> Processor:
    """Return an agent that knows `tenants`."""
    return knowing(risk(), tenants(currency, **limits))


def order(number: int, units: int, symbol: str = "EURUSD", at: int = START, **other: Any) -> OrderRequest:
    """Return a request to buy units, or to sell them where they are negative, without a spread."""
    price = Decimal(other.pop("price", QUOTES[symbol]))
    side = "BUY" if units > 0 else "SELL"
    quote = {"quote_bid": price, "quote_ask": price, "symbol": symbol}
    return request(number, at, side=side, quantity=Decimal(abs(units)), **{**quote, **other})


def ended(of: OrderRequest, filled: int = 0) -> OrderEvent:
    """Return an event that ends an order, after it has filled some units."""
    told: dict[str, Any] = {
        name: getattr(of, name) for name in ("tenant_id", "order_id", "account_id", "symbol", "venue", "ts_event")
    }
    ids: dict[str, Any] = {
        "event_id": f"end-{of.order_id}",
        "correlation_id": "c",
        "causation_id": "c",
        "ts_ingest": of.ts_ingest,
    }
    return OrderEvent(**told, **ids, sequence=1, status="EXPIRED", filled_quantity=Decimal(filled), reason="test")


def decided(agent: Processor, *events: Event) -> list[Decision]:
    """Return the decisions on requests among events."""
    return [event for event in run(agent, list(events), MemoryState()) if isinstance(event, Decision)]


def test_all_instruments_of_all_accounts_have_one_limit_in_the_currency_of_the_accounts() -> None:
    """10,000 EUR at 1.10 and 3 XAU at 2,000 are 17,000 USD; 1,000 EUR more, short in yen, at 165 / 150 are 1,100."""
    agent = make(max_total_exposure=Decimal(18_100))
    marks = [mark(START - SECOND, "150", symbol="USDJPY"), mark(START - SECOND, "1.10")]
    marks.append(mark(START - SECOND, "2000", symbol="XAUUSD"))
    made = decided(
        agent,
        *marks,
        order(1, 10_000),
        order(2, -3, "XAUUSD", account_id="second"),
        order(3, -1_000, "EURJPY"),
        mark(START, "165", symbol="EURJPY"),
        order(4, 1, "XAUUSD", account_id="second"),
        order(5, -1, "EURUSD"),
        order(6, -2, "EURUSD"),
        order(7, 3, "EURUSD"),
        order(8, 2_000, "EURUSD"),
    )
    codes, amounts = [one.codes for one in made], [one.total_exposure for one in made]
    assert codes == [(), (), (), (), (), (), (), ("TOTAL_EXPOSURE",)]
    assert amounts == [
        Decimal(amount) for amount in (11_000, 17_000, 18_100, 16_100, "16098.9", "16096.7", 16_100, 18_300)
    ]
    assert made[-1].reason == "all positions together would be worth 18300.00 USD, above 18100.00"


def test_a_mark_that_is_later_than_the_request_is_not_used() -> None:
    """Of those that are kept, the newest one that is not later; what a replay reads ahead changes nothing."""
    marks = [mark(START + n * 60 * SECOND, str(2_000 + n), symbol="XAUUSD") for n in range(-2, 3)]
    bought = order(1, 1, "XAUUSD", START - 90 * SECOND)
    made = decided(
        make(max_total_exposure=PLENTY), bought, *marks, order(2, 1, at=START + 1), order(3, 1, at=START - 1)
    )
    assert [one.total_exposure for one in made[1:]] == [Decimal("2001.10"), Decimal("2001.20")]


def test_without_a_mark_or_a_rate_only_what_makes_a_position_smaller_passes() -> None:
    """The decision names what is missing, and values nothing; it is never taken for 1."""
    made = decided(
        make(max_total_exposure=PLENTY, max_currency_exposure=PLENTY),
        mark(START, "150", symbol="USDJPY"),
        order(1, 1_000, "EURJPY"),
        order(2, 1_000, at=START + AGE),
        order(3, -1, "EURJPY", START + AGE),
        order(4, 1_000, at=START + AGE + 1),
        order(5, -500, "EURJPY", START + AGE + 1),
        order(6, 1_000, "EURGBP", START + AGE + 1, account_id="second"),
    )
    missing = [one.no_rate for one in made]
    assert [one.codes for one in made] == [(), ("NO_RATE",), (), ("NO_RATE",), (), ("NO_RATE",)]
    assert missing[:3] == ["", "a mark of EURJPY.OANDA", ""]
    assert missing[4] == "a rate from EUR to USD, a rate from JPY to USD"
    assert missing[5] == "a mark of EURJPY.OANDA, a rate from EUR to USD, a rate from GBP to USD"
    assert {one.total_exposure for one in made[1::2]} == {None}
    assert "cannot be judged without a mark of EURJPY.OANDA, at most 120,000,000 µs old: wait" in made[1].reason


def test_an_instrument_whose_currencies_are_not_known_is_worth_nothing_that_could_be_compared() -> None:
    """Its name is in the decision, so that somebody can add it."""
    of = {"symbol": "ETHUSD", "quote_bid": Decimal(1), "quote_ask": Decimal(1)}
    (made,) = decided(make(max_total_exposure=PLENTY), request(1, **of))
    assert (made.codes, made.no_rate) == (("NO_RATE",), "the currencies of ETHUSD")


def test_a_currency_has_a_limit_on_what_is_held_of_it_net() -> None:
    """Long EURUSD and long EURJPY add up in euros; a short XAUUSD is no euro."""
    marks = [mark(START, QUOTES[symbol], symbol=symbol) for symbol in QUOTES]
    made = decided(
        make("JPY", max_currency_exposure=Decimal(330_000)),
        *marks,
        order(1, 1_000, "EURJPY"),
        order(2, 1_000, account_id="second"),
        order(3, -1, "XAUUSD"),
        order(4, 1),
        order(5, -1_000, "EURGBP"),
        order(6, 1),
    )
    assert [one.codes for one in made] == [(), (), (), ("CURRENCY_EXPOSURE",), (), ()]
    assert [one.currency_exposure for one in made[:3]] == [Decimal(165_000), Decimal(330_000), Decimal(300_000)]
    assert made[3].reason == "the net position in one currency would be worth 330165.00 JPY, above 330000.00"


@pytest.mark.parametrize(
    ("one", "other", "rate"),
    [("USD", "USD", "1"), ("EUR", "USD", "1.25"), ("JPY", "USD", "0.01"), ("EUR", "JPY", "125"), ("GBP", "JPY", "200")],
)
def test_a_rate_is_direct_inverse_or_one_cross(one: str, other: str, rate: str) -> None:
    """Over dollars where both have them, though euros come first in the alphabet."""
    mids = {
        ("EUR", "USD"): "1.25",
        ("USD", "JPY"): "100",
        ("GBP", "USD"): "2",
        ("EUR", "GBP"): "0.5",
        ("X", "GBP"): "1",
    }
    rates = Rates({pair: Decimal(mid) for pair, mid in mids.items()})
    assert rates.rate(one, other) == Decimal(rate)
    assert rates.rate("X", "JPY") is None
    assert rates.rate("X", "NONE") is None


def test_an_hour_of_marks_is_kept_of_each_instrument() -> None:
    """So that state does not grow; a request from before them finds none."""
    marks = [mark(START + n * 60 * SECOND, "1.10") for n in range(KEPT + 1)]
    state, agent = MemoryState(), make(max_total_exposure=PLENTY)
    run(agent, [order(1, 1, at=START), *marks], state)
    assert len(state.values["mark/EURUSD.OANDA"].times) == KEPT  # type: ignore[attr-defined]
    early, late = order(2, 1, "XAUUSD", START), order(3, 1, "XAUUSD", START + 60 * SECOND)
    made = [event for event in run(agent, [early, late], state) if isinstance(event, Decision)]
    assert [one.codes for one in made] == [("NO_RATE",), ()]


def test_who_states_no_limit_over_instruments_is_judged_as_before() -> None:
    """No mark is needed, and the decision has no value."""
    made = decided(make(), order(1, 1_000, "EURJPY"), order(2, 5))
    assert [(one.codes, one.total_exposure, one.currency_exposure, one.no_rate) for one in made] == [
        ((), None, None, "")
    ] * 2


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    """Draw requests for several instruments, ends of orders, and marks that are missing at first."""
    stream: list[Event] = []
    asked: list[OrderRequest] = []
    at = START
    for number in range(draw(st.integers(0, 30))):
        at += draw(st.sampled_from((0, 1, SECOND, 30 * SECOND)))
        symbol = draw(st.sampled_from(("EURUSD", "USDJPY", "EURJPY", "XAUUSD")))
        price = str(Decimal(QUOTES[symbol]) * draw(st.sampled_from((1, 2))))
        kind = draw(st.integers(0, 3))
        if kind == 0:
            stream.append(mark(at + draw(st.sampled_from((0, SECOND))), price, symbol=symbol))
        elif kind == 1 and asked:
            of = draw(st.sampled_from(asked))
            stream.append(ended(of, draw(st.integers(0, int(abs(of.units))))))
        else:
            units = draw(st.sampled_from((-900, -100, -1, 1, 100, 900)))
            account = draw(st.sampled_from(("main", "main", "second")))
            asked.append(order(number, units, symbol, at, price=price, account_id=account))
            stream.append(asked[-1])
    return stream


STATED: dict[str, Any] = {"max_total_exposure": Decimal(150_000), "max_currency_exposure": Decimal(120_000)}


@given(histories(), places)
def test_cuts_change_nothing(stream: list[Event], cuts: list[int]) -> None:
    """f(a + b) = f(a) ; f(b), with marks among the requests."""
    assert_law(lambda: make(**STATED), ingested(stream, "execution.order_requests"), cuts)


@given(histories())
def test_no_order_that_grows_a_position_leads_beyond_a_limit(stream: list[Event]) -> None:
    """Each figure is that of a book that values everything anew; an explanation finds what the decision found."""
    (alpha, *_) = (one for one in tenant_events(tenants(**STATED)) if isinstance(one, TenantEvent))
    agent, state = make(**STATED), MemoryState()
    held: dict[tuple[str, str], Decimal] = {}
    open_orders: dict[str, tuple[tuple[str, str], Decimal]] = {}
    known: dict[str, list[tuple[int, Decimal]]] = {}
    for event in stream:
        made = [one for one in run(agent, [event], state) if isinstance(one, Decision)]
        if isinstance(event, OrderEvent) and event.order_id in open_orders:
            place, units = open_orders.pop(event.order_id)
            left = abs(units) - event.filled_quantity
            held[place] -= left if units > 0 else -left
        elif isinstance(event, OrderRequest):
            (one,) = made
            place = (event.account_id, event.symbol)
            before = held.get(place, Decimal(0))
            after = {**held, place: before + event.units}
            expected = worth(after, event, known)
            assert one.total_exposure == expected
            if one.outcome == "APPROVED":
                held[place] = before + event.units
                open_orders[one.order_id] = (place, event.units)
                if abs(held[place]) > abs(before):
                    assert one.total_exposure is not None
                    assert one.total_exposure <= STATED["max_total_exposure"]
                    assert one.currency_exposure is not None
                    assert one.currency_exposure <= STATED["max_currency_exposure"]
            checks = explained(event, one, alpha)
            assert tuple(check.code for check in checks if not check.passed) == one.codes
            assert not any(check.differs for check in checks)
        elif not isinstance(event, OrderEvent):
            known.setdefault(event.symbol, []).append((event.ts_event, event.price))  # type: ignore[attr-defined]


def worth(
    held: dict[tuple[str, str], Decimal], at: OrderRequest, known: dict[str, list[tuple[int, Decimal]]]
) -> Decimal | None:
    """Return what is held, in USD, by the request's quote and the newest marks that are not later; None without one."""
    prices = {at.symbol: at.quote_bid}
    for symbol, marks in known.items():
        there = [
            (ts, place, price) for place, (ts, price) in enumerate(marks) if at.ts_event - AGE <= ts <= at.ts_event
        ]
        if there and symbol != at.symbol:
            prices[symbol] = max(there)[2]
    total = Decimal(0)
    for (_, symbol), units in held.items():
        if not units:
            continue
        price = prices.get(symbol)
        if price is None:
            return None
        if symbol.endswith("JPY"):
            if "USDJPY" in prices:
                price /= prices["USDJPY"]
            elif {"EURUSD", "EURJPY"} <= prices.keys():
                price = price / prices["EURJPY"] * prices["EURUSD"]
            else:
                return None
        total += abs(units) * price
    return total.quantize(Decimal("1e-10"))
