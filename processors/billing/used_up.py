"""What the agents that act on quotas keep of them: how much of a meter a tenant had used, when rating said so last.

Rating tells of a quota after its units were used, so a tenant may exceed it until then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from tradewind.processors.batch import State
from tradewind.schemas.billing import UsageThreshold

USED: Final = "used/"


def note_used(state: State, reached: UsageThreshold) -> None:
    """Keep the newest share of a quota that a tenant has reached; ignore one of an earlier period, or of fewer units.

    The units count, not the share: a quota that is raised later is not used up by them.
    """
    key = _key(reached.tenant_id, reached.meter)
    before = state.get(key, UsageThreshold)
    if before is None or (before.ts_start, before.quantity) < (reached.ts_start, reached.quantity):
        state.put(key, reached)


def used_up(state: State, tenant_id: str, meter: str, quota: int, at: int) -> UsageThreshold | None:
    """Return what says that a tenant's quota is used up at a clock time, µs; None if it is not, or nobody said so."""
    reached = state.get(_key(tenant_id, meter), UsageThreshold)
    if reached is None or reached.quantity < quota or not reached.ts_start <= at < reached.ts_end:
        return None
    return reached


def quota_of(quotas: Iterable[Mapping[str, Any]], meter: str) -> int | None:
    """Return how many units of a meter a tenant's quotas allow in a month; None for any number."""
    return next((int(quota["units"]) for quota in quotas if quota["meter"] == meter), None)


def _key(tenant_id: str, meter: str) -> str:
    return f"{USED}{tenant_id}/{meter}"
