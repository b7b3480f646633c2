"""`tradewind worker`: run agents by role until told to stop."""

from __future__ import annotations

import asyncio
import logging
import sys

import click

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


@click.command()
@click.argument("roles", nargs=-1, required=True, metavar="ROLE...")
@click.option("--slot", help="Name of this worker, which no other live worker of the cluster has.  [default: random]")
def worker(roles: tuple[str, ...], *, slot: str | None) -> None:
    """Run the agents of these roles: market, signals, sizing, risk, execution, portfolio."""
    from tradewind.connectors.registry import PATIENT_ATTEMPTS, open_codec  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.settings import Settings  # noqa: PLC0415
    from tradewind.streams.agents import AGENTS  # noqa: PLC0415
    from tradewind.streams.runtime import RuntimeStopped, run_agents  # noqa: PLC0415

    unknown = [role for role in roles if role not in AGENTS]
    if unknown:
        raise click.UsageError(f"there is no role {unknown[0]!r}; roles are: {', '.join(AGENTS)}")
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT, stream=sys.stderr)
    settings = Settings()
    agents = [AGENTS[role](settings) for role in dict.fromkeys(roles)]
    try:
        asyncio.run(run_agents(agents, settings, open_codec(settings, PATIENT_ATTEMPTS), slot=slot))
    except RuntimeStopped:
        logging.getLogger("tradewind.worker").exception("stopped")  # with what the agent's own code raised
        sys.exit(1)
