"""Refuses the name of a tenant that there is not: a misspelt tenant must not look like one that is quiet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from tradewind.connectors.settings import Settings


def require_tenant(tenant: str | None, settings: Settings) -> None:
    """Raise `click.UsageError` if there is no such tenant; None is every tenant."""
    from tradewind.connectors.tenancy.reading import accounts  # noqa: PLC0415 - help comes at once

    if tenant is not None and tenant not in (known := accounts(settings)):
        raise click.UsageError(f"there is no tenant {tenant!r}; tenants are: {', '.join(known)}")
