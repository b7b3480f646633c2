"""`tradewind backtest STRATEGY`: a strategy on recorded quotes, and the results of earlier runs."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import click

from tradewind.infra.cli.output import aligned, say_json
from tradewind.infra.cli.plain_errors import plain_errors

if TYPE_CHECKING:
    from tradewind.streams.backtest.run import Plan

TELL_S = 1.0  # between lines of progress
SOURCE = "--source"
RUN = "run"


class _Backtest(click.Group):
    """A group in which `backtest STRATEGY` is `backtest run STRATEGY`, and `--source` takes several files."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Name the command that is meant."""
        first = next((arg for arg in args if not arg.startswith("-")), None)
        if first is not None and first not in self.commands:
            args = [RUN, *args]
        return super().parse_args(ctx, args)


class _Run(click.Command):
    """A command whose `--source A B` is `--source A --source B`, as a shell writes `--source *.zip`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Repeat the option before each file."""
        found: list[str] = []
        taking = False
        for arg in args:
            if arg == SOURCE:
                taking = True
            elif taking and not arg.startswith("-"):
                found += [SOURCE, arg]
            else:
                taking = False
                found.append(arg)
        return super().parse_args(ctx, found)


@click.group(cls=_Backtest)
def backtest() -> None:
    """Run STRATEGY on recorded quotes: `backtest STRATEGY --source FILE...` (`backtest run --help` has the options).

    The agents' own code makes bars, signals, requests, decisions, fills and positions, in this process and in event
    time. It needs no service. Results are in the folder `backtests` of the data folder.
    """


@backtest.command(cls=_Run)
@click.argument("strategy")
@click.option(
    SOURCE,
    "sources",
    multiple=True,
    required=True,
    metavar="FILE...",
    help="Files of quotes, a feed, kafka, questdb, archive, or simulator.",
)
@click.option("--symbols", default="", metavar="A,B", help="Only these symbols.  [default: all of the sources]")
@click.option("--from", "start", metavar="TIME", help="Quotes from this time on, such as 2014-05-01T09:30, in UTC.")
@click.option("--to", "stop", metavar="TIME", help="Quotes before this time.")
@click.option("--param", "parameters", multiple=True, metavar="NAME=VALUE", help="A parameter of the strategy.")
@click.option("--tenant", metavar="TENANT", help="Whose sizes and limits apply.  [default: the first of the settings]")
@click.option("--capital", default="100000", show_default=True, help="What the tenant begins with.")
@click.option("--latency-ms", type=int, metavar="MS", help="Of the venue.  [default: TRADEWIND_VENUE_LATENCY_MS]")
@click.option("--slippage-ticks", type=int, metavar="TICKS", help="By which market orders fill worse than the quote.")
@click.option("--fee-bps", metavar="BPS", help="Fee of each fill, in hundredths of a percent of its worth.")
@click.option("--warmup", type=int, default=0, show_default=True, metavar="BARS", help="Bars before --from: seen only.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of the simulator.")
@click.option("--rate", type=float, default=10.0, show_default=True, help="Quotes a second of the simulator.")
@click.option("--check", is_flag=True, help="Also run the agents with their topics in memory, and compare each event.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
@click.option("--quiet", is_flag=True, help="Print no progress.")
@plain_errors
def run(  # noqa: PLR0917 - click passes them by name
    strategy: str,
    sources: tuple[str, ...],
    symbols: str,
    start: str | None,
    stop: str | None,
    parameters: tuple[str, ...],
    tenant: str | None,
    capital: str,
    latency_ms: int | None,
    slippage_ticks: int | None,
    fee_bps: str | None,
    warmup: int,
    seed: int,
    rate: float,
    check: bool,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
    quiet: bool,  # noqa: FBT001
) -> None:
    """Run STRATEGY: an installed name, FILE.py, FILE.py:CLASS or MODULE:CLASS.

    Exits 1 if the strategy fails, or if --check finds a difference.
    """
    from tradewind.connectors.settings import Settings  # noqa: PLC0415 - help comes at once
    from tradewind.streams.backtest.planning import planned  # noqa: PLC0415
    from tradewind.streams.backtest.run import run as run_plan  # noqa: PLC0415
    from tradewind.streams.backtest.stored import opened  # noqa: PLC0415

    settings = Settings()
    plan = planned(
        strategy,
        sources,
        parameters=_parameters(parameters),
        symbols=[symbol for symbol in symbols.split(",") if symbol],
        start=start,
        stop=stop,
        tenant=tenant,
        capital=capital,
        latency_ms=latency_ms,
        slippage_ticks=slippage_ticks,
        fee_bps=fee_bps,
        warmup=warmup,
        seed=seed,
        rate=rate,
        settings=settings,
    )
    with opened(plan, settings.data) as whole:
        result = run_plan(whole, settings.data, None if quiet else _Progress())
        if as_json:
            say_json({**result.summary, "folder": str(result.folder)}, indent=2)
        else:
            from tradewind.infra.cli.backtests.shown import text_of  # noqa: PLC0415

            click.echo(text_of(result))
        equal = _checked(whole, quiet=as_json) if check else True
    sys.exit(0 if equal and result.failed is None else 1)


def _parameters(given: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in given:
        name, is_given, value = one.partition("=")
        if not is_given:
            raise click.UsageError(f"--param {one!r} is no NAME=VALUE")
        if name in found:
            raise click.UsageError(f"--param {name} is given twice")
        found[name] = value
    return found


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


class _Progress:
    """Prints how far a run is, once a second."""

    def __init__(self) -> None:
        self._told = time.monotonic()

    def __call__(self, ticks: int, ts_event: int) -> None:
        """Take the quotes so far, and the event time that is reached, µs."""
        from tradewind.connectors.kafka.json_events import time_to_json  # noqa: PLC0415

        now = time.monotonic()
        if now - self._told >= TELL_S:
            self._told = now
            click.echo(f"{ticks:,} quotes, event time {time_to_json(ts_event)}", err=True)


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
