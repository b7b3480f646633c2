"""The instruments that feeds know, so that a file of another one is not published by mistake."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

KNOWN_SYMBOLS: Final = frozenset(
    {"EURUSD", "GBPUSD", "USDJPY", "USDCHF", "AUDUSD", "USDCAD", "NZDUSD", "EURJPY", "EURGBP"}  # Forex
    | {"XAUUSD", "XAGUSD"}  # metals
    | {"BTCUSDT", "ETHUSDT", "BNBUSDT", "SOLUSDT", "XRPUSDT"}  # crypto
)


def unknown(symbol: str, symbols: Collection[str]) -> str:
    """Return the message about a symbol that is not among the known ones."""
    return f"unknown symbol {symbol}; known are {', '.join(sorted(symbols))}; allow another one by --symbol"
