"""Every request gets one decision, with every code that applies; approved orders count as if filled."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from processing import START, assert_law, heartbeat, ingested, knowing, places, request, tenant_events

from tradewind.processors.batch import PoisonRecord, Processor
from tradewind.processors.clock import MINUTE_US, month_end, month_start
from tradewind.processors.identity import derive_id
from tradewind.processors.risk.exposure import RECENT_ORDERS, RECENT_STRANGERS, STRANGERS
from tradewind.processors.risk.processor import risk
from tradewind.processors.tenancy.tenant import Limits, Sizing, Tenant
from tradewind.schemas.billing import UsageThreshold
from tradewind.schemas.event import Event
from tradewind.schemas.execution import OrderEvent, OrderRequest
from tradewind.schemas.risk import Decision, KillSwitch, StrangersState
from tradewind.schemas.tenancy import Tenant as TenantEvent
from tradewind.testing import MemoryState, rows, run

SIZING = Sizing(Decimal(1), "MARKET")
LIMITS = Limits(max_order_notional=Decimal(5_000), max_position_notional=Decimal(10_000), max_quote_age_us=1_000)
TENANTS = tuple(Tenant(name, ("main", "second"), SIZING, LIMITS) for name in ("alpha", "beta"))


def make() -> Processor:
    """Return an agent with limits of 4,000 units an order and 8,000 a position, at an ask of 1.25."""
    return knowing(risk(), TENANTS)


def switch(*, engaged: bool = True, tenant_id: str | None = "alpha", account_id: str | None = None) -> KillSwitch:
    """Return a command."""
    return KillSwitch(
        event_id=derive_id("switch", str(engaged), str(tenant_id), str(account_id)),
        tenant_id=tenant_id,
        ts_event=START,
        ts_ingest=START,
        correlation_id="c",
        causation_id="c",
        account_id=account_id,
        engaged=engaged,
        reason="test",
    )


def ended(of: OrderRequest, status: Any = "EXPIRED", filled: Decimal = Decimal(0)) -> OrderEvent:
    """Return the end of an order."""
    return OrderEvent(
        event_id=derive_id("ended", of.order_id),
        tenant_id=of.tenant_id,
        ts_event=of.ts_event,
        ts_ingest=of.ts_ingest,
        correlation_id="c",
        causation_id="c",
        order_id=of.order_id,
        account_id=of.account_id,
        symbol=of.symbol,
        venue=of.venue,
        sequence=1,
        status=status,
        filled_quantity=filled,
        reason="test",
    )


def codes(events: list[Event]) -> list[tuple[str, ...]]:
    """Return the codes of each decision."""
    return [event.codes for event in events if isinstance(event, Decision)]


def test_an_approval_says_what_was_asked() -> None:
    """The venue needs nothing but the decision."""
    asked = request(1)
    (segment,) = ingested([asked])
    (sent,) = make()(MemoryState(), segment)
    assert isinstance(sent, Decision)
    assert (sent.outcome, sent.codes, sent.event_id) == ("APPROVED", (), derive_id("Decision", asked.order_id))
    assert (sent.ts_event, sent.ts_ingest, sent.causation_id) == (asked.ts_event, 1_000, asked.event_id)
    assert (sent.side, sent.quantity) == ("BUY", Decimal(1000))
    same = {
        "order_id",
        "deployment",
        "symbol",
        "quote_ask",
        "quote_ts",
        "strategy",
        "time_in_force",
        "account_id",
    }
    assert {name: getattr(sent, name) for name in same} == {name: getattr(asked, name) for name in same}


REASONS: dict[str, dict[str, Any]] = {
    "STALE_PRICE": {"quote_ts": START - 1_001},
    "MAX_ORDER_SIZE": {"quantity": Decimal(4_001)},
    "MAX_POSITION": {},  # by 8,000 units held
    "KILL_SWITCH": {},  # by a command
}


@pytest.mark.parametrize("wanted", [set(chosen) for count in range(5) for chosen in combinations(REASONS, count)])
def test_a_denial_names_every_reason(wanted: set[str]) -> None:
    """Whoever mends one reason need not find the next by trying."""
    before = [request(at, quantity=Decimal(4_000)) for at in (1, 2)] if "MAX_POSITION" in wanted else []
    commands = [switch()] if "KILL_SWITCH" in wanted else []
    change = {name: value for code in wanted for name, value in REASONS[code].items()}
    *_, last = codes(run(make(), [*before, *commands, request(9, **change)]))
    assert set(last) == wanted
    assert len(last) == len(wanted)


@pytest.mark.parametrize(
    ("change", "allowed"),
    [
        ({"quote_ts": START - 1_000}, True),
        ({"quote_ts": START - 1_001}, False),
        ({"quantity": Decimal(4_000)}, True),
        ({"quantity": Decimal("4000.0000000001")}, False),
        ({"quantity": Decimal(5_000), "side": "SELL"}, True),  # a sell is worth its bid
        ({"quantity": Decimal(5_000), "order_type": "LIMIT", "limit_price": Decimal(1)}, True),
        ({"quantity": Decimal(5_000), "order_type": "LIMIT", "limit_price": Decimal("1.01")}, False),
    ],
)
def test_limits_are_inclusive(change: dict[str, Any], allowed: bool) -> None:
    """What equals a limit is within it."""
    assert codes(run(make(), [request(1, **change)])) == [()] or not allowed


def test_approved_orders_count_before_they_fill() -> None:
    """Two orders of half the limit leave nothing for a third, whatever the venue does meanwhile."""
    orders = [request(at, quantity=Decimal(4_000)) for at in range(3)]
    assert codes(run(make(), orders)) == [(), (), ("MAX_POSITION",)]
    filled = [orders[0], ended(orders[0], "FILLED", Decimal(4_000)), *orders[1:]]
    assert codes(run(make(), filled)) == [(), (), ("MAX_POSITION",)]


def test_what_an_order_leaves_unfilled_is_free_again() -> None:
    """An order that ends early gives back the rest, once."""
    orders = [request(at, quantity=Decimal(4_000)) for at in range(5)]
    stream = [*orders[:2], ended(orders[0]), ended(orders[0]), *orders[2:4]]
    assert codes(run(make(), stream)) == [(), (), (), ("MAX_POSITION",)]
    partly = [*orders[:2], ended(orders[0], "CANCELED", Decimal(3_999)), request(7, quantity=Decimal(1)), request(8)]
    assert codes(run(make(), partly)) == [(), (), (), ("MAX_POSITION",)]


def test_an_order_that_makes_a_position_smaller_is_allowed() -> None:
    """Above its limit (the price rose), a position can still be reduced, and not be enlarged."""
    held = [request(at, quantity=Decimal(4_000)) for at in range(2)]
    dear: dict[str, Any] = {"quote_bid": Decimal(2), "quote_ask": Decimal(2), "quantity": Decimal(100)}
    assert codes(run(make(), [*held, request(8, side="SELL", **dear), request(9, **dear)]))[2:] == [
        (),
        ("MAX_POSITION",),
    ]


def test_accounts_and_instruments_are_apart() -> None:
    """What one holds does not count for another."""
    changes: list[dict[str, Any]] = [
        {"tenant_id": "beta"},
        {"account_id": "second"},
        {"symbol": "XAUUSD"},
        {"venue": "X"},
    ]
    held = [request(at, quantity=Decimal(4_000)) for at in range(2)]
    others = [request(10 + at, quantity=Decimal(4_000), **change) for at, change in enumerate(changes)]
    assert codes(run(make(), held + others)) == [()] * 6


@pytest.mark.parametrize(
    ("command", "stopped"),
    [
        ({}, [("alpha", "main"), ("alpha", "second")]),
        ({"account_id": "second"}, [("alpha", "second")]),
        ({"tenant_id": None}, [("alpha", "main"), ("alpha", "second"), ("beta", "main")]),
    ],
)
def test_a_kill_switch_stops_whom_it_names_until_it_is_released(command: dict[str, Any], stopped: list[Any]) -> None:
    """An account, a tenant, or everyone."""
    accounts = [("alpha", "main"), ("alpha", "second"), ("beta", "main")]

    def asked(first: int) -> list[Event]:
        return [request(first + at, tenant_id=t, account_id=a) for at, (t, a) in enumerate(accounts)]

    sent = run(make(), [switch(**command), *asked(0), switch(engaged=False, **command), *asked(10)])
    assert codes(sent) == [("KILL_SWITCH",) if of in stopped else () for of in accounts] + [()] * 3


def test_a_request_that_comes_again_is_decided_once() -> None:
    """In one segment, in two, while it is open, and after its end."""
    orders = [request(at, quantity=Decimal(1)) for at in range(RECENT_ORDERS)]
    state = MemoryState()
    sent = run(make(), [orders[0], *orders, ended(orders[0]), orders[0]], state)
    assert len(sent) == RECENT_ORDERS
    assert not run(make(), orders, state)


def test_heartbeats_pass_in_their_order_with_the_number_of_the_partition() -> None:
    """What the venue waits for, from each partition."""
    (decisions, beats) = rows([request(1), heartbeat(START)], "execution.order_requests")
    state, processor = MemoryState(), make()
    assert len(processor(state, decisions)) == 1
    assert processor(state, replace(beats, partition=3)) == [replace(heartbeat(START), passed_by=3)]


def test_a_request_of_no_tenant_is_poison() -> None:
    """The record is named, and nothing of its segment was kept before it was found."""
    state, told = MemoryState(), MemoryState()
    run(make(), [heartbeat(START)], told)
    with pytest.raises(PoisonRecord, match="names no tenant") as error:
        run(make(), [request(1), request(2, tenant_id=None)], state)
    assert error.value.index == 1
    assert state.values == told.values


@pytest.mark.parametrize(
    ("change", "code"), [({"tenant_id": "gamma"}, "UNKNOWN_TENANT"), ({"account_id": "third"}, "UNKNOWN_ACCOUNT")]
)
def test_a_stranger_is_denied_once(change: dict[str, Any], code: str) -> None:
    """Should the tenant come later, the order stays denied; how much is kept of strangers has a limit."""
    state, asked = MemoryState(), [request(at, **change) for at in range(RECENT_STRANGERS + 9)]
    assert codes(run(make(), asked, state)) == [(code,)] * len(asked)
    assert not run(make(), [asked[-1]], state)
    strangers = state.get(STRANGERS, StrangersState)
    assert strangers is not None
    assert len(strangers.recent) == RECENT_STRANGERS
    assert not list(state.keys("exposure/"))


@pytest.mark.parametrize(("status", "code"), [("SUSPENDED", "TENANT_SUSPENDED"), ("CLOSED", "TENANT_CLOSED")])
def test_a_tenant_that_is_not_active_is_denied(status: Any, code: str) -> None:
    """From its change on; the decision names every other reason as well."""
    state = MemoryState()
    known = {event.tenant_id: event for event in tenant_events(TENANTS) if isinstance(event, TenantEvent)}
    run(make(), [heartbeat(START)], state)
    run(make(), [replace(known["alpha"], revision=2, status=status)], state)
    late = request(2, quote_ts=START - 1_001)
    found = codes(run(make(), [request(1), late, request(3, tenant_id="beta")], state))
    assert found == [(code,), (code, "STALE_PRICE"), ()]


def reached(quantity: int, quota: int = 3, at: int = START, **other: Any) -> UsageThreshold:
    """Return what rating says of alpha's orders in May 2014, unless told otherwise."""
    fields: dict[str, Any] = {
        "event_id": derive_id("reached", quantity, quota, at),
        "tenant_id": "alpha",
        "ts_event": at,
        "ts_ingest": at,
        "correlation_id": "c",
        "causation_id": "c",
        "meter": "orders",
        "ts_start": month_start(at),
        "ts_end": month_end(at),
        "percent": 100,
        "quota": quota,
        "quantity": quantity,
    }
    return UsageThreshold(**{**fields, **other})


def quota(units: int | None, revision: int = 2) -> TenantEvent:
    """Return alpha with a quota of orders."""
    (alpha,) = (
        event for event in tenant_events(TENANTS) if isinstance(event, TenantEvent) and event.tenant_id == "alpha"
    )
    quotas = () if units is None else ({"meter": "orders", "units": units},)
    return replace(alpha, revision=revision, quotas=quotas)


def asked(state: MemoryState, *events: Event) -> list[tuple[str, ...]]:
    """Return the codes of decisions on records that came in when they happened."""
    of = make()
    return codes([sent for segment in rows(events) for sent in of(state, segment) if isinstance(sent, Event)])


def test_orders_are_denied_while_the_quota_is_used_up() -> None:
    """Until the month ends by the clock, or the quota is raised; one that makes a position smaller is approved."""
    state, month = MemoryState(), month_end(START)
    assert asked(state, quota(3), request(1), reached(2, percent=50), request(2)) == [(), ()]
    assert asked(state, reached(3), request(3), request(4, tenant_id="beta")) == [("QUOTA",), ()]
    assert asked(state, request(5, side="SELL", quantity=Decimal(500)), reached(2), request(6)) == [(), ("QUOTA",)]
    assert asked(state, quota(4, revision=3), request(7), reached(4, quota=4), request(8)) == [(), ("QUOTA",)]
    assert asked(state, quota(None, revision=4), request(9), quota(3, revision=5), request(10)) == [(), ("QUOTA",)]
    assert asked(state, request(11, month - 1), request(12, month)) == [("QUOTA",), ()]


def test_a_quota_of_another_meter_denies_no_order() -> None:
    """Each agent reads what it acts on."""
    assert asked(MemoryState(), quota(3), reached(3, meter="fills"), request(1)) == [()]


def paced(most: int, revision: int = 2) -> TenantEvent:
    """Return alpha with so many orders in a minute."""
    return replace(quota(None, revision), orders_per_minute=most)


def test_orders_beyond_those_of_a_minute_are_denied() -> None:
    """Of event time, for each tenant and instrument; what makes a position smaller passes, and a denial is no order."""
    state, minute = MemoryState(), START - START % MINUTE_US
    small = {"quantity": Decimal(10)}
    asking = [request(number, minute + number, **small) for number in range(4)]
    assert asked(state, paced(2), *asking) == [(), (), ("ORDER_RATE",), ("ORDER_RATE",)]
    assert asked(state, request(5, minute, symbol="XAUUSD", **small), request(6, minute, tenant_id="beta")) == [(), ()]
    assert asked(state, request(7, minute, side="SELL", quantity=Decimal(5))) == [()]
    assert asked(state, paced(4, 3), request(8, minute, **small), request(9, minute, **small)) == [(), ("ORDER_RATE",)]
    last, first = request(10, minute + MINUTE_US - 1, **small), request(11, minute + MINUTE_US, **small)
    assert asked(state, last, first) == [("ORDER_RATE",), ()]
    late = [request(number, minute, **small) for number in (12, 13, 14, 15)]
    assert asked(state, *late) == [(), (), (), ("ORDER_RATE",)], "a late order counts in the minute that has begun"


def test_a_tenant_that_may_have_no_order_in_a_minute_has_none() -> None:
    """0 is a limit; every reason is told."""
    assert asked(MemoryState(), paced(0), request(1), request(2, quantity=Decimal(4_500))) == [
        ("ORDER_RATE",),
        ("MAX_ORDER_SIZE", "ORDER_RATE"),
    ]


@st.composite
def risk_streams(draw: st.DrawFn) -> list[Event]:
    """Draw requests, ends of orders, commands and heartbeats in any order."""
    stream: list[Event] = []
    asked: list[OrderRequest] = []
    for number in range(draw(st.integers(0, 40))):
        kind = draw(st.integers(0, 9))
        if asked and kind == 0:
            stream.append(draw(st.sampled_from(asked)))
        elif kind < 6 or not asked:
            made = request(
                number,
                START + number,
                side=draw(st.sampled_from(("BUY", "SELL"))),
                quantity=Decimal(draw(st.sampled_from((1, 1_000, 3_000, 4_000, 5_000)))),
                account_id=draw(st.sampled_from(("main", "second"))),
                symbol=draw(st.sampled_from(("EURUSD", "XAUUSD"))),
                quote_ts=START + number - draw(st.sampled_from((0, 2_000))),
            )
            asked.append(made)
            stream.append(made)
        elif kind < 8:
            of = draw(st.sampled_from(asked))
            status = draw(st.sampled_from(("ACCEPTED", "FILLED", "EXPIRED")))
            stream.append(ended(of, status, abs(of.units) if status == "FILLED" else Decimal(0)))
        elif kind == 8 and draw(st.booleans()):
            stream.append(draw(st.sampled_from((quota(3), reached(2), reached(3), quota(5, revision=3), paced(2, 4)))))
        elif kind == 8:
            stream.append(switch(engaged=draw(st.booleans()), tenant_id=draw(st.sampled_from((None, "alpha")))))
        else:
            stream.append(heartbeat(START + number))
    return stream


@given(risk_streams(), places)
def test_cuts_change_nothing(stream: list[Event], cuts: list[int]) -> None:
    """f(a + b) = f(a) ; f(b), over all inputs."""
    assert_law(make, ingested(stream, "execution.order_requests"), cuts)


@given(risk_streams())
def test_an_order_is_reserved_for_while_it_is_open_and_not_a_record_longer(stream: list[Event]) -> None:
    """From its approval to its end, whatever repeats; once all have ended, no reservation is left."""
    state, agent, reserved = MemoryState(), make(), dict[str, Event]()
    asked = {event.order_id: event for event in stream if isinstance(event, OrderRequest)}
    for event in stream:
        for sent in run(agent, [event], state):
            if isinstance(sent, Decision) and sent.outcome == "APPROVED":
                reserved[sent.order_id] = sent
        if isinstance(event, OrderEvent) and event.status != "ACCEPTED":
            reserved.pop(event.order_id, None)
        assert set(state.keys("reservation/")) == {f"reservation/{order_id}" for order_id in reserved}
    run(agent, [ended(asked[order_id]) for order_id in reserved], state)
    assert not list(state.keys("reservation/"))


@given(risk_streams())
def test_each_request_has_one_decision_and_exposure_is_never_above_its_limit(stream: list[Event]) -> None:
    """As many decisions as order ids; and what is approved and not given back stays within the limit."""
    sent = [event for event in run(make(), stream) if isinstance(event, Decision)]
    assert sorted(one.order_id for one in sent) == sorted(
        {one.order_id for one in stream if isinstance(one, OrderRequest)}
    )
    held: dict[Any, Decimal] = {}
    for one in sent:
        if one.outcome == "APPROVED" and not any(isinstance(event, OrderEvent) for event in stream):
            key = (one.account_id, one.symbol)
            held[key] = held.get(key, Decimal(0)) + (one.quantity if one.side == "BUY" else -one.quantity)
            assert abs(held[key]) * Decimal("1.25" if held[key] > 0 else "1.00") <= 10_000  # sold at the bid
