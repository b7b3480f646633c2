"""Orders, fills and positions of a tenant, as PostgreSQL has them. The tenant is an argument of every query."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import asyncpg

from tradewind.connectors.gateway.cursors import Cursor, Place
from tradewind.connectors.gateway.database import STATEMENT_S, Database
from tradewind.connectors.settings import Settings
from tradewind.processors.money import shown

CONNECTIONS: Final = 8
MOST_POSITIONS: Final = 5_000
"""Of one answer: an account has one for each instrument that it ever traded."""
POSITIONS: Final = """
SELECT tenant_id, account_id, symbol, venue, quantity, average_price, mark_price, realised_pnl, unrealised_pnl, fills,
       ts_event, event_id
FROM positions
WHERE ($1::text IS NULL OR tenant_id = $1) AND ($2::text IS NULL OR account_id = $2) AND ($3 OR quantity <> 0)
ORDER BY tenant_id, account_id, symbol, venue LIMIT $4
"""
ORDERS: Final = """
SELECT r.tenant_id, r.order_id, r.account_id, r.symbol, r.venue, r.deployment, r.strategy, r.mode, r.units, d.side,
       d.quantity, r.order_type, d.limit_price, r.time_in_force, r.expire_ts, r.ts_event, r.event_id,
       coalesce(e.status, d.outcome, 'REQUESTED') AS status,
       coalesce(e.filled_quantity, 0) AS filled_quantity,
       coalesce(e.reason, d.reason, '') AS reason,
       coalesce(d.codes, '{}') AS codes,
       coalesce(e.ts_event, d.ts_event, r.ts_event) AS ts_status
FROM order_requests r
LEFT JOIN LATERAL (
    SELECT outcome, codes, reason, side, quantity, limit_price, ts_event FROM decisions
    WHERE order_id = r.order_id AND tenant_id = r.tenant_id ORDER BY ts_event LIMIT 1
) d ON true
LEFT JOIN LATERAL (
    SELECT status, filled_quantity, reason, ts_event FROM order_events
    WHERE order_id = r.order_id AND tenant_id = r.tenant_id ORDER BY sequence DESC LIMIT 1
) e ON true
WHERE ($1::text IS NULL OR r.tenant_id = $1) AND ($2::text IS NULL OR r.account_id = $2)
  AND ($3::text IS NULL OR r.order_id = $3)
  AND ($4::timestamptz IS NULL OR (r.ts_event, r.event_id) < ($4, $5::text))
ORDER BY r.ts_event DESC, r.event_id DESC LIMIT $6
"""
FILLS: Final = """
SELECT tenant_id, order_id, account_id, symbol, venue, deployment, strategy, side, quantity, price, liquidity, ts_event,
       event_id
FROM fills
WHERE ($1::text IS NULL OR tenant_id = $1) AND ($2::text IS NULL OR account_id = $2)
  AND ($3::text IS NULL OR order_id = $3)
  AND ($4::timestamptz IS NULL OR (ts_event, event_id) < ($4, $5::text))
ORDER BY ts_event DESC, event_id DESC LIMIT $6
"""


@dataclass(frozen=True, slots=True)
class Page:
    """Rows, newest first, and where the next page begins."""

    rows: list[dict[str, Any]]
    next: Place | None


class Reads:
    """The tables that the sink fills. For one event loop."""

    def __init__(self, settings: Settings) -> None:
        self._database = Database(settings, CONNECTIONS, "try again, and see ./dev status")

    async def close(self) -> None:
        """Close the connections."""
        await self._database.close()

    async def positions(self, tenant_id: str | None, account_id: str | None, *, flat: bool) -> list[dict[str, Any]]:
        """Return what accounts hold; `flat` adds instruments that they hold nothing of any more.

        Of all tenants where `tenant_id` is None, which only operators may ask.
        """
        rows = await self._fetch(POSITIONS, tenant_id, account_id, flat, MOST_POSITIONS)
        return [_row(row) for row in rows]

    async def orders(
        self, tenant_id: str | None, account_id: str | None, order_id: str | None, after: Cursor, limit: int
    ) -> Page:
        """Return orders with their states, newest first.

        What a deployment wants (`mode`, `units`) becomes an order (`side`, `quantity`) once risk has decided on it.
        """
        return _page(await self._fetch(ORDERS, tenant_id, account_id, order_id, *after.place, limit + 1), limit)

    async def fills(
        self, tenant_id: str | None, account_id: str | None, order_id: str | None, after: Cursor, limit: int
    ) -> Page:
        """Return fills, newest first."""
        return _page(await self._fetch(FILLS, tenant_id, account_id, order_id, *after.place, limit + 1), limit)

    async def _fetch(self, statement: str, *arguments: Any) -> list[asyncpg.Record]:
        async with self._database.pool() as pool:
            return await pool.fetch(statement, *arguments, timeout=STATEMENT_S)


def _page(rows: list[asyncpg.Record], limit: int) -> Page:
    """Return a page of the rows; one more than the limit was asked for, to know whether there is another page."""
    shown = rows[:limit]
    last = shown[-1] if len(rows) > limit else None
    return Page([_row(row) for row in shown], None if last is None else (last["ts_event"], last["event_id"]))


def _row(row: asyncpg.Record) -> dict[str, Any]:
    return {name: _value(value) for name, value in row.items()}


def _value(value: Any) -> Any:
    match value:
        case Decimal():
            return shown(value)
        case datetime():
            return value.isoformat(timespec="microseconds").replace("+00:00", "Z")
        case bool():
            return value
        case int():
            return str(value)
    return value
