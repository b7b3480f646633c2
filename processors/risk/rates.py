"""How many orders of a tenant were approved of one instrument in the newest minute of event time.

Event time is kept for each instrument (docs/adr/0003-event-time.md), and a task has some of the instruments. So no
task knows a minute of all of a tenant's orders, and the rate is of an instrument.
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
    known = state.get(_key(request), OrderRateState)
    begun = _minute(request) if known is None else max(known.ts_start, _minute(request))
    state.put(_key(request), OrderRateState(ts_start=begun, orders=approved_in_minute(state, request) + 1))


def _minute(request: OrderRequest) -> int:
    return request.ts_event - request.ts_event % MINUTE_US


def _key(request: OrderRequest) -> str:
    return f"{RATE}{request.tenant_id}/{instrument(request.symbol, request.venue)}"
