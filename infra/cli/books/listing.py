"""What the commands that list records have in common: their options, and how they print rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import click

from tradewind.infra.cli.known_tenants import require_tenant
from tradewind.infra.cli.output import aligned, say_json
from tradewind.infra.cli.plain_errors import plain_errors

F = TypeVar("F", bound=Callable[..., Any])
ROWS: Final = 50
MOST: Final = 10_000  # rows of one answer: they are held in memory
SHOWN: Final[Mapping[str, tuple[str, ...]]] = {
    "orders": (
        *("ts_event", "account", "deployment", "instrument", "mode", "units", "side", "quantity", "limit_price"),
        *("status", "codes", "order_id"),
    ),
    "fills": ("ts_event", "account", "deployment", "instrument", "side", "quantity", "price", "fee", "order_id"),
    "positions": (
        *("account", "deployment", "instrument", "quantity", "average_price", "mark_price", "realised_pnl"),
        *("unrealised_pnl", "fees", "fills"),
    ),
    "accounts": ("account", "open_positions", "instruments", "fills", "ts_event"),
}
"""The columns of a table; `--json` prints all."""


def listing(command: F) -> F:
    """Add the options, and say errors plainly."""
    limit = click.option(
        "--limit", type=click.IntRange(1, MOST), default=ROWS, show_default=True, help="The most rows to list."
    )
    as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object, with all columns.")
    tenant = click.option("--tenant", help="Only records of this tenant.")
    return tenant(limit(as_json(plain_errors(command))))  # type: ignore[return-value]


def said(what: str, tenant: str | None, limit: int, *, as_json: bool) -> None:
    """Print the rows of a list, as the sink has stored them."""
    from tradewind.connectors.postgres.records import rows  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.settings import Settings  # noqa: PLC0415

    settings = Settings()
    require_tenant(tenant, settings)
    found = rows(what, settings, tenant, limit + 1)
    more, found = len(found) > limit, found[:limit]
    if as_json:
        say_json({what: found, "more": more})
        return
    if not found:
        click.echo(f"PostgreSQL has no {what}" + ("" if tenant is None else f" of {tenant}"))
        return
    click.echo(aligned([SHOWN[what], *(tuple(_cell(row, name) for name in SHOWN[what]) for row in found)]))
    if more:
        click.echo(f"there are more than {limit}: raise --limit, up to {MOST:,}", err=True)


def _cell(row: Mapping[str, Any], name: str) -> str:
    match name:
        case "account":
            return f"{row['tenant_id']}/{row['account_id']}"
        case "instrument":
            return f"{row['symbol']}.{row['venue']}"
        case "deployment":
            return row[name] or "(all)"
        case "codes":
            return " ".join(row[name])
    return "" if row[name] is None else str(row[name])
