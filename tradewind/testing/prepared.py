"""What `tradewind prepare` would have written: tenants and deployments, on a broker in memory."""

from __future__ import annotations

from tradewind.processors.market.instruments import INSTRUMENTS
from tradewind.processors.signals.deployments import Catalogue
from tradewind.processors.signals.parameters import by_name
from tradewind.processors.tenancy.processor import tenancy
from tradewind.processors.tenancy.seed import commands_of
from tradewind.schemas.signals import Deployment
from tradewind.schemas.tenancy import Seeded, Tenant
from tradewind.streams.signals import strategies
from tradewind.testing.broker import MemoryBroker
from tradewind.testing.segments import run
from tradewind.topics import DEPLOYMENT_CHANGES, TENANT_CHANGES

FIRST_US = 1  # of the commands: before any tick


def prepare(broker: MemoryBroker) -> None:
    """Publish the tenants of the broker's settings, with a deployment of each strategy in each of their accounts."""
    known, settings = by_name(strategies()), broker.settings
    catalogue = Catalogue(known, {**INSTRUMENTS, **settings.instruments})
    made = run(tenancy(catalogue), commands_of(settings.tenants, FIRST_US, known))
    broker.publish(TENANT_CHANGES, *(event for event in made if isinstance(event, Tenant | Seeded)))
    broker.publish(DEPLOYMENT_CHANGES, *(event for event in made if isinstance(event, Deployment | Seeded)))
