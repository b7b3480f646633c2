"""`tradewind topics`: what is declared, what the cluster has, and how the two differ."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from tradewind.infra.cli.plain_errors import plain_errors

if TYPE_CHECKING:
    from tradewind.connectors.kafka.admin import Difference


@click.group()
def topics() -> None:
    """List, create and check topics."""


@topics.command("list")
@plain_errors
def list_topics() -> None:
    """List the declared topics with their partitions, and how the topics on the cluster differ."""
    from tradewind.connectors.kafka.admin import compare, partition_counts  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.settings import Settings  # noqa: PLC0415
    from tradewind.infra.cli.processes.prepare import every_topic  # noqa: PLC0415

    settings = Settings()
    declared = {settings.physical(topic): topic for topic in every_topic(settings)}
    present = partition_counts(settings)
    differences = compare(settings, declared.values())
    width = max(map(len, {*declared, *present}))
    for name in sorted({*declared, *present}):
        topic = declared.get(name)
        kept = "" if topic is None else topic.cleanup
        carries = "not declared by this version" if topic is None else ", ".join(m.__name__ for m in topic.models)
        click.echo(f"{name:{width}}  {present.get(name, '-'):>3}  {kept:7}  {carries}")
    _tell(differences)


@topics.command("apply")
@plain_errors
def apply_topics() -> None:
    """Create missing topics. Topics that differ from their declaration are reported and not changed."""
    from tradewind.connectors.cluster.comparison import require_known  # noqa: PLC0415
    from tradewind.connectors.kafka.admin import compare, create_missing  # noqa: PLC0415
    from tradewind.connectors.settings import Settings  # noqa: PLC0415
    from tradewind.infra.cli.processes.prepare import every_topic  # noqa: PLC0415

    settings = Settings()
    wanted = every_topic(settings)
    require_known(settings, ())
    created = create_missing(settings, wanted)
    for name in created:
        click.echo(f"created {name}")
    click.echo(f"{len(created)} created, {len(wanted) - len(created)} were there", err=True)
    if _tell(compare(settings, wanted)):
        sys.exit(1)


def _tell(differences: Sequence[Difference]) -> bool:
    for difference in differences:
        click.echo(f"differs: {difference}", err=True)
    return bool(differences)
