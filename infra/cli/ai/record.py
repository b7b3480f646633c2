"""`tradewind ai record`: a recording of the answers on the log, for replays and backtests."""

from __future__ import annotations

from pathlib import Path

import click

from tradewind.infra.cli.known_tenants import require_tenant
from tradewind.infra.cli.plain_errors import plain_errors


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--tenant", help="Only the answers to this tenant.")
@plain_errors
def record(file: Path, *, tenant: str | None) -> None:
    """Write the answers on ai.attempts to FILE, by the digests of their requests.

    The provider `recording` answers from such a file (docs/asking.md). Of equal requests, the first answer is recorded.
    A FILE that is there is replaced at the end.
    """
    from tradewind.connectors.ai.recording import from_log, write  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.registry import open_codec  # noqa: PLC0415
    from tradewind.connectors.settings import Settings  # noqa: PLC0415

    settings = Settings()
    found = from_log(settings, open_codec(settings), tenant)
    if not found.answers:
        require_tenant(tenant, settings)
        whose = "" if tenant is None else f" to {tenant}"
        raise click.ClickException(f"no answer{whose} is on ai.attempts, so that there is nothing to record")
    write(found, file)
    click.echo(f"{file}: {len(found.answers):,} answers")
