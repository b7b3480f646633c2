"""The billing domain's agents: orders and fills become usage, and all usage becomes totals."""

from tradewind.connectors.settings import Settings
from tradewind.processors.billing.metering import metering as metering_processor
from tradewind.processors.billing.rating import rating as rating_processor
from tradewind.processors.tenancy.known import waits_for_tenants
from tradewind.streams.runtime import Agent
from tradewind.topics import ALERTS, CLOCK, DECISIONS, FILLS, TENANT_CHANGES, USAGE, USAGE_THRESHOLDS, USAGE_TOTALS


def metering(settings: Settings) -> Agent:  # noqa: ARG001 - every agent is built from the settings
    """Count each approved order and each fill once."""
    return Agent(
        name="metering",
        inputs=(DECISIONS, FILLS),
        outputs=(USAGE,),
        processor=metering_processor(),
    )


def rating(settings: Settings) -> Agent:  # noqa: ARG001 - every agent is built from the settings
    """Sum usage by tenant, meter, dimension and month."""
    return Agent(
        name="rating",
        inputs=(TENANT_CHANGES, CLOCK, USAGE),
        outputs=(USAGE_TOTALS, USAGE_THRESHOLDS, ALERTS),
        processor=rating_processor(),
        waits=waits_for_tenants,
    )
