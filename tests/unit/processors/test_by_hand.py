"""Orders by hand over the whole trading path in memory: they are filled, cancelled and denied as others are."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from processing import SECOND, START, tick

from tradewind.processors.identity import derive_id
from tradewind.processors.portfolio.commanded import BY_HAND
from tradewind.schemas.event import Event
from tradewind.schemas.execution import CancelOrder, Fill, OrderEvent, SubmitOrder
from tradewind.schemas.portfolio import Position
from tradewind.schemas.risk import Decision, KillSwitch
from tradewind.testing import Pipeline, rows
from tradewind.topics import ORDER_COMMANDS

NOW = START + 10 * 365 * 86_400 * SECOND  # people give commands by the clock, years after the quotes of a replay
LATER = {"quote_bid": Decimal("1.2"), "quote_ask": Decimal("1.45"), "quote_ts": START + 3 * SECOND}


def common(key: str) -> dict[str, Any]:
    """Return the fields of a command of alpha about EURUSD."""
    event_id = derive_id("command", key)
    ids = {"event_id": event_id, "correlation_id": event_id, "causation_id": event_id}
    times = {"ts_event": NOW, "ts_ingest": NOW}
    return {**ids, **times, "tenant_id": "alpha", "account_id": "main", "symbol": "EURUSD", "venue": "OANDA"}


def submit(key: str, **other: Any) -> SubmitOrder:
    """Return a command to buy 1,000 units at the market."""
    quote = {"quote_bid": Decimal("1.1"), "quote_ask": Decimal("1.35"), "quote_ts": START + SECOND}
    how = {"side": "BUY", "quantity": Decimal(1000), "order_type": "MARKET", "limit_price": None}
    return SubmitOrder(**{**common(key), **quote, **how, "time_to_live_us": None, "order_id": f"order-{key}", **other})


def fed(pipeline: Pipeline, second: int, bid: float) -> list[Event]:
    """Let a quote come in; return what follows."""
    (segment,) = rows([tick(START + second * SECOND, bid, seq=second)], "market.ticks")
    return pipeline.feed(segment)


def of(kind: type[Any], events: list[Event]) -> list[Any]:
    """Return the events of a model, each once."""
    return [event for event in events if type(event) is kind]


def test_orders_by_hand_are_filled_cancelled_and_denied_on_the_way_of_all_orders() -> None:
    """None at a price that was seen, each once, and nothing becomes a dead letter."""
    pipeline = Pipeline(strategies=())
    fed(pipeline, 0, 1.0)
    fed(pipeline, 1, 1.1)
    pipeline.broker.publish(ORDER_COMMANDS, submit("1"), submit("1"))
    sent = fed(pipeline, 2, 1.15) + fed(pipeline, 3, 1.2) + fed(pipeline, 4, 1.2)
    (decision,) = of(Decision, sent)
    assert (decision.outcome, decision.deployment, decision.order_id) == ("APPROVED", BY_HAND, "order-1")
    (fill,) = of(Fill, sent)
    assert fill.ts_event > START + SECOND
    assert [one.quantity for one in of(Position, sent)][-1] == Decimal(1000)

    pipeline.broker.publish(ORDER_COMMANDS, submit("2", order_type="LIMIT", limit_price=Decimal("1.1"), **LATER))
    sent = fed(pipeline, 5, 1.2)
    pipeline.broker.publish(ORDER_COMMANDS, CancelOrder(**common("3"), order_id="order-2", reason="changed my mind"))
    sent += fed(pipeline, 6, 1.2) + fed(pipeline, 7, 0.5)
    ended = [one for one in of(OrderEvent, sent) if one.order_id == "order-2"]
    assert [(one.status, one.reason) for one in ended][-1] == ("CANCELED", "changed my mind")
    assert of(Fill, sent) == []

    halt = common("4") | {"account_id": None, "engaged": True, "reason": "too fast"}
    pipeline.command(KillSwitch(**{name: halt[name] for name in halt if name not in {"symbol", "venue"}}))
    pipeline.broker.publish(ORDER_COMMANDS, submit("5", **LATER))
    (denied,) = of(Decision, fed(pipeline, 8, 1.2))
    assert (denied.outcome, denied.order_id, "KILL_SWITCH" in denied.codes) == ("DENIED", "order-5", True)
    assert "too fast" in denied.reason
    assert [letter for agent in pipeline.agents.values() for letter in agent.dead_letters()] == []
