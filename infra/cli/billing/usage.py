"""`tradewind usage`: what a tenant has used in a month."""

from __future__ import annotations

from dataclasses import asdict

import click

from tradewind.infra.cli.billing.totals import month_of, totals
from tradewind.infra.cli.known_tenants import require_tenant
from tradewind.infra.cli.output import aligned, say_json
from tradewind.infra.cli.plain_errors import plain_errors


@click.command()
@click.argument("tenant")
@click.option("--month", metavar="YYYY-MM", help="A month of UTC.  [default: the current one]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@plain_errors
def usage(tenant: str, *, month: str | None, as_json: bool) -> None:
    """Show what TENANT has used in a month, by meter and dimension."""
    from tradewind.connectors.settings import Settings  # noqa: PLC0415 - help comes at once

    start, settings = month_of(month), Settings()
    found = totals(settings, start, tenant)
    if not found:
        require_tenant(tenant, settings)
    if as_json:
        shown = [{name: value for name, value in asdict(one).items() if name != "tenant_id"} for one in found]
        say_json({"tenant": tenant, "month": f"{start:%Y-%m}", "totals": shown}, indent=2)
        return
    if not found:
        click.echo(f"{tenant} has used nothing in {start:%Y-%m}")
        return
    rows = [("meter", "dimension", "quantity", "of that billable")]
    rows += [(one.meter, one.dimension, f"{one.quantity:,}", f"{one.billable_quantity:,}") for one in found]
    click.echo(aligned(rows))
