"""One order as PostgreSQL has it: what was asked for, what risk decided, and the steps that followed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

import asyncpg

from tradewind.connectors.kafka.json_events import EPOCH
from tradewind.connectors.postgres.connection import Connection, connect
from tradewind.connectors.postgres.domains.execution import EXECUTION
from tradewind.connectors.postgres.domains.risk import RISK
from tradewind.connectors.settings import Settings
from tradewind.schemas.event import Event
from tradewind.schemas.execution import OrderEvent, OrderRequest
from tradewind.schemas.risk import Decision

M = TypeVar("M", bound=Event)
MICROSECOND: Final = timedelta(microseconds=1)
TABLES: Final = {table.topic.model: table for domain in (EXECUTION, RISK) for table in domain.tables}
MOST: Final = 64  # rows of an id: an order has one request, one decision and a few steps


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, and what has come of it."""

    request: OrderRequest
    decision: Decision | None
    """None where the sink has none yet."""
    events: Sequence[OrderEvent]


def find_orders(settings: Settings, order_id: str) -> list[Asked]:
    """Return the orders of an id: one, unless programs of several tenants have made the same id.

    Raises `OSError` and `asyncpg.PostgresError`.
    """

    async def fetch() -> list[Asked]:
        connection = await connect(settings)
        try:
            requests = await _rows(connection, OrderRequest, order_id, "ts_event, event_id")
            decisions = await _rows(connection, Decision, order_id, "ts_event, event_id")
            events = await _rows(connection, OrderEvent, order_id, "sequence")
        finally:
            await connection.close()
        first = {request.tenant_id: request for request in reversed(requests)}
        return [
            Asked(
                request,
                next((one for one in decisions if one.tenant_id == tenant), None),
                [one for one in events if one.tenant_id == tenant],
            )
            for tenant, request in sorted(first.items(), key=lambda item: str(item[0]))
        ]

    return asyncio.run(fetch())


async def _rows(connection: Connection, model: type[M], order_id: str, order_by: str) -> list[M]:
    table = TABLES[model]
    names = ", ".join(table.columns)
    statement = f"SELECT {names} FROM {table.name} WHERE order_id = $1 ORDER BY {order_by} LIMIT {MOST}"  # noqa: S608 - names are ours
    return [_event(model, row) for row in await connection.fetch(statement, order_id)]


def _event(model: type[M], row: asyncpg.Record) -> M:
    return model.from_dict({name: _value(value) for name, value in row.items()})


def _value(value: Any) -> Any:
    return (value - EPOCH) // MICROSECOND if isinstance(value, datetime) else value
