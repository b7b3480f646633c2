"""The portfolio domain's agents: signals and commands become order requests, fills become positions."""

from tradewind.connectors.settings import Settings
from tradewind.processors.market.instruments import INSTRUMENTS
from tradewind.processors.portfolio.processor import portfolio as positions
from tradewind.processors.portfolio.sizing import sizing as sizing_processor
from tradewind.processors.tenancy.known import waits_for_tenants
from tradewind.streams.runtime import Agent
from tradewind.topics import (
    BARS,
    DEPLOYMENT_POSITIONS,
    FILLS,
    MARKS,
    ORDER_COMMANDS,
    ORDER_REQUESTS,
    POSITIONS,
    SIGNALS,
    TENANT_CHANGES,
)
from tradewind.topics.topic import MIB

SIZINGS_BYTES = 32 * MIB  # 5,000 tenants with 4 KiB of accounts each take 20 MB


def sizing(settings: Settings) -> Agent:
    """Make order requests of signals, for every account of every active tenant, and of commands."""
    return Agent(
        name="sizing",
        inputs=(TENANT_CHANGES, ORDER_COMMANDS, SIGNALS),
        outputs=(ORDER_REQUESTS,),
        processor=sizing_processor({**INSTRUMENTS, **settings.instruments}),
        waits=waits_for_tenants,
        state_bytes=SIZINGS_BYTES,
    )


def portfolio(settings: Settings) -> Agent:  # noqa: ARG001 - every agent is built from the settings
    """Keep positions and their profit, of accounts and of their deployments; send marks of instruments."""
    return Agent(
        name="portfolio",
        inputs=(FILLS, BARS),
        outputs=(POSITIONS, DEPLOYMENT_POSITIONS, MARKS),
        processor=positions(),
    )
