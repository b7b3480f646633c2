"""The tenancy domain's agent: commands change tenants and their deployments, or are refused."""

from tradewind.connectors.settings import Settings
from tradewind.processors.market.instruments import INSTRUMENTS
from tradewind.processors.signals.deployments import Catalogue
from tradewind.processors.signals.parameters import by_name
from tradewind.processors.tenancy.processor import tenancy as tenancy_processor
from tradewind.streams.runtime import Agent
from tradewind.streams.signals import strategies
from tradewind.topics import (
    DEPLOYMENT_CHANGES,
    DEPLOYMENT_REFUSALS,
    DEPLOYMENTS,
    TENANT_CHANGES,
    TENANT_COMMANDS,
    TENANT_REFUSALS,
    TENANTS,
)
from tradewind.topics.topic import MIB

COMMANDS_AT_ONCE = 250  # each makes six records of up to 4 KiB: 6 MB a transaction
TENANTS_BYTES = 32 * MIB  # 5,000 tenants of 4 KiB take 20 MB


def tenancy(settings: Settings) -> Agent:
    """Make of each command the tenant or deployment as it is from then on, or a refusal with every reason."""
    symbols = frozenset({*INSTRUMENTS, *settings.instruments})
    return Agent(
        name="tenancy",
        inputs=(TENANT_COMMANDS,),
        outputs=(
            TENANT_CHANGES,
            TENANTS,
            TENANT_REFUSALS,
            DEPLOYMENT_CHANGES,
            DEPLOYMENTS,
            DEPLOYMENT_REFUSALS,
        ),
        processor=tenancy_processor(Catalogue(by_name(strategies()), symbols)),
        batch_limit=COMMANDS_AT_ONCE,
        state_bytes=TENANTS_BYTES,
    )
