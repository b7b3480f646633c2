"""What risk asks of an order request: one function for each question, each answering with a denial or None."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, TypeAlias

from tradewind.processors.money import CONTEXT
from tradewind.processors.tenancy.tenant import Limits
from tradewind.schemas.execution import OrderRequest
from tradewind.schemas.risk import SwitchState

Code: TypeAlias = Literal["STALE_PRICE", "MAX_ORDER_SIZE", "MAX_POSITION", "KILL_SWITCH"]


@dataclass(frozen=True, slots=True)
class Denial:
    """A reason against an order."""

    code: Code
    reason: str


def denials(
    request: OrderRequest, limits: Limits, exposure: Decimal, switches: tuple[SwitchState, ...]
) -> tuple[Denial, ...]:
    """Return every reason against a request; none approves it.

    `exposure` is what the account holds of the instrument, units, with every approved order counted as if filled.
    """
    answers = (
        stale_price(request, limits),
        max_order_size(request, limits),
        max_position(request, limits, exposure),
        kill_switch(switches),
    )
    return tuple(answer for answer in answers if answer is not None)


def stale_price(request: OrderRequest, limits: Limits) -> Denial | None:
    """Deny a request whose quote is too old, in event time."""
    age_us = request.ts_event - request.quote_ts
    if age_us <= limits.max_quote_age_us:
        return None
    return Denial("STALE_PRICE", f"the quote is {age_us:,} µs old, above {limits.max_quote_age_us:,} µs")


def max_order_size(request: OrderRequest, limits: Limits) -> Denial | None:
    """Deny an order of too large a value."""
    notional = CONTEXT.multiply(request.quantity, price_of(request))
    if notional <= limits.max_order_notional:
        return None
    return Denial("MAX_ORDER_SIZE", f"the order is worth {notional:.2f}, above {limits.max_order_notional:.2f}")


def max_position(request: OrderRequest, limits: Limits, exposure: Decimal) -> Denial | None:
    """Deny a position of too large a value; an order that makes a position smaller is always allowed."""
    after = CONTEXT.add(exposure, signed_quantity(request.side, request.quantity))
    notional = CONTEXT.multiply(abs(after), price_of(request))
    if notional <= limits.max_position_notional or abs(after) < abs(exposure):
        return None
    return Denial(
        "MAX_POSITION", f"the position would be worth {notional:.2f}, above {limits.max_position_notional:.2f}"
    )


def kill_switch(switches: tuple[SwitchState, ...]) -> Denial | None:
    """Deny where a switch is engaged for everyone, for the tenant, or for the account."""
    engaged = [switch for switch in switches if switch.engaged]
    if not engaged:
        return None
    said = "; ".join(
        f"{'everyone' if switch.tenant_id is None else switch.account_id or 'the tenant'}: {switch.reason}"
        for switch in engaged
    )
    return Denial("KILL_SWITCH", f"trading is stopped for {said}")


def price_of(request: OrderRequest) -> Decimal:
    """Return the worst price that the order can expect: its limit, or the touch that a market order takes."""
    if request.limit_price is not None:
        return request.limit_price
    return request.quote_ask if request.side == "BUY" else request.quote_bid


def signed_quantity(side: Literal["BUY", "SELL"], quantity: Decimal) -> Decimal:
    """Return units as they change a position: negative for a sell."""
    return quantity if side == "BUY" else -quantity
