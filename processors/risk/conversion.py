"""What an amount of one currency is worth in another, by the mids of instruments at one time.

    direct    one unit of the base is worth the mid
    inverse   one unit of the quote currency is worth 1 / mid
    cross     two of these, over a currency that both share: US dollars if they do, else the first in the alphabet

Without any of them there is no rate. A rate is never assumed, not even between two dollars.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from tradewind.processors.market.instruments import Instrument
from tradewind.processors.money import CONTEXT
from tradewind.processors.risk.marks import Marked

ONE: Final = Decimal(1)
FIRST: Final = "USD"
"""The currency that most instruments are quoted in, so that its rates are the freshest."""


@dataclass(frozen=True, slots=True)
class Rates:
    """The newest mid of each pair of currencies."""

    mids: Mapping[tuple[str, str], Decimal]
    """(base, quote) -> mid."""

    def rate(self, one: str, other: str) -> Decimal | None:
        """Return what one unit of a currency is worth in another; None where no rate leads there."""
        if one == other:
            return ONE
        found = self._pair(one, other)
        if found is not None:
            return found
        for over in sorted(self._beside(one) & self._beside(other), key=lambda name: (name != FIRST, name)):
            first, second = self._pair(one, over), self._pair(over, other)
            assert first is not None
            assert second is not None
            return CONTEXT.multiply(first, second)
        return None

    def _pair(self, one: str, other: str) -> Decimal | None:
        direct = self.mids.get((one, other))
        if direct is not None:
            return direct
        inverse = self.mids.get((other, one))
        return None if inverse is None else CONTEXT.divide(ONE, inverse)

    def _beside(self, currency: str) -> set[str]:
        """Return the currencies that a mid joins with this one."""
        joined = {quote for base, quote in self.mids if base == currency}
        return joined | {base for base, quote in self.mids if quote == currency}


def rates_of(marks: Iterable[Marked], instruments: Mapping[str, Instrument]) -> Rates:
    """Return the rates that marks lead to. Of several marks of a pair, the newest counts; of equal ones, the last."""
    newest: dict[tuple[str, str], Marked] = {}
    for mark in marks:
        of = instruments.get(mark.symbol)
        if of is None:
            continue
        known = newest.get((of.base, of.quote))
        if known is None or mark.ts_event >= known.ts_event:
            newest[of.base, of.quote] = mark
    return Rates({pair: mark.price for pair, mark in newest.items()})
