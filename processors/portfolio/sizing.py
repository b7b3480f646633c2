"""A signal becomes one order request for each account of each tenant, as large as the tenant's risk allows.

    quantity = risk_per_trade * strength / (volatility * price), rounded down to a lot

so that a move of one standard deviation per minute changes the order's value by risk_per_trade * strength. Source:
volatility targeting, e.g. Robert Carver, Systematic Trading (2015), chapter 9, with one minute as the horizon. No
signal leads to a request if the quantity is below the instrument's minimum, or while the volatility is not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from tradewind.processors.batch import PoisonRecord, Processor, Segment, State, checked, require_known, rows_of
from tradewind.processors.identity import derive_id
from tradewind.processors.market.instruments import INSTRUMENTS, Instrument
from tradewind.processors.money import ZERO, ceiled, exact, floored, money_of
from tradewind.processors.tenancy.known import all_known, note, note_seeded
from tradewind.schemas.event import Event
from tradewind.schemas.execution import OrderRequest
from tradewind.schemas.market import Heartbeat
from tradewind.schemas.portfolio import SizingState
from tradewind.schemas.signals import Signal
from tradewind.schemas.tenancy import Seeded, Tenant

VOLATILITY_MIN = 1e-8  # a market that moves by less is standing still: a quantity from it would mean nothing


def sizing(instruments: Mapping[str, Instrument] = INSTRUMENTS) -> Processor:
    """Return the sizing agent's processor: tenants, signals, heartbeats -> order requests and the same heartbeats.

    A tenant that is not active gets no requests. Raises `PoisonRecord` if a request would be out of range, or if
    `instruments` lacks the signal's instrument: a guessed lot size could make an order a thousand times larger.
    """

    def process(state: State, segment: Segment) -> list[Event]:
        if not len(segment):
            return []
        sent: list[Event] = []
        events = zip(rows_of(segment).events, segment.ts_ingest.tolist(), strict=True)
        for index, (event, ts_ingest) in enumerate(events):
            match event:
                case Signal():
                    sent += _on_signal(state, index, event, instruments, ts_ingest)
                case Heartbeat():
                    sent.append(event)
                case Tenant():
                    note(state, index, event, _kept(event), "order_type")
                case Seeded():
                    note_seeded(state, event)
                case _:
                    raise TypeError(f"no request is made of a {type(event).__name__} ({segment.topic})")
        return sent

    return process


def _on_signal(
    state: State, index: int, signal: Signal, instruments: Mapping[str, Instrument], ts_ingest: int
) -> list[Event]:
    require_known(signal, index, "direction")
    instrument = instruments.get(signal.symbol)
    if instrument is None:
        raise PoisonRecord(index, _unknown(signal.symbol))
    requests = (
        _request(signal, instrument, tenant, account_id, ts_ingest)
        for tenant in all_known(state, SizingState)
        if tenant.status == "ACTIVE"
        for account_id in tenant.accounts
    )
    return [checked(request, index) for request in requests if request is not None]


def _kept(tenant: Tenant) -> SizingState:
    return SizingState(
        tenant_id=tenant.tenant_id,
        revision=tenant.revision,
        status=tenant.status,
        accounts=tenant.accounts,
        risk_per_trade=tenant.risk_per_trade,
        order_type=tenant.order_type,
        limit_offset=tenant.limit_offset,
        time_to_live_us=tenant.time_to_live_us,
    )


def _unknown(symbol: str) -> str:
    return (
        f"no order is made for {symbol}: its tick size and lots are not known. Add it to TRADEWIND_INSTRUMENTS, start "
        "the worker of sizing again, and redrive"
    )


def quantity_of(signal: Signal, instrument: Instrument, tenant: SizingState) -> Decimal:
    """Return the units to order for a signal and a tenant; 0 if they are below the instrument's minimum."""
    if signal.volatility < VOLATILITY_MIN:
        return ZERO
    with exact():
        price = (money_of(signal.quote_bid) + money_of(signal.quote_ask)) / 2
        moved = Decimal(repr(signal.volatility)) * price
        wanted = tenant.risk_per_trade * Decimal(repr(signal.strength)) / moved
    quantity = floored(wanted, instrument.lot_size)
    return quantity if quantity >= instrument.min_quantity else ZERO


def limit_price_of(signal: Signal, instrument: Instrument, tenant: SizingState) -> Decimal:
    """Return a price better than the touch by the tenant's offset, rounded to a tick away from the touch."""
    tick_size = instrument.tick_size
    with exact():
        if signal.direction == "LONG":
            return floored(money_of(signal.quote_ask) * (1 - tenant.limit_offset), tick_size)
        return ceiled(money_of(signal.quote_bid) * (1 + tenant.limit_offset), tick_size)


def _request(
    signal: Signal, instrument: Instrument, tenant: SizingState, account_id: str, ts_ingest: int
) -> OrderRequest | None:
    quantity = quantity_of(signal, instrument, tenant)
    limited = tenant.order_type == "LIMIT"
    limit_price = limit_price_of(signal, instrument, tenant) if limited else None
    if quantity == 0 or (limit_price is not None and limit_price <= 0):
        return None
    # A market order ends at the first quote, so only limit orders have a time of their own.
    lives_us = tenant.time_to_live_us if limit_price is not None else None
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
        order_type=tenant.order_type,
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
