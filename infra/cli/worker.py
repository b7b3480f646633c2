"""`tradewind worker`: run agents by role until told to stop."""

from __future__ import annotations

import asyncio
import logging
import sys

import click

from tradewind.infra.cli.process_log import set_up_log
from tradewind.infra.up.gate import pass_gate


@click.command()
@click.argument("roles", nargs=-1, required=True, metavar="ROLE...")
@click.option("--slot", help="Name of this worker, which no other live worker of the cluster has.  [default: random]")
def worker(roles: tuple[str, ...], *, slot: str | None) -> None:
    """Run the agents of these roles: market, signals, sizing, risk, execution, portfolio."""
    from tradewind.connectors.registry import PATIENT_ATTEMPTS, open_codec  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.settings import Settings  # noqa: PLC0415
    from tradewind.connectors.telemetry.process import telemetry  # noqa: PLC0415
    from tradewind.streams.agents import AGENTS  # noqa: PLC0415
    from tradewind.streams.runtime import RuntimeStopped, run_agents  # noqa: PLC0415

    unknown = [role for role in roles if role not in AGENTS]
    if unknown:
        raise click.UsageError(f"there is no role {unknown[0]!r}; roles are: {', '.join(AGENTS)}")
    set_up_log()
    pass_gate()
    settings = Settings()
    agents = [AGENTS[role](settings) for role in dict.fromkeys(roles)]
    try:
        with telemetry(settings, "-".join(agent.name for agent in agents)) as told:
            codec = open_codec(settings, PATIENT_ATTEMPTS)
            asyncio.run(run_agents(agents, settings, codec, slot=slot, telemetry=told))
    except RuntimeStopped:
        logging.getLogger("tradewind.worker").exception("stopped")  # with what the agent's own code raised
        sys.exit(1)
