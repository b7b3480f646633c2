"""What risk found of an order, by its decision and the limits that were in force."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from tradewind.processors.money import shown
from tradewind.processors.risk.checks import Finding, Standing, findings
from tradewind.processors.risk.limits import limits_of
from tradewind.processors.risk.target import order_of
from tradewind.processors.risk.totals import Totals
from tradewind.schemas.execution import OrderRequest
from tradewind.schemas.risk import Decision
from tradewind.schemas.tenancy import Tenant

AT_THE_TIME: Final = {"KILL_SWITCH": ("engaged", "not engaged"), "QUOTA": ("used up", "not used up")}
"""Checks of what a decision does not carry -> what is said if the check failed, and if it passed."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One check of a decided order."""

    code: str
    value: str
    limit: str
    passed: bool
    differs: bool
    """Whether the code of today finds otherwise."""


def explained(request: OrderRequest, decision: Decision, tenant: Tenant) -> tuple[Checked, ...]:
    """Return each check of a decided order with its value and limit; `tenant` is the revision that was in force.

    Empty where no order was needed, for then nothing was checked.
    """
    order = order_of(request, decision.held, decision.exposure)
    if not order.quantity:
        return ()
    standing = Standing(
        switches=(),
        used=None,
        in_minute=decision.in_minute,
        elsewhere=decision.elsewhere,
        lost_today=decision.lost_today,
        drawdown=decision.drawdown,
        totals=Totals(decision.total_exposure, decision.currency_exposure, decision.no_rate),
    )
    return tuple(_checked(one, decision) for one in findings(request, order, limits_of(tenant), standing))


def _checked(found: Finding, decision: Decision) -> Checked:
    passed = found.code not in decision.codes
    limit = _said(found.limit)
    if found.code in AT_THE_TIME:
        failed, kept = AT_THE_TIME[found.code]
        return Checked(found.code, kept if passed else failed, limit, passed, differs=False)
    return Checked(found.code, _said(found.value), limit, passed, differs=passed == bool(found.reason))


def _said(value: Decimal | int | str) -> str:
    return shown(value) if isinstance(value, Decimal) else str(value)
