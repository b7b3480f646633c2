"""`tradewind backtest simulate RESULT`: the trades and days of a result drawn again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import click

from tradewind.infra.cli.output import aligned, say_json
from tradewind.infra.cli.plain_errors import plain_errors

NAMES: Final = {"days": "session days", "trades": "trades"}


@click.command()
@click.argument("result")
@click.option("--draws", type=int, default=2_000, show_default=True, help="Series that are drawn.")
@click.option("--block", type=float, default=0.0, help="Mean length of a block.  [default: the cube root of the count]")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the draws.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@plain_errors
def simulate(result: str, draws: int, block: float, seed: int, *, as_json: bool) -> None:
    """Draw the trades and the days of a result again, and say what sudden moves would have cost.

    The report of the result has the same with the default numbers.
    """
    from tradewind.connectors.settings import Settings  # noqa: PLC0415 - help comes at once
    from tradewind.streams.backtest.luck import luck  # noqa: PLC0415
    from tradewind.streams.backtest.run import load  # noqa: PLC0415

    of = load(Settings().data, result)
    found = luck(of.summary, of.trades, of.equity, of.daily, draws=draws, seed=seed, block=block)
    if as_json:
        say_json({"result": of.summary["id"], **found}, indent=2)
    else:
        click.echo("\n".join(lines_of(found)))


def lines_of(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield what was drawn as a person reads it."""
    for kind, named in NAMES.items():
        of = found[kind]
        if "why" in of:
            yield f"{named} are not drawn again: {of['why']}"
            continue
        told = f"{of['count']:,} {named}, {of['draws']:,} draws in blocks of {of['block']:.1f}"
        yield f"{told}; {of['loss']:.1%} end with a loss"
        rows = [("", *(f"{float(level):.0%}" for level in of["total_return"]["levels"]), "as it was")]
        for name in ("total_return", "max_drawdown", "sharpe"):
            band = of[name]
            if band is not None:
                rows.append((f"  {name}", *(f"{v:.4f}" for v in (*band["levels"].values(), band["observed"]))))
        yield aligned(rows, right=range(1, len(rows[0])))
    if found["moves"]:
        yield "sudden moves, by the capital"
        rows = [("", "move", "at the largest position", "at the average")]
        rows += [
            (f"  {hit['name']}", f"{hit['move']:.0%}", f"{-hit['at_largest']:.2%}", f"{-hit['at_average']:.2%}")
            for hit in found["moves"]
        ]
        yield aligned(rows, right={1, 2, 3})
