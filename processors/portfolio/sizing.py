"""A signal becomes a target for the account of its deployment, as large as the deployment's sizing says.

A command of a person becomes a request as it stands (`commanded.py`).

    VOLATILITY:  quantity = size * strength / (volatility * price), rounded down to a lot
    NOTIONAL:    quantity = size * strength / price, rounded down to a lot
    UNITS:       quantity = size * strength, rounded down to a lot
    target   = quantity of a LONG view, -quantity of a SHORT one, 0 of a FLAT one

where the size of VOLATILITY is the tenant's risk_per_trade, unless the deployment states one: a move of one standard
deviation per minute changes the position's value by size * strength. A signal of no tenant, which no deployment gave,
leads to a target for every account of every active tenant. Source:
volatility targeting, e.g. Robert Carver, Systematic Trading (2015), chapter 9, with one minute as the horizon. A
quantity below the instrument's minimum is 0. While the volatility is not known, only a FLAT view leads to a target.
Risk knows what is held, and orders the difference. What is FLAT is ordered at the market, since it must not stay.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

from tradewind.processors.batch import PoisonRecord, Processor, Segment, State, checked, require_known, rows_of
from tradewind.processors.identity import derive_id
from tradewind.processors.market.instruments import INSTRUMENTS, Instrument
from tradewind.processors.money import ZERO, ceiled, exact, floored, money_of
from tradewind.processors.portfolio.commanded import commanded, reach
from tradewind.processors.tenancy.known import all_known, known, note, note_seeded
from tradewind.schemas.event import Event
from tradewind.schemas.execution import CancelOrder, OrderRequest, SubmitOrder
from tradewind.schemas.market import Heartbeat
from tradewind.schemas.portfolio import SizingState
from tradewind.schemas.signals import Signal
from tradewind.schemas.tenancy import Seeded, Tenant

VOLATILITY_MIN = 1e-8  # a market that moves by less is standing still: a quantity from it would mean nothing


def sizing(instruments: Mapping[str, Instrument] = INSTRUMENTS) -> Processor:
    """Return the sizing agent's processor: tenants, commands, signals, heartbeats -> requests, the same heartbeats.

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
                    reach(state, event)
                    sent += _on_signal(state, index, event, instruments, ts_ingest)
                case Heartbeat():
                    reach(state, event)
                    sent.append(event)
                case SubmitOrder():
                    of = _instrument(index, event, instruments)
                    sent.append(checked(commanded(state, index, event, of, ts_ingest), index))
                case CancelOrder():
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
    require_known(signal, index, "direction", "mode", "sizing")
    instrument = _instrument(index, signal, instruments)
    requests = (
        _request(signal, instrument, tenant, account_id, ts_ingest)
        for tenant, account_id in _owners(state, signal)
        if tenant.status == "ACTIVE"
    )
    return [checked(request, index) for request in requests if request is not None]


def _instrument(index: int, event: Signal | SubmitOrder, instruments: Mapping[str, Instrument]) -> Instrument:
    found = instruments.get(event.symbol)
    if found is None:
        raise PoisonRecord(index, _unknown(event.symbol))
    return found


def _owners(state: State, signal: Signal) -> Iterator[tuple[SizingState, str]]:
    """Yield each tenant and account that a signal concerns."""
    if signal.tenant_id is None:
        yield from ((tenant, account_id) for tenant in all_known(state, SizingState) for account_id in tenant.accounts)
        return
    tenant = known(state, signal.tenant_id, SizingState)
    if tenant is not None:
        wanted = tenant.accounts if signal.account_id is None else (signal.account_id,)
        yield from ((tenant, account_id) for account_id in wanted if account_id in tenant.accounts)


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


def quantity_of(signal: Signal, instrument: Instrument, tenant: SizingState) -> Decimal | None:
    """Return the units of a signal's target for a tenant; 0 below the instrument's minimum, None if nobody can tell."""
    size = tenant.risk_per_trade if signal.size is None else signal.size
    with exact():
        wanted = size * Decimal(repr(signal.strength))
        price = (money_of(signal.quote_bid) + money_of(signal.quote_ask)) / 2
        match signal.sizing:
            case "VOLATILITY":
                if signal.volatility < VOLATILITY_MIN:
                    return None
                wanted /= Decimal(repr(signal.volatility)) * price
            case "NOTIONAL":
                wanted /= price
    quantity = floored(wanted, instrument.lot_size)
    return quantity if quantity >= instrument.min_quantity else ZERO


def target_of(signal: Signal, instrument: Instrument, tenant: SizingState) -> Decimal | None:
    """Return the position that a signal asks for, units, negative when short; None if nobody can tell."""
    if signal.direction == "FLAT":
        return ZERO
    quantity = quantity_of(signal, instrument, tenant)
    return -quantity if quantity is not None and signal.direction == "SHORT" else quantity


def limit_prices_of(signal: Signal, instrument: Instrument, tenant: SizingState) -> tuple[Decimal, Decimal]:
    """Return limits to buy and to sell, better than the touch by the tenant's offset, a tick away from it or more."""
    tick_size = instrument.tick_size
    with exact():
        return (
            floored(money_of(signal.quote_ask) * (1 - tenant.limit_offset), tick_size),
            ceiled(money_of(signal.quote_bid) * (1 + tenant.limit_offset), tick_size),
        )


def _request(
    signal: Signal, instrument: Instrument, tenant: SizingState, account_id: str, ts_ingest: int
) -> OrderRequest | None:
    target = target_of(signal, instrument, tenant)
    if target is None:
        return None
    limits: tuple[Decimal, Decimal] | tuple[None, None] = (None, None)
    if tenant.order_type == "LIMIT" and target != 0:
        limits = limit_prices_of(signal, instrument, tenant)
        if limits[0] <= 0:
            return None
    limited = limits != (None, None)
    # A market order ends at the first quote, so only limit orders have a time of their own.
    lives_us = tenant.time_to_live_us if limited else None
    return OrderRequest(
        event_id=derive_id("OrderRequest", signal.event_id, tenant.tenant_id, account_id),
        tenant_id=tenant.tenant_id,
        ts_event=signal.ts_event,
        ts_ingest=ts_ingest,
        correlation_id=signal.correlation_id,
        causation_id=signal.event_id,
        order_id=derive_id("order", signal.event_id, tenant.tenant_id, account_id),
        account_id=account_id,
        deployment=signal.deployment or signal.strategy,
        symbol=signal.symbol,
        venue=signal.venue,
        mode="TARGET" if signal.direction == "FLAT" else signal.mode,
        units=target,
        lot_size=instrument.lot_size,
        min_quantity=instrument.min_quantity,
        order_type="LIMIT" if limited else "MARKET",
        buy_limit=limits[0],
        sell_limit=limits[1],
        time_in_force="DAY" if lives_us is None else "GTD",
        expire_ts=None if lives_us is None else signal.ts_event + lives_us,
        strategy=signal.strategy,
        signal_id=signal.event_id,
        quote_bid=money_of(signal.quote_bid),
        quote_ask=money_of(signal.quote_ask),
        quote_ts=signal.quote_ts,
    )
