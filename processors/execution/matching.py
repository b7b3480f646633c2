"""Where an order meets a quote: the rules of a venue that is simulated on quotes alone.

- A market order takes the first quote: a buy at the ask, a sell at the bid.
- A limit order that its first quote crosses takes that quote's price, which is as good as its limit or better.
- A limit order that its first quote does not cross rests, and is filled at its limit by the first quote that reaches
  it: others come to it.
- An order is filled whole: quotes here need not state sizes.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, Protocol, TypeAlias

import numpy as np

from tradewind.processors.market.quotes import Floats
from tradewind.processors.money import ZERO, money_of
from tradewind.schemas.execution import OpenOrderState

Liquidity: TypeAlias = Literal["TAKER", "MAKER"]


@dataclass(frozen=True, slots=True)
class Offered:
    """n quotes, 1 or more, that an order may meet, in the order of their arrival."""

    bid: Floats
    """(n,) price."""
    ask: Floats
    """(n,) price."""


@dataclass(frozen=True, slots=True)
class Match:
    """Which quote fills an order, and how."""

    place: int
    """Index of the quote."""
    price: Decimal
    liquidity: Liquidity
    fee: Decimal = ZERO
    """What the venue takes for the fill, in the quote currency."""


class Venue(Protocol):
    """How a venue fills orders. The caller checks latency and expiry first, and offers only quotes that may fill."""

    def match(self, order: OpenOrderState, offered: Offered) -> Match | None:
        """Return the first of the quotes that fills the order, or None.

        `order.resting` says whether quotes were offered before. The answer must not depend on how the quotes are cut:
        None for the first n quotes and a match for the next ones must equal a match for all of them.
        """
        ...


class QuoteVenue:
    """The rules above."""

    def match(self, order: OpenOrderState, offered: Offered) -> Match | None:
        """Return the first of the quotes that fills the order, or None."""
        touch = offered.ask if order.side == "BUY" else offered.bid
        if order.limit_price is None:
            return Match(0, money_of(touch[0]), "TAKER")
        # Quotes and limits are the doubles nearest to decimals of at most 17 digits, so equal prices compare as equal.
        limit = float(order.limit_price)
        crossed = np.flatnonzero(touch <= limit if order.side == "BUY" else touch >= limit)
        if not len(crossed):
            return None
        place = int(crossed[0])
        if place == 0 and not order.resting:
            return Match(0, money_of(touch[0]), "TAKER")
        return Match(place, order.limit_price, "MAKER")
