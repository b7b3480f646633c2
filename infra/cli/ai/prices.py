"""`tradewind ai prices import`: list prices of the models in force, as dated prices."""

from __future__ import annotations

import click

from tradewind.infra.cli.ai.applying import apply_and_say
from tradewind.infra.cli.output import aligned
from tradewind.infra.cli.plain_errors import plain_errors
from tradewind.processors.money import shown


@click.group()
def prices() -> None:
    """See and import list prices of models; ./dev ai routes shows the prices in force."""


@prices.command(name="import")
@click.option("--check", is_flag=True, help="Only say what would be imported.")
@plain_errors
def import_prices(*, check: bool) -> None:
    """Import the list prices of every model in force, from the package genai-prices. Nothing is downloaded.

    A price that somebody wrote stays, and so does a tenant's own. Prices of an earlier import follow the package.
    """
    from tradewind.connectors.ai.catalogue import listed  # noqa: PLC0415 - its data take a while
    from tradewind.connectors.ai.in_force import in_force  # noqa: PLC0415
    from tradewind.connectors.registry import open_codec  # noqa: PLC0415
    from tradewind.connectors.settings import Settings  # noqa: PLC0415

    settings = Settings()
    codec = open_codec(settings)
    known = in_force(settings, codec)
    found = listed(known.providers, known.priced, known.origins)
    if found.prices:
        rows = [("provider", "model", "tenant", "from", "in a million tokens", "out")]
        rows += [
            (
                one.provider,
                one.model,
                one.tenant_id or "all",
                day_of(one.valid_from) if one.active else f"{day_of(one.valid_from)}: ends",
                f"{shown(one.input_per_million)} {one.currency}",
                f"{shown(one.output_per_million)} {one.currency}",
            )
            for one in found.prices
        ]
        click.echo(aligned(rows))
    for (provider, model), said in found.tiered.items():
        click.echo(f"{provider} {model}: {said}")
    for provider, model in found.own:
        click.echo(f"{provider} {model} keeps the price that somebody wrote")
    for (provider, model), why in found.missing.items():
        click.echo(f"{provider} {model} has no price, so no request goes there: {why}")
    if not found.prices:
        click.echo("no price has changed")
    elif not check:
        apply_and_say(found.prices, known.revision, settings, codec)


def day_of(valid_from_us: int) -> str:
    """Return the day on which a price begins, in UTC; `ever` for one that has always held."""
    from datetime import UTC, datetime  # noqa: PLC0415 - help comes at once

    if not valid_from_us:
        return "ever"
    return f"{datetime.fromtimestamp(valid_from_us / 1_000_000, UTC):%Y-%m-%d}"
