"""`tradewind replay`: copy topics to another namespace, or run an agent's journal again and compare."""

from __future__ import annotations

import os
import secrets
import sys
from typing import TYPE_CHECKING, Literal, NoReturn

import click

from tradewind.infra.cli.output import say_json
from tradewind.infra.cli.plain_errors import plain_errors

if TYPE_CHECKING:
    from tradewind.streams.replay import Verified

SEEDS = 2**32 - 1  # the largest PYTHONHASHSEED
CHILD = "TRADEWIND_REPLAY_CHILD"
"""Set in the process that verifies: it has a hash seed of its own, so that what depends on the order of a set shows."""


class _Speed(click.ParamType):
    """A number, or `max`."""

    name = "speed"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float | None:
        """Read what was typed; None is as fast as it goes."""
        if value == "max":
            return None
        try:
            return float(str(value))
        except ValueError:
            self.fail(f"{value!r} is neither a number nor max", param, ctx)


@click.command()
@click.argument("topics", nargs=-1, metavar="[TOPIC...]")
@click.option("--into", metavar="NAMESPACE", help="Copy the topics to this namespace.")
@click.option("--from", "start", metavar="TIME", help="Records from this time on; with --verify, a journal entry.")
@click.option("--to", "stop", metavar="TIME", help="Records before this time.")
@click.option(
    "--by",
    type=click.Choice(["event", "ingest"]),
    default="event",
    show_default=True,
    help="Whether --from, --to and --speed mean the event's time, or the time at which it came in.",
)
@click.option("--speed", type=_Speed(), default="max", help="A factor of that time, or max.  [default: max]")
@click.option(
    "--source", type=click.Choice(["kafka", "archive"]), default="kafka", show_default=True, help="Where to read."
)
@click.option("--compare", "compares", is_flag=True, help="Compare the topics of both namespaces, and copy nothing.")
@click.option("--drop", "drops", is_flag=True, help="Remove the namespace, after asking.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--verify", "agent", metavar="AGENT", help="Repeat the journal of this agent, and compare.")
@click.option("--partition", "-p", "partitions", type=int, multiple=True, help="With --verify: only this task.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@plain_errors
def replay(
    topics: tuple[str, ...],
    *,
    into: str | None,
    start: str | None,
    stop: str | None,
    by: Literal["event", "ingest"],
    speed: float | None,
    source: str,
    compares: bool,
    drops: bool,
    yes: bool,
    agent: str | None,
    partitions: tuple[int, ...],
    as_json: bool,
) -> None:
    """Copy a slice of topics to another namespace (--into), or repeat what an agent did (--verify).

    A copy keeps keys, values, partitions, order, headers and record times. A copy that was stopped or killed goes on
    where it was. --compare lists what is equal, missing, extra and different by topic; it exits 1 if anything differs,
    or if nothing could be compared.

    --verify processes an agent's journaled inputs again, in another process, and compares the results byte by byte. It
    exits 1 if something differs or nothing could be compared.
    """
    if (agent is None) == (into is None):
        raise click.UsageError("give --verify AGENT, or TOPIC... --into NAMESPACE")
    if agent is not None:
        if topics or stop is not None or compares or drops:
            raise click.UsageError("--verify takes an agent, --partition and --from only")
        verify_agent(agent, partitions, _entry(start), as_json=as_json)
    assert into is not None
    if partitions:
        raise click.UsageError("--partition goes with --verify")
    from tradewind.infra.cli.trading.copying import Wanted, compare, copy, drop  # noqa: PLC0415 - help comes at once

    if drops:
        if topics or compares:
            raise click.UsageError("--drop removes the whole namespace: name no topic")
        drop(into, yes=yes)
        return
    if not topics:
        raise click.UsageError("name the topics to copy, such as market.ticks; ./dev topics list shows them")
    wanted = Wanted(topics, into, start, stop, by, speed, source, as_json)
    if compares:
        compare(wanted)
    else:
        copy(wanted)


def _entry(start: str | None) -> int | None:
    if start is None:
        return None
    if not start.isdecimal():
        raise click.UsageError(f"--from {start!r}: with --verify, give the number of a journal entry")
    return int(start)


def verify_agent(agent: str, partitions: tuple[int, ...], wanted: int | None, *, as_json: bool) -> NoReturn:
    """Repeat an agent's journal, and exit."""
    if CHILD not in os.environ:
        sys.exit(_in_another_process())
    from tradewind.connectors.registry import open_codec  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.settings import Settings  # noqa: PLC0415
    from tradewind.streams.agents import agents  # noqa: PLC0415
    from tradewind.streams.replay import verify  # noqa: PLC0415

    known = agents()
    if agent not in known:
        raise click.UsageError(f"there is no agent {agent!r}; agents are: {', '.join(known)}")
    settings = Settings()
    make, codec = known[agent].declare, open_codec(settings)
    count = make(settings).partitions
    for partition in partitions:
        if not 0 <= partition < count:
            raise click.UsageError(f"{agent} has partitions 0 to {count - 1}, not {partition}")
    results = []
    for partition in partitions or range(count):
        results.append(verify(make, settings, codec, partition, wanted))
        if not as_json:
            click.echo(results[-1].text())
    if as_json:
        say_json({"agent": agent, "equal": equal(results), "tasks": [of.to_json() for of in results]})
    sys.exit(0 if equal(results) else 1)


def equal(results: list[Verified]) -> bool:
    """Whether something was compared, and nothing differs; tasks that did nothing, or lack inputs, are noted only."""
    return any(result.equal for result in results) and not any(result.difference for result in results)


def _in_another_process() -> int:
    """Run the same command with a hash seed that no worker has by chance; return its exit code."""
    from tradewind.infra.services.guard import run  # noqa: PLC0415 - help comes at once

    seed = str(1 + secrets.randbelow(SEEDS))
    environment = {**os.environ, CHILD: "1", "PYTHONHASHSEED": seed}
    command = [sys.executable, "-P", "-m", "tradewind.infra.cli", *sys.argv[1:]]
    return run(command, env=environment)
