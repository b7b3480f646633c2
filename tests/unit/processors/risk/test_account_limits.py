"""Limits on what all accounts of a tenant hold of an instrument, and on what an account may lose in one."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from processing import START, assert_law, ingested, knowing, places, request, tenant_events

from tradewind.processors.batch import Processor
from tradewind.processors.clock import DAY_US
from tradewind.processors.risk.explained import explained
from tradewind.processors.risk.processor import risk
from tradewind.processors.tenancy.tenant import Limits, Sizing, Tenant
from tradewind.schemas.event import Event
from tradewind.schemas.execution import OrderEvent, OrderRequest
from tradewind.schemas.risk import Decision
from tradewind.schemas.tenancy import Tenant as TenantEvent
from tradewind.testing import MemoryState, run

PLENTY = Decimal(10**9)
LIMITS = Limits(max_order_notional=PLENTY, max_position_notional=PLENTY, max_quote_age_us=1_000)


def tenants(**limits: Any) -> tuple[Tenant, ...]:
    """Return alpha and beta with two accounts each; alpha has limits."""
    sizing = Sizing(Decimal(1), "MARKET")
    of = {"alpha": replace(LIMITS, **limits), "beta": LIMITS}
    return tuple(Tenant(name, ("main", "second"), sizing, each) for name, each in of.items())


def make(**limits: Any) -> Processor:
    """Return an agent that knows `tenants`."""
    return knowing(risk(), tenants(**limits))


def order(number: int, units: int, bid: str = "1.00", at: int = START, **other: Any) -> OrderRequest:
    """Return a request to buy units, or to sell them where they are negative, at a spread of 0.50."""
    side = "BUY" if units > 0 else "SELL"
    quote = {"quote_bid": Decimal(bid), "quote_ask": Decimal(bid) + Decimal("0.50")}
    return request(number, at, side=side, quantity=Decimal(abs(units)), **{**quote, **other})


def ended(of: OrderRequest, filled: int = 0) -> OrderEvent:
    """Return an event that ends an order, after it has filled some units."""
    told = {name: getattr(of, name) for name in ("tenant_id", "order_id", "account_id", "symbol", "venue")}
    return OrderEvent(
        event_id=f"end-{of.order_id}",
        ts_event=of.ts_event,
        ts_ingest=of.ts_ingest,
        correlation_id="c",
        causation_id="c",
        sequence=1,
        status="EXPIRED",
        filled_quantity=Decimal(filled),
        reason="test",
        **told,
    )


def decisions(agent: Processor, events: list[Event], state: MemoryState | None = None) -> list[Decision]:
    """Return the decisions on requests among events."""
    return [event for event in run(agent, events, state) if isinstance(event, Decision)]


def codes(made: list[Decision]) -> list[tuple[str, ...]]:
    """Return the codes of each decision."""
    return [one.codes for one in made]


def test_all_accounts_of_a_tenant_together_have_a_limit_in_an_instrument() -> None:
    """Long and short are added, what equals the limit is within it, and what makes a position smaller passes."""
    second = {"account_id": "second"}
    asked: list[Event] = [
        order(1, 4_000),
        order(2, -3_000, **second),
        order(3, 2_001),
        order(4, 2_000),
        order(5, -1, **second),
        order(6, 2_999, "2.00", **second),
        order(7, -1, "2.00", symbol="XAUUSD", **second),
        order(8, 9_000, tenant_id="beta"),
    ]
    made = decisions(make(max_exposure_notional=Decimal(13_500)), asked)  # 9,000 units at an ask of 1.50
    assert codes(made) == [(), (), ("MAX_EXPOSURE",), (), (), (), (), ()]
    assert [one.elsewhere for one in made] == [0, 4_000, 3_000, 3_000, 6_000, 6_000, 0, None]
    assert made[2].reason == "all accounts together would hold 13501.50, above 13500.00"
    assert not any(one.codes for one in decisions(make(), asked))


def test_an_account_that_has_lost_too_much_today_may_only_make_its_position_smaller() -> None:
    """Until the next day of event time begins; other accounts and instruments go on."""
    agent, state = make(max_daily_loss=Decimal(2_000)), MemoryState()
    first = decisions(agent, [order(1, 4_000), order(2, 4_000)], state)  # half a spread of 0.50 is lost at once
    assert [one.lost_today for one in first] == [0, 1_000]
    fallen: list[Event] = [
        order(3, 1, "0.9999"),
        order(4, 1, account_id="second"),
        order(5, 1, symbol="XAUUSD"),
        order(6, 1, tenant_id="beta"),
        order(7, -4_000, "0.9999"),
    ]
    made = decisions(agent, fallen, state)
    assert codes(made) == [("DAILY_LOSS",), (), (), (), ()]
    assert made[0].lost_today == Decimal("2000.80")
    assert made[0].reason.startswith("the account has lost 2000.80 here today, above 2000.00: only orders that make")
    next_day = decisions(agent, [order(8, 1, "0.9999", START + DAY_US)], state)
    assert (codes(next_day), next_day[0].lost_today) == ([()], 0)
    overnight = decisions(agent, [order(9, 1, "0.40", START + 2 * DAY_US)], state)
    assert codes(overnight) == [("DAILY_LOSS",)], "what a night costs belongs to the day that begins"


def test_what_equals_a_limit_on_losses_is_within_it() -> None:
    """A spread of 0.50 costs 0.25 for each unit, twice."""
    asked: list[Event] = [order(1, 4_000), order(2, 4_000), order(3, 1), order(4, 1)]
    assert codes(decisions(make(max_daily_loss=Decimal(2_000)), asked)) == [(), (), (), ("DAILY_LOSS",)]
    assert codes(decisions(make(max_drawdown=Decimal(2_000)), asked)) == [(), (), (), ("DRAWDOWN",)]


def test_a_drawdown_counts_from_the_best_result_and_does_not_end_with_the_day() -> None:
    """It ends when somebody raises the limit, or takes it away and states it again."""
    agent, state = make(max_drawdown=Decimal(3_000)), MemoryState()
    risen = [order(1, 4_000), order(2, 1, "2.00"), order(3, 1, "1.20"), order(4, 1, "1.20", START + 2 * DAY_US)]
    made = decisions(agent, [*risen, order(5, -1, "1.20")], state)
    assert codes(made) == [(), (), ("DRAWDOWN",), ("DRAWDOWN",), ()]
    assert [one.drawdown for one in made[:3]] == [0, 0, Decimal("3201.05")]
    (alpha, *_) = (event for event in tenant_events(tenants()) if isinstance(event, TenantEvent))
    raised, off = replace(alpha, revision=2, max_drawdown=Decimal(4_000)), replace(alpha, revision=3)
    again = replace(alpha, revision=4, max_drawdown=Decimal(3_000))
    later: list[Event] = [raised, order(6, 1, "1.20"), off, order(7, 1, "1.20"), again, order(8, 1, "1.20")]
    assert [(one.codes, one.drawdown is None, one.tenant_revision) for one in decisions(agent, later, state)] == [
        ((), False, 2),
        ((), True, 3),
        ((), False, 4),
    ]
    assert [one.drawdown for one in decisions(agent, [order(9, 1, "1.20")], state)] == [Decimal("0.25")]


def test_what_an_order_does_not_fill_is_neither_paid_nor_held() -> None:
    """The result is as if only the filled part had been ordered."""
    first = order(1, 4_000)
    (_, after) = decisions(make(max_daily_loss=PLENTY), [first, ended(first, 1_000), order(2, 1)])
    assert (after.exposure, after.lost_today) == (1_000, 250)


def test_a_decision_says_what_it_was_judged_by() -> None:
    """The position before it, the orders of the minute, and the revision whose limits were in force."""
    other = {"deployment": "other"}
    made = decisions(make(), [order(1, 4_000), order(2, -1_000, **other), order(3, 1, **other)])
    assert [(one.held, one.exposure, one.in_minute, one.tenant_revision) for one in made] == [
        (0, 0, 0, 1),
        (0, 4_000, 1, 1),
        (-1_000, 3_000, 2, 1),
    ]
    assert {(one.elsewhere, one.lost_today, one.drawdown) for one in made} == {(None, None, None)}
    (stranger,) = decisions(make(), [order(1, 1, tenant_id="gamma")])
    assert (stranger.codes, stranger.tenant_revision) == (("UNKNOWN_TENANT",), 0)


@st.composite
def streams(draw: st.DrawFn) -> list[Event]:
    """Draw requests at prices that move, over some days, and ends of orders that fill a part."""
    stream: list[Event] = []
    asked: list[OrderRequest] = []
    at = START
    for number in range(draw(st.integers(0, 25))):
        at += draw(st.sampled_from((0, 1, DAY_US // 3)))
        if asked and draw(st.integers(0, 3)) == 0:
            of = draw(st.sampled_from(asked))
            stream.append(ended(of, draw(st.integers(0, int(abs(of.units))))))
            continue
        units = draw(st.sampled_from((-300, -200, -1, 1, 200, 300)))
        account = draw(st.sampled_from(("main", "main", "second")))
        asked.append(order(number, units, draw(st.sampled_from(("0.50", "1.00", "1.75"))), at, account_id=account))
        stream.append(asked[-1])
    return stream


STATED = {"max_exposure_notional": Decimal(900), "max_daily_loss": Decimal(150), "max_drawdown": Decimal(300)}


@given(streams(), places)
def test_cuts_change_nothing(stream: list[Event], cuts: list[int]) -> None:
    """f(a + b) = f(a) ; f(b), with every limit stated."""
    assert_law(lambda: make(**STATED), ingested(stream, "execution.order_requests"), cuts)


@given(streams())
def test_losses_are_those_of_all_orders_as_if_filled(stream: list[Event]) -> None:
    """Each decision's figures are those of a ledger that adds up all orders anew; no order grows beyond a limit."""
    agent, state = make(**STATED), MemoryState()
    open_orders: dict[str, tuple[str, Decimal, Decimal]] = {}
    booked: dict[str, list[tuple[Decimal, Decimal]]] = {"main": [], "second": []}
    worths: dict[str, list[tuple[int, Decimal, Decimal]]] = {"main": [], "second": []}
    for event in stream:
        made = decisions(agent, [event], state)
        if isinstance(event, OrderEvent) and event.order_id in open_orders:
            account, units, price = open_orders.pop(event.order_id)
            unfilled = abs(units) - event.filled_quantity
            booked[account].append((-unfilled if units > 0 else unfilled, price))
        if not isinstance(event, OrderRequest):
            continue
        (one,) = made
        account, mid = event.account_id, (event.quote_bid + event.quote_ask) / 2
        held = sum((units for units, _ in booked[account]), Decimal(0))
        cash = -sum((units * price for units, price in booked[account]), Decimal(0))
        day = event.ts_event // DAY_US
        seen = worths[account]
        before = [price for of, price, _ in seen if of < day]
        if before and not any(of == day for of, _, _ in seen):
            start = cash + held * before[-1]
        else:
            start = next((began for of, _, began in seen if of == day), cash + held * mid)
        seen.append((day, mid, start))
        assert one.exposure == held
        assert one.lost_today == start - (cash + held * mid)
        assert one.drawdown is not None
        assert one.drawdown >= 0
        if one.outcome == "APPROVED":
            price = event.quote_ask if one.side == "BUY" else event.quote_bid
            units = one.quantity if one.side == "BUY" else -one.quantity
            booked[account].append((units, price))
            open_orders[one.order_id] = (account, units, price)
            if abs(held + units) > abs(held):
                assert one.lost_today <= STATED["max_daily_loss"]
                assert one.drawdown <= STATED["max_drawdown"]
                assert (one.elsewhere or 0) == abs(sum((of for of, _ in booked[other(account)]), Decimal(0)))


@given(streams())
def test_an_explanation_has_every_check_and_agrees_with_the_decision(stream: list[Event]) -> None:
    """From the decision, the request and the tenant's revision alone."""
    of = {one.tenant_id: one for one in tenant_events(tenants(**STATED)) if isinstance(one, TenantEvent)}
    asked = {one.order_id: one for one in stream if isinstance(one, OrderRequest)}
    for decision in decisions(make(**STATED), stream):
        checks = explained(asked[decision.order_id], decision, of["alpha"])
        assert [one.code for one in checks] == [
            *("TENANT_SUSPENDED", "STALE_PRICE", "MAX_ORDER_SIZE", "MAX_POSITION", "MAX_EXPOSURE", "KILL_SWITCH"),
            *("ORDER_RATE", "DAILY_LOSS", "DRAWDOWN"),
        ]
        assert tuple(one.code for one in checks if not one.passed) == decision.codes
        assert not any(one.differs for one in checks)


def test_an_explanation_says_when_the_code_of_today_finds_otherwise() -> None:
    """A decision of another version, or of another tenant's limits, is not taken for one of these."""
    (alpha, *_) = (one for one in tenant_events(tenants()) if isinstance(one, TenantEvent))
    asked = order(1, 4_000)
    (decision,) = decisions(make(), [asked])
    narrower = explained(asked, decision, replace(alpha, max_order_notional=Decimal(5_999)))
    assert [(one.code, one.value, one.limit, one.passed) for one in narrower if one.differs] == [
        ("MAX_ORDER_SIZE", "6000", "5999", True)
    ]
    met = replace(asked, mode="TARGET", units=Decimal(0))
    assert not explained(met, decision, alpha)


def other(account: str) -> str:
    """Return the other account."""
    return "main" if account == "second" else "second"
