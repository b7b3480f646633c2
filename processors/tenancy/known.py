"""What an agent keeps of tenants: the fields that it reads of each, and whether it has read `Seeded`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Protocol, TypeVar, cast

from tradewind.processors.batch import State, checked, require_known
from tradewind.schemas.event import Event
from tradewind.schemas.tenancy import Seeded, Tenant

TENANT: Final = "tenant/"
SEEDED: Final = "seeded"
K = TypeVar("K", bound=Event)


class _Kept(Protocol):
    """What an agent keeps of a tenant: a state of its own, which names the tenant's revision."""

    @property
    def revision(self) -> int: ...


def note(state: State, index: int, tenant: Tenant, kept: Event, *deciding: str) -> None:
    """Store what an agent reads of a tenant. Ignore an older revision, which a redrive may bring.

    Raises `PoisonRecord` if the status, or another deciding field, has an unknown symbol.
    """
    require_known(tenant, index, "status", *deciding)
    before = state.get(f"{TENANT}{tenant.tenant_id}", type(kept))
    if before is None or cast("_Kept", before).revision < tenant.revision:
        state.put(f"{TENANT}{tenant.tenant_id}", checked(kept, index))


def known(state: State, tenant_id: str, model: type[K]) -> K | None:
    """Return what is kept of a tenant; None if there is no such tenant."""
    return state.get(f"{TENANT}{tenant_id}", model)


def all_known(state: State, model: type[K]) -> Iterator[K]:
    """Return what is kept of each tenant, by name."""
    for key in state.keys(TENANT):
        kept = state.get(key, model)
        assert kept is not None
        yield kept


def note_seeded(state: State, seeded: Seeded) -> None:
    """Remember that the task has read all tenants with which Tradewind was set up."""
    if state.get(SEEDED, Seeded) is None:
        state.put(SEEDED, seeded)


def waits_for_tenants(state: State) -> str:
    """Return why a task decides nothing yet, in words; empty once the tenants have come. For `Agent.waits`."""
    if state.get(SEEDED, Seeded) is not None:
        return ""
    return "no tenants yet: run ./dev prepare, and start the worker of `tenancy`"
