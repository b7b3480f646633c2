"""Reads totals of usage from PostgreSQL."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from tradewind.connectors.settings import Settings

TOTALS = """
SELECT tenant_id, meter, dimension, quantity, billable_quantity, records FROM usage_totals
WHERE ts_start = $1 AND ($2::text IS NULL OR tenant_id = $2) AND meter LIKE $3
ORDER BY tenant_id, meter, dimension
"""


@dataclass(frozen=True, slots=True)
class Total:
    """What a tenant has used of a meter and dimension in a month."""

    tenant_id: str
    meter: str
    dimension: str
    quantity: int
    billable_quantity: int
    records: int


def month_of(text: str | None) -> datetime:
    """Return the first moment of a month, given as `2026-11`, or of the current one; raises `click.UsageError`."""
    if text is None:
        return datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    try:
        return datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC)
    except ValueError:
        raise click.UsageError(f"{text!r} is no month such as 2026-11") from None


def totals(settings: Settings, month: datetime, tenant_id: str | None = None, meters: str = "%") -> list[Total]:
    """Return the totals of a month, of one tenant or of all; `meters` is a pattern of LIKE."""
    from tradewind.connectors.postgres.connection import connect  # noqa: PLC0415 - help comes at once

    async def read() -> list[Total]:
        connection = await connect(settings)
        try:
            rows = await connection.fetch(TOTALS, month, tenant_id, meters)
        finally:
            await connection.close()
        return [Total(**row) for row in rows]

    return asyncio.run(read())
