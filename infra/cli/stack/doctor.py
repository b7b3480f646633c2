"""`tradewind doctor`: what this machine lacks, and what to do."""

from __future__ import annotations

import sys

import click


@click.command()
@click.option("--base-port", type=click.IntRange(1024, 65_000), envvar="TRADEWIND_BASE_PORT", help="First port.")
def doctor(*, base_port: int | None) -> None:
    """Check Python, memory, disk, ports, services and processes. If something is wrong, exit 1."""
    from tradewind.connectors.settings import Settings  # noqa: PLC0415 - help comes at once
    from tradewind.infra.up.doctor import examine  # noqa: PLC0415

    settings = Settings()
    findings = examine(settings, settings.data.absolute(), base_port)
    for finding in findings:
        click.secho(f"{'ok ' if finding.well else 'NO '} ", fg="green" if finding.well else "red", nl=False)
        click.echo(f"{finding.what}: {finding.found}" + ("" if finding.well else f"\n    {finding.remedy}"))
    sys.exit(0 if all(finding.well for finding in findings) else 1)
