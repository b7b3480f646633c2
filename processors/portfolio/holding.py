"""How a fill changes a holding: average cost, realised and unrealised profit, through zero and back.

With q the open quantity (negative when short), cost what it was bought for (negative when short), and a fill of d
units (negative for a sell) at price p:

    the part o of d that opens (away from zero):   cost += o * p
    the part c of d that closes (towards zero):    cost_closed = cost * c / -q
                                                   realised += -c * p - cost_closed
                                                   cost -= cost_closed
    average price = cost / q                       unrealised = q * mark - cost

Source: the weighted average cost formula (IAS 2, paragraph 27). A fill larger than what is open closes all of it and
opens the rest. The quantity is exact. Each of the amounts o * p, cost_closed, -c * p, average price and unrealised is
rounded once, to 10 places half to even (`money.rounded`), and nowhere else: so that realised + unrealised is what was
paid and what is held, within half of 10^-10 for each rounded product, however often a position turns.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from tradewind.processors.money import CONTEXT, ZERO, exact, rounded


@dataclass(frozen=True, slots=True)
class Holding:
    """What is held, what it cost, and what was earned; units and quote currency."""

    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    realised_pnl: Decimal = ZERO

    @property
    def average_price(self) -> Decimal:
        """Average entry price of the open quantity; 0 when flat."""
        return ZERO if self.quantity == 0 else rounded(CONTEXT.divide(self.cost, self.quantity))

    def unrealised_pnl(self, mark: Decimal) -> Decimal:
        """Return the profit of the open quantity at a price."""
        return rounded(CONTEXT.subtract(CONTEXT.multiply(self.quantity, mark), self.cost))

    def filled(self, units: Decimal, price: Decimal) -> Holding:
        """Return the holding after a fill; `units` are negative for a sell."""
        with exact():
            closing = ZERO
            if self.quantity * units < 0:
                closing = units if abs(units) <= abs(self.quantity) else -self.quantity
            return self._closed(closing, price)._opened(units - closing, price)

    def _closed(self, units: Decimal, price: Decimal) -> Holding:
        if units == 0:
            return self
        quantity = self.quantity + units
        cost_closed = self.cost if quantity == 0 else rounded(self.cost * -units / self.quantity)
        earned = rounded(-units * price) - cost_closed
        return Holding(quantity, self.cost - cost_closed, self.realised_pnl + earned)

    def _opened(self, units: Decimal, price: Decimal) -> Holding:
        return Holding(self.quantity + units, self.cost + rounded(units * price), self.realised_pnl)
