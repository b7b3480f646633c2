"""`tradewind balance`: whether what flowed in is what flowed out."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import click

from tradewind.infra.cli.output import aligned, say_json
from tradewind.infra.cli.plain_errors import plain_errors

if TYPE_CHECKING:
    from tradewind.connectors.balance.reading import Balance

EVERY = 100_000
"""Records between two lines of progress."""


@click.command()
@click.option("--check", is_flag=True, help="Exit 1 if an equation does not hold.")
@click.option("--cash", is_flag=True, help="Also list the cash of each account and instrument.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@plain_errors
def balance(*, check: bool, cash: bool, as_json: bool) -> None:
    """Compare requests, decisions, orders, fills, positions and cash, in Kafka and PostgreSQL.

    Each equation is compared at offsets that are fixed before anything is read, so the stack may run meanwhile. What
    is on its way is counted as waiting. The first records that break an equation are named.
    """
    from tradewind.connectors.balance.reading import balance as compared  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.settings import Settings  # noqa: PLC0415
    from tradewind.processors.balance.holdings import TooManyHoldings  # noqa: PLC0415
    from tradewind.processors.balance.orders import TooManyOrders  # noqa: PLC0415

    told = dict[str, int]()

    def progress(topic: str, records: int) -> None:
        if sys.stderr.isatty() and records // EVERY > told.get(topic, 0):
            told[topic] = records // EVERY
            click.echo(f"{topic}: {records:,} records", err=True)

    try:
        found = asyncio.run(compared(Settings(), progress))
    except (TooManyOrders, TooManyHoldings) as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        say_json(as_object(found))
    else:
        say(found, cash=cash)
    if check and not found.balanced:
        raise SystemExit(1)


def say(found: Balance, *, cash: bool) -> None:
    """Print the equations, and then what breaks them."""
    head = ("equation", "left", "right", "waiting", "differences")
    rows = [
        (one.name, *(f"{number:,}" for number in (one.left, one.right, one.waiting, one.differences)))
        for one in found.equations
    ]
    click.echo(aligned([head, *rows]))
    for equation in found.equations:
        if equation.note:
            click.echo(f"note: {equation.name}: {equation.note}")
    if cash:
        columns = ("account", "instrument", "cash", "realised", "fees", "cost of open", "difference", "fills")
        lines = [
            (f"{one.tenant_id}/{one.account_id}", one.instrument, *_amounts(one), f"{one.fills:,}")
            for one in found.cash
        ]
        click.echo(aligned([columns, *lines]))
    for equation in found.equations:
        for difference in equation.named:
            click.echo(f"{difference.at}: {difference.said}")
        if equation.differences > len(equation.named):
            click.echo(f"{equation.name}: {equation.differences - len(equation.named):,} more differences")
    click.echo(
        f"{'every equation holds' if found.balanced else 'it does not balance'}; "
        f"{sum(found.ends.values()):,} offsets compared in {found.took_s:.1f} s"
    )


def as_object(found: Balance) -> dict[str, Any]:
    """Return a balance as JSON has it."""
    return {
        "balanced": found.balanced,
        "equations": [
            {
                "name": one.name,
                "left": one.left,
                "right": one.right,
                "waiting": one.waiting,
                "differences": one.differences,
                "named": [{"at": each.at, "said": each.said, "tenant_id": each.tenant_id} for each in one.named],
                "note": one.note,
            }
            for one in found.equations
        ],
        "cash": [
            {
                "tenant_id": one.tenant_id,
                "account_id": one.account_id,
                "instrument": one.instrument,
                **dict(zip(AMOUNTS, _amounts(one), strict=True)),
                "fills": one.fills,
            }
            for one in found.cash
        ],
        "ends": [
            {"topic": topic, "partition": partition, "offset": offset}
            for (topic, partition), offset in sorted(found.ends.items())
        ],
        "took_s": found.took_s,
    }


AMOUNTS = ("cash", "realised_pnl", "fees", "cost", "difference")


def _amounts(one: Any) -> list[str]:
    from tradewind.processors.money import shown  # noqa: PLC0415

    return [shown(getattr(one, name)) for name in AMOUNTS]
