"""`tradewind backtest STRATEGY`: a strategy on recorded quotes, and the results of earlier runs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from tradewind.infra.cli.backtests.checking import check
from tradewind.infra.cli.backtests.options import Paced, Running, asks_for_a_run, named, plan_of
from tradewind.infra.cli.backtests.simulating import simulate
from tradewind.infra.cli.backtests.sweeping import sweep
from tradewind.infra.cli.backtests.walking import walk_forward
from tradewind.infra.cli.output import aligned, say_json
from tradewind.infra.cli.plain_errors import plain_errors

if TYPE_CHECKING:
    from tradewind.streams.backtest.run import Plan

RUN = "run"


class _Backtest(click.Group):
    """A group in which `backtest STRATEGY` is `backtest run STRATEGY`, and `--source` takes several files."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Name the command that is meant."""
        first = next((arg for arg in args if not arg.startswith("-")), None)
        if first is not None and first not in self.commands:
            args = [RUN, *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Backtest)
def backtest() -> None:
    """Run STRATEGY on recorded quotes: `backtest STRATEGY --source FILE...` (`backtest run --help` has the options).

    The agents' own code makes bars, signals, requests, decisions, fills and positions, in this process and in event
    time. It needs no service. Results are in the folder `backtests` of the data folder.
    """


@backtest.command(cls=Running)
@asks_for_a_run
@click.option("--param", "parameters", multiple=True, metavar="NAME=VALUE", help="A parameter of the strategy.")
@click.option("--warmup", type=int, default=0, show_default=True, metavar="BARS", help="Bars before --from: seen only.")
@click.option(
    "--check", "compares", is_flag=True, help="Also run the agents with their topics in memory, and compare each event."
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
@click.option("--quiet", is_flag=True, help="Print no progress.")
@plain_errors
def run(
    parameters: tuple[str, ...],
    warmup: int,
    compares: bool,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
    quiet: bool,  # noqa: FBT001
    **asked: Any,
) -> None:
    """Run STRATEGY: an installed name, FILE.py, FILE.py:CLASS or MODULE:CLASS.

    Exits 1 if the strategy fails, or if --check finds a difference.
    """
    from tradewind.streams.backtest.run import run as run_plan  # noqa: PLC0415 - help comes at once
    from tradewind.streams.backtest.stored import opened  # noqa: PLC0415

    plan = plan_of(asked, named(parameters), warmup)
    data = plan.settings.data
    with opened(plan, data) as whole:
        result = run_plan(whole, data, None if quiet else _Progress())
        if as_json:
            say_json({**result.summary, "folder": str(result.folder)}, indent=2)
        else:
            from tradewind.infra.cli.backtests.shown import text_of  # noqa: PLC0415

            click.echo(text_of(result))
        equal = _checked(whole, quiet=as_json) if compares else True
    sys.exit(0 if equal and result.failed is None else 1)


def _checked(plan: Plan, *, quiet: bool) -> bool:
    """Compare a run with the agents, and say what is equal; return whether all is."""
    from tradewind.testing.equality import compare  # noqa: PLC0415 - it imports every agent

    found = compare(plan)
    for kind in sorted(found.equal.keys() | found.differing.keys()):
        differing = found.differing[kind]
        said = f"{differing:,} differ" if differing else "equal"
        click.echo(f"check: {kind}: {found.equal[kind]:,} events by id and bytes, {said}", err=quiet)
    for one in found.first:
        click.echo(f"check: {one.kind} {one.event_id}: {one.text}", err=True)
    if not found.holds and not found.differing:
        click.echo("check: there was no event to compare", err=True)
    return found.holds


class _Progress(Paced):
    """Prints how far a run is, once a second."""

    def __call__(self, ticks: int, ts_event: int) -> None:
        """Take the quotes so far, and the event time that is reached, µs."""
        from tradewind.connectors.kafka.json_events import time_to_json  # noqa: PLC0415

        self.say(lambda: f"{ticks:,} quotes, event time {time_to_json(ts_event)}")


for command in (check, sweep, walk_forward, simulate):
    backtest.add_command(command)


@backtest.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@plain_errors
def list_results(*, as_json: bool) -> None:
    """List the results of the data folder, the newest last."""
    from tradewind.connectors.settings import Settings  # noqa: PLC0415 - help comes at once
    from tradewind.infra.cli.backtests.shown import line_of  # noqa: PLC0415
    from tradewind.streams.backtest.folder import FOLDER, summaries  # noqa: PLC0415

    data = Settings().data
    found = summaries(data)
    if as_json:
        say_json({"results": found}, indent=2)
    elif not found:
        click.echo(f"there is no result in {data / FOLDER}: ./dev backtest STRATEGY --source FILE makes one")
    else:
        head = ("id", "strategy", "parameters", "instruments", "equity", "fills", "trades")
        click.echo(aligned([head, *map(line_of, found)], right={4, 5, 6}))


@backtest.command()
@click.argument("result")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
@plain_errors
def show(result: str, *, as_json: bool) -> None:
    """Show a result by its id, or by the beginning of its id."""
    from tradewind.connectors.settings import Settings  # noqa: PLC0415 - help comes at once
    from tradewind.infra.cli.backtests.shown import text_of  # noqa: PLC0415
    from tradewind.streams.backtest.run import load  # noqa: PLC0415

    found = load(Settings().data, result)
    if as_json:
        say_json({**found.summary, "folder": str(found.folder)}, indent=2)
    else:
        click.echo(text_of(found))


@backtest.command()
@click.argument("result")
@click.option("--open", "opens", is_flag=True, help="Open it in the browser.")
@plain_errors
def report(result: str, *, opens: bool) -> None:
    """Print where the report of a result is."""
    from tradewind.connectors.settings import Settings  # noqa: PLC0415 - help comes at once
    from tradewind.streams.backtest.run import load  # noqa: PLC0415

    path = load(Settings().data, result).report.absolute()
    click.echo(str(path))
    if opens:
        click.launch(path.as_uri())


@backtest.command()
@click.argument("results", nargs=-1, required=True, metavar="RESULT RESULT...")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@plain_errors
def compare(results: tuple[str, ...], *, as_json: bool) -> None:
    """Show several results side by side: what they were made of, where that differs, and what came of it."""
    from tradewind.connectors.settings import Settings  # noqa: PLC0415 - help comes at once
    from tradewind.infra.cli.backtests.shown import compared  # noqa: PLC0415
    from tradewind.streams.backtest.run import load  # noqa: PLC0415

    if len(results) == 1:
        raise click.UsageError("name two results or more: ./dev backtest list tells their ids")
    data = Settings().data
    found: list[Any] = [load(data, result).summary for result in results]
    rows = compared(found)
    if as_json:
        say_json({"results": [one["id"] for one in found], "rows": {name: cells for name, *cells in rows}}, indent=2)
    else:
        click.echo(aligned([("", *(one["id"] for one in found)), *rows], right=range(1, len(found) + 1)))
