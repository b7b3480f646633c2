"""A person's command becomes one request, later than all that the heartbeats promise and no earlier than its quote."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from processing import START, heartbeat

from tradewind.processors.batch import PoisonRecord
from tradewind.processors.identity import derive_id
from tradewind.processors.portfolio.sizing import sizing
from tradewind.schemas.event import Event
from tradewind.schemas.execution import CancelOrder, OrderRequest, SubmitOrder
from tradewind.schemas.flaws import flaw_of
from tradewind.schemas.market import Heartbeat
from tradewind.testing import MemoryState, rows, run

NOW = START + 4_000_000_000_000_000  # of a command: years after the quotes that are replayed


def submit(quote_ts: int = START, key: str = "k", **other: Any) -> SubmitOrder:
    """Return a command to buy at a quote."""
    event_id = derive_id("command", key)
    given: dict[str, Any] = {
        "event_id": event_id,
        "tenant_id": "alpha",
        "ts_event": NOW,
        "ts_ingest": NOW,
        "correlation_id": event_id,
        "causation_id": event_id,
        "account_id": "main",
        "symbol": "EURUSD",
        "venue": "OANDA",
        "order_id": derive_id("order", event_id),
        "side": "BUY",
        "quantity": Decimal(2_000),
        "order_type": "MARKET",
        "limit_price": None,
        "time_to_live_us": None,
        "quote_bid": Decimal("1.1"),
        "quote_ask": Decimal("1.1001"),
        "quote_ts": quote_ts,
    }
    return SubmitOrder(**{**given, **other})


def sent(events: list[Event], state: MemoryState | None = None) -> list[Event]:
    """Return what sizing makes of events."""
    kept = MemoryState() if state is None else state
    return [made for segment in rows(events, "execution.commands") for made in run(sizing(), segment, kept)]


def test_a_command_is_dated_after_what_is_reached_and_not_before_its_quote() -> None:
    """So that its order meets no quote that was seen."""
    (early,) = sent([submit(START)])
    _, late = sent([heartbeat(START + 500), submit(START)])
    _, ahead = sent([heartbeat(START + 500), submit(START + 900)])
    _, other = sent([heartbeat(START + 500, symbol="XAUUSD"), submit(START)])
    times = [made.ts_event - START for made in (early, late, ahead, other) if isinstance(made, OrderRequest)]
    assert times == [0, 501, 900, 0]
    assert isinstance(late, OrderRequest)
    assert (late.mode, late.units, late.deployment, late.tenant_id) == ("ADD", Decimal(2_000), "@manual", "alpha")
    assert (late.quote_bid, late.quote_ask, late.quote_ts) == (Decimal("1.1"), Decimal("1.1001"), START)
    assert late.order_id == submit().order_id


def test_a_sale_at_a_limit_lives_as_long_as_it_is_asked_to() -> None:
    """In event time, from its own."""
    command = submit(side="SELL", order_type="LIMIT", limit_price=Decimal("1.2"), time_to_live_us=5_000)
    _, made = sent([heartbeat(START + 500), command])
    assert isinstance(made, OrderRequest)
    assert (made.units, made.buy_limit, made.sell_limit) == (Decimal(-2_000), Decimal("1.2"), Decimal("1.2"))
    assert (made.time_in_force, made.expire_ts) == ("GTD", START + 501 + 5_000)
    assert flaw_of(made) is None


COMMANDS = st.builds(lambda at, key: submit(START + at, str(key)), st.integers(0, 3_000), st.integers(0, 3))
BEATS = st.builds(lambda at: heartbeat(START + at), st.integers(0, 3_000))


@given(st.lists(st.one_of(COMMANDS, BEATS), max_size=30), st.integers(0, 30))
def test_no_request_breaks_what_a_heartbeat_has_promised(events: list[Event], at: int) -> None:
    """Wherever a batch is cut; and a repeated command leads to the same order."""
    whole = sent(events)
    state = MemoryState()
    assert sent(events[:at], state) + sent(events[at:], state) == whole
    promised = -1
    orders: dict[str, str] = {}
    for made in whole:
        if isinstance(made, Heartbeat):
            promised = max(promised, made.ts_event)
        elif isinstance(made, OrderRequest):
            assert made.ts_event > promised
            assert made.ts_event >= made.quote_ts
            assert orders.setdefault(made.causation_id, made.order_id) == made.order_id


def test_a_cancel_passes_unchanged() -> None:
    """Risk and the venue decide on nothing but its order."""
    event_id = derive_id("command", "c")
    cancel = CancelOrder(
        event_id=event_id,
        tenant_id="alpha",
        ts_event=NOW,
        ts_ingest=NOW,
        correlation_id=event_id,
        causation_id=event_id,
        account_id="main",
        symbol="EURUSD",
        venue="OANDA",
        order_id="order-1",
        reason="by hand",
    )
    assert sent([cancel]) == [cancel]


def test_an_instrument_whose_lots_are_not_known_is_refused() -> None:
    """A guessed lot could make an order a thousand times larger."""
    with pytest.raises(PoisonRecord, match="TRADEWIND_INSTRUMENTS"):
        sent([submit(symbol="ABCDEF")])
