"""What the routes of positions, orders, fills, traces and usage answer, from PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import Query, Request, Response

from tradewind.connectors.gateway.answers.basics import (
    MOST_ROWS,
    Account,
    CursorText,
    Limit,
    OrderId,
    accounts_of,
    gateway_of,
    who_of,
    written,
)
from tradewind.connectors.gateway.commands.orders import ENDED
from tradewind.connectors.gateway.cursors import Cursor
from tradewind.connectors.gateway.gateway import Gateway
from tradewind.connectors.gateway.problems import Problem
from tradewind.processors.money import shown

MONTH: Final = r"^[1-9]\d{3}-(0[1-9]|1[0-2])$"


async def get_portfolio_positions(
    request: Request,
    response: Response,
    account: Account = None,
    flat: bool = False,  # noqa: FBT001, FBT002 - a query
) -> dict[str, Any]:
    """Return what the tenant's accounts hold; `flat` adds instruments that they hold nothing of any more."""
    gateway, who = gateway_of(request), who_of(request)
    rows = await gateway.reads.positions(who.tenant_id, account, flat=flat)
    return {**written(gateway, response, "portfolio.positions"), "positions": rows}


async def get_orders_status(
    request: Request,
    response: Response,
    account: Account = None,
    cursor: CursorText = None,
    limit: Limit = 100,
    *,
    open: Annotated[  # noqa: A002 - as the query has it
        bool, Query(description="Only orders that have not ended, among the newest 5,000.")
    ] = False,
) -> dict[str, Any]:
    """Return the tenant's orders with their states, newest first."""
    gateway, who = gateway_of(request), who_of(request)
    after = gateway.cursors.read("orders", who.tenant_id, cursor)
    page = await gateway.reads.orders(who.tenant_id, account, None, after, limit, but=ENDED if open else ())
    following = gateway.cursors.made("orders", who.tenant_id, page.next)
    return {**written(gateway, response, "execution.order_events"), "orders": page.rows, "next": following}


async def get_orders_choices(request: Request) -> dict[str, Any]:
    """Return what an order may name: accounts of tenants, and instruments that are quoted, with their steps."""
    gateway, who = gateway_of(request), who_of(request)
    known = await accounts_of(gateway)
    own = known if who.tenant_id is None else {who.tenant_id: known.get(who.tenant_id, ())}
    return {"accounts": {name: list(of) for name, of in own.items()}, "instruments": _instruments(gateway)}


def _instruments(gateway: Gateway) -> list[dict[str, str]]:
    """Return the instruments that are quoted and whose lots are known."""
    found = []
    for name in gateway.hub.symbols("ticks"):
        of = gateway.instruments.get(name.rpartition(".")[0])
        if of is not None:
            steps = {"tick_size": of.tick_size, "lot_size": of.lot_size, "min_quantity": of.min_quantity}
            found.append({"instrument": name, **{step: shown(size) for step, size in steps.items()}})
    return found


async def get_orders_id(request: Request, response: Response, id: OrderId) -> dict[str, Any]:  # noqa: A002 - the path's name
    """Return one order with its state and its fills; another tenant's is as unknown as one that never was."""
    gateway, who = gateway_of(request), who_of(request)
    order = await order_of(gateway, who.tenant_id, id, "path: id")
    fills = await gateway.reads.fills(who.tenant_id, None, id, Cursor(), MOST_ROWS)
    return {**written(gateway, response, "execution.order_events"), "order": order, "fills": fills.rows}


async def order_of(gateway: Gateway, tenant_id: str | None, order_id: str, pointer: str) -> dict[str, Any]:
    """Return an order of a tenant; raises `Problem` (404)."""
    page = await gateway.reads.orders(tenant_id, None, order_id, Cursor(), 1)
    if page.rows:
        return page.rows[0]
    raise Problem(
        404,
        "UNKNOWN_ORDER",
        f"there is no order {order_id}",
        "GET /api/v1/orders/status lists the orders; a new one is there within some seconds",
        pointer=pointer,
    )


async def get_executions_history(
    request: Request, response: Response, account: Account = None, cursor: CursorText = None, limit: Limit = 100
) -> dict[str, Any]:
    """Return the tenant's fills, newest first."""
    gateway, who = gateway_of(request), who_of(request)
    after = gateway.cursors.read("fills", who.tenant_id, cursor)
    page = await gateway.reads.fills(who.tenant_id, account, None, after, limit)
    following = gateway.cursors.made("fills", who.tenant_id, page.next)
    return {**written(gateway, response, "execution.fills"), "fills": page.rows, "next": following}


async def get_trace_id(request: Request, id: OrderId) -> dict[str, Any]:  # noqa: A002 - the path's name
    """Return the way of an order by any id on it: quote, bar, signal, request, decision, order events, fills."""
    gateway, who = gateway_of(request), who_of(request)
    return await gateway.traces.trace(who.tenant_id, id)


async def get_usage(
    request: Request,
    response: Response,
    month: Annotated[
        str | None, Query(pattern=MONTH, description="Such as 2026-11; the current one by default.")
    ] = None,
    tenant: Annotated[str | None, Query(max_length=256, description="For operators: only this tenant.")] = None,
) -> dict[str, Any]:
    """Return what tenants have used in a month of UTC, by meter and dimension."""
    gateway, who = gateway_of(request), who_of(request)
    if who.tenant_id is not None and tenant not in (None, who.tenant_id):
        raise Problem(
            404, "UNKNOWN_TENANT", f"there is no tenant {tenant}", "leave `tenant` out", pointer="query: tenant"
        )
    begin = _month(month)
    rows = await gateway.reads.usage(who.tenant_id or tenant, begin)
    return {**written(gateway, response, "billing.totals"), "month": f"{begin:%Y-%m}", "totals": rows}


def _month(text: str | None) -> datetime:
    now = datetime.now(UTC)
    year, month = (now.year, now.month) if text is None else map(int, text.split("-"))
    return datetime(year, month, 1, tzinfo=UTC)
