"""`tradewind status`: services, workers, topics, groups and totals, for people or as JSON."""

from __future__ import annotations

import sys

import click

from tradewind.infra.cli.output import WIDE, say_json


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status(*, as_json: bool) -> None:
    """Show services, workers, topics, consumer groups, and totals since the last reset.

    Exits 0 if every service answers, no worker is down, and no worker stands still. A worker stands still if it has
    run for a minute and is not ready. Otherwise exits 1.
    """
    from tradewind.connectors.settings import Settings  # noqa: PLC0415 - help comes at once
    from tradewind.infra.status.report import report  # noqa: PLC0415

    settings = Settings()
    found = report(settings, settings.data.absolute())
    if as_json:
        say_json(found.to_json(), indent=2)
    else:
        from rich.console import Console  # noqa: PLC0415

        from tradewind.infra.status.table import tables  # noqa: PLC0415

        console = Console()
        if not console.is_terminal:
            console = Console(width=WIDE)
        console.print(tables(found))
    sys.exit(0 if found.healthy else 1)
