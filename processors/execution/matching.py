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


class Offered:
    """n quotes, 1 or more, that an order may meet, in the order of their arrival."""

    __slots__ = ("_best", "ask", "bid")

    def __init__(self, bid: Floats, ask: Floats) -> None:
        """Take (n,) prices of each side."""
        self.bid, self.ask = bid, ask
        self._best: dict[bool, Floats] = {}

    def first(self, limit: float, *, buys: bool) -> int | None:
        """Return the first quote whose price is the limit or better; None if there is none.

        The best price so far is made once, and searched for each order.
        """
        touch = self.ask if buys else self.bid
        if touch[0] <= limit if buys else touch[0] >= limit:
            return 0
        if len(touch) == 1:
            return None
        best = self._best.get(buys)
        if best is None:
            best = self._best[buys] = np.maximum.accumulate(-touch if buys else touch)
        place = int(best.searchsorted(-limit if buys else limit))
        return place if place < len(touch) else None


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
        buys = order.side == "BUY"
        touch = offered.ask if buys else offered.bid
        if order.limit_price is None:
            return Match(0, money_of(touch[0]), "TAKER")
        # Quotes and limits are the doubles nearest to decimals of at most 17 digits, so equal prices compare as equal.
        place = offered.first(float(order.limit_price), buys=buys)
        if place is None:
            return None
        if place == 0 and not order.resting:
            return Match(0, money_of(touch[0]), "TAKER")
        return Match(place, order.limit_price, "MAKER")
