"""In how many tasks the newest revision of a tenant is in force: those whose group has read past its record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tradewind.connectors.health.groups import Groups
from tradewind.connectors.kafka.client import ANSWER_S
from tradewind.connectors.settings import Settings
from tradewind.connectors.tenancy.reading import readable
from tradewind.schemas.codec import Codec
from tradewind.schemas.tenancy import Tenant
from tradewind.topics import TENANT_CHANGES


@dataclass(frozen=True, slots=True)
class Change:
    """A revision of a tenant, and where it stands in each partition of the changes."""

    tenant: Tenant
    offsets: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class InForce:
    """How many tasks of an agent have read a change."""

    agent: str
    tasks: int
    read: int


def newest(tenant_id: str, settings: Settings, codec: Codec) -> Change | None:
    """Return the newest revision of a tenant; None where there is no such tenant. Raises `StreamError`."""
    found: Tenant | None = None
    offsets: dict[int, int] = {}
    for record in readable(TENANT_CHANGES, settings, codec):
        tenant = record.event
        if not isinstance(tenant, Tenant) or tenant.tenant_id != tenant_id:
            continue
        if found is None or tenant.revision >= found.revision:
            found = tenant
            offsets[record.partition] = record.offset
    return None if found is None else Change(found, offsets)


class Readers:
    """The agents that read tenants, and how far they are; asked by one connection."""

    def __init__(self, settings: Settings) -> None:
        self._asked = Groups(settings, ANSWER_S)
        self._topic = settings.physical(TENANT_CHANGES)
        self._groups = {settings.physical(f"tradewind.{agent}"): agent for agent in TENANT_CHANGES.consumers}

    def in_force(self, change: Change) -> list[InForce]:
        """Return for each agent how many of its tasks go by the change. Raises `KafkaException`."""
        positions = self._asked.committed(self._groups)
        found = []
        for group, agent in self._groups.items():
            # A group has positions in as many partitions as it has tasks, and none before its first start.
            own = {place: offset for (of, place), offset in positions.items() if of == group}
            tasks = {at: offset for (topic, at), offset in own.items() if topic == self._topic}
            read = sum(offset > change.offsets.get(at, -1) for at, offset in tasks.items())
            found.append(InForce(agent, len(tasks), read))
        return found
