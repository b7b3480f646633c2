"""The execution domain's agent: approved orders meet the quotes of a simulated venue."""

from tradewind.connectors.settings import Settings
from tradewind.processors.execution.costly_venue import CostlyVenue
from tradewind.processors.execution.costs import Costs
from tradewind.processors.execution.processor import execution as venue
from tradewind.processors.market.instruments import INSTRUMENTS
from tradewind.streams.runtime import Agent, Hold
from tradewind.topics import DECISIONS, FILLS, KILL_SWITCHES, ORDER_EVENTS, ORDER_REQUESTS, TICKS


def execution(settings: Settings) -> Agent:
    """Fill orders at the first quote that they could have met, at any replay speed; a halt ends them."""
    latency_us = settings.venue_latency_ms * 1000
    costs = Costs(settings.venue_slippage_ticks, settings.venue_fee_bps)
    return Agent(
        name="execution",
        inputs=(KILL_SWITCHES, DECISIONS, TICKS),
        outputs=(ORDER_EVENTS, FILLS),
        processor=venue(latency_us, CostlyVenue(costs, {**INSTRUMENTS, **settings.instruments})),
        hold=Hold(topic=TICKS, until=DECISIONS, lookahead_us=latency_us, through=ORDER_REQUESTS),
    )
