"""What the routes under `markets` answer; `lane.py` answers for the hot ones."""

from __future__ import annotations

import json
import time
from typing import Any

from fastapi import Request

from tradewind.connectors.gateway.answers.basics import gateway_of
from tradewind.connectors.gateway.gateway import Gateway


async def get_markets_live_data(request: Request) -> dict[str, Any]:
    """Return the last tick of each instrument, and the last bar of each instrument and interval."""
    gateway = gateway_of(request)
    troubles = [follower.trouble for follower in gateway.market if follower.trouble is not None]
    return {
        "as_of": round(time.time(), 3),
        "ticks": _cells(gateway, "ticks"),
        "bars": _cells(gateway, "bars"),
        "trouble": "; ".join(troubles) or None,
    }


async def get_markets_symbol_tick(symbol: str) -> dict[str, Any]:
    """Return the last tick; null while none has come. `lane.py` answers for it."""
    raise AssertionError(f"the lane has not answered for {symbol}")


async def get_markets_symbol_bars(symbol: str) -> list[dict[str, Any]]:
    """Return the last bar of each interval. `lane.py` answers for it."""
    raise AssertionError(f"the lane has not answered for {symbol}")


def _cells(gateway: Gateway, channel: Any) -> list[Any]:
    found = (gateway.hub.data((channel, symbol)) for symbol in gateway.hub.symbols(channel))
    return [json.loads(data) for data in found if data is not None]
