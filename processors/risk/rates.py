"""How many orders of a tenant were approved of one instrument in the newest minute of event time.

Event time is kept for each instrument (docs/adr/0003-event-time.md), and instruments of a replay may be years apart in
it. So there is no minute of all of a tenant's orders, and the rate is of an instrument.
"""

from __future__ import annotations

from typing import Final

from tradewind.processors.batch import State
from tradewind.processors.clock import MINUTE_US
from tradewind.processors.identity import instrument
from tradewind.schemas.execution import OrderRequest
from tradewind.schemas.risk import OrderRateState

RATE: Final = "rate/"


def approved_in_minute(state: State, request: OrderRequest) -> int:
    """Return how many orders were approved in the minute of a request, or in a later one that has already begun."""
    known = state.get(_key(request), OrderRateState)
    return known.orders if known is not None and _minute(request) <= known.ts_start else 0


def count_approved(state: State, request: OrderRequest) -> None:
    """Count an approved order. One of an earlier minute counts in the minute that has begun."""
    key, minute = _key(request), _minute(request)
    known = state.get(key, OrderRateState)
    if known is not None and minute <= known.ts_start:
        state.put(key, OrderRateState(ts_start=known.ts_start, orders=known.orders + 1))
    else:
        state.put(key, OrderRateState(ts_start=minute, orders=1))


def _minute(request: OrderRequest) -> int:
    return request.ts_event - request.ts_event % MINUTE_US


def _key(request: OrderRequest) -> str:
    return f"{RATE}{request.tenant_id}/{instrument(request.symbol, request.venue)}"
