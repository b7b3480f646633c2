"""Exactly-once agents on Kafka: leases, chunks, state, transactions, dead letters."""

from tradewind.streams.runtime.agent import Agent, Hold, agent_topics, group_of
from tradewind.streams.runtime.errors import AgentCrashed, AgentMisdeclared, RuntimeStopped
from tradewind.streams.runtime.run import run_agents

__all__ = [
    "Agent",
    "AgentCrashed",
    "AgentMisdeclared",
    "Hold",
    "RuntimeStopped",
    "agent_topics",
    "group_of",
    "run_agents",
]
