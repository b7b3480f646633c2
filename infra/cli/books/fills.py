"""`tradewind fills`: what was bought and sold."""

from __future__ import annotations

import click

from tradewind.infra.cli.books.listing import listing, said


@click.command()
@listing
def fills(*, tenant: str | None, limit: int, as_json: bool) -> None:
    """List fills, newest first."""
    said("fills", tenant, limit, as_json=as_json)
