"""A tenant: who trades, in which accounts, how large, and within which limits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

MARK_AGE_US = 3 * 86_400_000_000
"""Three days: most markets close for a weekend, and positions are worth what they were worth at its beginning."""
ACCOUNT_CURRENCY = "USD"


@dataclass(frozen=True, slots=True)
class Limits:
    """What risk allows an account."""

    max_order_notional: Decimal
    """Largest quantity * price of one order, in the quote currency."""
    max_position_notional: Decimal
    """Largest absolute position * price in one instrument, in the quote currency."""
    max_quote_age_us: int
    """A quote older than this, in event time, is stale."""
    max_exposure_notional: Decimal | None = None
    """Largest value of what all accounts together hold of one instrument, in the quote currency."""
    max_total_exposure: Decimal | None = None
    """Largest value of what all accounts together hold of all instruments, in the currency of the accounts."""
    max_currency_exposure: Decimal | None = None
    """Largest value that all accounts may hold net of one currency, in the currency of the accounts."""
    max_mark_age_us: int = MARK_AGE_US
    """A mark older than this, in event time, values nothing."""
    max_daily_loss: Decimal | None = None
    """Most that an account may lose in one instrument in a day of UTC, in the quote currency."""
    max_drawdown: Decimal | None = None
    """Most that an account may lose in one instrument since its best result, in the quote currency."""


@dataclass(frozen=True, slots=True)
class Sizing:
    """How a signal becomes an order."""

    risk_per_trade: Decimal
    """Amount of quote currency that one standard deviation per minute may move the order's value."""
    order_type: Literal["MARKET", "LIMIT"]
    limit_offset: Decimal = Decimal(0)
    """Limit orders: fraction of the price that the limit is better than the touch."""
    time_to_live_us: int | None = None
    """Limit orders: event time after which they expire; None lets them live until the source's end."""


@dataclass(frozen=True, slots=True)
class Tenant:
    """One customer of the platform."""

    tenant_id: str
    accounts: tuple[str, ...]
    sizing: Sizing
    limits: Limits
    account_currency: str = ACCOUNT_CURRENCY
    """The currency of limits over several instruments."""


def refuse_twins(tenants: Iterable[Tenant]) -> None:
    """Raise `ValueError` where an account of a tenant appears twice."""
    found: set[tuple[str, str]] = set()
    for tenant in tenants:
        for account_id in tenant.accounts:
            if (tenant.tenant_id, account_id) in found:
                raise ValueError(f"account {account_id!r} of tenant {tenant.tenant_id!r} appears twice")
            found.add((tenant.tenant_id, account_id))


SECOND_US = 1_000_000

DEFAULT_TENANTS = (
    Tenant(
        tenant_id="alpha",
        accounts=("main",),
        sizing=Sizing(risk_per_trade=Decimal(25), order_type="MARKET"),
        limits=Limits(
            max_order_notional=Decimal(500_000),
            max_position_notional=Decimal(600_000),
            max_quote_age_us=30 * SECOND_US,
        ),
    ),
    Tenant(
        tenant_id="beta",
        accounts=("main",),
        sizing=Sizing(
            risk_per_trade=Decimal(10),
            order_type="LIMIT",
            limit_offset=Decimal("0.00002"),
            time_to_live_us=30 * SECOND_US,
        ),
        limits=Limits(
            max_order_notional=Decimal(200_000),
            max_position_notional=Decimal(250_000),
            max_quote_age_us=15 * SECOND_US,
        ),
    ),
)
"""Two tenants with different limits, so that a first start shows both approvals and denials."""
