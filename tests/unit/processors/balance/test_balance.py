"""A whole history balances; whatever single record of it is lost, doubled or changed is found, and named."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from processing import START, decision, request

from tests.unit.schemas.strategies import examples, ordinary
from tradewind.processors.balance import orders as balanced_orders
from tradewind.processors.balance.equation import MOST_NAMED, Equation, Place
from tradewind.processors.balance.holdings import Holdings
from tradewind.processors.balance.orders import Orders, TooManyOrders
from tradewind.processors.identity import derive_id
from tradewind.processors.portfolio.processor import portfolio
from tradewind.schemas.event import Event
from tradewind.schemas.execution import Fill, OrderEvent, OrderRequest
from tradewind.schemas.portfolio import DeploymentPosition, Position
from tradewind.schemas.risk import Decision
from tradewind.testing import MemoryState, run

TOPICS = {
    OrderRequest: "execution.order_requests",
    Decision: "risk.decisions",
    OrderEvent: "execution.order_events",
    Fill: "execution.fills",
    Position: "portfolio.positions",
    DeploymentPosition: "portfolio.deployments",
}
ALL_READ = {(topic, 0): 10_000 for topic in TOPICS.values()}


def order_event(number: int, status: str, filled: str = "0", sequence: int = 1) -> OrderEvent:
    """Return a step of an order."""
    said = {
        "event_id": derive_id("step", number, sequence),
        "tenant_id": "alpha",
        "order_id": request(number).order_id,
        "sequence": sequence,
        "status": status,
        "filled_quantity": Decimal(filled),
    }
    return cast("OrderEvent", ordinary(OrderEvent.SCHEMA, **said))


def fill(number: int, quantity: str = "1000", price: str = "1.1", **other: Any) -> Fill:
    """Return a fill of an order."""
    said = {
        "event_id": derive_id("fill", number, quantity),
        "tenant_id": "alpha",
        "order_id": request(number).order_id,
        "account_id": "main",
        "deployment": "test",
        "symbol": "EURUSD",
        "venue": "OANDA",
        "side": "BUY",
        "quantity": Decimal(quantity),
        "price": Decimal(price),
        "fee": Decimal("0.01"),
        "ts_event": START + number,
    }
    return cast("Fill", ordinary(Fill.SCHEMA, **{**said, **other}))


def history() -> list[Event]:
    """Return what five orders leave: filled in two parts, denied, expired, canceled after a part, open."""
    requests = [request(number) for number in range(1, 6)]
    decisions = [decision(number, outcome="DENIED" if number == 2 else "APPROVED") for number in range(1, 6)]
    steps = [
        order_event(1, "ACCEPTED", sequence=0),
        order_event(1, "FILLED", "1000"),
        order_event(3, "EXPIRED"),
        order_event(4, "CANCELED", "400"),
        order_event(5, "ACCEPTED", sequence=0),
    ]
    return [*requests, *decisions, *steps, fill(1, "600"), fill(1, "400"), fill(4, "400")]


def equations(events: list[Event], read: dict[tuple[str, int], int] | None = None, **cut: Any) -> dict[str, Equation]:
    """Return the equations of orders by name; places count by topic."""
    orders, offsets = Orders(**cut), dict.fromkeys(TOPICS.values(), 0)
    for event in events:
        topic = TOPICS[type(event)]
        orders.take(Place(topic, 0, offsets[topic]), cast("Any", event))
        offsets[topic] += 1
    read = ALL_READ if read is None else read
    return {equation.name: equation for equation in orders.equations(read, read)}


def broken(events: list[Event], **other: Any) -> list[str]:
    """Return what breaks equations."""
    found = equations(events, **other).values()
    return [f"{each.at}: {each.said}" for equation in found for each in equation.named]


def test_a_whole_history_balances() -> None:
    """Each count is on its side."""
    found = [(of.left, of.right, of.waiting, of.balanced) for of in equations(history()).values()]
    assert found == [(5, 5, 0, True), (4, 3, 1, True), (2, 2, 0, True)]


@pytest.mark.parametrize("lost", [0, 5, 6, 12, 13, 14, 15, 16, 17])
def test_a_record_that_is_lost_is_found(lost: int) -> None:
    """Whichever: a request, a decision, the only step of an order, a fill."""
    events = history()
    event = events.pop(lost)
    assert cast("Any", event).order_id in broken(events)[0]


@pytest.mark.parametrize("doubled", [5, 11, 12, 13, 15])
def test_a_record_that_comes_twice_is_found(doubled: int) -> None:
    """A decision, an end, a fill. A request may come twice: it is decided once."""
    events = history()
    events.append(events[doubled])
    assert cast("Any", events[doubled]).order_id in broken(events)[0]
    assert not broken([*history(), history()[0]])


@pytest.mark.parametrize("number", [2, 9])
def test_a_fill_that_nobody_approved_is_found(number: int) -> None:
    """Of an order that was denied, or that nobody requested."""
    assert broken([*history(), fill(number)]) == [
        f"execution.fills/0@3: risk has not approved order {request(number).order_id}"
    ]


def test_what_is_on_its_way_breaks_nothing() -> None:
    """Until who must answer has read it."""
    events = [event for event in history() if isinstance(event, OrderRequest)]
    waiting = equations(events, {("execution.order_requests", 0): 3})["order requests = decisions"]
    assert (waiting.left, waiting.right, waiting.waiting, waiting.differences) == (5, 0, 2, 3)
    assert [each.at for each in waiting.named] == [f"execution.order_requests/0@{number}" for number in range(3)]


def test_what_retention_has_removed_is_no_difference() -> None:
    """And is said. What contradicts itself is one all the same."""
    events = [event for event in history() if not isinstance(event, OrderRequest)]
    cut = frozenset({"execution.order_requests"})
    found = equations(events, cut=cut)["order requests = decisions"]
    assert found.balanced
    assert "retention has removed records of execution.order_requests" in found.note
    assert "was decided before" in broken([*events, events[0]], cut=cut)[0]


def test_named_differences_and_orders_in_memory_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """All are counted, and what cannot be compared is said."""
    many: list[Event] = [request(number) for number in range(MOST_NAMED + 5)]
    found = equations(many)["order requests = decisions"]
    assert (found.differences, len(found.named)) == (MOST_NAMED + 5, MOST_NAMED)
    monkeypatch.setattr(balanced_orders, "MOST_ORDERS", 3)
    with pytest.raises(TooManyOrders, match="more than 3 orders"):
        equations(many)


@st.composite
def fills(draw: st.DrawFn) -> list[Fill]:
    """Draw fills of two accounts, deployments and instruments, which turn positions through zero."""
    return [
        fill(
            number,
            str(draw(st.integers(1, 5))),
            str(Decimal(draw(st.integers(1, 10**6))) / 10**5),
            side=draw(st.sampled_from(("BUY", "SELL"))),
            account_id=draw(st.sampled_from(("main", "hedge"))),
            deployment=draw(st.sampled_from(("one", "two"))),
            symbol=draw(st.sampled_from(("EURUSD", "XAUUSD"))),
            fee=Decimal(draw(st.integers(0, 100))) / 1000,
        )
        for number in range(draw(st.integers(1, 12)))
    ]


def holdings(positions: list[Event], made: list[Fill], read: int = 10_000, *, whole: bool = True) -> list[Equation]:
    """Return the equations of what is held."""
    found = Holdings(whole=whole)
    for number, position in enumerate(positions):
        found.take_position(Place(TOPICS[type(position)], 0, number), cast("Any", position))
    for number, one in enumerate(made):
        found.take_fill(Place("execution.fills", 0, number), one)
    return found.equations({("execution.fills", 0): read})


@given(made=fills(), data=st.data())
@examples(60)
def test_positions_of_the_agent_balance_and_no_change_of_one_does(made: list[Fill], data: st.DataObject) -> None:
    """To the last decimal: a lost, repeated or changed fill, and a changed position."""
    positions = run(portfolio(), made, MemoryState())
    assert [equation.differences for equation in holdings(positions, made)] == [0, 0, 0]
    at = data.draw(st.integers(0, len(made) - 1))
    change = data.draw(st.sampled_from(("lost", "twice", "price", "fee", "quantity")))
    other = made[at]
    match change:
        case "lost":
            changed = [*made[:at], *made[at + 1 :]]
        case "twice":
            changed = [*made[: at + 1], other, *made[at + 1 :]]
        case "fee":
            changed = [*made[:at], replace(other, fee=other.fee + Decimal("1e-10")), *made[at + 1 :]]
        case "quantity":
            changed = [*made[:at], replace(other, quantity=other.quantity + 1), *made[at + 1 :]]
        case _:
            last = cast("Any", positions[-1])
            changed, positions = made, [*positions[:-1], replace(last, fees=last.fees + Decimal("1e-10"))]
    assert not all(equation.balanced for equation in holdings(positions, changed))


@given(made=fills(), kept=st.integers(0, 12))
@examples(40)
def test_fills_that_the_agent_has_not_read_are_waiting(made: list[Fill], kept: int) -> None:
    """Positions stop at some fill; those behind the committed position break nothing."""
    positions = run(portfolio(), made[:kept], MemoryState())
    found = holdings(positions, made, min(kept, len(made)))
    assert [equation.differences for equation in found] == [0, 0, 0]


def test_without_all_fills_nothing_is_summed() -> None:
    """And it is said."""
    made = [fill(1), fill(2)]
    found = holdings(run(portfolio(), made, MemoryState()), made[1:], whole=False)
    assert [(equation.left, equation.differences, bool(equation.note)) for equation in found] == [(0, 0, True)] * 3
