"""`tradewind backtest walk-forward STRATEGY`: choose parameters on one part of time, and trade the next one."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from tradewind.infra.cli.backtests.options import Paced, Running, asks_for_a_run
from tradewind.infra.cli.backtests.sweeping import (
    AS_JSON,
    INTERRUPTED,
    QUIET,
    RANKED_BY,
    SETS,
    asked_for,
    parameters_of,
)
from tradewind.infra.cli.output import aligned, say_json
from tradewind.infra.cli.plain_errors import plain_errors

if TYPE_CHECKING:
    from tradewind.streams.backtest.sweeps.walking import Walk


@click.command("walk-forward", cls=Running)
@asks_for_a_run
@SETS
@click.option("--train", required=True, metavar="SPAN", help="How long each training window is, such as 5d or 12h.")
@click.option("--test", required=True, metavar="SPAN", help="How long each test window is, such as 1d.")
@click.option("--warmup", type=int, default=0, show_default=True, metavar="BARS", help="Bars before each window.")
@RANKED_BY
@click.option("--processes", type=int, metavar="N", help="Of the sweeps.  [default: one for each core]")
@AS_JSON
@QUIET
@plain_errors
def walk_forward(  # noqa: PLR0917 - click passes them by name
    parameters: tuple[str, ...],
    train: str,
    test: str,
    warmup: int,
    by: str,
    processes: int | None,
    as_json: bool,  # noqa: FBT001
    quiet: bool,  # noqa: FBT001
    **asked: Any,
) -> None:
    """Walk forward with STRATEGY: the best set of each training window trades the test window that follows.

    The test windows, joined, are the result: no set was chosen on what it trades. Ctrl-C keeps the windows that are
    done.
    """
    from tradewind.infra.services.guard import guarded  # noqa: PLC0415 - help comes at once
    from tradewind.streams.backtest.stored import opened  # noqa: PLC0415
    from tradewind.streams.backtest.sweeps.outcomes import default_processes  # noqa: PLC0415
    from tradewind.streams.backtest.sweeps.walking import walk  # noqa: PLC0415
    from tradewind.streams.backtest.sweeps.windows import span_us  # noqa: PLC0415

    spans = span_us(train, "--train"), span_us(test, "--test")
    made, sets, plan = asked_for(asked, parameters, warmup)
    data, paced = plan.settings.data, Paced()

    def tell(window: int, of_windows: int, done: int, of: int) -> None:
        if not quiet:
            paced.say(lambda: f"window {window + 1:,} of {of_windows:,}: {done:,} of {of:,} sets")

    with opened(plan, data) as whole, guarded():
        count = processes or default_processes()
        found = walk(whole, made, sets, data, *spans, by=by, processes=count, progress=tell)
    if as_json:
        say_json({**found.summary, "folder": str(found.folder)}, indent=2)
    else:
        click.echo("\n".join(lines_of(found)))
    if found.interrupted:
        click.echo("interrupted: the windows that were done are kept", err=True)
        sys.exit(INTERRUPTED)


def lines_of(found: Walk) -> Iterator[str]:
    """Yield what a walk-forward came to as a person reads it."""
    from tradewind.infra.cli.backtests.shown import number  # noqa: PLC0415 - help comes at once

    of = found.summary
    rows = [("test from", "until", "set", "in training", "return", "trades"), *map(_row, of["windows"])]
    yield aligned(rows, right={3, 4, 5})
    yield f"equity out of sample  {Decimal(of['equity']):,.2f} of {Decimal(of['capital']):,.2f}"
    yield aligned([("  " + name, number(value)) for name, value in of["metrics"].items()])
    yield from (f"no {name}: {why}" for name, why in of["without_value"].items())
    yield f"report  {found.report}"


def _row(of: Mapping[str, Any]) -> tuple[str, ...]:
    from tradewind.connectors.kafka.json_events import time_to_json  # noqa: PLC0415 - help comes at once
    from tradewind.infra.cli.backtests.shown import number  # noqa: PLC0415

    times = tuple(str(time_to_json(of[name]))[:16] for name in ("test_start", "test_stop"))
    if "skipped" in of:
        return (*times, of["skipped"], "", "", "")
    return (*times, parameters_of(of), number(of["in_training"]), f"{of['return']:.2%}", f"{of['trades']:,}")
