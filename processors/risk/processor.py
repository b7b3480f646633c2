"""Every order request gets exactly one decision: an order, approved or denied with every code that applies, or none.

Risk knows what a deployment holds, so risk makes the order: of a target, the difference. Where there is no difference,
the target is met.

A duplicate request gets no second decision: the state has its id while the order is open, and as long as it is among
the newest decisions of the account (`exposure.RECENT_ORDERS`). Older duplicates cannot happen, because the sizing agent
is exactly once and its ids derive from the signal. A request of an unknown tenant or account is denied. A request
becomes a dead letter if it names no tenant, or if this version does not know its mode, type or time in force. So does
an event of an open order with an unknown status.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

from tradewind.processors.batch import PoisonRecord, Processor, Rows, Segment, State, checked, require_known, rows_of
from tradewind.processors.billing.meters import ORDERS
from tradewind.processors.billing.used_up import note_used, used_up
from tradewind.processors.identity import derive_id
from tradewind.processors.market.instruments import INSTRUMENTS, Instrument
from tradewind.processors.money import shown
from tradewind.processors.risk.checks import Finding, Standing, findings, unknown_owner
from tradewind.processors.risk.earnings import (
    drawdown,
    earnings_at,
    forget_earnings,
    keep_earnings,
    lost_today,
    ordered,
)
from tradewind.processors.risk.exposure import (
    after_decision,
    after_end,
    elsewhere,
    exposure_of,
    held_of,
    is_open,
    keep,
    note_unknown_owner,
    was_decided,
)
from tradewind.processors.risk.limits import limits_of
from tradewind.processors.risk.marks import keep_mark
from tradewind.processors.risk.rates import approved_in_minute, count_approved
from tradewind.processors.risk.target import Order, order_of
from tradewind.processors.risk.totals import NOT_ASKED, Totals, totals_after
from tradewind.processors.tenancy import switches as halts
from tradewind.processors.tenancy.known import known, note, note_seeded
from tradewind.processors.tenancy.switches import switches_of
from tradewind.schemas.billing import UsageThreshold
from tradewind.schemas.event import Event
from tradewind.schemas.execution import CancelOrder, OrderEvent, OrderRequest
from tradewind.schemas.market import Heartbeat, Mark
from tradewind.schemas.risk import Decision, EarningsState, KillSwitch, LimitsState
from tradewind.schemas.tenancy import Seeded, Tenant


def risk(instruments: Mapping[str, Instrument] = INSTRUMENTS) -> Processor:
    """Return the risk agent's processor: tenants, quotas, marks, requests, order events, switches, time -> decisions.

    `instruments` has the currencies of each symbol, for limits over several instruments. Cancels pass unchanged, and
    heartbeats with the number of the task's partition. Raises `PoisonRecord` for a request that cannot be checked, and
    for a record that makes an exposure larger than the range of amounts.
    """

    def process(state: State, segment: Segment) -> list[Event]:
        if not len(segment):
            return []
        rows = rows_of(segment)
        if rows.model is OrderRequest:
            return _on_requests(state, rows, instruments)
        for index, event in enumerate(rows.events):
            _take(state, index, event)
        if rows.model is Heartbeat:
            beats = cast("list[Heartbeat]", list(rows.events))
            return [replace(beat, passed_by=rows.partition) for beat in beats]
        return list(rows.events) if rows.model is CancelOrder else []

    return process


def _take(state: State, index: int, event: Event) -> None:
    """Take into account what later requests are judged by."""
    match event:
        case OrderEvent():
            _on_order_event(state, index, event)
        case KillSwitch():
            halts.keep(state, event)
        case Tenant():
            note(state, index, event, limits_of(event))
        case Seeded():
            note_seeded(state, event)
        case UsageThreshold():
            if event.meter == ORDERS:
                note_used(state, event)
        case Mark():
            keep_mark(state, event)
        case Heartbeat() | CancelOrder():
            pass
        case _:
            raise TypeError(f"risk cannot process a {type(event).__name__}")


def _on_order_event(state: State, index: int, event: OrderEvent) -> None:
    if is_open(state, event.order_id):
        require_known(event, index, "status")
    after = after_end(state, event)
    if after is not None:
        exposure, holding, earnings = after
        keep(state, checked(exposure, index), checked(holding, index))
        if earnings is not None:
            keep_earnings(state, checked(earnings, index))


def _on_requests(state: State, segment: Rows, instruments: Mapping[str, Instrument]) -> list[Event]:
    requests = cast("list[OrderRequest]", list(segment.events))
    for index, request in enumerate(requests):
        if request.tenant_id is None:
            raise PoisonRecord(index, f"request {request.event_id} names no tenant: no limits can judge it")
        require_known(request, index, "mode", "order_type", "time_in_force")
    return [
        _decide(state, index, request, instruments, ts_ingest=ts_ingest)
        for index, (request, ts_ingest) in enumerate(zip(requests, segment.ts_ingest.tolist(), strict=True))
        if not was_decided(state, request)
    ]


def _decide(
    state: State, index: int, request: OrderRequest, instruments: Mapping[str, Instrument], *, ts_ingest: int
) -> Decision:
    tenant_id = cast("str", request.tenant_id)
    limits = known(state, tenant_id, LimitsState)
    unknown = unknown_owner(request, limits)
    order = order_of(request, held_of(state, request), exposure_of(state, request))
    if limits is None or unknown is not None:
        note_unknown_owner(state, request)
        return _decision(request, order, index, () if unknown is None else (unknown,), ts_ingest=ts_ingest)
    earnings = earnings_at(state, request, limits, order.exposure)
    totals = totals_after(state, request, order, limits, instruments) if order.quantity else NOT_ASKED
    standing = _standing(state, request, order, limits, earnings, totals=totals, ts_ingest=ts_ingest)
    found = findings(request, order, limits, standing) if order.quantity else ()
    against = tuple(one for one in found if one.reason)
    approved = bool(order.quantity) and not against
    if approved:
        count_approved(state, request)
    exposure, holding = after_decision(state, request, tenant_id, order, approved=approved)
    keep(state, checked(exposure, index), checked(holding, index))
    if earnings is None:
        forget_earnings(state, request)
    else:
        after = ordered(earnings, order.units, order.price) if approved else earnings
        keep_earnings(state, checked(after, index))
    revision = limits.revision
    return _decision(request, order, index, against, ts_ingest=ts_ingest, revision=revision, standing=standing)


def _standing(
    state: State,
    request: OrderRequest,
    order: Order,
    limits: LimitsState,
    earnings: EarningsState | None,
    *,
    totals: Totals,
    ts_ingest: int,
) -> Standing:
    quota = limits.orders_quota
    return Standing(
        switches=switches_of(state, limits.tenant_id, request.account_id),
        used=None if quota is None else used_up(state, limits.tenant_id, ORDERS, quota, ts_ingest),
        in_minute=approved_in_minute(state, request),
        elsewhere=elsewhere(state, request, limits),
        lost_today=None if earnings is None else lost_today(earnings, order.exposure),
        drawdown=None if earnings is None else drawdown(earnings, order.exposure),
        totals=totals,
    )


def _decision(
    request: OrderRequest,
    order: Order,
    index: int,
    against: tuple[Finding, ...],
    *,
    ts_ingest: int,
    revision: int = 0,
    standing: Standing | None = None,
) -> Decision:
    made = Decision(
        event_id=derive_id("Decision", request.order_id),
        tenant_id=request.tenant_id,
        ts_event=request.ts_event,
        ts_ingest=ts_ingest,
        correlation_id=request.correlation_id,
        causation_id=request.event_id,
        outcome="DENIED" if against else "APPROVED" if order.quantity else "MET",
        codes=tuple(one.code for one in against),
        reason="; ".join(one.reason for one in against) or _allowed(order),
        order_id=request.order_id,
        account_id=request.account_id,
        deployment=request.deployment,
        symbol=request.symbol,
        venue=request.venue,
        side=order.side,
        order_type=request.order_type,
        quantity=order.quantity,
        limit_price=order.limit_price,
        time_in_force=request.time_in_force,
        expire_ts=request.expire_ts,
        strategy=request.strategy,
        signal_id=request.signal_id,
        quote_bid=request.quote_bid,
        quote_ask=request.quote_ask,
        quote_ts=request.quote_ts,
        tenant_revision=revision,
        held=order.held,
        exposure=order.exposure,
        elsewhere=None if standing is None else standing.elsewhere,
        in_minute=0 if standing is None else standing.in_minute,
        lost_today=None if standing is None else standing.lost_today,
        drawdown=None if standing is None else standing.drawdown,
        total_exposure=None if standing is None else standing.totals.exposure,
        currency_exposure=None if standing is None else standing.totals.currency,
        no_rate="" if standing is None else standing.totals.missing,
    )
    return checked(made, index)


def _allowed(order: Order) -> str:
    if order.quantity:
        return f"within all limits: the deployment goes from {shown(order.held)} to {shown(order.held_after)} units"
    return f"no order is needed: the deployment holds {shown(order.held)} units"
