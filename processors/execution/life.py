"""The events of an order's life at the venue, each with the id that follows from the order and its sequence."""

from __future__ import annotations

from typing import cast

from tradewind.processors.execution.matching import Match
from tradewind.processors.execution.order import Trigger, after
from tradewind.processors.identity import derive_id
from tradewind.processors.money import ZERO
from tradewind.schemas.execution import Fill, OpenOrderState, OrderEvent
from tradewind.schemas.risk import Decision


def accept(decision: Decision, ts_ingest: int) -> tuple[OpenOrderState, OrderEvent]:
    """Return an approved order and the event of its acceptance."""
    order = OpenOrderState(
        order_id=decision.order_id,
        tenant_id=cast("str", decision.tenant_id),
        account_id=decision.account_id,
        deployment=decision.deployment,
        symbol=decision.symbol,
        venue=decision.venue,
        ts_event=decision.ts_event,
        correlation_id=decision.correlation_id,
        side=decision.side,
        order_type=decision.order_type,
        quantity=decision.quantity,
        limit_price=decision.limit_price,
        time_in_force=decision.time_in_force,
        expire_ts=decision.expire_ts,
        strategy=decision.strategy,
        status=after(None, Trigger.ACCEPT),
        sequence=0,
        resting=False,
    )
    return order, _event(
        order, None, order.ts_event, ts_ingest, causation_id=decision.event_id, reason="approved by risk"
    )


def expire(order: OpenOrderState, ts_event: int, ts_ingest: int, reason: str) -> list[OrderEvent]:
    """Return the events of an order that ends unfilled."""
    return [_event(order, Trigger.EXPIRE, ts_event, ts_ingest, causation_id=_event_id(order), reason=reason)]


def cancel(order: OpenOrderState, ts_event: int, ts_ingest: int, reason: str) -> list[OrderEvent]:
    """Return the events of an order that is ended by a command."""
    return [_event(order, Trigger.CANCEL, ts_event, ts_ingest, causation_id=_event_id(order), reason=reason)]


def fill(order: OpenOrderState, match: Match, ts_event: int, quote_seq: int, ts_ingest: int) -> list[OrderEvent | Fill]:
    """Return the events of an order that a quote fills whole."""
    reason = f"{'took' if match.liquidity == 'TAKER' else 'gave'} liquidity at {match.price}"
    filled = _event(order, Trigger.FILL, ts_event, ts_ingest, causation_id=_event_id(order), reason=reason)
    return [
        filled,
        Fill(
            event_id=derive_id("Fill", order.order_id, 0),
            tenant_id=order.tenant_id,
            ts_event=ts_event,
            ts_ingest=ts_ingest,
            correlation_id=order.correlation_id,
            causation_id=filled.event_id,
            order_id=order.order_id,
            account_id=order.account_id,
            deployment=order.deployment,
            symbol=order.symbol,
            venue=order.venue,
            side=order.side,
            quantity=order.quantity,
            price=match.price,
            fee=match.fee,
            liquidity=match.liquidity,
            quote_seq=quote_seq,
            strategy=order.strategy,
        ),
    ]


def _event_id(order: OpenOrderState, sequence: int | None = None) -> str:
    return derive_id("OrderEvent", order.order_id, order.sequence if sequence is None else sequence)


def _event(
    order: OpenOrderState, trigger: Trigger | None, ts_event: int, ts_ingest: int, *, causation_id: str, reason: str
) -> OrderEvent:
    """Return the event of what happens to an order; None stands for its acceptance, which made the order."""
    sequence = order.sequence if trigger is None else order.sequence + 1
    return OrderEvent(
        event_id=_event_id(order, sequence),
        tenant_id=order.tenant_id,
        ts_event=ts_event,
        ts_ingest=ts_ingest,
        correlation_id=order.correlation_id,
        causation_id=causation_id,
        order_id=order.order_id,
        account_id=order.account_id,
        symbol=order.symbol,
        venue=order.venue,
        sequence=sequence,
        status=order.status if trigger is None else after(order.status, trigger),
        filled_quantity=order.quantity if trigger is Trigger.FILL else ZERO,
        reason=reason,
    )
