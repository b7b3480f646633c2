"""The tenancy domain's agent: commands change tenants, or are refused."""

from tradewind.connectors.settings import Settings
from tradewind.processors.tenancy.processor import tenancy as tenancy_processor
from tradewind.streams.runtime import Agent
from tradewind.topics import TENANT_CHANGES, TENANT_COMMANDS, TENANT_REFUSALS, TENANTS
from tradewind.topics.topic import MIB

COMMANDS_AT_ONCE = 250  # each makes six records of up to 4 KiB: 6 MB a transaction
TENANTS_BYTES = 32 * MIB  # 5,000 tenants of 4 KiB take 20 MB


def tenancy(settings: Settings) -> Agent:  # noqa: ARG001 - every agent is built from the settings
    """Make of each command the tenant as it is from then on, or a refusal with every reason."""
    return Agent(
        name="tenancy",
        inputs=(TENANT_COMMANDS,),
        outputs=(TENANT_CHANGES, TENANTS, TENANT_REFUSALS),
        processor=tenancy_processor(),
        batch_limit=COMMANDS_AT_ONCE,
        state_bytes=TENANTS_BYTES,
    )
