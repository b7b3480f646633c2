"""`tradewind ai explain`: what models said of signals."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from tradewind.infra.cli.output import say_json
from tradewind.infra.cli.plain_errors import plain_errors

NEWEST = """
SELECT signal_id, tenant_id, ts_event, status, explanation, provider, model FROM signal_explanations
WHERE $1::text IS NULL OR signal_id = $1 ORDER BY ts_ingest DESC, signal_id LIMIT $2
"""


@click.command()
@click.argument("signal", required=False)
@click.option("--limit", type=click.IntRange(1, 1_000), default=10, show_default=True, help="Explanations to list.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@plain_errors
def explain(signal: str | None, *, limit: int, as_json: bool) -> None:
    """Show the explanation of SIGNAL, by its id. Without SIGNAL, list the newest explanations.

    Signals are explained if TRADEWIND_AI__EXPLAIN is true. Exits with 1 if SIGNAL has no explanation.
    """
    from tradewind.connectors.postgres.connection import connect  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.settings import Settings  # noqa: PLC0415

    settings = Settings()

    async def read() -> list[dict[str, Any]]:
        connection = await connect(settings)
        try:
            return [dict(row) for row in await connection.fetch(NEWEST, signal, limit)]
        finally:
            await connection.close()

    found = asyncio.run(read())
    if not found and signal is not None:
        raise click.ClickException(
            f"there is no explanation of a signal with the event_id {signal}. ./dev consume signals.signals tells the "
            "ids. Signals that are made while TRADEWIND_AI__EXPLAIN is true are explained some seconds later"
        )
    if as_json:
        say_json({"explanations": [{**one, "ts_event": one["ts_event"].isoformat()} for one in found]}, indent=2)
        return
    if not found:
        click.echo("no signal has an explanation: TRADEWIND_AI__EXPLAIN=true asks for them")
    for one in found:
        by = f"{one['provider']} {one['model']}" if one["provider"] else one["status"]
        click.echo(f"{one['signal_id']}  {one['ts_event']:%Y-%m-%d %H:%M:%S}  {by}\n  {one['explanation']}")
