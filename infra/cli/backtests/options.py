"""What all commands that run a strategy take: the strategy, its quotes, and the rules of the venue."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from tradewind.streams.backtest.run import Plan

TELL_S: Final = 1.0  # between lines of progress
SOURCE: Final = "--source"
F = Callable[..., Any]
OPTIONS: Final = (
    click.argument("strategy"),
    click.option(
        SOURCE,
        "sources",
        multiple=True,
        required=True,
        metavar="FILE...",
        help="Files of quotes, a feed, kafka, questdb, archive, or simulator.",
    ),
    click.option("--symbols", default="", metavar="A,B", help="Only these symbols.  [default: all of the sources]"),
    click.option("--from", "start", metavar="TIME", help="Quotes from this time on, such as 2014-05-01T09:30, in UTC."),
    click.option("--to", "stop", metavar="TIME", help="Quotes before this time."),
    click.option(
        "--tenant", metavar="TENANT", help="Whose sizes and limits apply.  [default: the first of the settings]"
    ),
    click.option("--capital", default="100000", show_default=True, help="What the tenant begins with."),
    click.option("--latency-ms", type=int, metavar="MS", help="Of the venue.  [default: TRADEWIND_VENUE_LATENCY_MS]"),
    click.option(
        "--slippage-ticks", type=int, metavar="TICKS", help="By which market orders fill worse than the quote."
    ),
    click.option("--fee-bps", metavar="BPS", help="Fee of each fill, in hundredths of a percent of its worth."),
    click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of the simulator."),
    click.option("--rate", type=float, default=10.0, show_default=True, help="Quotes a second of the simulator."),
    click.option(
        "--model",
        type=click.Choice(("gbm", "merton", "garch")),
        help="How the simulator's prices move.  [default: trends, calm and unrest in turn]",
    ),
)


class Running(click.Command):
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


def asks_for_a_run(command: F) -> F:
    """Give a function the argument and the options of a run; it takes them as `**asked`, for `plan_of`."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def plan_of(asked: dict[str, Any], parameters: dict[str, str], warmup: int = 0) -> Plan:
    """Return the plan that was asked for. Raises `BacktestError` and `FeedError`."""
    from tradewind.streams.backtest.planning import planned  # noqa: PLC0415 - help comes at once

    given = dict(asked)
    symbols = [symbol for symbol in given.pop("symbols").split(",") if symbol]
    strategy, sources = given.pop("strategy"), given.pop("sources")
    return planned(strategy, sources, parameters=parameters, symbols=symbols, warmup=warmup, **given)


def named(given: tuple[str, ...]) -> dict[str, str]:
    """Return the values of NAME=VALUE by name."""
    found: dict[str, str] = {}
    for one in given:
        name, is_given, value = one.partition("=")
        if not is_given:
            raise click.UsageError(f"--param {one!r} is no NAME=VALUE")
        if name in found:
            raise click.UsageError(f"--param {name} is given twice")
        found[name] = value
    return found


class Paced:
    """Lets a line of progress through once a second."""

    def __init__(self) -> None:
        self._told = time.monotonic()

    def say(self, line: Callable[[], str]) -> None:
        """Print a line to standard error, if it is time."""
        now = time.monotonic()
        if now - self._told >= TELL_S:
            self._told = now
            click.echo(line(), err=True)
