"""Commands of people become order requests, dated so that no order can meet a price that was already seen.

    ts_event = the later of (event time that the instrument has reached + 1 µs) and the quote that the user saw

Heartbeats have promised that all that follows is later than the time that is reached. So the fill of such an order can
wait for the next heartbeat, up to a second of event time.
"""

from __future__ import annotations

from typing import Final

from tradewind.processors.batch import State, require_known
from tradewind.processors.identity import derive_id, instrument
from tradewind.processors.market.instruments import Instrument
from tradewind.processors.money import signed_quantity
from tradewind.schemas.execution import OrderRequest, SubmitOrder
from tradewind.schemas.market import Heartbeat
from tradewind.schemas.portfolio import SizingTimeState
from tradewind.schemas.signals import Signal

BY_HAND: Final = "@manual"
"""The deployment and the strategy of orders that people give, in each account. No deployment can have this name."""


def reach(state: State, event: Signal | Heartbeat) -> None:
    """Note the event time that an instrument has reached."""
    key = _key(event.symbol, event.venue)
    known = state.get(key, SizingTimeState)
    if known is None or known.ts_event < event.ts_event:
        state.put(key, SizingTimeState(symbol=event.symbol, venue=event.venue, ts_event=event.ts_event))


def commanded(state: State, index: int, command: SubmitOrder, of: Instrument, ts_ingest: int) -> OrderRequest:
    """Return the request of a command. The same command gives the same order, which risk decides on once."""
    require_known(command, index, "side", "order_type")
    reached = state.get(_key(command.symbol, command.venue), SizingTimeState)
    ts_event = command.quote_ts if reached is None else max(command.quote_ts, reached.ts_event + 1)
    lives_us = command.time_to_live_us
    return OrderRequest(
        event_id=derive_id("OrderRequest", command.event_id),
        tenant_id=command.tenant_id,
        ts_event=ts_event,
        ts_ingest=ts_ingest,
        correlation_id=command.correlation_id,
        causation_id=command.event_id,
        order_id=command.order_id,
        account_id=command.account_id,
        deployment=BY_HAND,
        symbol=command.symbol,
        venue=command.venue,
        mode="ADD",
        units=signed_quantity(command.side, command.quantity),
        lot_size=of.lot_size,
        min_quantity=of.min_quantity,
        order_type=command.order_type,
        buy_limit=command.limit_price,
        sell_limit=command.limit_price,
        time_in_force="DAY" if lives_us is None else "GTD",
        expire_ts=None if lives_us is None else ts_event + lives_us,
        strategy=BY_HAND,
        signal_id=command.event_id,
        quote_bid=command.quote_bid,
        quote_ask=command.quote_ask,
        quote_ts=command.quote_ts,
    )


def _key(symbol: str, venue: str) -> str:
    return f"time/{instrument(symbol, venue)}"
