"""The signals domain's agent: strategies look at bars."""

from importlib.metadata import entry_points

from tradewind.connectors.ai.prompt_files import prompts
from tradewind.connectors.settings import Settings
from tradewind.processors.signals.built_in import BUILT_IN
from tradewind.processors.signals.processor import signals as signals_processor
from tradewind.processors.signals.questions import Asker
from tradewind.processors.signals.strategy import Strategy
from tradewind.processors.tenancy.known import waits_for_tenants
from tradewind.streams.runtime import Agent
from tradewind.topics import AI_REQUESTS, AI_RESPONSES, ALERTS, BARS, DEPLOYMENT_CHANGES, NEWS, SIGNALS

STRATEGIES = "tradewind.strategies"


def strategies() -> tuple[Strategy, ...]:
    """Return the built-in strategies and those that installed packages offer, sorted by entry point."""
    offered = sorted(entry_points(group=STRATEGIES), key=lambda point: point.name)
    return (*BUILT_IN, *(point.load()() for point in offered))


def signals(settings: Settings) -> Agent:
    """Ask every deployment about bars and news, and models what deployments ask.

    A question is answered under the key of its instrument, so the answer reaches the task that has the memory.
    """
    return Agent(
        name="signals",
        inputs=(DEPLOYMENT_CHANGES, AI_RESPONSES, NEWS, BARS),
        outputs=(SIGNALS, AI_REQUESTS, ALERTS),
        processor=signals_processor(strategies(), Asker(settings.ai.tenant, prompts(settings), settings.ai.explain)),
        waits=waits_for_tenants,
    )
