"""`tradewind backtest check STRATEGY`: what the strategy depends on besides its bars and its memory."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from tradewind.infra.cli.backtests.options import Paced, Running, asks_for_a_run, named, plan_of
from tradewind.infra.cli.output import aligned, say_json
from tradewind.infra.cli.plain_errors import plain_errors

if TYPE_CHECKING:
    from tradewind.streams.backtest.checking.probes import Checked, Probe


@click.command(cls=Running)
@asks_for_a_run
@click.option("--param", "parameters", multiple=True, metavar="NAME=VALUE", help="A parameter of the strategy.")
@click.option("--times", type=int, default=50, show_default=True, help="Times after which all data are replaced.")
@click.option(
    "--warmup", type=int, default=0, metavar="BARS", help="After so many bars, the signals forget where data began."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--quiet", is_flag=True, help="Print no progress.")
@plain_errors
def check(
    parameters: tuple[str, ...],
    times: int,
    warmup: int,
    as_json: bool,  # noqa: FBT001
    quiet: bool,  # noqa: FBT001
    **asked: Any,
) -> None:
    """Check that STRATEGY knows its bars and its memory only, and not the future.

    Exits 1 if a decision up to a time depends on later data, if a decision depends on where the quotes are cut or on
    the process, or if the strategy reads the clock, draws random numbers, or opens files or connections.
    """
    from tradewind.infra.services.guard import guarded  # noqa: PLC0415 - help comes at once
    from tradewind.streams.backtest.checking.made import Made  # noqa: PLC0415
    from tradewind.streams.backtest.checking.probes import check as check_plan  # noqa: PLC0415
    from tradewind.streams.backtest.stored import opened  # noqa: PLC0415

    given = named(parameters)
    plan = plan_of(asked, given)
    made, data, paced = Made.of(asked["strategy"], given), plan.settings.data, Paced()

    def tell(name: str, done: int, of: int) -> None:
        if not quiet:
            paced.say(lambda: f"{name}: {done:,} of {of:,} runs")

    with opened(plan, data) as whole, guarded():
        found = check_plan(whole, made, data, times=times, warmup=warmup, seed=asked["seed"], progress=tell)
    if as_json:
        say_json(found.to_json(), indent=2)
    else:
        click.echo(text_of(found))
    sys.exit(0 if found.holds else 1)


def text_of(found: Checked) -> str:
    """Return what was found as a person reads it."""
    lines = [("", f"{found.quotes:,} quotes, {found.decisions:,} decisions of {found.strategy}")]
    lines += [(_mark(probe), f"{probe.name}: {probe.said}") for probe in found.probes]
    if not found.holds:
        lines.append(("", f"found: {found.first}"))
    return aligned(lines)


def _mark(probe: Probe) -> str:
    return "-" if probe.skipped else "FOUND" if probe.failed else "ok"
