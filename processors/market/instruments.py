"""What an instrument's prices and quantities are multiples of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Instrument:
    """How an instrument is quoted and traded. Raises `ValueError` for steps that no order could be made of."""

    tick_size: Decimal
    """Limit prices are multiples of this."""
    lot_size: Decimal
    """Quantities are multiples of this, units."""
    min_quantity: Decimal
    """The smallest order, units: a multiple of the lot."""

    def __post_init__(self) -> None:
        steps = {"tick_size": self.tick_size, "lot_size": self.lot_size, "min_quantity": self.min_quantity}
        for name, step in steps.items():
            if not (step.is_finite() and step > 0):
                raise ValueError(f"{name} is {step}; it must be above 0")
        if self.min_quantity % self.lot_size:
            raise ValueError(f"min_quantity is {self.min_quantity}, no multiple of the lot_size {self.lot_size}")


def _instrument(tick_size: str, lot_size: str) -> Instrument:
    """Return an instrument whose smallest order is a lot."""
    return Instrument(Decimal(tick_size), Decimal(lot_size), Decimal(lot_size))


# Currency in micro lots, at prices in tenths of a pip; metals in whole ounces; Binance's USD-M perpetual futures by the
# steps that its exchangeInfo tells.
INSTRUMENTS: Mapping[str, Instrument] = {
    "EURUSD": _instrument("0.00001", "1000"),
    "GBPUSD": _instrument("0.00001", "1000"),
    "USDJPY": _instrument("0.001", "1000"),
    "USDCHF": _instrument("0.00001", "1000"),
    "AUDUSD": _instrument("0.00001", "1000"),
    "USDCAD": _instrument("0.00001", "1000"),
    "NZDUSD": _instrument("0.00001", "1000"),
    "EURJPY": _instrument("0.001", "1000"),
    "EURGBP": _instrument("0.00001", "1000"),
    "XAUUSD": _instrument("0.001", "1"),
    "XAGUSD": _instrument("0.0001", "1"),
    "BTCUSDT": _instrument("0.1", "0.001"),
    "ETHUSDT": _instrument("0.01", "0.001"),
    "BNBUSDT": _instrument("0.01", "0.01"),
    "SOLUSDT": _instrument("0.01", "1"),
    "XRPUSDT": _instrument("0.0001", "0.1"),
}
"""The instruments that are known, by symbol, at any venue."""
