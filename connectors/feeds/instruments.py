"""The instruments that feeds know, so that a file of another one is not published by mistake."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from tradewind.processors.market.instruments import INSTRUMENTS

KNOWN_SYMBOLS: Final = frozenset(INSTRUMENTS)


def unknown(symbol: str, symbols: Collection[str]) -> str:
    """Return the message about a symbol that is not among the known ones."""
    return f"unknown symbol {symbol}; known are {', '.join(sorted(symbols))}; allow another one by --symbol"
