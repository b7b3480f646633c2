"""`tradewind replay --verify AGENT`: run an agent's journal again, and compare it with what it did."""

from __future__ import annotations

import os
import secrets
import sys
from typing import TYPE_CHECKING

import click

from tradewind.infra.cli.output import say_json
from tradewind.infra.cli.plain_errors import plain_errors

if TYPE_CHECKING:
    from tradewind.streams.replay import Verified

SEEDS = 2**32 - 1  # the largest PYTHONHASHSEED
CHILD = "TRADEWIND_REPLAY_CHILD"
"""Set in the process that verifies: it has a hash seed of its own, so that what depends on the order of a set shows."""


@click.command()
@click.option("--verify", "agent", metavar="AGENT", required=True, help="The agent to verify.")
@click.option("--partition", "-p", "partitions", type=int, multiple=True, help="Only this task.  [default: all]")
@click.option("--from", "wanted", type=click.IntRange(min=0), metavar="SEQ", help="Begin with this journal entry.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@plain_errors
def replay(agent: str, partitions: tuple[int, ...], *, wanted: int | None, as_json: bool) -> None:
    """Process an agent's journaled inputs again, in another process, and compare the results byte by byte.

    Exits 0 if everything that was compared is equal, and 1 if something differs or nothing could be compared.
    """
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
