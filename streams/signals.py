"""The signals domain's agent: strategies look at bars."""

from importlib.metadata import entry_points

from tradewind.connectors.settings import Settings
from tradewind.processors.signals.ema import BUILT_IN
from tradewind.processors.signals.processor import signals as signals_processor
from tradewind.processors.signals.strategy import Strategy
from tradewind.streams.runtime import Agent
from tradewind.topics import ALERTS, BARS, SIGNALS

STRATEGIES = "tradewind.strategies"


def strategies() -> tuple[Strategy, ...]:
    """Return the built-in strategies and those that installed packages offer, sorted by entry point."""
    offered = sorted(entry_points(group=STRATEGIES), key=lambda point: point.name)
    return (*BUILT_IN, *(point.load()() for point in offered))


def signals(settings: Settings) -> Agent:  # noqa: ARG001 - every agent is built from the settings
    """Ask every strategy about every bar."""
    return Agent(
        name="signals",
        inputs=(BARS,),
        outputs=(SIGNALS, ALERTS),
        processor=signals_processor(strategies()),
    )
