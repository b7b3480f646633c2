"""`tradewind ai cache`: how often answers were given again, and how much is kept."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from tradewind.infra.cli.output import aligned, say_json
from tradewind.infra.cli.plain_errors import plain_errors

if TYPE_CHECKING:
    from tradewind.connectors.settings import Settings

ATTEMPTS = """
SELECT tenant_id, count(*) FILTER (WHERE source = 'PROVIDER') AS provider,
    count(*) FILTER (WHERE source = 'CACHE' AND NOT semantic) AS cache,
    count(*) FILTER (WHERE source = 'CACHE' AND semantic) AS semantic,
    count(*) FILTER (WHERE source = 'COALESCED') AS coalesced
FROM ai_attempts WHERE outcome = 'OK' AND ts_ingest > now() - $1 * interval '1 hour'
    AND ($2::text IS NULL OR tenant_id = $2)
GROUP BY 1 ORDER BY 1
"""
ANSWER_S = 2.0
SIZE, ENTRIES = "tradewind_ai_cache_size_bytes", "tradewind_ai_cache_entries"
SCANNED = 100_000  # keys of Valkey that are counted: more take seconds


@dataclass(frozen=True, slots=True)
class Answered:
    """How the answers to a tenant came."""

    tenant: str
    provider: int
    cache: int
    semantic: int
    coalesced: int

    @property
    def share(self) -> float:
        """The part that no provider gave, from 0 to 1."""
        saved = self.cache + self.semantic + self.coalesced
        return saved / (saved + self.provider)


@click.command()
@click.option("--tenant", help="Only this tenant.")
@click.option("--hours", type=click.IntRange(1, 8_760), default=24, show_default=True, help="How far to look back.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@plain_errors
def cache(*, tenant: str | None, hours: int, as_json: bool) -> None:
    """Show how many answers came from the cache or from an equal call in flight, and how much is kept."""
    from tradewind.connectors.settings import Settings  # noqa: PLC0415 - help comes at once

    settings = Settings()
    answered, memory, shared = asyncio.run(_answered(settings, tenant, hours)), in_memory(settings), in_valkey(settings)
    if as_json:
        rows = [
            {"tenant": one.tenant, "provider": one.provider, "cache": one.cache, "semantic": one.semantic,
             "coalesced": one.coalesced, "hit_rate": round(one.share, 4)}
            for one in answered
        ]  # fmt: skip
        say_json({"hours": hours, "answers": rows, "memory": memory, "valkey": shared}, indent=2)
        return
    table = [("tenant", "provider", "cache", "semantic", "coalesced", "hit rate")]
    table += [
        (
            one.tenant,
            f"{one.provider:,}",
            f"{one.cache:,}",
            f"{one.semantic:,}",
            f"{one.coalesced:,}",
            f"{one.share:.1%}",
        )
        for one in answered
    ]
    click.echo(aligned(table) if answered else f"no answer came within {hours:,} h")
    for name, kept in (("memory", memory), ("valkey", shared)):
        said = f"{kept['entries']:,} answers, {kept['bytes'] / 1024:,.0f} KiB" if kept else "nothing is known of it"
        click.echo(f"{name}: {said}")


async def _answered(settings: Settings, tenant: str | None, hours: int) -> list[Answered]:
    from tradewind.connectors.postgres.connection import connect  # noqa: PLC0415 - help comes at once

    connection = await connect(settings)
    try:
        rows = await connection.fetch(ATTEMPTS, hours, tenant)
    finally:
        await connection.close()
    return [Answered(*row) for row in rows]


def in_memory(settings: Settings) -> dict[str, int] | None:
    """Return what the callers of `up` keep; None if none of them answers."""
    import httpx  # noqa: PLC0415 - help comes at once

    from tradewind.infra.up.state import read_state  # noqa: PLC0415

    found: list[dict[str, int]] = []
    for worker in read_state(settings.data):
        if worker.url is None or not worker.name.startswith("caller"):
            continue
        try:
            text = httpx.get(f"{worker.url}/metrics", timeout=ANSWER_S).text
        except httpx.HTTPError:
            continue  # the line says that nothing is known of it
        found.append({"entries": _metric(text, ENTRIES), "bytes": _metric(text, SIZE)})
    return {name: sum(one[name] for one in found) for name in ("entries", "bytes")} if found else None


def in_valkey(settings: Settings) -> dict[str, int] | None:
    """Return what Valkey keeps; None if there is none, or it does not answer."""
    from redis import Redis, RedisError  # noqa: PLC0415 - help comes at once

    from tradewind.connectors.ai.cache.shared import PREFIX  # noqa: PLC0415
    from tradewind.connectors.settings import revealed  # noqa: PLC0415

    redis = settings.redis
    if redis.url is None:
        return None
    client = Redis.from_url(redis.url, username=redis.user, password=revealed(redis.password), socket_timeout=ANSWER_S)
    entries = size = 0
    try:
        with client:
            for key in client.scan_iter(f"{settings.physical(PREFIX)}*", count=1_000):
                entries, size = entries + 1, size + int(client.strlen(key))
                if entries == SCANNED:
                    break
    except (RedisError, OSError):
        return None
    return {"entries": entries, "bytes": size}


def _metric(text: str, name: str) -> int:
    """Return the value of a metric without attributes, as Prometheus writes it; 0 if it is not there."""
    values = (line.split()[-1] for line in text.splitlines() if line.startswith((f"{name} ", f"{name}{{")))
    return int(float(next(values, "0")))
