"""Orders, fills, positions and accounts as PostgreSQL has them, for people and scripts.

Each statement takes a tenant, or NULL for all of them, and the most rows that it may return.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import asyncpg

from tradewind.connectors.postgres.connection import connect
from tradewind.connectors.settings import Settings
from tradewind.processors.money import shown

ORDERS: Final = """
SELECT r.ts_event, r.tenant_id, r.account_id, r.deployment, r.symbol, r.venue, r.mode, r.units, d.side, d.quantity,
       r.order_type, d.limit_price, coalesce(e.status, d.outcome, 'REQUESTED') AS status,
       coalesce(e.filled_quantity, 0) AS filled_quantity, coalesce(d.codes, '{}') AS codes,
       coalesce(e.reason, d.reason, '') AS reason, r.order_id
FROM order_requests r
LEFT JOIN LATERAL (
    SELECT outcome, codes, reason, side, quantity, limit_price FROM decisions
    WHERE order_id = r.order_id AND tenant_id = r.tenant_id ORDER BY ts_event LIMIT 1
) d ON true
LEFT JOIN LATERAL (
    SELECT status, filled_quantity, reason FROM order_events
    WHERE order_id = r.order_id AND tenant_id = r.tenant_id ORDER BY sequence DESC LIMIT 1
) e ON true
WHERE $1::text IS NULL OR r.tenant_id = $1
ORDER BY r.ts_event DESC, r.event_id DESC LIMIT $2
"""
FILLS: Final = """
SELECT ts_event, tenant_id, account_id, coalesce(deployment, strategy) AS deployment, symbol, venue, side, quantity,
       price, fee, liquidity, order_id
FROM fills
WHERE $1::text IS NULL OR tenant_id = $1
ORDER BY ts_event DESC, event_id DESC LIMIT $2
"""
POSITIONS: Final = """
SELECT tenant_id, account_id, deployment, symbol, venue, quantity, average_price, mark_price, realised_pnl,
       unrealised_pnl, fees, fills, ts_event
FROM (
    SELECT tenant_id, account_id, NULL AS deployment, symbol, venue, quantity, average_price, mark_price, realised_pnl,
           unrealised_pnl, fees, fills, ts_event
    FROM positions
    UNION ALL
    SELECT tenant_id, account_id, deployment, symbol, venue, quantity, average_price, mark_price, realised_pnl,
           unrealised_pnl, fees, fills, ts_event
    FROM deployment_positions
) held
WHERE $1::text IS NULL OR tenant_id = $1
ORDER BY tenant_id, account_id, symbol, venue, deployment NULLS FIRST LIMIT $2
"""
"""The row of an account comes before those of its deployments, which add up to it."""
ACCOUNTS: Final = """
SELECT tenant_id, account_id, count(*) FILTER (WHERE quantity <> 0) AS open_positions, count(*) AS instruments,
       sum(fills)::bigint AS fills, max(ts_event) AS ts_event
FROM positions
WHERE $1::text IS NULL OR tenant_id = $1
GROUP BY tenant_id, account_id
ORDER BY tenant_id, account_id LIMIT $2
"""
"""Without sums of profit: instruments are quoted in different currencies."""
STATEMENTS: Final[Mapping[str, str]] = {
    "orders": ORDERS,
    "fills": FILLS,
    "positions": POSITIONS,
    "accounts": ACCOUNTS,
}
Row = dict[str, Any]


def rows(what: str, settings: Settings, tenant: str | None, most: int) -> list[Row]:
    """Return the rows of one of `STATEMENTS`, at most `most`. Raises `OSError` and `asyncpg.PostgresError`."""

    async def fetch() -> list[Row]:
        connection = await connect(settings)
        try:
            return [_row(row) for row in await connection.fetch(STATEMENTS[what], tenant, most)]
        finally:
            await connection.close()

    return asyncio.run(fetch())


def _row(row: asyncpg.Record) -> Row:
    return {name: _value(value) for name, value in row.items()}


def _value(value: Any) -> Any:
    match value:
        case Decimal():
            return shown(value)
        case datetime():
            return value.isoformat(timespec="microseconds").replace("+00:00", "Z")
    return value
