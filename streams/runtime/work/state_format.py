"""Formats of state: which versions of an agent may take a state over, and how an older state is brought up to date.

Avro resolves what a newer model added or left out, in both directions. Two things it cannot do: keep a field that the
reader does not know, and say that a value means something else. The first is refused (`StateNewer`), for an older
worker would write the value back without it; the second is a migration.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Final

from tradewind.processors.batch import State
from tradewind.schemas.codec import SCHEMAS
from tradewind.streams.runtime.agent import Agent
from tradewind.streams.runtime.commit.reach import reach_of
from tradewind.streams.runtime.errors import AgentCrashed

SHORT_BYTES: Final = 4  # of a digest that tells formats of one agent apart
AGES: Final = 99_999  # client ids count down from here, so that the newest is first in the order of their text


def format_of(agent: Agent) -> str:
    """Return what names the format that a worker of this version writes the agent's state in.

    `<committed versions of the schemas that it reaches>+<migrations>.<digest of those schemas>`: a schema that the
    agent does not reach changes nothing of it.
    """
    texts = _texts(agent)
    digest = blake2b(json.dumps(texts, sort_keys=True).encode(), digest_size=SHORT_BYTES).hexdigest()
    return f"{_count(texts)}+{len(agent.migrations)}.{digest}"


def client_id_of(agent: Agent) -> str:
    """Return a name that is before those of workers with older formats in the order of text.

    Range gives partitions to members in the order of their ids, which begin with this name. So while workers are
    replaced one by one, those of the newer format have the first partitions and keep them: their share only grows.
    """
    return f"{AGES - _count(_texts(agent)) - len(agent.migrations):05}.tradewind"


def _texts(agent: Agent) -> dict[str, list[str]]:
    """Return the committed versions of each schema that an agent reaches: name -> texts."""
    names = {model.SCHEMA for model in reach_of(agent).models}
    return {name: list(SCHEMAS.get(name, ())) for name in sorted(names)}


def _count(texts: Mapping[str, Sequence[str]]) -> int:
    """Return how many versions there are. They stay, so that a later release has as many, or more."""
    return sum(map(len, texts.values()))


def migrate(agent: Agent, state: State, numbers: Sequence[int], where: str) -> None:
    """Take a state through some of the agent's migrations, numbered from 1; raises `AgentCrashed` where one fails."""
    for number in numbers:
        if number > len(agent.migrations):
            raise AgentCrashed(
                f"agent {agent.name}, {where}: the state needs migration {number}, but this version has "
                f"only {len(agent.migrations)}. Released migrations must stay declared, in their order."
            )
        try:
            agent.migrations[number - 1](state)
        except Exception as bug:
            raise AgentCrashed(
                f"agent {agent.name}, {where}: migration {number}: {type(bug).__name__}: {bug}; nothing is committed"
            ) from bug
