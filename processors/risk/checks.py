"""The checks of an order: each function returns what it found, or None where no limit is stated.

What makes a position smaller passes all checks but a halt and a stale price: nobody may be kept in a position.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, TypeAlias

from tradewind.processors.clock import month_name
from tradewind.processors.money import CONTEXT
from tradewind.processors.risk.limits import across
from tradewind.processors.risk.target import Order
from tradewind.processors.risk.totals import Totals
from tradewind.processors.tenancy.switches import stopped
from tradewind.schemas.billing import UsageThreshold
from tradewind.schemas.execution import OrderRequest
from tradewind.schemas.risk import LimitsState, SwitchState

Code: TypeAlias = Literal[
    "STALE_PRICE",
    "MAX_ORDER_SIZE",
    "MAX_POSITION",
    "KILL_SWITCH",
    "UNKNOWN_TENANT",
    "UNKNOWN_ACCOUNT",
    "TENANT_SUSPENDED",
    "TENANT_CLOSED",
    "QUOTA",
    "ORDER_RATE",
    "MAX_EXPOSURE",
    "DAILY_LOSS",
    "DRAWDOWN",
    "NO_RATE",
    "TOTAL_EXPOSURE",
    "CURRENCY_EXPOSURE",
]
SET: str = "by ./dev tenants set"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found of an order."""

    code: Code
    value: Decimal | int | str
    """What the order would lead to, in the unit of the limit."""
    limit: Decimal | int | str
    reason: str = ""
    """Why the order is denied; empty if it passes."""


def unknown_owner(request: OrderRequest, limits: LimitsState | None) -> Finding | None:
    """Deny a request whose tenant or account does not exist: without limits, no other check is possible."""
    if limits is None:
        tenant = request.tenant_id or ""
        return Finding("UNKNOWN_TENANT", tenant, "known tenants", f"there is no tenant {tenant!r}")
    if request.account_id not in limits.accounts:
        reason = f"{request.tenant_id} has no account {request.account_id!r}"
        return Finding("UNKNOWN_ACCOUNT", request.account_id, ", ".join(limits.accounts), reason)
    return None


@dataclass(frozen=True, slots=True)
class Standing:
    """How the tenant and the account of a request stand, apart from the limits."""

    switches: tuple[SwitchState, ...]
    used: UsageThreshold | None
    """Says that the tenant's orders of the month are used up."""
    in_minute: int
    """Approved orders of the tenant and instrument in the minute of the request."""
    elsewhere: Decimal | None
    """What the tenant's other accounts hold, long and short added, units."""
    lost_today: Decimal | None
    """What the account has lost in the instrument since the day began, quote currency."""
    drawdown: Decimal | None
    """What the account has lost in the instrument since its best result, quote currency."""
    totals: Totals
    """What the order would lead to, over all instruments of the tenant."""


def findings(request: OrderRequest, order: Order, limits: LimitsState, standing: Standing) -> tuple[Finding, ...]:
    """Return what every check finds of the order of an existing account that a request leads to.

    The order is approved if none of them has a reason.
    """
    found = (
        active(limits),
        stale_price(request, limits),
        max_order_size(order, limits),
        max_position(order, limits),
        max_exposure(order, limits, standing.elsewhere),
        kill_switch(standing.switches),
        quota(order, limits, standing.used),
        order_rate(request, order, limits, standing.in_minute),
        daily_loss(order, limits, standing.lost_today),
        drawdown(order, limits, standing.drawdown),
        *(over_instruments(order, limits, standing.totals) if across(limits) else ()),
    )
    return tuple(one for one in found if one is not None)


def over_instruments(order: Order, limits: LimitsState, totals: Totals) -> tuple[Finding | None, ...]:
    """Return what the checks find that add up several instruments, at least one of whose limits is stated."""
    return (
        no_rate(order, limits, totals),
        total_exposure(order, limits, totals),
        currency_exposure(order, limits, totals),
    )


def active(limits: LimitsState) -> Finding:
    """Deny an order of a tenant that is suspended or closed."""
    code: Code = "TENANT_CLOSED" if limits.status == "CLOSED" else "TENANT_SUSPENDED"
    if limits.status == "ACTIVE":
        return Finding(code, limits.status, "ACTIVE")
    reason = f"tenant {limits.tenant_id} is {limits.status}, by revision {limits.revision}"
    return Finding(code, limits.status, "ACTIVE", reason)


def stale_price(request: OrderRequest, limits: LimitsState) -> Finding:
    """Deny a request whose quote is too old, in event time, µs."""
    age_us, most = request.ts_event - request.quote_ts, limits.max_quote_age_us
    reason = "" if age_us <= most else f"the quote is {age_us:,} µs old, above {most:,} µs"
    return Finding("STALE_PRICE", age_us, most, reason)


def max_order_size(order: Order, limits: LimitsState) -> Finding:
    """Deny an order whose opening part is worth too much."""
    notional, most = CONTEXT.multiply(order.opens, order.price), limits.max_order_notional
    reason = "" if notional <= most else f"the order is worth {notional:.2f}, above {most:.2f}"
    return Finding("MAX_ORDER_SIZE", notional, most, reason)


def max_position(order: Order, limits: LimitsState) -> Finding:
    """Deny an order that would make the account's position too large."""
    notional, most = CONTEXT.multiply(abs(order.exposure_after), order.price), limits.max_position_notional
    passes = notional <= most or order.reduces
    reason = "" if passes else f"the position would be worth {notional:.2f}, above {most:.2f}"
    return Finding("MAX_POSITION", notional, most, reason)


def max_exposure(order: Order, limits: LimitsState, elsewhere: Decimal | None) -> Finding | None:
    """Deny an order that would make the positions of all the tenant's accounts in the instrument too large."""
    most = limits.max_exposure_notional
    if most is None or elsewhere is None:
        return None
    notional = CONTEXT.multiply(CONTEXT.add(elsewhere, abs(order.exposure_after)), order.price)
    passes = notional <= most or order.reduces
    reason = "" if passes else f"all accounts together would hold {notional:.2f}, above {most:.2f}"
    return Finding("MAX_EXPOSURE", notional, most, reason)


def kill_switch(switches: tuple[SwitchState, ...]) -> Finding:
    """Deny if a switch is engaged for everyone, for the tenant, or for the account."""
    return Finding("KILL_SWITCH", sum(switch.engaged for switch in switches), 0, stopped(switches) or "")


def quota(order: Order, limits: LimitsState, used: UsageThreshold | None) -> Finding | None:
    """Deny an order of a tenant whose orders of the month are used up. Allow one that makes a position smaller."""
    if limits.orders_quota is None:
        return None
    if used is None:
        return Finding("QUOTA", "not used up", limits.orders_quota)
    said = f"{used.tenant_id} has used {used.quantity:,} {used.meter} in {month_name(used.ts_start)}"
    reason = "" if order.reduces else f"{said}, and its quota is used up: wait, or raise quotas {SET}"
    return Finding("QUOTA", used.quantity, limits.orders_quota, reason)


def order_rate(request: OrderRequest, order: Order, limits: LimitsState, in_minute: int) -> Finding | None:
    """Deny an order beyond those that a tenant may have of an instrument in a minute of event time.

    Allow one that makes a position smaller.
    """
    most = limits.orders_per_minute
    if most is None:
        return None
    if in_minute < most or order.reduces:
        return Finding("ORDER_RATE", in_minute + 1, most)
    where = f"{in_minute:,} orders of {request.symbol}.{request.venue} in this minute of event time"
    do = f"wait, or raise orders_per_minute {SET}"
    reason = f"{request.tenant_id} has had {where}, and may have {most:,}: {do}"
    return Finding("ORDER_RATE", in_minute + 1, most, reason)


def daily_loss(order: Order, limits: LimitsState, lost: Decimal | None) -> Finding | None:
    """Deny an order of an account that has lost too much in the instrument today.

    Allow one that makes a position smaller.
    """
    most = limits.max_daily_loss
    if most is None or lost is None:
        return None
    do = f"only orders that make the position smaller pass until 00:00 UTC. Wait, or raise max_daily_loss {SET}"
    passes = lost <= most or order.reduces
    reason = "" if passes else f"the account has lost {lost:.2f} here today, above {most:.2f}: {do}"
    return Finding("DAILY_LOSS", lost, most, reason)


def drawdown(order: Order, limits: LimitsState, lost: Decimal | None) -> Finding | None:
    """Deny an order of an account that has lost too much in the instrument since its best result.

    Allow one that makes a position smaller.
    """
    most = limits.max_drawdown
    if most is None or lost is None:
        return None
    do = f"only orders that make the position smaller pass, until you raise max_drawdown {SET}"
    passes = lost <= most or order.reduces
    reason = "" if passes else f"the account is {lost:.2f} below its best result here, above {most:.2f}: {do}"
    return Finding("DRAWDOWN", lost, most, reason)


def no_rate(order: Order, limits: LimitsState, totals: Totals) -> Finding:
    """Deny an order if a mark or a rate is missing, so that limits over several instruments cannot be judged.

    Allow one that makes a position smaller.
    """
    most = f"{limits.max_mark_age_us:,} µs old"
    passes = not totals.missing or order.reduces
    do = f"wait for quotes, give a feed of them, or raise max_mark_age_us {SET}"
    said = f"limits over several instruments cannot be judged without {totals.missing}, at most {most}: {do}"
    return Finding("NO_RATE", totals.missing or "all known", most, "" if passes else said)


def total_exposure(order: Order, limits: LimitsState, totals: Totals) -> Finding | None:
    """Deny an order that would make the positions of all the tenant's accounts and instruments too large."""
    most, total = limits.max_total_exposure, totals.exposure
    if most is None or total is None:
        return None
    passes = total <= most or order.reduces
    reason = f"all positions together would be worth {total:.2f} {limits.account_currency}, above {most:.2f}"
    return Finding("TOTAL_EXPOSURE", total, most, "" if passes else reason)


def currency_exposure(order: Order, limits: LimitsState, totals: Totals) -> Finding | None:
    """Deny an order that would make what all the tenant's accounts hold net of a currency too large."""
    most, net = limits.max_currency_exposure, totals.currency
    if most is None or net is None:
        return None
    passes = net <= most or order.reduces
    reason = f"the net position in one currency would be worth {net:.2f} {limits.account_currency}, above {most:.2f}"
    return Finding("CURRENCY_EXPOSURE", net, most, "" if passes else reason)
