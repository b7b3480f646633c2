"""`tradewind orders`: what deployments wanted, and what became of it."""

from __future__ import annotations

import click

from tradewind.infra.cli.books.listing import listing, said


@click.command()
@listing
def orders(*, tenant: str | None, limit: int, as_json: bool) -> None:
    """List orders, newest first: what was wanted, what risk decided, and how each ended."""
    said("orders", tenant, limit, as_json=as_json)
