"""A signal becomes one order request for each account of each tenant, as large as the tenant's risk allows.

    quantity = risk_per_trade * strength / (volatility * price), rounded down to a lot

so that a move of one standard deviation per minute changes the order's value by risk_per_trade * strength. Source:
volatility targeting, e.g. Robert Carver, Systematic Trading (2015), chapter 9, with one minute as the horizon. No
request is made where the quantity is below the instrument's least, or before its volatility is known.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from tradewind.processors.batch import Processor, Segment, State, rows_of
from tradewind.processors.identity import derive_id
from tradewind.processors.market.instruments import instrument_of
from tradewind.processors.money import ZERO, ceiled, exact, floored, money_of
from tradewind.processors.tenancy.tenant import Sizing, Tenant, accounts_of
from tradewind.schemas.event import Event
from tradewind.schemas.execution import OrderRequest
from tradewind.schemas.market import Heartbeat
from tradewind.schemas.signals import Signal

VOLATILITY_MIN = 1e-8  # a market that moves by less is standing still: a quantity from it would mean nothing


def sizing(tenants: Iterable[Tenant]) -> Processor:
    """Return the sizing agent's processor: signals and heartbeats -> order requests and the same heartbeats.

    It has no state. Raises `ValueError` where a tenant's account appears twice.
    """
    accounts = accounts_of(tenants)

    def process(state: State, segment: Segment) -> list[Event]:  # noqa: ARG001 - a processor is given its state
        if not len(segment):
            return []
        if segment.model not in (Signal, Heartbeat):
            raise TypeError(
                f"requests are made of signals and heartbeats, not of {segment.model.__name__} ({segment.topic})"
            )
        sent: list[Event] = []
        for event, ts_ingest in zip(rows_of(segment).events, segment.ts_ingest.tolist(), strict=True):
            if not isinstance(event, Signal):
                sent.append(event)
                continue
            for (_, account_id), tenant in accounts.items():
                request = _request(event, tenant, account_id, ts_ingest)
                sent += [] if request is None else [request]
        return sent

    return process


def quantity_of(signal: Signal, tenant: Sizing) -> Decimal:
    """Return the units that a signal is worth to a tenant; 0 where the instrument has no orders so small."""
    if signal.volatility < VOLATILITY_MIN:
        return ZERO
    instrument = instrument_of(signal.symbol)
    with exact():
        price = (money_of(signal.quote_bid) + money_of(signal.quote_ask)) / 2
        moved = Decimal(repr(signal.volatility)) * price
        wanted = tenant.risk_per_trade * Decimal(repr(signal.strength)) / moved
    quantity = floored(wanted, instrument.lot_size)
    return quantity if quantity >= instrument.min_quantity else ZERO


def limit_price_of(signal: Signal, tenant: Sizing) -> Decimal:
    """Return a price better than the touch by the tenant's offset, rounded to a tick away from the touch."""
    tick_size = instrument_of(signal.symbol).tick_size
    with exact():
        if signal.direction == "LONG":
            return floored(money_of(signal.quote_ask) * (1 - tenant.limit_offset), tick_size)
        return ceiled(money_of(signal.quote_bid) * (1 + tenant.limit_offset), tick_size)


def _request(signal: Signal, tenant: Tenant, account_id: str, ts_ingest: int) -> OrderRequest | None:
    quantity = quantity_of(signal, tenant.sizing)
    limit_price = limit_price_of(signal, tenant.sizing) if tenant.sizing.order_type == "LIMIT" else None
    if quantity == 0 or (limit_price is not None and limit_price <= 0):
        return None
    # A market order ends at the first quote, so only limit orders have a time of their own.
    lives_us = tenant.sizing.time_to_live_us if limit_price is not None else None
    return OrderRequest(
        event_id=derive_id("OrderRequest", signal.event_id, tenant.tenant_id, account_id),
        tenant_id=tenant.tenant_id,
        ts_event=signal.ts_event,
        ts_ingest=ts_ingest,
        correlation_id=signal.correlation_id,
        causation_id=signal.event_id,
        order_id=derive_id("order", signal.event_id, tenant.tenant_id, account_id),
        account_id=account_id,
        symbol=signal.symbol,
        venue=signal.venue,
        side="BUY" if signal.direction == "LONG" else "SELL",
        order_type=tenant.sizing.order_type,
        quantity=quantity,
        limit_price=limit_price,
        time_in_force="DAY" if lives_us is None else "GTD",
        expire_ts=None if lives_us is None else signal.ts_event + lives_us,
        strategy=signal.strategy,
        signal_id=signal.event_id,
        quote_bid=money_of(signal.quote_bid),
        quote_ask=money_of(signal.quote_ask),
        quote_ts=signal.quote_ts,
    )
