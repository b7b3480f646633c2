"""The order that a request leads to: what a deployment must buy or sell to hold its target.

change = target - held    if the request states a target, held counting approved orders as if filled
change = units            if the request adds to the position
quantity = |change|, rounded down to a lot; no order below the least quantity
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, TypeAlias

from tradewind.processors.money import CONTEXT, ZERO, floored, signed_quantity
from tradewind.schemas.execution import OrderRequest

Side: TypeAlias = Literal["BUY", "SELL"]


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be bought or sold, and what is held before; units."""

    side: Side
    quantity: Decimal
    """0 where no order is needed."""
    limit_price: Decimal | None
    price: Decimal
    """The worst price that the order can expect: its limit, or the touch that a market order takes."""
    held: Decimal
    """What the deployment holds, negative when short."""
    exposure: Decimal
    """What the account holds, over all its deployments, negative when short."""
    units: Decimal
    """The change of the position: negative for a sell."""
    held_after: Decimal
    """What the deployment holds if the order fills."""
    exposure_after: Decimal
    """What the account holds if the order fills."""

    @property
    def reduces(self) -> bool:
        """Whether the order makes the position of the account, or of the deployment, smaller and opens no other."""
        smaller = abs(self.exposure_after) < abs(self.exposure)
        return smaller or (abs(self.held_after) < abs(self.held) and self.held * self.held_after >= 0)

    @property
    def opens(self) -> Decimal:
        """The part of the quantity that makes the account's position larger."""
        if self.reduces:
            return ZERO
        if self.exposure * self.units >= 0:
            return self.quantity
        return abs(self.exposure_after)


def order_of(request: OrderRequest, held: Decimal, exposure: Decimal) -> Order:
    """Return the order that a request of a known mode leads to, for what its deployment and its account hold."""
    change = CONTEXT.subtract(request.units, held) if request.mode == "TARGET" else request.units
    quantity = floored(abs(change), request.lot_size)
    if quantity < request.min_quantity:
        quantity = ZERO
    side: Side = "BUY" if change >= 0 else "SELL"
    limit_price = request.buy_limit if side == "BUY" else request.sell_limit
    touch = request.quote_ask if side == "BUY" else request.quote_bid
    price = touch if limit_price is None else limit_price
    units = signed_quantity(side, quantity)
    held_after, exposure_after = CONTEXT.add(held, units), CONTEXT.add(exposure, units)
    return Order(side, quantity, limit_price, price, held, exposure, units, held_after, exposure_after)
