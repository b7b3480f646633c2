"""Every order request gets exactly one decision: approved, or denied with every code that applies.

A request that comes again is decided once: its id is known while the order is open and among the account's newest
decisions (`exposure.RECENT_ORDERS`). Older repetitions are ruled out upstream, by the sizing agent's transactions and
by ids that derive from the signal. A request of an account that no tenant has, or that is no order, goes to the dead
letters: no limit could judge it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

from tradewind.processors.batch import PoisonRecord, Processor, Rows, Segment, State, rows_of
from tradewind.processors.identity import derive_id
from tradewind.processors.risk.checks import denials
from tradewind.processors.risk.exposure import decided, exposure_of, settled, was_decided
from tradewind.processors.tenancy.tenant import Tenant, accounts_of
from tradewind.schemas.event import Event
from tradewind.schemas.execution import OrderEvent, OrderRequest
from tradewind.schemas.market import Heartbeat
from tradewind.schemas.risk import Decision, KillSwitch, SwitchState

Accounts = Mapping[tuple[str, str], Tenant]
EVERYONE = "*"  # in keys, for a switch of all tenants or of all of a tenant's accounts


def risk(tenants: Iterable[Tenant]) -> Processor:
    """Return the risk agent's processor: requests, order events, kill switches, heartbeats -> decisions, heartbeats.

    Heartbeats pass unchanged. Raises `ValueError` where a tenant's account appears twice, and `PoisonRecord` for a
    request that cannot be judged.
    """
    accounts = accounts_of(tenants)

    def process(state: State, segment: Segment) -> list[Event]:
        if not len(segment):
            return []
        rows = rows_of(segment)
        if rows.model is OrderRequest:
            return _on_requests(state, rows, accounts)
        for event in rows.events:
            match event:
                case OrderEvent():
                    settled(state, event)
                case KillSwitch():
                    _switch(state, event)
                case Heartbeat():
                    pass
                case _:
                    raise TypeError(f"risk has no use for a {type(event).__name__} ({segment.topic})")
        return list(rows.events) if rows.model is Heartbeat else []

    return process


def _on_requests(state: State, segment: Rows, accounts: Accounts) -> list[Event]:
    requests = cast("list[OrderRequest]", list(segment.events))
    for index, request in enumerate(requests):
        flaw = _flaw_of(request, accounts)
        if flaw is not None:
            raise PoisonRecord(index, f"request {request.event_id}: {flaw}")
    return [
        _decide(state, request, accounts, ts_ingest)
        for request, ts_ingest in zip(requests, segment.ts_ingest.tolist(), strict=True)
        if not was_decided(state, request)
    ]


def _flaw_of(request: OrderRequest, accounts: Accounts) -> str | None:
    """Return why a request cannot be judged, or None."""
    if (request.tenant_id, request.account_id) not in accounts:
        return (
            f"no tenant {request.tenant_id!r} with an account {request.account_id!r} is configured; add it and redrive"
        )
    if request.quantity <= 0 or request.quote_bid <= 0 or request.quote_ask < request.quote_bid:
        return f"quantity {request.quantity} on a quote of {request.quote_bid} to {request.quote_ask} is no order"
    if (request.order_type == "LIMIT") != (request.limit_price is not None) or (request.limit_price or 1) <= 0:
        return f"a {request.order_type} order with a limit price of {request.limit_price}"
    if (request.time_in_force == "GTD") != (request.expire_ts is not None):
        return f"time in force {request.time_in_force} with an expiry of {request.expire_ts}"
    return None


def _decide(state: State, request: OrderRequest, accounts: Accounts, ts_ingest: int) -> Decision:
    tenant_id = cast("str", request.tenant_id)
    tenant = accounts[tenant_id, request.account_id]
    against = denials(
        request, tenant.limits, exposure_of(state, request), _switches(state, tenant_id, request.account_id)
    )
    decided(state, request, tenant_id, approved=not against)
    return Decision(
        event_id=derive_id("Decision", request.order_id),
        tenant_id=request.tenant_id,
        ts_event=request.ts_event,
        ts_ingest=ts_ingest,
        correlation_id=request.correlation_id,
        causation_id=request.event_id,
        outcome="DENIED" if against else "APPROVED",
        codes=tuple(denial.code for denial in against),
        reason="; ".join(denial.reason for denial in against) or "within all limits",
        order_id=request.order_id,
        account_id=request.account_id,
        symbol=request.symbol,
        venue=request.venue,
        side=request.side,
        order_type=request.order_type,
        quantity=request.quantity,
        limit_price=request.limit_price,
        time_in_force=request.time_in_force,
        expire_ts=request.expire_ts,
        strategy=request.strategy,
        signal_id=request.signal_id,
        quote_bid=request.quote_bid,
        quote_ask=request.quote_ask,
        quote_ts=request.quote_ts,
    )


def _switch(state: State, command: KillSwitch) -> None:
    kept = SwitchState(
        tenant_id=command.tenant_id,
        account_id=command.account_id,
        engaged=command.engaged,
        reason=command.reason,
    )
    state.put(_switch_key(command.tenant_id, command.account_id), kept)


def _switches(state: State, tenant_id: str, account_id: str) -> tuple[SwitchState, ...]:
    """Return the switches that concern an account; each is released by a command for whom it was engaged for."""
    concerned = ((None, None), (tenant_id, None), (tenant_id, account_id))
    known = (state.get(_switch_key(*of), SwitchState) for of in concerned)
    return tuple(switch for switch in known if switch is not None)


def _switch_key(tenant_id: str | None, account_id: str | None) -> str:
    return f"switch/{tenant_id or EVERYONE}/{account_id or EVERYONE}"
