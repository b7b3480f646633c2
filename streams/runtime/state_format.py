"""Formats of state: which versions of an agent may take a state over, and how an older state is brought up to date.

Avro resolves what a newer model added or left out, in both directions. Two things it cannot do: keep a field that the
reader does not know, and say that a value means something else. The first is refused (`StateNewer`), for an older
worker would write the value back without it; the second is a migration.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tradewind.processors.batch import State
from tradewind.schemas.codec import SCHEMAS
from tradewind.streams.runtime.agent import Agent
from tradewind.streams.runtime.errors import AgentCrashed

SCHEMA_VERSIONS: Final = sum(map(len, SCHEMAS.values()))
"""Committed versions of all schemas. They stay, so that a later release has as many, or more."""
AGES: Final = 99_999  # client ids count down from here, so that the newest is first in the order of their text


def format_of(agent: Agent) -> str:
    """Return what names the format that a worker of this version writes the agent's state in."""
    return f"{SCHEMA_VERSIONS}+{len(agent.migrations)}"


def client_id_of(agent: Agent) -> str:
    """Return a name that is before those of workers with older formats in the order of text.

    Range gives partitions to members in the order of their ids, which begin with this name. So while workers are
    replaced one by one, those of the newer format have the first partitions and keep them: their share only grows.
    """
    return f"{AGES - SCHEMA_VERSIONS - len(agent.migrations):05}.tradewind"


def migrate(agent: Agent, state: State, numbers: Sequence[int], where: str) -> None:
    """Take a state through some of the agent's migrations, numbered from 1; raises `AgentCrashed` where one fails."""
    for number in numbers:
        if number > len(agent.migrations):
            raise AgentCrashed(
                f"agent {agent.name}, {where}: migration {number} is asked for, and this version has "
                f"{len(agent.migrations)}. Migrations stay declared, in their order."
            )
        try:
            agent.migrations[number - 1](state)
        except Exception as bug:
            raise AgentCrashed(
                f"agent {agent.name}, {where}: migration {number}: {type(bug).__name__}: {bug}; nothing is committed"
            ) from bug
