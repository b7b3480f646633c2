"""`tradewind ai cost`: what requests have cost, by tenant, model or type."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import click

from tradewind.infra.cli.billing.totals import Total, month_of, totals
from tradewind.infra.cli.output import aligned, say_json
from tradewind.infra.cli.plain_errors import plain_errors
from tradewind.processors.billing.meters import AI_COST, BAR, MICRO, TOKENS_IN, TOKENS_OUT

GROUPS = ("tenant", "provider", "model", "type")
COLUMNS = {TOKENS_IN: "tokens_in", TOKENS_OUT: "tokens_out", AI_COST: "cost"}


def _groups(_context: click.Context, _parameter: click.Parameter, value: str) -> tuple[str, ...]:
    found = tuple(part.strip() for part in value.split(","))
    unknown = [part for part in found if part not in GROUPS]
    if unknown:
        raise click.BadParameter(f"{unknown[0]!r} is none of {', '.join(GROUPS)}")
    return found


@click.command()
@click.option("--by", callback=_groups, default="tenant,model,type", show_default=True, help=f"Of {', '.join(GROUPS)}.")
@click.option("--month", metavar="YYYY-MM", help="A month of UTC.  [default: the current one]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@plain_errors
def cost(*, by: tuple[str, ...], month: str | None, as_json: bool) -> None:
    """Show what AI requests have cost in a month, in each tenant's currency."""
    from tradewind.connectors.settings import Settings  # noqa: PLC0415 - help comes at once

    start = month_of(month)
    found = summed(totals(Settings(), start, meters="ai.%"), by)
    if as_json:
        shown = [{**dict(zip(by, group, strict=True)), **costs} for group, costs in found.items()]
        say_json({"month": f"{start:%Y-%m}", "costs": shown}, indent=2)
        return
    if not found:
        click.echo(f"no AI request has cost anything in {start:%Y-%m}")
        return
    rows = [(*by, "tokens in", "tokens out", "cost")]
    rows += [
        (*group, f"{costs['tokens_in']:,}", f"{costs['tokens_out']:,}", str(costs["cost"]))
        for group, costs in found.items()
    ]
    click.echo(aligned(rows))


def summed(found: Iterable[Total], by: tuple[str, ...]) -> dict[tuple[str, ...], dict[str, int | str]]:
    """Return tokens and cost of each group, sorted; a cost is a decimal as text."""
    units: dict[tuple[str, ...], dict[str, int]] = defaultdict(lambda: dict.fromkeys(COLUMNS.values(), 0))
    for total in found:
        provider, model, request_type = total.dimension.split(BAR)
        named = {"tenant": total.tenant_id, "provider": provider, "model": model, "type": request_type}
        units[tuple(named[part] for part in by)][COLUMNS[total.meter]] += total.quantity
    return {
        group: {**counted, "cost": format(counted["cost"] * MICRO, "f")} for group, counted in sorted(units.items())
    }
