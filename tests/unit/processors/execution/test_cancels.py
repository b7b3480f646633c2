"""A cancel ends its tenant's open order once, and nothing else."""

from __future__ import annotations

from decimal import Decimal
from itertools import groupby
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from processing import START, decision, heartbeat, tick

from tradewind.processors.execution.processor import execution
from tradewind.processors.identity import derive_id
from tradewind.processors.risk.processor import risk
from tradewind.schemas.event import Event
from tradewind.schemas.execution import CancelOrder, Fill, OrderEvent
from tradewind.schemas.market import Heartbeat, Tick
from tradewind.testing import MemoryState, rows, run

LATENCY = 100
NOW = START + 4_000_000_000_000_000


def cancel(number: int, tenant_id: str = "alpha", key: str = "k") -> CancelOrder:
    """Return a command to cancel an order."""
    event_id = derive_id("command", key)
    return CancelOrder(
        event_id=event_id,
        tenant_id=tenant_id,
        ts_event=NOW,
        ts_ingest=NOW,
        correlation_id=event_id,
        causation_id=event_id,
        account_id="main",
        symbol="EURUSD",
        venue="OANDA",
        order_id=f"order-{number}",
        reason="by hand",
    )


def limited(number: int, **other: Any) -> Event:
    """Return the approval of a buy at 1.1."""
    return decision(number, START, order_type="LIMIT", limit_price=Decimal("1.1"), **other)


def sent(records: list[Event], state: MemoryState | None = None) -> list[Event]:
    """Return what comes of records."""
    kept = MemoryState() if state is None else state
    found: list[Event] = []
    for at_venue, run_of in groupby(records, lambda record: isinstance(record, Tick | Heartbeat)):
        for segment in rows(run_of, "market.ticks" if at_venue else "risk.decisions"):
            found += run(execution(LATENCY), segment, kept)
    return found


def told(events: list[Event]) -> list[tuple[str, str, int]]:
    """Return each step of each order: its id, its status, its time after the start."""
    return [(event.order_id, event.status, event.ts_event - START) for event in events if isinstance(event, OrderEvent)]


def test_an_open_order_is_cancelled_once_and_no_quote_fills_it() -> None:
    """A repeat changes nothing; the reason is the command's."""
    events = sent([limited(1), limited(2), tick(START + LATENCY, 1.2), cancel(1), cancel(1), tick(START + 500, 0.5)])
    assert told(events) == [
        ("order-1", "ACCEPTED", 0),
        ("order-2", "ACCEPTED", 0),
        ("order-1", "CANCELED", LATENCY),
        ("order-2", "FILLED", 500),
    ]
    assert [event.reason for event in events if isinstance(event, OrderEvent)][2] == "by hand"
    assert [event.order_id for event in events if isinstance(event, Fill)] == ["order-2"]


def test_what_has_ended_and_what_is_another_tenant_s_stays_as_it_is() -> None:
    """And an order that never was."""
    assert sent([cancel(1)]) == []
    assert told(sent([limited(1), cancel(1, "beta"), cancel(9)])) == [("order-1", "ACCEPTED", 0)]
    filled = [decision(1), tick(START + LATENCY), cancel(1)]
    assert told(sent(filled)) == [("order-1", "ACCEPTED", 0), ("order-1", "FILLED", LATENCY)]


def test_risk_passes_every_cancel() -> None:
    """Also of a tenant that it has never heard of."""
    (segment,) = rows([cancel(1, "nobody")], "execution.order_requests")
    assert run(risk(), segment, MemoryState()) == [cancel(1, "nobody")]


RECORDS = st.one_of(
    st.builds(limited, st.integers(1, 3)),
    st.builds(cancel, st.integers(1, 3)),
    st.builds(lambda at, bid: tick(START + at, bid), st.integers(0, 900), st.sampled_from([1.0, 1.2])),
    st.builds(lambda at: heartbeat(START + at), st.integers(0, 900)),
)


@given(st.lists(RECORDS, max_size=25), st.integers(0, 25))
def test_each_order_ends_once_wherever_a_batch_is_cut(records: list[Event], at: int) -> None:
    """By its fill or by its cancel."""
    whole = sent(records)
    state = MemoryState()
    assert sent(records[:at], state) + sent(records[at:], state) == whole
    ends = [event.order_id for event in whole if isinstance(event, OrderEvent) and event.status != "ACCEPTED"]
    starts = [event.order_id for event in whole if isinstance(event, OrderEvent) and event.status == "ACCEPTED"]
    assert len(ends) <= len(starts)
    assert all(ends.count(order) <= starts.count(order) for order in ends)
