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
from tradewind.schemas.risk import ExposureState, ReservationState, StrangersState

RECENT_ORDERS: Final = (
    32  # decided orders kept per account and instrument to know a repetition: 1 kB, several minutes of trading
)
RECENT_STRANGERS: Final = 256  # of all tenants and accounts that there are not: 9 kB, however many names are made up
STRANGERS: Final = "strangers"
ENDED = ("FILLED", "EXPIRED", "CANCELED", "REJECTED")


def exposure_of(state: State, request: OrderRequest) -> Decimal:
    """Return units, negative when short."""
    known = state.get(_key(request), ExposureState)
    return ZERO if known is None else known.quantity


def is_open(state: State, order_id: str) -> bool:
    """Return whether an order was approved and has not ended."""
    return state.get(_reservation_key(order_id), ReservationState) is not None


def was_decided(state: State, request: OrderRequest) -> bool:
    """Return whether this order is open, or among the newest `RECENT_ORDERS` of its account and instrument."""
    if is_open(state, request.order_id):
        return True
    known, strangers = state.get(_key(request), ExposureState), state.get(STRANGERS, StrangersState)
    return (known is not None and request.order_id in known.recent) or (
        strangers is not None and request.order_id in strangers.recent
    )


def note_unknown_owner(state: State, request: OrderRequest) -> None:
    """Remember an order of an unknown tenant or account, so that it stays denied if the tenant is created later."""
    before = state.get(STRANGERS, StrangersState)
    recent = () if before is None else before.recent
    state.put(STRANGERS, StrangersState(recent=(*recent, request.order_id)[-RECENT_STRANGERS:]))


def exposure_after_decision(state: State, request: OrderRequest, tenant_id: str, *, approved: bool) -> ExposureState:
    """Return the exposure after a decision, for `keep_exposure`; an approval reserves the order's quantity."""
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
    return ExposureState(
        tenant_id=tenant_id,
        account_id=request.account_id,
        symbol=request.symbol,
        venue=request.venue,
        quantity=quantity,
        recent=(*recent, request.order_id)[-RECENT_ORDERS:],
    )


def exposure_after_end(state: State, event: OrderEvent) -> ExposureState | None:
    """Return the exposure without what an ended order did not fill, for `keep_exposure`; None where nothing changes it.

    An order that is not open changes nothing.
    """
    reservation = state.get(_reservation_key(event.order_id), ReservationState)
    if reservation is None or event.status not in ENDED:
        return None
    state.delete(_reservation_key(event.order_id))
    known = state.get(_key(reservation), ExposureState)
    unfilled = CONTEXT.subtract(reservation.quantity, event.filled_quantity)
    if known is None or unfilled == 0:
        return None
    return ExposureState(
        tenant_id=known.tenant_id,
        account_id=known.account_id,
        symbol=known.symbol,
        venue=known.venue,
        quantity=CONTEXT.subtract(known.quantity, signed_quantity(reservation.side, unfilled)),
        recent=known.recent,
    )


def keep_exposure(state: State, exposure: ExposureState) -> None:
    """Store the exposure of an account to an instrument."""
    state.put(_key(exposure), exposure)


def _key(of: OrderRequest | ReservationState | ExposureState) -> str:
    return f"exposure/{of.tenant_id}/{of.account_id}/{instrument(of.symbol, of.venue)}"


def _reservation_key(order_id: str) -> str:
    return f"reservation/{order_id}"
