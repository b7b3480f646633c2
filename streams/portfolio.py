"""The portfolio domain's agents: signals become order requests, fills become positions."""

from tradewind.connectors.settings import Settings
from tradewind.processors.portfolio.positions import portfolio as positions
from tradewind.processors.portfolio.sizing import sizing as sizing_processor
from tradewind.streams.runtime import Agent
from tradewind.topics import BARS, FILLS, ORDER_REQUESTS, POSITIONS, SIGNALS


def sizing(settings: Settings) -> Agent:
    """Make an order request of each signal for every account of every tenant."""
    return Agent(
        name="sizing",
        inputs=(SIGNALS,),
        outputs=(ORDER_REQUESTS,),
        processor=sizing_processor(settings.tenants),
    )


def portfolio(settings: Settings) -> Agent:  # noqa: ARG001 - every agent is built from the settings
    """Keep positions and their profit, by tenant and account."""
    return Agent(name="portfolio", inputs=(FILLS, BARS), outputs=(POSITIONS,), processor=positions())
