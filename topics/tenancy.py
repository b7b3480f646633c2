"""Topics of the tenancy domain: what is asked of tenants, what they are, what was refused, and who changed what."""

from __future__ import annotations

from typing import cast

from tradewind.schemas.event import Event
from tradewind.schemas.signals import DeploymentCommand
from tradewind.schemas.tenancy import AuditEvent, Seeded, Tenant, TenantCommand, TenantRefused
from tradewind.topics.keys import SEEDED, deployment_key
from tradewind.topics.topic import KEEP_ALL, Topic

PLATFORM = "*"
"""The key of what concerns no single tenant."""


def _tenant(event: Event) -> str:
    return SEEDED if isinstance(event, Seeded) else cast("Tenant | TenantCommand | TenantRefused", event).tenant_id


def _command(event: Event) -> str:
    return deployment_key(event) if isinstance(event, DeploymentCommand) else _tenant(event)


def _concerned(event: Event) -> str:
    return cast("AuditEvent", event).tenant_id or PLATFORM


TENANT_COMMANDS = Topic(
    name="tenancy.commands",
    model=TenantCommand,
    also=(Seeded, DeploymentCommand),
    key=_command,
    owner="tenancy",
    producers=("prepare", "tenants", "strategies"),
    consumers=("tenancy",),
    partitions=1,
    retention_bytes=KEEP_ALL,
)
"""One partition: commands have one order, so that a tenant comes before its deployments, and `Seeded` after all that
were known."""
TENANT_CHANGES = Topic(
    name="tenancy.changes",
    model=Tenant,
    also=(Seeded,),
    key=_tenant,
    owner="tenancy",
    producers=("tenancy",),
    consumers=("sizing", "risk", "ai", "rating"),
    retention_bytes=KEEP_ALL,
    broadcast=True,
)
"""Each change goes to every partition, and is kept for ever: a task that begins reads all of them first."""
TENANTS = Topic(
    name="tenancy.tenants",
    model=Tenant,
    key=_tenant,
    owner="tenancy",
    producers=("tenancy",),
    consumers=(),
    cleanup="compact",
)
"""The newest revision of each tenant, for everything that is no agent."""
TENANT_REFUSALS = Topic(
    name="tenancy.refusals",
    model=TenantRefused,
    key=_tenant,
    owner="tenancy",
    producers=("tenancy",),
    consumers=(),
)
AUDIT = Topic(
    name="tenancy.audit",
    model=AuditEvent,
    key=_concerned,
    owner="tenancy",
    producers=("gateway",),
    consumers=("postgres",),
    retention_bytes=KEEP_ALL,
)
"""Each command that changed something, in the transaction of the change, and each that was refused; kept for ever."""
