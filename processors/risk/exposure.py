"""What each account and each of its deployments holds, with approved orders counted as if filled.

An approval reserves the whole quantity; an order that ends unfilled gives back what was not filled. So the decision
on a request depends on fills only where an order ended without one (docs/adr/0004-positions-fed-back.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Final

from tradewind.processors.batch import State
from tradewind.processors.identity import instrument
from tradewind.processors.money import CONTEXT, ZERO, exact, signed_quantity
from tradewind.processors.risk.earnings import ended_unfilled
from tradewind.processors.risk.target import Order
from tradewind.schemas.execution import OrderEvent, OrderRequest
from tradewind.schemas.risk import (
    EarningsState,
    ExposureState,
    HoldingState,
    LimitsState,
    ReservationState,
    StrangersState,
    TradedState,
)

RECENT_ORDERS: Final = (
    32  # decided orders kept per account and instrument to know a repetition: 1 kB, several minutes of trading
)
RECENT_STRANGERS: Final = 256  # of all tenants and accounts that there are not: 9 kB, however many names are made up
STRANGERS: Final = "strangers"
ENDED = ("FILLED", "EXPIRED", "CANCELED", "REJECTED")


def exposure_of(state: State, request: OrderRequest) -> Decimal:
    """Return what the request's account holds of its instrument, units, negative when short."""
    known = state.get(_key(request), ExposureState)
    return ZERO if known is None else known.quantity


def held_of(state: State, of: OrderRequest | ReservationState) -> Decimal:
    """Return what the deployment holds of the instrument, units, negative when short."""
    known = state.get(_holding_key(of), HoldingState)
    return ZERO if known is None else known.quantity


def elsewhere(state: State, request: OrderRequest, limits: LimitsState) -> Decimal | None:
    """Return what the tenant's other accounts hold of the instrument, long and short added, units.

    None where no limit is about that, for it costs a look at each account.
    """
    if limits.max_exposure_notional is None:
        return None
    keys = (_place(request, other) for other in limits.accounts if other != request.account_id)
    others = (state.get(key, ExposureState) for key in keys)
    with exact():
        return sum((abs(other.quantity) for other in others if other is not None), ZERO)


def held_by(state: State, tenant_id: str, account_id: str) -> Iterator[tuple[str, str, Decimal]]:
    """Yield (name, symbol, units) of each instrument that an account has had orders of, by name."""
    known = state.get(_traded_key(tenant_id, account_id), TradedState)
    for name in () if known is None else known.instruments:
        of = state.get(f"exposure/{tenant_id}/{account_id}/{name}", ExposureState)
        if of is not None:
            yield name, of.symbol, of.quantity


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


def after_decision(
    state: State, request: OrderRequest, tenant_id: str, order: Order, *, approved: bool
) -> tuple[ExposureState, HoldingState]:
    """Return what is held after a decision, for `keep`; an approval reserves the order's quantity."""
    known = state.get(_key(request), ExposureState)
    recent = () if known is None else known.recent
    if known is None:
        _list(state, request)
    if approved:
        reservation = ReservationState(
            order_id=request.order_id,
            tenant_id=tenant_id,
            account_id=request.account_id,
            deployment=request.deployment,
            symbol=request.symbol,
            venue=request.venue,
            side=order.side,
            quantity=order.quantity,
            price=order.price,
        )
        state.put(_reservation_key(request.order_id), reservation)
    exposure = ExposureState(
        tenant_id=tenant_id,
        account_id=request.account_id,
        symbol=request.symbol,
        venue=request.venue,
        quantity=order.exposure_after if approved else order.exposure,
        recent=(*recent, request.order_id)[-RECENT_ORDERS:],
    )
    return exposure, _holding(exposure, request.deployment, order.held_after if approved else order.held)


def after_end(state: State, event: OrderEvent) -> tuple[ExposureState, HoldingState, EarningsState | None] | None:
    """Return what is held, and was earned, without what an ended order did not fill; None where nothing changes.

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
    given_back = signed_quantity(reservation.side, unfilled)
    held = CONTEXT.subtract(held_of(state, reservation), given_back)
    exposure = replace(known, quantity=CONTEXT.subtract(known.quantity, given_back))
    earnings = ended_unfilled(state, reservation, unfilled)
    return exposure, _holding(exposure, reservation.deployment, held), earnings


def keep(state: State, exposure: ExposureState, holding: HoldingState) -> None:
    """Store what an account and its deployment hold of an instrument."""
    state.put(_key(exposure), exposure)
    if holding.quantity:
        state.put(_holding_key(holding), holding)
    else:
        state.delete(_holding_key(holding))  # what is flat takes no memory, however many there were


def _list(state: State, request: OrderRequest) -> None:
    """Keep that an account has an exposure to an instrument, so that its exposures can be added up."""
    key = _traded_key(request.tenant_id, request.account_id)
    known = state.get(key, TradedState)
    names = {*(() if known is None else known.instruments), instrument(request.symbol, request.venue)}
    state.put(key, TradedState(instruments=tuple(sorted(names))))


def _holding(of: ExposureState, deployment: str, quantity: Decimal) -> HoldingState:
    return HoldingState(
        tenant_id=of.tenant_id,
        account_id=of.account_id,
        deployment=deployment,
        symbol=of.symbol,
        venue=of.venue,
        quantity=quantity,
    )


def _key(of: OrderRequest | ReservationState | ExposureState) -> str:
    return _place(of, of.account_id)


def _place(of: OrderRequest | ReservationState | ExposureState, account_id: str) -> str:
    return f"exposure/{of.tenant_id}/{account_id}/{instrument(of.symbol, of.venue)}"


def _traded_key(tenant_id: str | None, account_id: str) -> str:
    return f"traded/{tenant_id}/{account_id}"


def _reservation_key(order_id: str) -> str:
    return f"reservation/{order_id}"


def _holding_key(of: OrderRequest | ReservationState | HoldingState) -> str:
    return f"holding/{of.tenant_id}/{of.account_id}/{of.deployment}/{instrument(of.symbol, of.venue)}"
