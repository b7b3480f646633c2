"""A position follows its strategy's view: LONG is held long, SHORT short, and FLAT is flat."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from processing import SECOND, START, knowing, real_quotes, request

from tradewind.processors.risk.processor import risk
from tradewind.processors.signals.ema import FastEmaCrossover
from tradewind.processors.tenancy.tenant import Limits, Sizing, Tenant
from tradewind.schemas.event import Event
from tradewind.schemas.execution import Fill, OrderRequest
from tradewind.schemas.risk import Decision, ExposureState, HoldingState
from tradewind.schemas.signals import Signal
from tradewind.testing import MemoryState, Pipeline, run

WIDE = Limits(Decimal(10**9), Decimal(10**9), 3_600_000_000)
"""Limits that deny nothing."""
ONE = Tenant("alpha", ("main",), Sizing(Decimal(25), "MARKET"), WIDE)


def test_after_each_fill_the_position_has_the_side_of_the_view() -> None:
    """On hours of gold quotes: orders that only add leave the other side, or none, after half of the fills."""
    sent = Pipeline([FastEmaCrossover()], [ONE]).run(real_quotes("XAUUSD"))
    views = {signal.event_id: signal for signal in sent.of(Signal)}
    chains = {signal.correlation_id: signal for signal in views.values()}
    held, wrong = Decimal(0), 0
    fills = sent.of(Fill)
    for fill in fills:
        held += fill.quantity if fill.side == "BUY" else -fill.quantity
        wanted = chains[fill.correlation_id].direction
        wrong += (held > 0) != (wanted == "LONG") or held == 0
    assert len(fills) > 20
    assert wrong == 0, f"{wrong} of {len(fills)} fills leave the other side, or none"


TENANT = Tenant("alpha", ("main",), Sizing(Decimal(1), "MARKET"), Limits(Decimal(5_000), Decimal(10_000), SECOND))
"""An order may open 4,000 units at an ask of 1.25 or 5,000 at a bid of 1, and a position have 8,000 or 10,000."""


def wanted(number: int, units: int, deployment: str = "test", **other: Any) -> OrderRequest:
    """Return a request for a position, in lots of 10 units and no order below 100."""
    lots = {"lot_size": Decimal(10), "min_quantity": Decimal(100)}
    return request(number, mode="TARGET", units=Decimal(units), deployment=deployment, **{**lots, **other})


def decided(*stream: Event) -> list[tuple[str, str, int]]:
    """Return outcome, side and quantity of each decision."""
    sent = [event for event in run(knowing(risk(), [TENANT]), stream) if isinstance(event, Decision)]
    return [(one.outcome, one.side, int(one.quantity)) for one in sent]


def test_an_order_is_the_difference_between_the_target_and_what_is_held() -> None:
    """Approved orders count as filled; the same target again needs no order."""
    stream = [wanted(at, units) for at, units in enumerate((3_000, 3_000, 1_000, -1_000, 0, 0))]
    assert decided(*stream) == [
        ("APPROVED", "BUY", 3_000),
        ("MET", "BUY", 0),
        ("APPROVED", "SELL", 2_000),
        ("APPROVED", "SELL", 2_000),
        ("APPROVED", "BUY", 1_000),
        ("MET", "BUY", 0),
    ]


def test_no_order_is_made_below_a_lot_or_the_least_quantity() -> None:
    """What is left is nothing that the venue takes."""
    stream = [wanted(1, 1_009), wanted(2, 1_099), wanted(3, 1_100)]
    assert decided(*stream) == [("APPROVED", "BUY", 1_000), ("MET", "BUY", 0), ("APPROVED", "BUY", 100)]


def test_deployments_of_an_account_are_apart_and_count_together_for_its_limits() -> None:
    """One that gets flat closes nothing of another; the account has 8,000 units at most."""
    stream = [wanted(1, 4_000, "a"), wanted(2, 4_000, "b"), wanted(3, 1_000, "c"), wanted(4, 0, "a"), wanted(5, 0, "a")]
    assert decided(*stream) == [
        ("APPROVED", "BUY", 4_000),
        ("APPROVED", "BUY", 4_000),
        ("DENIED", "BUY", 1_000),
        ("APPROVED", "SELL", 4_000),
        ("MET", "BUY", 0),
    ]


def test_a_position_may_turn_as_far_as_an_order_may_open_it() -> None:
    """Closing has no limit: nobody is kept on the wrong side because the whole order is large."""
    assert decided(wanted(1, 4_000), wanted(2, -5_000)) == [("APPROVED", "BUY", 4_000), ("APPROVED", "SELL", 9_000)]
    assert decided(wanted(1, 4_000), wanted(2, -5_010))[1] == ("DENIED", "SELL", 9_010)


def test_a_deployment_gets_flat_where_that_makes_the_account_s_position_larger() -> None:
    """The price rose, and another deployment holds the other side: it is let out all the same."""
    dear: dict[str, Any] = {"quote_bid": Decimal(100), "quote_ask": Decimal(100)}
    stream = [wanted(1, 4_000, "a"), wanted(2, -3_000, "b"), wanted(3, 0, "b", **dear), wanted(4, 5_000, "a", **dear)]
    assert [outcome for outcome, *_ in decided(*stream)] == ["APPROVED", "APPROVED", "APPROVED", "DENIED"]


def test_an_order_uses_the_limit_of_its_side() -> None:
    """Which side it has is known where the order is made."""
    limits = {"order_type": "LIMIT", "buy_limit": Decimal("1.1"), "sell_limit": Decimal("1.2")}
    agent = knowing(risk(), [TENANT])
    sent = run(agent, [wanted(1, 1_000, **limits), wanted(2, -1_000, **limits)])
    assert [one.limit_price for one in sent if isinstance(one, Decision)] == [Decimal("1.1"), Decimal("1.2")]


def test_adding_adds_whatever_is_held() -> None:
    """The other mode."""
    adding = [request(at, deployment="test") for at in range(2)]
    assert decided(*adding, wanted(9, 0))[-1] == ("APPROVED", "SELL", 2_000)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(-60, 60)), max_size=30))
def test_what_deployments_hold_is_their_targets_and_the_account_holds_their_sum(targets: list[tuple[str, int]]) -> None:
    """Within limits that deny nothing, orders in lots of 10: each is within a lot of its target."""
    state, agent = MemoryState(), knowing(risk(), [ONE])
    newest: dict[str, int] = {}
    for number, (name, units) in enumerate(targets):
        run(agent, [wanted(number, units, name, min_quantity=Decimal(10), quote_ts=START)], state)
        newest[name] = units
        held = {one.deployment: one.quantity for key in state.keys("holding/") if (one := state.get(key, HoldingState))}
        assert all(abs(held.get(name, Decimal(0)) - units) < 10 for name, units in newest.items())
        exposure = state.get("exposure/alpha/main/EURUSD.OANDA", ExposureState)
        assert exposure is not None
        assert exposure.quantity == sum(held.values())
