"""Reads tenants and deployments, and whether Tradewind was set up with any."""

from __future__ import annotations

from collections.abc import Iterator

from tradewind.connectors.kafka.consumption import Record, consume
from tradewind.connectors.kafka.errors import TopicMissing
from tradewind.connectors.registry import open_codec
from tradewind.connectors.settings import Settings
from tradewind.schemas.codec import Codec
from tradewind.schemas.signals import Deployment
from tradewind.schemas.tenancy import Seeded, Tenant
from tradewind.topics import DEPLOYMENTS, TENANT_CHANGES, TENANT_COMMANDS, TENANTS, Topic


def tenants(settings: Settings, codec: Codec | None = None) -> dict[str, Tenant]:
    """Return the newest revision of each tenant, by name. Raises `TopicMissing` and `StreamError`."""
    found: dict[str, Tenant] = {}
    for record in readable(TENANTS, settings, codec or open_codec(settings)):
        if isinstance(tenant := record.event, Tenant):
            before = found.get(tenant.tenant_id)
            if before is None or before.revision < tenant.revision:
                found[tenant.tenant_id] = tenant
    return dict(sorted(found.items()))


def revision(tenant_id: str, number: int, settings: Settings, codec: Codec) -> Tenant | None:
    """Return one revision of a tenant; None where Kafka does not have it. Raises `TopicMissing` and `StreamError`."""
    records = consume(  # each partition has all of them
        TENANT_CHANGES, settings=settings, codec=codec, partitions=(0,), on_undecodable=lambda _: None
    )
    for record in records:
        tenant = record.event
        if isinstance(tenant, Tenant) and (tenant.tenant_id, tenant.revision) == (tenant_id, number):
            return tenant
    return None


def deployments(settings: Settings, codec: Codec | None = None) -> list[Deployment]:
    """Return the newest revision of each deployment, sorted by its place. Raises `TopicMissing` and `StreamError`."""
    found: dict[str, Deployment] = {}
    for record in readable(DEPLOYMENTS, settings, codec or open_codec(settings)):
        if isinstance(one := record.event, Deployment):
            before = found.get(DEPLOYMENTS.key(one))
            if before is None or before.revision < one.revision:
                found[DEPLOYMENTS.key(one)] = one
    return [found[place] for place in sorted(found)]


def accounts(settings: Settings) -> dict[str, tuple[str, ...]]:
    """Return the accounts of each tenant that there is, or that the settings give a first start.

    For commands that must work before the agents have said what there is. Raises `StreamError`.
    """
    configured = {each.tenant_id: each.accounts for each in settings.tenants}
    try:
        return configured | {name: one.accounts for name, one in tenants(settings).items()}
    except TopicMissing:
        return configured  # nothing was prepared yet


def is_seeded(settings: Settings, codec: Codec) -> bool:
    """Return whether the commands have a `Seeded`: a start that was cut short wrote some commands and not that."""
    return any(isinstance(record.event, Seeded) for record in readable(TENANT_COMMANDS, settings, codec))


def readable(topic: Topic, settings: Settings, codec: Codec) -> Iterator[Record]:
    """Yield the records of a topic that are events of it; somebody else's are passed over: agents bury them."""
    return consume(topic, settings=settings, codec=codec, on_undecodable=lambda _: None)
