"""`tradewind worker`: run agents by role until told to stop."""

from __future__ import annotations

import click


@click.command()
@click.argument("roles", nargs=-1, required=True, metavar="ROLE...")
def worker(roles: tuple[str, ...]) -> None:
    """Run the agents of these roles: market, signals, sizing, risk, execution, portfolio."""
    from tradewind.connectors.registry import open_codec  # noqa: PLC0415 - help comes at once

    from tradewind.connectors.settings import Settings  # noqa: PLC0415
    from tradewind.streams.agents import AGENTS  # noqa: PLC0415
    from tradewind.streams.runtime import run_agents  # noqa: PLC0415

    unknown = [role for role in roles if role not in AGENTS]
    if unknown:
        raise click.UsageError(f"there is no role {unknown[0]!r}; roles are: {', '.join(AGENTS)}")
    settings = Settings()
    run_agents([AGENTS[role](settings) for role in dict.fromkeys(roles)], settings, open_codec(settings))
