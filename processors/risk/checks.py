"""The checks of an order: each function returns a denial, or None if the order passes.

What makes a position smaller passes all checks but a halt and a stale price: nobody may be kept in a position.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from tradewind.processors.clock import month_name
from tradewind.processors.money import CONTEXT
from tradewind.processors.risk.target import Order
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
]


@dataclass(frozen=True, slots=True)
class Denial:
    """A reason against an order."""

    code: Code
    reason: str


def unknown_owner(request: OrderRequest, limits: LimitsState | None) -> Denial | None:
    """Deny a request whose tenant or account does not exist: without limits, no other check is possible."""
    if limits is None:
        return Denial("UNKNOWN_TENANT", f"there is no tenant {request.tenant_id!r}")
    if request.account_id not in limits.accounts:
        return Denial("UNKNOWN_ACCOUNT", f"{request.tenant_id} has no account {request.account_id!r}")
    return None


@dataclass(frozen=True, slots=True)
class Standing:
    """How the tenant and the account of a request stand, apart from the limits."""

    switches: tuple[SwitchState, ...]
    used: UsageThreshold | None
    """Says that the tenant's orders of the month are used up."""
    in_minute: int
    """Approved orders of the tenant and instrument in the minute of the request."""


def denials(request: OrderRequest, order: Order, limits: LimitsState, standing: Standing) -> tuple[Denial, ...]:
    """Return every reason against the order of an existing account that a request leads to. None approves it."""
    answers = (
        not_active(limits),
        stale_price(request, limits),
        max_order_size(order, limits),
        max_position(order, limits),
        kill_switch(standing.switches),
        quota(order, standing.used),
        order_rate(request, order, limits, standing.in_minute),
    )
    return tuple(answer for answer in answers if answer is not None)


def not_active(limits: LimitsState) -> Denial | None:
    """Deny an order of a tenant that is suspended or closed."""
    if limits.status == "ACTIVE":
        return None
    code: Code = "TENANT_CLOSED" if limits.status == "CLOSED" else "TENANT_SUSPENDED"
    return Denial(code, f"tenant {limits.tenant_id} is {limits.status}, by revision {limits.revision}")


def stale_price(request: OrderRequest, limits: LimitsState) -> Denial | None:
    """Deny a request whose quote is too old, in event time."""
    age_us = request.ts_event - request.quote_ts
    if age_us <= limits.max_quote_age_us:
        return None
    return Denial("STALE_PRICE", f"the quote is {age_us:,} µs old, above {limits.max_quote_age_us:,} µs")


def max_order_size(order: Order, limits: LimitsState) -> Denial | None:
    """Deny an order whose opening part is worth too much."""
    notional = CONTEXT.multiply(order.opens, order.price)
    if notional <= limits.max_order_notional:
        return None
    return Denial("MAX_ORDER_SIZE", f"the order is worth {notional:.2f}, above {limits.max_order_notional:.2f}")


def max_position(order: Order, limits: LimitsState) -> Denial | None:
    """Deny an order that would make the account's position too large."""
    notional = CONTEXT.multiply(abs(order.exposure_after), order.price)
    if notional <= limits.max_position_notional or order.reduces:
        return None
    return Denial(
        "MAX_POSITION", f"the position would be worth {notional:.2f}, above {limits.max_position_notional:.2f}"
    )


def kill_switch(switches: tuple[SwitchState, ...]) -> Denial | None:
    """Deny if a switch is engaged for everyone, for the tenant, or for the account."""
    reason = stopped(switches)
    return None if reason is None else Denial("KILL_SWITCH", reason)


def quota(order: Order, used: UsageThreshold | None) -> Denial | None:
    """Deny an order of a tenant whose orders of the month are used up. Allow one that makes a position smaller."""
    if used is None or order.reduces:
        return None
    said = f"{used.tenant_id} has used {used.quantity:,} {used.meter} in {month_name(used.ts_start)}"
    return Denial("QUOTA", f"{said}, and its quota is used up: wait, or raise quotas by ./dev tenants set")


def order_rate(request: OrderRequest, order: Order, limits: LimitsState, in_minute: int) -> Denial | None:
    """Deny an order beyond those that a tenant may have of an instrument in a minute of event time.

    Allow one that makes a position smaller.
    """
    most = limits.orders_per_minute
    if most is None or in_minute < most or order.reduces:
        return None
    where = f"{in_minute:,} orders of {request.symbol}.{request.venue} in this minute of event time"
    do = "wait, or raise orders_per_minute by ./dev tenants set"
    return Denial("ORDER_RATE", f"{request.tenant_id} has had {where}, and may have {most:,}: {do}")
