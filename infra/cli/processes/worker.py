"""`tradewind worker`: run agents by name until SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

import click

from tradewind.infra.cli.processes.process_log import set_up_log
from tradewind.infra.cli.processes.stopping import set_from_thread
from tradewind.infra.up.gate import pass_gate

if TYPE_CHECKING:
    from tradewind.connectors.cluster.guard import Guard
    from tradewind.connectors.telemetry.process import Telemetry
    from tradewind.schemas.codec import Codec
    from tradewind.streams.runtime import Timings


@click.command()
@click.argument("roles", nargs=-1, required=True, metavar="ROLE...")
@click.option(
    "--slot", help="Name of this worker. No other running worker of the cluster may have it.  [default: random]"
)
def worker(roles: tuple[str, ...], *, slot: str | None) -> None:
    """Run these agents: tenancy, market, signals, sizing, risk, execution, portfolio, ai, metering, rating.

    Agents of your own are run by their names, too.
    """
    run_roles(roles, slot)


def run_roles(roles: Sequence[str], slot: str | None = None, timings: Timings | None = None) -> None:
    """Run the agents of these names until SIGTERM or Ctrl-C; `timings` default to those of the service.

    Exits with 1 if an agent cannot continue.
    """
    from tradewind.connectors.clock.keeper import clock_kept  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.cluster.guard import guarded  # noqa: PLC0415
    from tradewind.connectors.registry import PATIENT_ATTEMPTS, open_codec  # noqa: PLC0415
    from tradewind.connectors.settings import Settings  # noqa: PLC0415
    from tradewind.connectors.telemetry.process import telemetry  # noqa: PLC0415
    from tradewind.infra.services.disk import tell_disk  # noqa: PLC0415
    from tradewind.streams.agents import agents as every_agent  # noqa: PLC0415
    from tradewind.streams.runtime import RuntimeStopped, Timings, run_agents  # noqa: PLC0415
    from tradewind.topics import CLOCK  # noqa: PLC0415

    known = every_agent()
    unknown = [role for role in roles if role not in known]
    if unknown:
        raise click.UsageError(f"there is no role {unknown[0]!r}; roles are: {', '.join(known)}")
    set_up_log()
    pass_gate()
    settings = Settings()
    agents = [known[role].declare(settings) for role in dict.fromkeys(roles)]
    name = "-".join(agent.name for agent in agents)

    async def run(codec: Codec, told: Telemetry, guard: Guard) -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        guard.start(lambda: set_from_thread(stop, loop))
        reads_clock = any(CLOCK in agent.inputs for agent in agents)
        with clock_kept(settings, codec, f"{platform.node()}/{os.getpid()}") if reads_clock else nullcontext():
            await run_agents(
                agents, settings, codec, slot=slot, telemetry=told, stop=stop, timings=timings or Timings()
            )

    try:
        with telemetry(settings, name) as told, guarded(settings, f"worker {name}", told.health) as guard:
            tell_disk(told.health, settings)
            asyncio.run(run(open_codec(settings, PATIENT_ATTEMPTS), told, guard))
    except RuntimeStopped:
        logging.getLogger("tradewind.worker").exception("stopped")  # with what the agent's own code raised
        sys.exit(1)
