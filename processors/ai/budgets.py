"""What calls of a tenant may cost in a month, and do: spent + reserved + suspense is at most the budget.

A call reserves the most that it can cost before it is made. When its end is known, the reservation becomes what it
cost. Where the end is not known, the reservation stays in suspense, for the provider may have counted it.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Final

from tradewind.processors.batch import State
from tradewind.processors.clock import month_name, month_start
from tradewind.processors.money import CONTEXT, ZERO
from tradewind.schemas.ai import AiBudgetState, AiCallState, AiTenantState

BUDGET: Final = "budget/"


def budget_of(state: State, tenant_id: str, at: int, currency: str) -> AiBudgetState:
    """Return what calls of a tenant cost in the month of a time."""
    known = state.get(_key(tenant_id, at, currency), AiBudgetState)
    return known or AiBudgetState(
        tenant_id=tenant_id,
        ts_start=month_start(at),
        currency=currency,
        spent=ZERO,
        reserved=ZERO,
        suspense=ZERO,
        told_percent=0,
    )


def fits(state: State, tenant: AiTenantState, bound: Decimal, now: int) -> bool:
    """Return whether a call with this bound stays within the budget of the month."""
    known = budget_of(state, tenant.tenant_id, now, tenant.currency)
    held = CONTEXT.add(CONTEXT.add(known.spent, known.reserved), known.suspense)
    return CONTEXT.add(held, bound) <= tenant.budget_per_month


def reserve(state: State, call: AiCallState) -> None:
    """Reserve a call's bound, in the month in which it is made."""
    known = of_call(state, call)
    keep(state, call, replace(known, reserved=CONTEXT.add(known.reserved, call.reserved)))


def settle(state: State, call: AiCallState, cost: Decimal) -> AiBudgetState:
    """Put what a call cost in the place of its reservation; return the month's budget after it."""
    known = of_call(state, call)
    held = "suspense" if call.suspended else "reserved"
    less = CONTEXT.subtract(getattr(known, held), call.reserved)
    after = replace(known, **{held: less, "spent": CONTEXT.add(known.spent, cost)})  # type: ignore[arg-type]
    keep(state, call, after)
    return after


def suspend(state: State, call: AiCallState) -> None:
    """Move a call's reservation to suspense."""
    known = of_call(state, call)
    after = replace(
        known,
        reserved=CONTEXT.subtract(known.reserved, call.reserved),
        suspense=CONTEXT.add(known.suspense, call.reserved),
    )
    keep(state, call, after)


def forget_old_months(state: State, tenant: AiTenantState, now: int) -> None:
    """When a month begins, drop the months before it in which nothing is open any more."""
    if state.get(_key(tenant.tenant_id, now, tenant.currency), AiBudgetState) is not None:
        return
    current = f"{BUDGET}{tenant.tenant_id}/{month_name(now)}/"
    for key in list(state.keys(f"{BUDGET}{tenant.tenant_id}/")):
        known = state.get(key, AiBudgetState)
        if key < current and known is not None and not known.reserved and not known.suspense:
            state.delete(key)


def of_call(state: State, call: AiCallState) -> AiBudgetState:
    """Return the budget of the month in which a call was made."""
    return budget_of(state, call.tenant_id, call.ts_called, call.currency)


def keep(state: State, call: AiCallState, budget: AiBudgetState) -> None:
    """Keep the budget of the month in which a call was made."""
    state.put(_key(call.tenant_id, call.ts_called, call.currency), budget)


def _key(tenant_id: str, at: int, currency: str) -> str:
    return f"{BUDGET}{tenant_id}/{month_name(at)}/{currency}"
