"""`tradewind status`: services, workers, topics, groups and totals, for people or as JSON."""

from __future__ import annotations

import json
import sys

import click


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status(*, as_json: bool) -> None:
    """Show services, workers, topics, consumer groups, and totals since the last reset.

    Exits 0 where every service answers and no worker is down, else 1.
    """
    from tradewind.connectors.settings import Settings  # noqa: PLC0415 - help comes at once
    from tradewind.infra.status.report import report  # noqa: PLC0415

    settings = Settings()
    found = report(settings, settings.data.absolute())
    if as_json:
        click.echo(json.dumps(found.to_json(), indent=2))
    else:
        from rich.console import Console  # noqa: PLC0415

        from tradewind.infra.status.table import tables  # noqa: PLC0415

        Console().print(tables(found))
    sys.exit(0 if found.healthy else 1)
