"""`tradewind users`: who may sign in at the gateway."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from tradewind.connectors.settings import Settings


@click.group()
def users() -> None:
    """Make links to sign in at the gateway."""


@users.command()
def link() -> None:
    """Print a one-time link that signs in as the operator within an hour."""
    from tradewind.connectors.settings import Settings  # noqa: PLC0415 - help comes at once

    click.echo(asyncio.run(_link(Settings())))


async def _link(settings: Settings) -> str:
    from tradewind.connectors.gateway.auth.store import Store  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.gateway.problems import Problem  # noqa: PLC0415
    from tradewind.infra.cli.processes.gateway import link_to, url_of  # noqa: PLC0415

    store = Store(settings)
    try:
        return link_to(url_of(settings), await store.new_link(await store.ensure_operator()))
    except Problem as problem:
        raise click.ClickException(f"{problem.detail}: {problem.remedy}") from problem
    finally:
        await store.close()
