"""The market domain's agent: ticks become bars."""

from tradewind.connectors.settings import Settings
from tradewind.processors.market.candles import SECOND_US
from tradewind.processors.market.processor import bars
from tradewind.streams.runtime import Agent
from tradewind.topics import BARS, LATE_TICKS, TICKS


def market(settings: Settings) -> Agent:
    """Close bars of one second and one minute by event time."""
    return Agent(
        name="market",
        inputs=(TICKS,),
        outputs=(BARS, LATE_TICKS),
        processor=bars(grace_us=settings.bar_grace_ms * 1000, leap_us=settings.tick_leap_s * SECOND_US),
        latency_s=0.05,  # bars close once a second
    )
