"""`tradewind ai health`: how the calls of each model under each key ended lately."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

import click

from tradewind.infra.cli.output import aligned, say_json
from tradewind.infra.cli.plain_errors import plain_errors

if TYPE_CHECKING:
    from tradewind.connectors.settings import Settings
    from tradewind.processors.ai.outcomes import Outcome

ENDED = """
SELECT provider, model, coalesce(key_id, '') AS key_id, outcome, count(*) AS calls, max(ts_event) AS last,
    percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY total_us) AS took_us
FROM ai_attempts WHERE source = 'PROVIDER' AND ts_ingest > now() - $1 * interval '1 hour'
GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
"""


@dataclass(slots=True)
class Health:
    """How the calls of a model under a key ended."""

    provider: str
    model: str
    key: str
    """Id of the key; empty for a provider that needs none."""
    calls: int = 0
    failed: int = 0
    """Calls whose end a breaker takes for a failure."""
    p50_ms: float | None = None
    """Of the calls that were answered."""
    p95_ms: float | None = None
    last_failure: str | None = None
    last_failed: datetime | None = None
    outcomes: dict[str, int] = field(default_factory=dict)


@click.command()
@click.option("--hours", type=click.IntRange(1, 8_760), default=1, show_default=True, help="How far to look back.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@plain_errors
def health(*, hours: int, as_json: bool) -> None:
    """Show how often calls of each model and key failed, how long answers took, and the last failure."""
    from tradewind.connectors.settings import Settings  # noqa: PLC0415 - help comes at once

    found = merged(asyncio.run(_ended(Settings(), hours)))
    if as_json:
        say_json({"hours": hours, "models": [_plain(one) for one in found]}, indent=2)
        return
    if not found:
        click.echo(f"no call ended within {hours:,} h; answers that were kept are no calls")
        return
    rows = [("provider", "model", "key", "calls", "failed", "p50 ms", "p95 ms", "last failure")]
    click.echo(aligned([*rows, *(row(one) for one in found)], right={3, 4, 5, 6}))


def merged(rows: Iterable[Mapping[str, Any]]) -> list[Health]:
    """Return the health of each model and key, of rows for each of their outcomes."""
    from tradewind.processors.ai.outcomes import RULES  # noqa: PLC0415 - help comes at once

    found: dict[tuple[str, str, str], Health] = {}
    for one in rows:
        place = (str(one["provider"]), str(one["model"]), str(one["key_id"]))
        of = found.setdefault(place, Health(*place))
        outcome, calls = str(one["outcome"]), int(one["calls"])
        of.calls += calls
        of.outcomes[outcome] = calls
        if outcome == "OK":
            of.p50_ms, of.p95_ms = (float(each) / 1_000 for each in cast("Sequence[float]", one["took_us"]))
        elif RULES[cast("Outcome", outcome)].breaker != "NOTHING":
            of.failed += calls
            if of.last_failed is None or one["last"] > of.last_failed:
                of.last_failure, of.last_failed = outcome, one["last"]
    return list(found.values())


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
    from tradewind.connectors.postgres.connection import connect  # noqa: PLC0415 - help comes at once

    connection = await connect(settings)
    try:
        return [dict(row) for row in await connection.fetch(ENDED, hours)]
    finally:
        await connection.close()
