"""Exactly-once agents on Kafka: leases, chunks, state, transactions, dead letters."""

from typing import TYPE_CHECKING, Any

from tradewind.streams.runtime.agent import Agent, Hold, agent_topics, group_of
from tradewind.streams.runtime.errors import AgentCrashed, AgentMisdeclared, RuntimeStopped
from tradewind.streams.runtime.sizes import Sizes
from tradewind.streams.runtime.timings import Timings

if TYPE_CHECKING:
    from tradewind.streams.runtime.run import run_agents

__all__ = [
    "Agent",
    "AgentCrashed",
    "AgentMisdeclared",
    "Hold",
    "RuntimeStopped",
    "Sizes",
    "Timings",
    "agent_topics",
    "group_of",
    "run_agents",
]


def __getattr__(name: str) -> Any:
    """Import what runs agents when it is asked for: Faust takes half a second, and most commands only list agents."""
    if name == "run_agents":
        from tradewind.streams.runtime.run import run_agents  # noqa: PLC0415

        return run_agents
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
