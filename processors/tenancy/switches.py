"""Which kill switches are engaged: kept as state by every agent that a command concerns.

Only a command for the same tenant and account releases a switch: lifting the halt of an account leaves the halt of its
tenant engaged.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from tradewind.processors.batch import State
from tradewind.schemas.risk import KillSwitch, SwitchState

EVERYONE: Final = "*"  # in keys, for a switch of all tenants or of all of a tenant's accounts


def keep(state: State, command: KillSwitch) -> None:
    """Store a command as the switch of its tenant and account."""
    kept = SwitchState(
        tenant_id=command.tenant_id,
        account_id=command.account_id,
        engaged=command.engaged,
        reason=command.reason,
    )
    state.put(_key(command.tenant_id, command.account_id), kept)


def switches_of(state: State, tenant_id: str, account_id: str) -> tuple[SwitchState, ...]:
    """Return the switches that concern an account, engaged or released: everyone's, its tenant's, its own.

    A switch may also name an account and no tenant: it stops the accounts of that name.
    """
    concerned = ((None, None), (None, account_id), (tenant_id, None), (tenant_id, account_id))
    known = (state.get(_key(*of), SwitchState) for of in concerned)
    return tuple(switch for switch in known if switch is not None)


def stopped(switches: Iterable[SwitchState]) -> str | None:
    """Return for whom and why trading is halted, in words; None if no switch is engaged."""
    engaged = [switch for switch in switches if switch.engaged]
    if not engaged:
        return None
    said = "; ".join(
        f"{'everyone' if switch.tenant_id is None else switch.account_id or 'the tenant'}: {switch.reason}"
        for switch in engaged
    )
    return f"trading is stopped for {said}"


def concerns(command: KillSwitch, tenant_id: str, account_id: str) -> bool:
    """Return whether a command concerns an account: by itself, by its tenant, or as a command for everyone."""
    return command.tenant_id in {None, tenant_id} and command.account_id in {None, account_id}


def _key(tenant_id: str | None, account_id: str | None) -> str:
    return f"switch/{tenant_id or EVERYONE}/{account_id or EVERYONE}"
