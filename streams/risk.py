"""The risk domain's agent: every order request gets one decision."""

from tradewind.connectors.settings import Settings
from tradewind.processors.risk.agent import risk as risk_processor
from tradewind.streams.runtime import Agent
from tradewind.topics import DECISIONS, KILL_SWITCHES, ORDER_EVENTS, ORDER_REQUESTS


def risk(settings: Settings) -> Agent:
    """Approve or deny by the tenants' limits, what is already approved, and the kill switches."""
    return Agent(
        name="risk",
        inputs=(ORDER_REQUESTS, ORDER_EVENTS, KILL_SWITCHES),
        outputs=(DECISIONS,),
        processor=risk_processor(settings.tenants),
    )
