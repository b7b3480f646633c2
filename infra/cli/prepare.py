"""`tradewind prepare`: what services must hold before anything runs: schemas, topics, tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tradewind.infra.up.gate import pass_gate

if TYPE_CHECKING:
    from tradewind.connectors.settings import Settings
    from tradewind.topics import Topic

SINKS = ("questdb", "postgres")
"""Sinks that `up` runs; one of a package of your own makes its dead letters' topic when it starts."""


@click.command()
def prepare() -> None:
    """Register schemas, create missing topics, and bring the tables up to date. Safe to run again at any time."""
    from tradewind.connectors.kafka.admin import ensure  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.registry import open_codec  # noqa: PLC0415
    from tradewind.connectors.settings import Settings  # noqa: PLC0415
    from tradewind.infra.migrations import migrate  # noqa: PLC0415
    from tradewind.streams import agents  # noqa: F401, PLC0415 - of which `every_topic` tells

    pass_gate()
    settings = Settings()
    open_codec(settings)
    topics = every_topic(settings)
    ensure(settings, topics)
    applied = migrate(settings)
    click.echo(f"schemas are registered, {len(topics)} topics are there, {len(applied)} migrations were applied")


def every_topic(settings: Settings) -> tuple[Topic, ...]:
    """Return the topics that people read, and those that agents and sinks keep for themselves."""
    from tradewind.connectors.sinks.dead_letters import dead_letter_topic  # noqa: PLC0415
    from tradewind.streams.agents import AGENTS  # noqa: PLC0415
    from tradewind.streams.runtime.agent import agent_topics  # noqa: PLC0415
    from tradewind.topics import DOMAIN_TOPICS  # noqa: PLC0415

    of_agents = [topic for agent in AGENTS.values() for topic in agent_topics(agent(settings))]
    return (*DOMAIN_TOPICS, *of_agents, *(dead_letter_topic(sink) for sink in SINKS))
