"""Who has dead letters, by the name that is given on the command line: every agent and every sink."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from tradewind.connectors.dead_letters import Owner
    from tradewind.connectors.settings import Settings


def agents(settings: Settings) -> dict[str, Owner]:
    """Return the agents by name, in the order in which events flow."""
    from tradewind.streams.agents import agents as every_agent  # noqa: PLC0415 - help comes at once
    from tradewind.streams.runtime.work.dead_letters import owner_of  # noqa: PLC0415

    return {agent.name: owner_of(agent) for agent in (one.declare(settings) for one in every_agent().values())}


def sinks() -> dict[str, Owner]:
    """Return the callers and the sinks by name: ours, and those of installed packages."""
    from tradewind.connectors.dead_letters import Owner  # noqa: PLC0415
    from tradewind.connectors.dead_letters.topic import letter_topic  # noqa: PLC0415
    from tradewind.infra.cli.processes.sink import ENTRY_POINTS  # noqa: PLC0415
    from tradewind.infra.status.names import CALLER_NAMES, SINK_NAMES  # noqa: PLC0415

    names = dict.fromkeys((*CALLER_NAMES, *SINK_NAMES, *(point.name for point in entry_points(group=ENTRY_POINTS))))
    return {name: Owner(name, letter_topic(name)) for name in names}


def owners_named(names: Iterable[str], settings: Settings) -> list[Owner]:
    """Return the owners of these names, each once; all where none is named. Another name is a usage error."""
    known: Mapping[str, Owner] = {**sinks(), **agents(settings)}
    wanted = list(dict.fromkeys(names))
    for name in wanted:
        if name not in known:
            raise click.UsageError(f"there is no agent or sink {name!r}; there are: {', '.join(sorted(known))}")
    return [known[name] for name in wanted or known]
