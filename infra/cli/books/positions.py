"""`tradewind positions`: what accounts hold, and what each of their deployments holds."""

from __future__ import annotations

import click

from tradewind.infra.cli.books.listing import listing, said


@click.command()
@listing
def positions(*, tenant: str | None, limit: int, as_json: bool) -> None:
    """List what accounts hold, and what each of their deployments holds of that."""
    said("positions", tenant, limit, as_json=as_json)
