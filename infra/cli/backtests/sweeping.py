"""`tradewind backtest sweep STRATEGY`: every combination of parameters on the same quotes."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from tradewind.infra.cli.backtests.options import Paced, Running, asks_for_a_run, named, plan_of
from tradewind.infra.cli.output import aligned, say_json
from tradewind.infra.cli.plain_errors import plain_errors

if TYPE_CHECKING:
    from tradewind.streams.backtest.checking.made import Made
    from tradewind.streams.backtest.run import Plan
    from tradewind.streams.backtest.sweeps.sweep import Sweep

SETS: Final = click.option(
    "--param",
    "parameters",
    multiple=True,
    required=True,
    metavar="NAME=VALUES",
    help="Values of a parameter: 5:15, 5:15:5, 20,30, or one.",
)
RANKED_BY: Final = click.option(
    "--by", default="sharpe", show_default=True, metavar="METRIC", help="Which metric ranks the sets."
)
AS_JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
QUIET: Final = click.option("--quiet", is_flag=True, help="Print no progress.")
TOLD: Final = 10  # sets that are printed
TOLD_FAILURES: Final = 5
SHOWN: Final = ("total_return", "sharpe", "max_drawdown_intraday", "profit_factor", "trades")
INTERRUPTED: Final = 130  # the exit code of a command that Ctrl-C ended


@click.command(cls=Running)
@asks_for_a_run
@SETS
@click.option("--warmup", type=int, default=0, show_default=True, metavar="BARS", help="Bars before --from: seen only.")
@RANKED_BY
@click.option("--processes", type=int, metavar="N", help="Of the sweep.  [default: one for each core]")
@AS_JSON
@QUIET
@plain_errors
def sweep(  # noqa: PLR0917 - click passes them by name
    parameters: tuple[str, ...],
    warmup: int,
    by: str,
    processes: int | None,
    as_json: bool,  # noqa: FBT001
    quiet: bool,  # noqa: FBT001
    **asked: Any,
) -> None:
    """Run STRATEGY with each combination of the given parameters.

    The quotes are read once, and bars are made once for all sets. Sets that the strategy refuses are reported, and the
    others go on. Ctrl-C keeps the sets that are done. Exits 1 if no set was run to its end.
    """
    from tradewind.infra.services.guard import guarded  # noqa: PLC0415 - help comes at once
    from tradewind.streams.backtest.stored import opened  # noqa: PLC0415
    from tradewind.streams.backtest.sweeps.outcomes import default_processes  # noqa: PLC0415
    from tradewind.streams.backtest.sweeps.sweep import sweep as run_sweep  # noqa: PLC0415

    made, sets, plan = asked_for(asked, parameters, warmup)
    data, paced = plan.settings.data, Paced()

    def tell(done: int, of: int, failed: int) -> None:
        if not quiet:
            paced.say(lambda: f"{done:,} of {of:,} sets, {failed:,} failed")

    with opened(plan, data) as whole, guarded():
        count = processes or default_processes()
        found = run_sweep(whole, made, sets, data, by=by, processes=count, progress=tell)
    if as_json:
        say_json({**found.summary, "folder": str(found.folder)}, indent=2)
    else:
        click.echo("\n".join(lines_of(found)))
    if found.interrupted:
        click.echo("interrupted: the sets that were done are kept", err=True)
        sys.exit(INTERRUPTED)
    sys.exit(0 if found.summary["ranking"]["order"] else 1)


def asked_for(
    asked: dict[str, Any], parameters: tuple[str, ...], warmup: int
) -> tuple[Made, Sequence[Mapping[str, str]], Plan]:
    """Return a strategy, its sets of parameters, and the plan of the first that it takes.

    Raises `BacktestError` and `FeedError`.
    """
    from tradewind.streams.backtest.checking.made import Made  # noqa: PLC0415 - help comes at once
    from tradewind.streams.backtest.sweeps.grid import grid  # noqa: PLC0415
    from tradewind.streams.backtest.sweeps.sweep import first_sound  # noqa: PLC0415

    sets = grid(named(parameters))
    made = Made.of(asked["strategy"])
    return made, sets, plan_of(asked, dict(first_sound(made, sets)), warmup)


def lines_of(found: Sweep) -> Iterator[str]:
    """Yield what a sweep found as a person reads it."""
    of = found.summary
    ranking, failed = of["ranking"], [one for one in of["outcomes"] if "failed" in one]
    yield f"{len(of['outcomes']):,} of {len(of['sets']):,} sets on {of['quotes']:,} quotes, {len(failed):,} failed"
    for one in failed[:TOLD_FAILURES]:
        yield f"  {parameters_of(one)}: {one['failed']}"
    if len(failed) > TOLD_FAILURES:
        yield f"  and {len(failed) - TOLD_FAILURES:,} more: they are in the report"
    by_number = {one["set"]: one for one in of["outcomes"]}
    best = [by_number[number] for number in ranking["order"][:TOLD]]
    if best:
        yield from _best(best, ranking)
    yield f"report  {found.report}"


def _best(best: Sequence[Mapping[str, Any]], ranking: Mapping[str, Any]) -> Iterator[str]:
    from tradewind.infra.cli.backtests.shown import number  # noqa: PLC0415 - help comes at once

    yield f"the best {len(best)}, by {ranking['by']}" + (f" ({ranking['note']})" if ranking["note"] else "")
    names = [*best[0]["parameters"]]
    rows = [(*names, *SHOWN)]
    rows += [
        (*(str(one["parameters"][name]) for name in names), *(number(one["metrics"][name]) for name in SHOWN))
        for one in best
    ]
    yield aligned(rows, right=range(len(rows[0])))
    deflated = ranking["deflated_sharpe"]
    if "value" in deflated:
        yield (
            f"deflated Sharpe ratio of the best: {deflated['value']:.4f} after {deflated['trials']:,} trials "
            f"(a day: {deflated['sharpe']:.4f}, expected of luck {deflated['expected']:.4f})"
        )
    else:
        yield f"no deflated Sharpe ratio: {deflated['why']}"


def parameters_of(one: Mapping[str, Any]) -> str:
    """Return a set as `--param` takes it."""
    return " ".join(f"{name}={value}" for name, value in one["parameters"].items())
