"""What each account holds, with approved orders counted as if filled.

An approval reserves the whole quantity; an order that ends unfilled gives back what was not filled. So the decision
on a request depends on fills only where an order ended without one (docs/adr/0004-positions-fed-back.md).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from tradewind.processors.batch import State
from tradewind.processors.identity import instrument
from tradewind.processors.money import CONTEXT, ZERO
from tradewind.processors.risk.checks import signed_quantity
from tradewind.schemas.execution import OrderEvent, OrderRequest
from tradewind.schemas.risk import ExposureState, ReservationState

RECENT_ORDERS: Final = (
    32  # decided orders kept per account and instrument to know a repetition: 1 kB, several minutes of trading
)
ENDED = ("FILLED", "EXPIRED", "CANCELED", "REJECTED")


def exposure_of(state: State, request: OrderRequest) -> Decimal:
    """Return units, negative when short."""
    known = state.get(_key(request), ExposureState)
    return ZERO if known is None else known.quantity


def was_decided(state: State, request: OrderRequest) -> bool:
    """Return whether this order is open, or among the newest `RECENT_ORDERS` of its account and instrument."""
    if state.get(_reservation_key(request.order_id), ReservationState) is not None:
        return True
    known = state.get(_key(request), ExposureState)
    return known is not None and request.order_id in known.recent


def decided(state: State, request: OrderRequest, tenant_id: str, *, approved: bool) -> None:
    """Remember a decision; an approval reserves the order's quantity."""
    known = state.get(_key(request), ExposureState)
    quantity = ZERO if known is None else known.quantity
    recent = () if known is None else known.recent
    if approved:
        quantity = CONTEXT.add(quantity, signed_quantity(request.side, request.quantity))
        reservation = ReservationState(
            order_id=request.order_id,
            tenant_id=tenant_id,
            account_id=request.account_id,
            symbol=request.symbol,
            venue=request.venue,
            side=request.side,
            quantity=request.quantity,
        )
        state.put(_reservation_key(request.order_id), reservation)
    after = ExposureState(
        tenant_id=tenant_id,
        account_id=request.account_id,
        symbol=request.symbol,
        venue=request.venue,
        quantity=quantity,
        recent=(*recent, request.order_id)[-RECENT_ORDERS:],
    )
    state.put(_key(request), after)


def settled(state: State, event: OrderEvent) -> None:
    """Give back what an ended order did not fill; an order that is not open changes nothing."""
    reservation = state.get(_reservation_key(event.order_id), ReservationState)
    if reservation is None or event.status not in ENDED:
        return
    state.delete(_reservation_key(event.order_id))
    known = state.get(_key(reservation), ExposureState)
    unfilled = CONTEXT.subtract(reservation.quantity, event.filled_quantity)
    if known is None or unfilled == 0:
        return
    after = ExposureState(
        tenant_id=known.tenant_id,
        account_id=known.account_id,
        symbol=known.symbol,
        venue=known.venue,
        quantity=CONTEXT.subtract(known.quantity, signed_quantity(reservation.side, unfilled)),
        recent=known.recent,
    )
    state.put(_key(reservation), after)


def _key(of: OrderRequest | ReservationState) -> str:
    return f"exposure/{of.tenant_id}/{of.account_id}/{instrument(of.symbol, of.venue)}"


def _reservation_key(order_id: str) -> str:
    return f"reservation/{order_id}"
