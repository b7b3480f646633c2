"""Exactly-once agents on Kafka: leases, chunks, state, transactions, dead letters."""

from tradewind.streams.runtime.agent import Agent, Hold, agent_topics, group_of
from tradewind.streams.runtime.errors import AgentCrashed, AgentMisdeclared, RuntimeStopped
from tradewind.streams.runtime.run import run_agents
from tradewind.streams.runtime.sizes import Sizes
from tradewind.streams.runtime.timings import Timings

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
