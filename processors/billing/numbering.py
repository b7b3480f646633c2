"""Numbers the usage that an agent tells of: by tenant, from 0 on, in the state of the agent's task."""

from __future__ import annotations

from typing import Final

from tradewind.processors.batch import State
from tradewind.schemas.billing import UsageSequenceState

SEQUENCE: Final = "sequence/"


def next_sequence(state: State, tenant_id: str) -> int:
    """Return the number of the next usage record of a tenant, and remember that it is taken."""
    key = f"{SEQUENCE}{tenant_id}"
    known = state.get(key, UsageSequenceState)
    sequence = 0 if known is None else known.next
    state.put(key, UsageSequenceState(tenant_id=tenant_id, next=sequence + 1))
    return sequence
