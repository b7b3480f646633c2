"""`tradewind down`: stop what `up` started, or what one that was killed has left."""

from __future__ import annotations

import click


@click.command()
def down() -> None:
    """Stop the feed, the workers and the services of the data folder."""
    from tradewind.connectors.settings import Settings  # noqa: PLC0415 - help comes at once
    from tradewind.infra.up.holder import stop  # noqa: PLC0415

    data = Settings().data.absolute()
    stopped = stop(data, lambda said: click.echo(said, err=True))
    click.echo(f"stopped {', '.join(stopped)}" if stopped else f"nothing runs in {data}")
