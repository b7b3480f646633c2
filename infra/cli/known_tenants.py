"""Refuses the name of a tenant that there is not: a misspelt tenant must not look like one that is quiet."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from tradewind.connectors.settings import Settings


def require_tenant(tenant: str | None, settings: Settings) -> None:
    """Raise `click.UsageError` if there is no such tenant; None is every tenant."""
    from tradewind.connectors.tenancy.reading import accounts  # noqa: PLC0415 - help comes at once

    if tenant is not None:
        require_among(tenant, accounts(settings))


def require_among(tenant: str, known: Collection[str]) -> None:
    """Raise `click.UsageError` if a tenant is not one of those that are known."""
    if tenant not in known:
        raise click.UsageError(f"there is no tenant {tenant!r}; tenants are: {', '.join(known) or 'none yet'}")
