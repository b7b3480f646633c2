"""What is counted of tenants. A meter's unit never changes: its totals are sums over months."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

ORDERS: Final = "orders"
FILLS: Final = "fills"
TICKS: Final = "market.ticks"
API_CALLS: Final = "api.calls"
STREAM_MS: Final = "stream.ms"
TOKENS_IN: Final = "ai.tokens.in"
TOKENS_OUT: Final = "ai.tokens.out"
TOKENS: Final = (TOKENS_IN, TOKENS_OUT)
AI_COST: Final = "ai.cost"
"""In millionths of the currency."""
METERS: Final = frozenset({ORDERS, FILLS, TICKS, API_CALLS, STREAM_MS, TOKENS_IN, TOKENS_OUT, AI_COST})
MICRO: Final = Decimal("0.000001")
"""The unit of `AI_COST`."""
SHARES: Final = (50, 80, 100)
"""Percent of a quota or budget that tenants are told of. Reached means that the usage is as large, not larger."""
BAR: Final = "|"
"""Between the parts of a dimension: names of models have slashes and colons, and none has a bar."""


def ai_dimension(provider: str, model: str, request_type: str) -> str:
    """Return the dimension of a call to a model."""
    return BAR.join((provider, model, request_type))
