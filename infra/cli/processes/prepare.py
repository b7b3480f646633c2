"""`tradewind prepare`: what services must hold before anything runs: schemas, topics, tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tradewind.infra.up.gate import pass_gate

if TYPE_CHECKING:
    from tradewind.connectors.cluster.comparison import Comparison
    from tradewind.connectors.settings import Settings
    from tradewind.schemas.risk import KillSwitch
    from tradewind.topics import Topic


@click.command()
@click.option(
    "--accept-cluster",
    is_flag=True,
    help="Accept another Kafka or other topics than the known ones. What the known ones held is lost.",
)
def prepare(*, accept_cluster: bool) -> None:
    """Register schemas, create missing topics, and migrate tables. You can run it again at any time.

    If Kafka is not the known cluster, or a known topic is missing or was recreated, the command changes nothing and
    exits 1. If Kafka has lost a kill switch that PostgreSQL has, the command engages it again.
    """
    from tradewind.connectors.ai.in_force import seed as seed_ai  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.cluster.comparison import compare, remember  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.cluster.identity import ClusterDiffers  # noqa: PLC0415
    from tradewind.connectors.cluster.switch_store import restore_switches  # noqa: PLC0415
    from tradewind.connectors.kafka.admin import ensure  # noqa: PLC0415
    from tradewind.connectors.postgres.migrations import migrate  # noqa: PLC0415
    from tradewind.connectors.registry import open_codec  # noqa: PLC0415
    from tradewind.connectors.settings import Settings  # noqa: PLC0415
    from tradewind.connectors.tenancy.writing import seed  # noqa: PLC0415
    from tradewind.processors.signals.parameters import by_name  # noqa: PLC0415
    from tradewind.streams.signals import strategies  # noqa: PLC0415

    pass_gate()
    settings = Settings()
    topics = every_topic(settings)
    names = {settings.physical(topic) for topic in topics}
    before = compare(settings, names)
    _tell_untold(before, names)
    if before.away is not None:
        raise click.ClickException(f"nothing was prepared: {before.away}. Start it, or correct its address")
    if before.differences and not accept_cluster:
        raise ClusterDiffers(before.differences, settings.bootstrap)
    codec = open_codec(settings)
    ensure(settings, topics)
    applied = migrate(settings)
    restored = restore_switches(settings, codec)
    seeded = seed(settings, codec, by_name(strategies()))
    seed_ai(settings, codec)
    # last: what was cut short before is refused again, or accepted again
    forgotten = remember(settings, names, before, accepted=accept_cluster)
    for name in forgotten:
        click.echo(f"accepted, and its data is lost: topic {name} of another namespace is missing")
    for difference in before.differences:
        click.echo(f"accepted, and its data is lost: {difference}")
    _tell_restored(restored)
    if seeded:
        click.echo(f"{seeded} tenants of the settings are created: change them with ./dev tenants")
        click.echo("each of their accounts runs every strategy: change that with ./dev strategies")
    click.echo(f"schemas are registered, {len(topics)} topics exist, {len(applied)} migrations were applied")


def _tell_untold(found: Comparison, names: set[str]) -> None:
    if untold := found.look.found.untold & names:
        click.echo(
            f"Kafka does not report the ids of {len(untold)} topics, such as {min(untold)}, so nothing notices if such "
            "a topic is recreated. Allow DESCRIBE on them",
            err=True,
        )


def _tell_restored(restored: list[KillSwitch]) -> None:
    from tradewind.connectors.cluster.switches import named, whose  # noqa: PLC0415 - help comes at once

    for switch in restored:
        click.echo(
            f"the kill switch of {named(whose(switch))} ({switch.reason}) was lost by Kafka and is engaged again",
            err=True,
        )


def every_topic(settings: Settings) -> tuple[Topic, ...]:
    """Return the topics that people read, and those that agents and sinks have for themselves, each once."""
    from tradewind.connectors.calls.kept import claims_topic  # noqa: PLC0415
    from tradewind.connectors.dead_letters.topic import letter_topic  # noqa: PLC0415
    from tradewind.infra.status.names import CALLER_NAMES, sinks_of  # noqa: PLC0415
    from tradewind.streams.agents import agents  # noqa: PLC0415
    from tradewind.streams.runtime.agent import agent_topics  # noqa: PLC0415
    from tradewind.topics import DOMAIN_TOPICS  # noqa: PLC0415

    declared = [one.declare(settings) for one in agents().values()]
    found = (
        *DOMAIN_TOPICS,
        *(topic for agent in declared for topic in (*agent.inputs, *agent.outputs, *agent_topics(agent))),
        *(claims_topic(name, topic) for name in CALLER_NAMES for topic in DOMAIN_TOPICS if name in topic.consumers),
        *(letter_topic(owner) for owner in (*CALLER_NAMES, *sinks_of(settings))),
    )
    return tuple({topic.name: topic for topic in reversed(found)}.values())[::-1]
