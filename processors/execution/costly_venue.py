"""What trading costs at a simulated venue besides the spread: slippage of orders that take liquidity, and fees.

    price of a buy  = ask + slippage_ticks * tick_size      a limit order's price is never beyond its limit
    price of a sell = bid - slippage_ticks * tick_size      and at least one tick
    fee             = quantity * price * fee_bps / 10,000   rounded once, to 10 places half to even

Slippage stands for what an order moves the price by itself, and for quotes that are gone when it arrives. An order that
rests gives liquidity, and fills at its limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from tradewind.processors.execution.costs import Costs
from tradewind.processors.execution.matching import Match, Offered, QuoteVenue, Venue
from tradewind.processors.market.instruments import Instrument
from tradewind.processors.money import ZERO, exact, rounded
from tradewind.schemas.execution import OpenOrderState

BPS: Final = Decimal("0.0001")
NO_FEE: Final = rounded(ZERO)


@dataclass(frozen=True, slots=True)
class CostlyVenue:
    """A venue whose fills have costs; another venue says which quote fills an order."""

    costs: Costs
    instruments: Mapping[str, Instrument]
    """Symbol -> instrument, for its tick size."""
    venue: Venue = field(default_factory=QuoteVenue)

    def match(self, order: OpenOrderState, offered: Offered) -> Match | None:
        """Return the first of the quotes that fills the order, with its costs, or None.

        Raises `ValueError` if there is slippage, and nobody knows the tick size of the order's instrument.
        """
        match = self.venue.match(order, offered)
        if match is None:
            return None
        price = self._slipped(order, match)
        fee = NO_FEE
        if self.costs.fee_bps:
            with exact():
                fee = rounded(order.quantity * price * self.costs.fee_bps * BPS)
        return Match(match.place, price, match.liquidity, fee)

    def _slipped(self, order: OpenOrderState, match: Match) -> Decimal:
        if match.liquidity == "MAKER" or not self.costs.slippage_ticks:
            return match.price
        instrument = self.instruments.get(order.symbol)
        if instrument is None:
            raise ValueError(
                f"order {order.order_id}: the tick size of {order.symbol} is not known, and fills slip by "
                f"{self.costs.slippage_ticks} ticks. Add it to TRADEWIND_INSTRUMENTS"
            )
        with exact():
            moved = self.costs.slippage_ticks * instrument.tick_size
            if order.side == "BUY":
                worse = match.price + moved
                return rounded(worse if order.limit_price is None else min(worse, order.limit_price))
            worse = max(match.price - moved, min(match.price, instrument.tick_size))
            return rounded(worse if order.limit_price is None else max(worse, order.limit_price))
