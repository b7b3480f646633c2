"""Who has dead letters: an agent, which can be sent them again, or a sink, which cannot."""

from __future__ import annotations

from dataclasses import dataclass

from tradewind.topics import Topic


@dataclass(frozen=True, slots=True)
class Returns:
    """How letters go back to an agent."""

    redrive: Topic
    """The agent's own input, with as many partitions as its others."""
    redriven: Topic
    """Compacted: the ids of the letters that were sent."""
    skips: Topic
    """Compacted: the records that the agent is to pass over, until it has."""
    inputs: frozenset[str]
    """The topics that the agent reads; it buries letters of others again."""


@dataclass(frozen=True, slots=True)
class Owner:
    """An agent or a sink."""

    name: str
    letters: Topic
    returns: Returns | None = None
    """None for a sink."""
