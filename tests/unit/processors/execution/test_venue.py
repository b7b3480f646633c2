"""Orders meet the quotes that they could have met, and each ends once, at any speed of replay."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from processing import (
    START,
    as_columns,
    assert_law,
    decision,
    heartbeat,
    ingested,
    result,
    tick,
)

from tradewind.processors.batch import PoisonRecord, Segment
from tradewind.processors.execution.matching import Match, Offered
from tradewind.processors.execution.processor import execution
from tradewind.processors.identity import derive_id
from tradewind.schemas.event import Event
from tradewind.schemas.execution import Fill, OpenOrderState, OrderEvent
from tradewind.schemas.market import Heartbeat, Tick
from tradewind.schemas.risk import Decision
from tradewind.testing import MemoryState, rows, run

LATENCY = 100
DECISIONS = "risk.decisions"
Outcome = Literal["APPROVED", "DENIED"]


def fills(orders: list[Decision], ticks: list[Any]) -> list[Event]:
    """Return what comes of orders, then ticks and heartbeats."""
    segments = [*rows(orders, DECISIONS), *rows(ticks, "market.ticks")]
    return result(execution(LATENCY), segments)[0]


def told(events: list[Event]) -> list[tuple[Any, ...]]:
    """Return the events in short."""
    return [
        (event.status, event.ts_event - START)
        if isinstance(event, OrderEvent)
        else (event.price, event.liquidity, event.quote_seq)
        for event in events
        if isinstance(event, OrderEvent | Fill)
    ]


ACCEPTED = ("ACCEPTED", 0)


@pytest.mark.parametrize(("side", "price"), [("BUY", Decimal("2.25")), ("SELL", Decimal("2.00"))])
def test_a_market_order_takes_the_first_quote_after_the_latency(side: str, price: Decimal) -> None:
    """A buy at the ask, a sell at the bid; a quote one microsecond too early does not fill it."""
    ticks = [tick(START + LATENCY - 1, 1.0, seq=1), tick(START + LATENCY, 2.0, seq=2), tick(START + LATENCY, 3.0)]
    sent = fills([decision(1, side=side)], ticks)
    assert told(sent) == [ACCEPTED, ("FILLED", LATENCY), (price, "TAKER", 2)]


def limited(side: str, limit: str, **other: Any) -> Decision:
    """Return the approval of a limit order."""
    return decision(1, side=side, order_type="LIMIT", limit_price=Decimal(limit), **other)


@pytest.mark.parametrize(
    ("side", "limit", "bids", "outcome"),
    [
        ("BUY", "1.5", [1.0], (Decimal("1.25"), "TAKER", 0)),  # marketable: the quote's price, better than the limit
        ("BUY", "1.25", [1.0], (Decimal("1.25"), "TAKER", 0)),
        (
            "BUY",
            "1.2",
            [1.0, 1.0, 0.5],
            (Decimal("1.2"), "MAKER", 2),
        ),  # it rested: the limit, though the quote is better
        ("SELL", "0.9", [1.0], (Decimal(1), "TAKER", 0)),
        ("SELL", "1.1", [1.0, 1.1], (Decimal("1.1"), "MAKER", 1)),
        ("SELL", "9", [1.0, 1.1], None),
    ],
)
def test_a_limit_order_takes_or_gives_liquidity(side: str, limit: str, bids: list[float], outcome: Any) -> None:
    """It pays the quote where it crosses at once, and gets its limit where the market comes to it."""
    ticks = [tick(START + LATENCY + at, bid, seq=at) for at, bid in enumerate(bids)]
    sent = fills([limited(side, limit)], ticks)
    expected = [] if outcome is None else [("FILLED", LATENCY + outcome[2]), outcome]
    assert told(sent) == [ACCEPTED, *expected]


def test_an_order_good_till_date_is_not_filled_at_its_date() -> None:
    """It expires at its own time, though it takes a later quote or heartbeat to know."""
    order = limited("BUY", "1.2", time_in_force="GTD", expire_ts=START + 500)
    for last in (tick(START + 500, 0.5), tick(START + 900, 0.5), heartbeat(START + 500)):
        assert told(fills([order], [tick(START + 499), last])) == [ACCEPTED, ("EXPIRED", 500)]
    assert told(fills([order], [heartbeat(START + 499)])) == [ACCEPTED]


@pytest.mark.parametrize("order", [decision(1), limited("BUY", "9", time_in_force="GTD", expire_ts=START + 10**9)])
def test_the_end_of_the_source_expires_what_is_open(order: Decision) -> None:
    """DAY and GTD alike, and whether the order or the end came first."""
    end = heartbeat(START + 50, closing=True)
    first = fills([order], [end, tick(START + 10**9)])
    assert told(first) == [ACCEPTED, ("EXPIRED", 50)]
    assert isinstance(first[1], OrderEvent)
    assert first[1].reason == "the source of quotes ended"
    segments = [*rows([end], "market.ticks"), *rows([order], DECISIONS)]
    assert told(result(execution(LATENCY), segments)[0]) == told(first)


def test_the_end_of_a_source_leaves_later_orders_alone() -> None:
    """The next source's first quote fills an order that was made after the end of the last."""
    order = decision(1, START + 1000)
    sent = fills([order], [heartbeat(START + 50, closing=True), tick(START + 1000 + LATENCY)])
    assert told(sent)[1][0] == "FILLED"


def test_heartbeats_on_the_decisions_are_no_time_of_the_venue() -> None:
    """They run ahead of the ticks that are held back."""
    order = limited("BUY", "1.2", time_in_force="GTD", expire_ts=START + 500)
    state = MemoryState()
    venue = execution(LATENCY)
    for segment in rows([order, heartbeat(START + 10**9, closing=True)], DECISIONS):
        venue(state, segment)
    (ticks,) = rows([tick(START + 200, 0.5)], "market.ticks")
    assert told(venue(state, ticks))[0] == ("FILLED", 200)


def test_ids_and_chains_are_facts_of_the_order() -> None:
    """Each event names the one that caused it."""
    order = decision(1)
    accepted, filled, fill = fills([order], [tick(START + LATENCY)])
    assert isinstance(accepted, OrderEvent)
    assert isinstance(filled, OrderEvent)
    assert isinstance(fill, Fill)
    assert [accepted.event_id, filled.event_id] == [derive_id("OrderEvent", "order-1", at) for at in (0, 1)]
    assert fill.event_id == derive_id("Fill", "order-1", 0)
    assert [accepted.causation_id, filled.causation_id, fill.causation_id] == [
        order.event_id,
        accepted.event_id,
        filled.event_id,
    ]
    assert (filled.filled_quantity, fill.quantity, fill.tenant_id) == (order.quantity, order.quantity, "alpha")


def test_a_denied_order_never_reaches_the_venue() -> None:
    """No event at all."""
    assert not fills([decision(1, outcome="DENIED")], [tick(START + LATENCY), heartbeat(START + 999, closing=True)])


def test_a_venue_of_ones_own_fills_by_its_own_rules() -> None:
    """Latency, expiry and the session stay what they are."""

    class Midpoint:
        def match(self, order: OpenOrderState, offered: Offered) -> Match | None:
            return Match(0, Decimal(str((offered.bid[0] + offered.ask[0]) / 2)), "TAKER")

    segments = [*rows([decision(1)], DECISIONS), *rows([tick(START + LATENCY, 1.0)], "market.ticks")]
    assert told(result(execution(LATENCY, Midpoint()), segments)[0])[2] == (Decimal("1.125"), "TAKER", 0)


def test_what_cannot_be_is_refused() -> None:
    """No latency, no tenant."""
    with pytest.raises(ValueError, match="latency"):
        execution(0)
    with pytest.raises(PoisonRecord):
        run(execution(1), [decision(1, tenant_id=None)])


@st.composite
def venue_streams(draw: st.DrawFn) -> tuple[list[Decision], list[Tick | Heartbeat]]:
    """Draw orders and ticks of two instruments over one span of time; ticks may be out of order."""
    names = ("EURUSD", "XAUUSD")
    orders = []
    for number in range(draw(st.integers(0, 12))):
        made = START + draw(st.integers(0, 800))
        limit = draw(st.sampled_from((None, None, "0.9", "1.0", "1.1", "1.2", "1.3")))
        lives = draw(st.sampled_from((None, 50, 150, 400))) if limit else None
        change: dict[str, Any] = {
            "symbol": draw(st.sampled_from(names)),
            "side": draw(st.sampled_from(("BUY", "SELL"))),
            "order_type": "LIMIT" if limit else "MARKET",
            "limit_price": Decimal(limit) if limit else None,
            "time_in_force": "GTD" if lives else "DAY",
            "expire_ts": made + lives if lives else None,
        }
        outcomes: tuple[Outcome, ...] = ("APPROVED", "APPROVED", "APPROVED", "DENIED")
        orders.append(decision(number, made, draw(st.sampled_from(outcomes)), **change))
    orders.sort(key=lambda order: order.ts_event)
    ticks: list[Tick | Heartbeat] = []
    now = START
    for number in range(draw(st.integers(0, 40))):
        now += draw(st.sampled_from((0, 1, 20, 60, 100)))
        symbol = draw(st.sampled_from(names))
        if draw(st.integers(0, 11)) == 0:
            ticks.append(heartbeat(now, symbol=symbol))
            continue
        at = now - draw(st.sampled_from((0, 0, 0, 30)))
        ticks.append(tick(at, draw(st.integers(8, 13)) / 10, draw(st.integers(13, 14)) / 10, symbol=symbol, seq=number))
    ticks += [heartbeat(now + 2_000, closing=True, symbol=symbol) for symbol in names]
    return orders, ticks


Streams = tuple[list[Decision], list[Tick | Heartbeat]]


def interleaved(streams: Streams, waits: list[int]) -> list[Segment]:
    """Return both streams as segments: each tick after the orders that Hold guarantees, and some of `waits` more."""
    orders, ticks = list(streams[0]), streams[1]
    segments: list[Segment] = []
    for number, one in enumerate(ticks):
        extra = waits[number % len(waits)] if waits else 0
        due = [order for order in orders if order.ts_event + LATENCY <= one.ts_event]
        due += orders[len(due) : len(due) + extra]
        orders = orders[len(due) :]
        segments += rows(due, DECISIONS)
        segments += rows([one], "market.ticks")
    return segments + list(rows(orders, DECISIONS))


def one_by_one(streams: Streams) -> dict[str, Any]:
    """Return what becomes of each order, quote after quote: an independent model."""
    ends: dict[str, Any] = {}
    for order in streams[0]:
        if order.outcome == "DENIED":
            continue
        resting = False
        for one in streams[1]:
            if one.symbol != order.symbol:
                continue
            if order.expire_ts is not None and one.ts_event >= order.expire_ts:
                ends[order.order_id] = ("EXPIRED", order.expire_ts)
            elif isinstance(one, Heartbeat) and one.closing:
                ends[order.order_id] = ("EXPIRED", one.ts_event)
            elif isinstance(one, Tick) and one.ts_event >= order.ts_event + LATENCY:
                touch = Decimal(str(one.ask if order.side == "BUY" else one.bid))
                limit = order.limit_price
                crossed = limit is None or (touch <= limit if order.side == "BUY" else touch >= limit)
                if crossed:
                    ends[order.order_id] = ("FILLED", one.ts_event, limit if resting else touch, one.seq)
                resting = True
            if order.order_id in ends:
                break
    return ends


def ends_of(events: list[Event]) -> dict[str, Any]:
    """Return the final status of each order, with its time and fill."""
    found: dict[str, Any] = {}
    for event in events:
        if isinstance(event, OrderEvent) and event.status != "ACCEPTED":
            assert event.order_id not in found
            found[event.order_id] = (event.status, event.ts_event)
        elif isinstance(event, Fill):
            found[event.order_id] += (event.price, event.quote_seq)
    return found


@given(venue_streams(), st.lists(st.integers(0, 5), max_size=10))
def test_orders_end_as_a_model_says_at_any_speed_of_replay(streams: Streams, waits: list[int]) -> None:
    """All orders before all ticks, or each as late as Hold lets it come: the same fills at the same quotes."""
    model = one_by_one(streams)
    early = [*rows(streams[0], DECISIONS), *as_columns(rows(streams[1], "market.ticks"))]
    assert ends_of(result(execution(LATENCY), early)[0]) == model
    assert ends_of(result(execution(LATENCY), interleaved(streams, waits))[0]) == model


@given(venue_streams())
def test_every_approved_order_is_accepted_once_and_ends_once(streams: Streams) -> None:
    """Nothing is left open when the sources have closed, in the events or in the state."""
    events, state = result(execution(LATENCY), interleaved(streams, []))
    approved = Counter(order.order_id for order in streams[0] if order.outcome == "APPROVED")
    order_events = [event for event in events if isinstance(event, OrderEvent)]
    assert Counter(event.order_id for event in order_events if event.status == "ACCEPTED") == approved
    assert Counter(event.order_id for event in order_events if event.status != "ACCEPTED") == approved
    assert not any(isinstance(value, OpenOrderState) for value in state.values())


@given(venue_streams(), st.lists(st.integers(0, 5), max_size=10), st.lists(st.integers(0, 60), max_size=8))
def test_cuts_change_nothing(streams: Streams, waits: list[int], cuts: list[int]) -> None:
    """f(a + b) = f(a) ; f(b), with decisions among the ticks, or ahead of them."""
    assert_law(lambda: execution(LATENCY), interleaved(streams, waits), cuts)
    ahead = [*ingested(streams[0], DECISIONS), *as_columns(ingested(streams[1], "market.ticks"))]
    assert_law(lambda: execution(LATENCY), ahead, cuts)
