"""Ids of derived events: a hash of business facts, so that a recreated event has the same id."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b

ID_BYTES = 16  # 128 bits: no two of 10^15 events share an id, and a PostgreSQL uuid holds it


def derive_id(*parts: str | int) -> str:
    """Return 32 hex digits that depend on every part and its place; parts are joined by a byte that none contains."""
    return blake2b("\x1f".join(map(str, parts)).encode(), digest_size=ID_BYTES).hexdigest()


def id_with(*before: str | int, after: str | int) -> Callable[[int], str]:
    """Return the function of a number that gives `derive_id(*before, number, after)`, for many of them."""
    head = "\x1f".join([*map(str, before), ""]).encode()
    tail = f"\x1f{after}".encode()
    return lambda number: blake2b(b"%b%d%b" % (head, number, tail), digest_size=ID_BYTES).hexdigest()


def instrument(symbol: str, venue: str) -> str:
    """Return the name of an instrument, `SYMBOL.VENUE`: the key that market data and orders are partitioned by."""
    return f"{symbol}.{venue}"
