"""What risk reads of a tenant."""

from __future__ import annotations

from tradewind.processors.billing.meters import ORDERS
from tradewind.processors.billing.used_up import quota_of
from tradewind.schemas.risk import LimitsState
from tradewind.schemas.tenancy import Tenant


def limits_of(tenant: Tenant) -> LimitsState:
    """Return the limits that a revision of a tenant states."""
    return LimitsState(
        tenant_id=tenant.tenant_id,
        revision=tenant.revision,
        status=tenant.status,
        accounts=tenant.accounts,
        max_order_notional=tenant.max_order_notional,
        max_position_notional=tenant.max_position_notional,
        max_exposure_notional=tenant.max_exposure_notional,
        max_total_exposure=tenant.max_total_exposure,
        max_currency_exposure=tenant.max_currency_exposure,
        max_daily_loss=tenant.max_daily_loss,
        max_drawdown=tenant.max_drawdown,
        max_quote_age_us=tenant.max_quote_age_us,
        max_mark_age_us=tenant.max_mark_age_us,
        account_currency=tenant.account_currency,
        orders_quota=quota_of(tenant.quotas, ORDERS),
        orders_per_minute=tenant.orders_per_minute,
    )


def across(limits: LimitsState) -> bool:
    """Return whether a limit is stated that adds up several instruments, so that marks are needed."""
    return limits.max_total_exposure is not None or limits.max_currency_exposure is not None
