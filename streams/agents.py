"""Every agent by name, for the worker that runs them."""

from collections.abc import Callable

from tradewind.connectors.settings import Settings
from tradewind.streams.execution import execution
from tradewind.streams.market import market
from tradewind.streams.portfolio import portfolio, sizing
from tradewind.streams.risk import risk
from tradewind.streams.runtime import Agent
from tradewind.streams.signals import signals

AGENTS: dict[str, Callable[[Settings], Agent]] = {
    "market": market,
    "signals": signals,
    "sizing": sizing,
    "risk": risk,
    "execution": execution,
    "portfolio": portfolio,
}
"""What `tradewind worker ROLE...` runs, in the order in which events flow."""

__all__ = ["AGENTS"]
