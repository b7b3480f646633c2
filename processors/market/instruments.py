"""What an instrument's prices and quantities are multiples of, and which currencies it trades."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

CURRENCY: Final = re.compile(r"[A-Z0-9]{2,12}")
"""Three letters of ISO 4217, and what exchanges name likewise, such as USDT, XAU or 1INCH."""
CURRENCY_SAID: Final = "2 to 12 capital letters and digits, such as EUR or USDT"


@dataclass(frozen=True, slots=True)
class Instrument:
    """How an instrument is quoted and traded. Raises `ValueError` for steps that no order could be made of."""

    tick_size: Decimal
    """Limit prices are multiples of this."""
    lot_size: Decimal
    """Quantities are multiples of this, units."""
    min_quantity: Decimal
    """The smallest order, units: a multiple of the lot."""
    base: str
    """What a unit is of, such as EUR, XAU or BTC."""
    quote: str
    """The currency of its prices and profits."""

    def __post_init__(self) -> None:
        steps = {"tick_size": self.tick_size, "lot_size": self.lot_size, "min_quantity": self.min_quantity}
        for name, step in steps.items():
            if not (step.is_finite() and step > 0):
                raise ValueError(f"{name} is {step}; it must be above 0")
        names = {"base": self.base, "quote": self.quote}
        for name, currency in names.items():
            if CURRENCY.fullmatch(currency) is None:
                raise ValueError(f"{name} is {currency!r}; it must be {CURRENCY_SAID}")
        if self.base == self.quote:
            raise ValueError(f"base and quote are both {self.base}; an instrument trades one for another")
        if self.min_quantity % self.lot_size:
            raise ValueError(f"min_quantity is {self.min_quantity}, no multiple of the lot_size {self.lot_size}")


def _instrument(base: str, quote: str, tick_size: str, lot_size: str) -> Instrument:
    """Return an instrument whose smallest order is a lot."""
    return Instrument(Decimal(tick_size), Decimal(lot_size), Decimal(lot_size), base, quote)


# Currency in micro lots, at prices in tenths of a pip; metals in whole ounces; Binance's USD-M perpetual futures by the
# steps that its exchangeInfo tells.
INSTRUMENTS: Mapping[str, Instrument] = {
    "EURUSD": _instrument("EUR", "USD", "0.00001", "1000"),
    "GBPUSD": _instrument("GBP", "USD", "0.00001", "1000"),
    "USDJPY": _instrument("USD", "JPY", "0.001", "1000"),
    "USDCHF": _instrument("USD", "CHF", "0.00001", "1000"),
    "AUDUSD": _instrument("AUD", "USD", "0.00001", "1000"),
    "USDCAD": _instrument("USD", "CAD", "0.00001", "1000"),
    "NZDUSD": _instrument("NZD", "USD", "0.00001", "1000"),
    "EURJPY": _instrument("EUR", "JPY", "0.001", "1000"),
    "EURGBP": _instrument("EUR", "GBP", "0.00001", "1000"),
    "XAUUSD": _instrument("XAU", "USD", "0.001", "1"),
    "XAGUSD": _instrument("XAG", "USD", "0.0001", "1"),
    "BTCUSDT": _instrument("BTC", "USDT", "0.1", "0.001"),
    "ETHUSDT": _instrument("ETH", "USDT", "0.01", "0.001"),
    "BNBUSDT": _instrument("BNB", "USDT", "0.01", "0.01"),
    "SOLUSDT": _instrument("SOL", "USDT", "0.01", "1"),
    "XRPUSDT": _instrument("XRP", "USDT", "0.0001", "0.1"),
}
"""The instruments that are known, by symbol, at any venue."""
