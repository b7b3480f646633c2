"""`tradewind accounts`: the accounts that have traded."""

from __future__ import annotations

import click

from tradewind.infra.cli.books.listing import listing, said


@click.command()
@listing
def accounts(*, tenant: str | None, limit: int, as_json: bool) -> None:
    """List accounts that have traded, with their open positions and fills."""
    said("accounts", tenant, limit, as_json=as_json)
