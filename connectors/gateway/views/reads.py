"""What PostgreSQL has of a tenant: orders, fills, positions, usage, audit. Every query takes the tenant."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import asyncpg

from tradewind.connectors.ai.ended import COSTS, ENDED, LATELY, MOST_CALLS, MOST_COSTS
from tradewind.connectors.gateway.cursors import Cursor, Place
from tradewind.connectors.gateway.database import STATEMENT_S, Database
from tradewind.connectors.gateway.stream.feed import EventChannel, Filter, Stood
from tradewind.connectors.gateway.views.events import TOPICS
from tradewind.connectors.kafka.json_events import EPOCH, MICROSECOND
from tradewind.connectors.settings import Settings
from tradewind.processors.health.calls import Ended, Health, merged
from tradewind.processors.health.chain import Step
from tradewind.processors.money import shown

CONNECTIONS: Final = 8
MOST_POSITIONS: Final = 5_000
"""Of one answer: an account has one for each instrument that it ever traded."""
MOST_OPEN: Final = 5_000
"""Orders, newest first, among which the open ones are looked for: a page asks for them every few seconds."""
MOST_STEPS: Final = 100
"""Of an order: an order that is filled in more parts shows the first ones."""
MOST_STOOD: Final = 500
"""Orders and fills in the snapshot of a stream: the newest ones."""
MOST_TOTALS: Final = 5_000
"""Of one answer: a tenant has one for each meter and instrument, route or model."""
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
FROM (
    SELECT * FROM order_requests
    WHERE ($1::text IS NULL OR tenant_id = $1) AND ($2::text IS NULL OR account_id = $2)
      AND ($3::text IS NULL OR order_id = $3)
      AND ($4::timestamptz IS NULL OR (ts_event, event_id) < ($4, $5::text))
    ORDER BY ts_event DESC, event_id DESC LIMIT $8
) r
LEFT JOIN LATERAL (
    SELECT outcome, codes, reason, side, quantity, limit_price, ts_event FROM decisions
    WHERE order_id = r.order_id AND tenant_id = r.tenant_id ORDER BY ts_event LIMIT 1
) d ON true
LEFT JOIN LATERAL (
    SELECT status, filled_quantity, reason, ts_event FROM order_events
    WHERE order_id = r.order_id AND tenant_id = r.tenant_id ORDER BY sequence DESC LIMIT 1
) e ON true
WHERE $7::text[] IS NULL OR coalesce(e.status, d.outcome, 'REQUESTED') <> ALL ($7)
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
WRITTEN: Final = "SELECT partition, next_offset FROM sink_positions WHERE topic = $1 AND next_offset IS NOT NULL"
USAGE: Final = """
SELECT tenant_id, meter, dimension, quantity, billable_quantity, records, ts_event FROM usage_totals
WHERE ts_start = $1 AND ($2::text IS NULL OR tenant_id = $2) ORDER BY tenant_id, meter, dimension LIMIT $3
"""
AUDITED: Final = """
SELECT a.event_id, a.tenant_id, a.ts_event, a.user_id, u.name AS user_name, a.role, a.address, a.action, a.request_key,
       a.outcome, a.code, a.detail, a.subject, a.before, a.after
FROM audit_events a LEFT JOIN users u ON u.user_id = a.user_id
WHERE ($1::text IS NULL OR a.tenant_id = $1)
  AND ($2::timestamptz IS NULL OR (a.ts_event, a.event_id) < ($2, $3::text))
ORDER BY a.ts_event DESC, a.event_id DESC LIMIT $4
"""
ORDERS_OF: Final = """
SELECT order_id FROM order_requests
WHERE ($1::text IS NULL OR tenant_id = $1)
  AND (order_id = $2 OR event_id = $2 OR signal_id = $2 OR correlation_id = $2)
UNION SELECT order_id FROM decisions WHERE ($1::text IS NULL OR tenant_id = $1) AND event_id = $2
UNION SELECT order_id FROM order_events WHERE ($1::text IS NULL OR tenant_id = $1) AND event_id = $2
UNION SELECT order_id FROM fills WHERE ($1::text IS NULL OR tenant_id = $1) AND event_id = $2
ORDER BY order_id LIMIT $3
"""
STEPS: Final = {
    kind: f"SELECT * FROM {table} WHERE ($1::text IS NULL OR tenant_id = $1) AND {column} = $2 "  # noqa: S608 - ours
    f"ORDER BY ts_event, event_id LIMIT {MOST_STEPS}"
    for kind, table, column in (
        ("request", "order_requests", "order_id"),
        ("decision", "decisions", "order_id"),
        ("order", "order_events", "order_id"),
        ("fill", "fills", "order_id"),
        ("answer", "ai_requests", "event_id"),
    )
}
"""Kind of a step -> its rows."""


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
        self,
        tenant_id: str | None,
        account_id: str | None,
        order_id: str | None,
        after: Cursor,
        limit: int,
        *,
        but: Collection[str] = (),
    ) -> Page:
        """Return orders with their states, newest first; those in the states `but` are left out.

        What a deployment wants (`mode`, `units`) becomes an order (`side`, `quantity`) once risk has decided on it.
        With `but`, only the newest `MOST_OPEN` orders after the cursor are looked at.
        """
        left_out, most = (list(but), MOST_OPEN) if but else (None, limit + 1)
        arguments = (tenant_id, account_id, order_id, *after.place, limit + 1, left_out, most)
        return _page(await self._fetch(ORDERS, *arguments), limit)

    async def fills(
        self, tenant_id: str | None, account_id: str | None, order_id: str | None, after: Cursor, limit: int
    ) -> Page:
        """Return fills, newest first."""
        return _page(await self._fetch(FILLS, tenant_id, account_id, order_id, *after.place, limit + 1), limit)

    async def standing(self, channel: EventChannel, wanted: Filter) -> Stood | None:
        """Return what stands of a channel, and the first offsets of its topic that are not in it: as of one moment.

        None for channels of which the sink writes no rows that stand.
        """
        tenant, account = wanted.tenant_id, wanted.account_id
        question: tuple[Any, ...]
        match channel:
            case "orders":
                question = (ORDERS, tenant, account, None, None, None, MOST_STOOD, None, MOST_STOOD)
            case "fills":
                question = (FILLS, tenant, account, None, None, None, MOST_STOOD)
            case "positions":
                question = (POSITIONS, tenant, account, False, MOST_POSITIONS)
            case _:
                return None
        async with (
            self._database.pool() as pool,
            pool.acquire(timeout=STATEMENT_S) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            offsets = await connection.fetch(WRITTEN, TOPICS[channel].name)
            rows = await connection.fetch(*question)
        return Stood(
            [_row(row) for row in rows if not wanted.symbols or f"{row['symbol']}.{row['venue']}" in wanted.symbols],
            {row["partition"]: row["next_offset"] for row in offsets},
        )

    async def usage(self, tenant_id: str | None, month: datetime) -> list[dict[str, Any]]:
        """Return what was used in the month of UTC that begins then, by meter and dimension."""
        return [_row(row) for row in await self._fetch(USAGE, month, tenant_id, MOST_TOTALS)]

    async def audit(self, tenant_id: str | None, after: Cursor, limit: int) -> Page:
        """Return commands that changed something or were refused, newest first; `before` and `after` are JSON."""
        page = _page(await self._fetch(AUDITED, tenant_id, *after.place, limit + 1), limit)
        for row in page.rows:
            row |= {name: json.loads(row[name]) for name in ("before", "after") if row[name] is not None}
        return page

    async def orders_of(self, tenant_id: str | None, event_id: str, limit: int) -> list[str]:
        """Return the orders that an id belongs to: of an order, or of an event before or after it."""
        return [row["order_id"] for row in await self._fetch(ORDERS_OF, tenant_id, event_id, limit)]

    async def steps_of(self, tenant_id: str | None, order_id: str) -> list[Step]:
        """Return the request, the decision, the steps at the venue and the fills of an order."""
        found: list[Step] = []
        for kind in ("request", "decision", "order", "fill"):
            rows = await self._fetch(STEPS[kind], tenant_id, order_id)
            found += [_step(kind, row) for row in rows]
        return found

    async def answer_of(self, tenant_id: str | None, event_id: str) -> list[Step]:
        """Return the answer of a model under an id; none where another event has the id, or none."""
        return [_step("answer", row) for row in await self._fetch(STEPS["answer"], tenant_id, event_id)]

    async def calls(self, tenant_id: str | None, hours: int) -> list[Health]:
        """Return how calls of each model under each key have ended in the last hours."""
        return merged([dict(row) for row in await self._fetch(ENDED, hours, tenant_id)])

    async def ended(self) -> list[Ended]:
        """Return the last calls of all tenants, of which breakers are made."""
        return [
            Ended(
                call_id=row["call_id"],
                provider=row["provider"],
                model=row["model"],
                key_id=row["key_id"],
                outcome=row["outcome"],
                ended_us=_us(row["ts_ingest"]),
                took_us=row["total_us"],
            )
            for row in await self._fetch(LATELY, MOST_CALLS)
        ]

    async def costs(self, tenant_id: str | None, since: datetime) -> list[dict[str, Any]]:
        """Return what requests have cost since a time, by tenant and by the model that has answered."""
        return [_row(row) for row in await self._fetch(COSTS, since, tenant_id, MOST_COSTS)]

    async def _fetch(self, statement: str, *arguments: Any) -> list[asyncpg.Record]:
        async with self._database.pool() as pool:
            return await pool.fetch(statement, *arguments, timeout=STATEMENT_S)


def _page(rows: list[asyncpg.Record], limit: int) -> Page:
    """Return a page of the rows; one more than the limit was asked for, to know whether there is another page."""
    shown = rows[:limit]
    last = shown[-1] if len(rows) > limit else None
    return Page([_row(row) for row in shown], None if last is None else (last["ts_event"], last["event_id"]))


def _step(kind: str, row: asyncpg.Record) -> Step:
    return Step(
        kind=kind,
        id=row["event_id"],
        ts_event_us=_us(row["ts_event"]),
        ts_ingest_us=_us(row["ts_ingest"]),
        shown=_row(row),
        cause=row["causation_id"],
        number=row.get("sequence", 0),
        quote_us=None if kind != "request" else _us(row["quote_ts"]),
    )


def _us(moment: datetime) -> int:
    return (moment - EPOCH) // MICROSECOND


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
