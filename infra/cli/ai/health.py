"""`tradewind ai health`: how the calls of each model under each key ended lately."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from tradewind.infra.cli.output import aligned, say_json
from tradewind.infra.cli.plain_errors import plain_errors

if TYPE_CHECKING:
    from tradewind.connectors.settings import Settings
    from tradewind.processors.health.calls import Health


@click.command()
@click.option("--hours", type=click.IntRange(1, 8_760), default=1, show_default=True, help="How far to look back.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@plain_errors
def health(*, hours: int, as_json: bool) -> None:
    """Show how often calls of each model and key failed, how long answers took, and the last failure."""
    from tradewind.connectors.settings import Settings  # noqa: PLC0415 - help comes at once
    from tradewind.processors.health.calls import merged  # noqa: PLC0415

    found = merged(asyncio.run(_ended(Settings(), hours)))
    if as_json:
        say_json({"hours": hours, "models": [_plain(one) for one in found]}, indent=2)
        return
    if not found:
        click.echo(f"no call ended within {hours:,} h; answers that were kept are no calls")
        return
    rows = [("provider", "model", "key", "calls", "failed", "p50 ms", "p95 ms", "last failure")]
    click.echo(aligned([*rows, *(row(one) for one in found)], right={3, 4, 5, 6}))


def row(one: Health) -> tuple[str, ...]:
    """Return a line of the table."""
    times = ("" if ms is None else f"{ms:,.0f}" for ms in (one.p50_ms, one.p95_ms))
    last = "" if one.last_failed is None else f"{one.last_failure} at {one.last_failed:%Y-%m-%d %H:%M:%S}"
    share = f"{one.failed / one.calls:.1%}"
    return (one.provider, one.model, one.key or "none needed", f"{one.calls:,}", share, *times, last)


def _plain(one: Health) -> dict[str, Any]:
    last = None if one.last_failed is None else one.last_failed.isoformat()
    return {
        "provider": one.provider,
        "model": one.model,
        "key": one.key or None,
        "calls": one.calls,
        "failed": one.failed,
        "p50_ms": one.p50_ms,
        "p95_ms": one.p95_ms,
        "last_failure": one.last_failure,
        "last_failed": last,
        "outcomes": one.outcomes,
    }


async def _ended(settings: Settings, hours: int) -> list[dict[str, Any]]:
    from tradewind.connectors.ai.ended import ENDED  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.postgres.connection import connect  # noqa: PLC0415

    connection = await connect(settings)
    try:
        return [dict(row) for row in await connection.fetch(ENDED, hours, None)]
    finally:
        await connection.close()
