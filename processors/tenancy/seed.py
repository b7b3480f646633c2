"""Tenants of the settings, and their deployments, as commands: what a first start writes, so that there is trading."""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

from tradewind.processors.identity import derive_id
from tradewind.processors.tenancy.tenant import ACCOUNT_CURRENCY, MARK_AGE_US, Tenant
from tradewind.schemas.signals import DeploymentCommand
from tradewind.schemas.tenancy import Seeded, TenantCommand

MAY_BE_LEFT_OUT: Final = (
    "max_exposure_notional",
    "max_total_exposure",
    "max_currency_exposure",
    "max_daily_loss",
    "max_drawdown",
)
"""Limits that a tenant has only if they are stated."""


def commands_of(
    tenants: Iterable[Tenant], now_us: int, strategies: Iterable[str] = ()
) -> list[TenantCommand | DeploymentCommand | Seeded]:
    """Return a CREATE for each tenant, a DEPLOY for each of its accounts and each strategy, then `Seeded`.

    A deployment has the name of its strategy.

    Ids derive from what the commands say: a start that was cut short, and writes them again, changes nothing.
    """
    known, names = tuple(tenants), tuple(strategies)
    creates = [_create(tenant, now_us) for tenant in known]
    deploys = [_deploy(of, account, name, now_us) for of in known for account in of.accounts for name in names]
    ids = [*(one.event_id for one in creates), *(one.event_id for one in deploys)]
    seeded_id = derive_id("Seeded", *ids)
    seeded = Seeded(
        event_id=seeded_id,
        ts_event=now_us,
        ts_ingest=now_us,
        correlation_id=seeded_id,
        causation_id=seeded_id,
        tenants=len(creates),
    )
    return [*creates, *deploys, seeded]


def _create(tenant: Tenant, now_us: int) -> TenantCommand:
    sizing, limits = tenant.sizing, tenant.limits
    values: dict[str, Any] = {
        "accounts": list(tenant.accounts),
        "risk_per_trade": sizing.risk_per_trade,
        "order_type": sizing.order_type,
        "limit_offset": sizing.limit_offset,
        "time_to_live_us": sizing.time_to_live_us,
        "max_order_notional": limits.max_order_notional,
        "max_position_notional": limits.max_position_notional,
        "max_quote_age_us": limits.max_quote_age_us,
    }
    for name in MAY_BE_LEFT_OUT:
        if (stated := getattr(limits, name)) is not None:
            values[name] = stated
    if limits.max_mark_age_us != MARK_AGE_US:
        values["max_mark_age_us"] = limits.max_mark_age_us
    if tenant.account_currency != ACCOUNT_CURRENCY:
        values["account_currency"] = tenant.account_currency
    changes = tuple({"key": key, "value": json.dumps(value, default=_text)} for key, value in values.items())
    event_id = derive_id("seed", tenant.tenant_id, *(f"{each['key']}={each['value']}" for each in changes))
    return TenantCommand(
        event_id=event_id,
        tenant_id=tenant.tenant_id,
        ts_event=now_us,
        ts_ingest=now_us,
        correlation_id=event_id,
        causation_id=event_id,
        action="CREATE",
        revision=0,
        changes=changes,
    )


def _deploy(tenant: Tenant, account_id: str, strategy: str, now_us: int) -> DeploymentCommand:
    event_id = derive_id("seed", tenant.tenant_id, account_id, strategy)
    return DeploymentCommand(
        event_id=event_id,
        tenant_id=tenant.tenant_id,
        ts_event=now_us,
        ts_ingest=now_us,
        correlation_id=event_id,
        causation_id=event_id,
        account_id=account_id,
        deployment=strategy,
        action="DEPLOY",
        revision=0,
        changes=({"key": "strategy", "value": json.dumps(strategy)},),
    )


def _text(value: object) -> str:
    """Return a decimal as text, for JSON's numbers would lose digits."""
    assert isinstance(value, Decimal)
    return format(value, "f")
