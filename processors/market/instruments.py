"""What an instrument's prices and quantities are multiples of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Instrument:
    """How an instrument is quoted and traded."""

    tick_size: Decimal
    """Limit prices are multiples of this."""
    lot_size: Decimal
    """Quantities are multiples of this, units."""
    min_quantity: Decimal
    """The smallest order, units."""


INSTRUMENTS: Mapping[str, Instrument] = {
    # a micro lot of currency, in tenths of a pip
    "EURUSD": Instrument(tick_size=Decimal("0.00001"), lot_size=Decimal(1000), min_quantity=Decimal(1000)),
    # whole ounces, in tenths of a cent
    "XAUUSD": Instrument(tick_size=Decimal("0.001"), lot_size=Decimal(1), min_quantity=Decimal(1)),
    # Binance USD-M perpetual futures
    "BTCUSDT": Instrument(tick_size=Decimal("0.1"), lot_size=Decimal("0.001"), min_quantity=Decimal("0.001")),
}
"""Instruments by symbol, at any venue."""
UNKNOWN = Instrument(tick_size=Decimal("0.00000001"), lot_size=Decimal("0.001"), min_quantity=Decimal("0.001"))
"""Fine enough for any instrument; coarser steps must be stated above."""


def instrument_of(symbol: str) -> Instrument:
    """Return the definition of a symbol, or `UNKNOWN`."""
    return INSTRUMENTS.get(symbol, UNKNOWN)
