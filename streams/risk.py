"""The risk domain's agent: every order request gets one decision."""

from tradewind.connectors.settings import Settings
from tradewind.processors.market.instruments import INSTRUMENTS
from tradewind.processors.risk.processor import risk as risk_processor
from tradewind.processors.tenancy.known import waits_for_tenants
from tradewind.streams.runtime import Agent
from tradewind.topics import (
    DECISIONS,
    KILL_SWITCHES,
    MARKS,
    ORDER_EVENTS,
    ORDER_REQUESTS,
    TENANT_CHANGES,
    USAGE_THRESHOLDS,
)
from tradewind.topics.topic import MIB

ACCOUNTS_BYTES = 64 * MIB
"""5,000 tenants with 4 KiB of accounts take 20 MB, 30,000 exposures with 32 recent orders 33 MB, 30,000 rates 5 MB."""


def risk(settings: Settings) -> Agent:
    """Approve or deny by the tenants' limits and quotas, what is already approved, and the kill switches."""
    return Agent(
        name="risk",
        inputs=(TENANT_CHANGES, USAGE_THRESHOLDS, KILL_SWITCHES, MARKS, ORDER_REQUESTS, ORDER_EVENTS),
        outputs=(DECISIONS,),
        processor=risk_processor({**INSTRUMENTS, **settings.instruments}),
        waits=waits_for_tenants,
        state_bytes=ACCOUNTS_BYTES,
    )
