"""A command changes one tenant as a whole, or is refused with every reason at once.

A command names the revision that it changes. If two people change a tenant at once, the second command is refused, so
that its sender sees the first change. A change goes to every partition of `tenancy.changes`, in the order of the
commands, and to `tenancy.tenants` for programs that are not agents. A duplicate of the last command changes nothing.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Final, Literal, TypeAlias, cast

from tradewind.processors.batch import Processor, Segment, State, checked, require_known, rows_of
from tradewind.processors.identity import derive_id
from tradewind.processors.signals.deployments import Catalogue, on_command
from tradewind.processors.tenancy.keys import KEYS, Reason, is_name, told, values_of
from tradewind.schemas.event import Event
from tradewind.schemas.signals import DeploymentCommand
from tradewind.schemas.tenancy import Seeded, Tenant, TenantCommand, TenantRefused

Action: TypeAlias = Literal["CREATE", "SET", "SUSPEND", "RESUME", "CLOSE"]
Status: TypeAlias = Literal["ACTIVE", "SUSPENDED", "CLOSED"]
STATUSES: Final[dict[tuple[Status | None, Action], Status]] = {
    (None, "CREATE"): "ACTIVE",
    ("ACTIVE", "SET"): "ACTIVE",
    ("SUSPENDED", "SET"): "SUSPENDED",
    ("ACTIVE", "SUSPEND"): "SUSPENDED",
    ("SUSPENDED", "RESUME"): "ACTIVE",
    ("ACTIVE", "CLOSE"): "CLOSED",
    ("SUSPENDED", "CLOSE"): "CLOSED",
}
"""(status, action) -> status; None is a tenant that does not exist. A closed tenant stays closed: its name is gone."""
NOTHING: Final = Catalogue({}, ())
"""A catalogue of an agent that deploys nothing."""
TENANT_BYTES: Final = (
    4_096  # of JSON: 5,000 tenants take 20 MB in each task, and a batch of 100 commands 2 MB of outputs
)


def tenancy(catalogue: Catalogue = NOTHING) -> Processor:
    """Return the tenancy agent's processor: commands -> tenants, deployments and refusals; `Seeded` passes on.

    `catalogue` says what can be deployed.

    Raises `PoisonRecord` for an action that is not known.
    """

    def process(state: State, segment: Segment) -> list[Event]:
        sent: list[Event] = []
        events = zip(rows_of(segment).events, segment.ts_ingest.tolist(), strict=True)
        for index, (event, ts_ingest) in enumerate(events):
            match event:
                case Seeded():
                    sent.append(event)
                case TenantCommand():
                    require_known(event, index, "action")
                    sent += _on_command(state, index, event, ts_ingest)
                case DeploymentCommand():
                    require_known(event, index, "action")
                    tenant = state.get(_key(event.tenant_id), Tenant)
                    made = on_command(state, event, tenant, catalogue, ts_ingest)
                    sent += (checked(one, index) for one in made)
                case _:
                    raise TypeError(f"tenants are changed by commands, not by a {type(event).__name__}")
        return sent

    return process


def _on_command(state: State, index: int, command: TenantCommand, ts_ingest: int) -> list[Event]:
    current = state.get(_key(command.tenant_id), Tenant)
    if current is not None and current.causation_id == command.event_id:
        return []
    values, reasons = values_of(str(command.action), command.changes)
    reasons = [*_of_place(command, current), *reasons]
    if not reasons:
        changed = _changed(command, current, values, ts_ingest)
        reasons = _of_whole(command, current, changed)
    if reasons:
        return [checked(_refused(command, current, reasons, ts_ingest), index)]
    made = checked(changed, index)
    state.put(_key(command.tenant_id), made)
    return [made]


def _of_place(command: TenantCommand, current: Tenant | None) -> list[Reason]:
    """Return why a command does not fit the tenant's present status or revision."""
    reasons = []
    action = cast("Action", command.action)
    revision = 0 if current is None else current.revision
    if current is None and action != "CREATE":
        reasons.append(Reason("NO_SUCH_TENANT", "", f"there is no tenant {command.tenant_id!r}: create it first"))
    elif current is not None and action == "CREATE":
        reasons.append(Reason("EXISTS", "", f"tenant {command.tenant_id!r} is there, at revision {revision}: set it"))
    elif current is not None and (cast("Status", current.status), action) not in STATUSES:
        reasons.append(Reason("WRONG_STATUS", "", f"a tenant that is {current.status} takes no {action}"))
    if current is None and action == "CREATE" and not is_name(command.tenant_id):
        said = "expected a name of up to 64 letters, digits, dots, dashes and underscores"
        reasons.append(Reason("INVALID_VALUE", "tenant_id", said))
    if command.revision != revision and not (current is None and action != "CREATE"):
        said = (
            f"the command changes revision {command.revision}, and the tenant is at {revision}: look again, then decide"
        )
        reasons.append(Reason("STALE_REVISION", "", said))
    return reasons


def _changed(command: TenantCommand, current: Tenant | None, values: dict[str, Any], ts_ingest: int) -> Tenant:
    """Return the tenant as the command makes it."""
    revision = command.revision + 1
    status = STATUSES[None if current is None else cast("Status", current.status), cast("Action", command.action)]
    told: dict[str, Any] = {
        "event_id": derive_id("Tenant", command.tenant_id, revision),
        "ts_event": command.ts_event,
        "ts_ingest": ts_ingest,
        "correlation_id": command.correlation_id,
        "causation_id": command.event_id,
        "revision": revision,
        "status": status,
    }
    if current is not None:
        return replace(current, **told, **values)
    defaults = {key: of.default for key, of in KEYS.items() if not of.required}
    return Tenant(tenant_id=command.tenant_id, **told, **{**defaults, **values})


def _of_whole(command: TenantCommand, current: Tenant | None, changed: Tenant) -> list[Reason]:
    """Return what is wrong with the tenant that would be."""
    reasons = []
    if changed.order_type == "MARKET" and changed.time_to_live_us is not None:
        said = "market orders end at the first quote: set it to null, or order_type to LIMIT"
        reasons.append(Reason("INVALID_VALUE", "time_to_live_us", said))
    if command.action == "SET" and current is not None and _values(changed) == _values(current):
        reasons.append(Reason("NOTHING_CHANGED", "", "the tenant has these values already"))
    size = len(json.dumps(_values(changed), default=str).encode())
    if size > TENANT_BYTES:
        said = f"the tenant would take {size} bytes of JSON, and the most is {TENANT_BYTES}: shorten its lists"
        reasons.append(Reason("TOO_LARGE", "", said))
    return reasons


def _values(tenant: Tenant) -> dict[str, Any]:
    return {key: getattr(tenant, key) for key in KEYS}


def _refused(command: TenantCommand, current: Tenant | None, reasons: list[Reason], ts_ingest: int) -> TenantRefused:
    return TenantRefused(
        event_id=derive_id("TenantRefused", command.event_id),
        tenant_id=command.tenant_id,
        ts_event=command.ts_event,
        ts_ingest=ts_ingest,
        correlation_id=command.correlation_id,
        causation_id=command.event_id,
        action=command.action,
        revision=command.revision,
        current_revision=0 if current is None else current.revision,
        reasons=told(reasons),
    )


def _key(tenant_id: str) -> str:
    return f"tenant/{tenant_id}"
