"""What the routes answer. Each function has the name of its line in `routes.py`."""

from __future__ import annotations

import base64
import binascii
import json
import time
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeAlias

from fastapi import Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from tradewind.connectors.gateway.auth.roles import Who
from tradewind.connectors.gateway.auth.store import SESSION_S, Session
from tradewind.connectors.gateway.auth.tokens import ACCESS_S
from tradewind.connectors.gateway.cursors import Cursor
from tradewind.connectors.gateway.gateway import Gateway
from tradewind.connectors.gateway.guard import is_foreign
from tradewind.connectors.gateway.problems import Problem
from tradewind.connectors.gateway.views.flow import STALE_S

COOKIE: Final = "tradewind_session"
COOKIE_PATH: Final = "/api/v1/auth"
MOST_ROWS: Final = 500
"""Of one page: some 200 KB."""
MONTH: Final = r"^[1-9]\d{3}-(0[1-9]|1[0-2])$"
Account: TypeAlias = Annotated[str | None, Query(max_length=256, description="Only this account.")]
CursorText: TypeAlias = Annotated[str | None, Query(max_length=400, description="`next` of the page before.")]
Limit: TypeAlias = Annotated[int, Query(ge=1, le=MOST_ROWS, description="Rows of a page.")]
OrderId: TypeAlias = Annotated[str, Path(max_length=256)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Login(_Body):
    """A one-time link's code."""

    link: Annotated[str, Field(min_length=20, max_length=200)]


class Access(BaseModel):
    """An access token, for the header `Authorization: Bearer`. Keep it in memory."""

    access_token: str
    expires_in: int
    """Seconds."""
    user: str
    role: str
    tenant: str | None


def gateway_of(request: Request) -> Gateway:
    """Return the gateway of a request."""
    found: Gateway = request.app.state.gateway
    return found


async def post_auth_login(body: Login, request: Request, response: Response) -> Access:
    """Begin a session: the link is used up, and the session's cookie is set."""
    refuse_foreign(request)
    gateway = gateway_of(request)
    session = await gateway.store.begin(body.link, request.client.host if request.client else "")
    return _access(gateway, session, request, response)


async def post_auth_refresh(request: Request, response: Response) -> Access:
    """Return an access token for the session of the cookie, whose secret changes with it."""
    refuse_foreign(request)
    gateway = gateway_of(request)
    session = await gateway.store.refresh(_cookie(request), gateway.tokens.successor)
    return _access(gateway, session, request, response)


async def post_auth_logout(request: Request, response: Response) -> dict[str, bool]:
    """End the session of the cookie, on every process within a second."""
    refuse_foreign(request)
    gateway = gateway_of(request)
    session = await gateway.store.refresh(_cookie(request), gateway.tokens.successor)
    await gateway.store.end(session.session_id, "signed out")
    gateway.tokens.end(session.session_id)
    response.delete_cookie(COOKIE, path=COOKIE_PATH)
    return {"signed_out": True}


async def get_auth_keys(request: Request) -> dict[str, Any]:
    """Return the keys of the tenant's machines, or of all; a key itself is told once, when it is made."""
    return {"keys": await gateway_of(request).store.keys(who_of(request).tenant_id)}


async def get_health_system(request: Request, response: Response) -> dict[str, Any]:
    """Return services and processes, as they were asked in the last seconds."""
    seen = gateway_of(request).system.last
    if seen is None:
        raise not_yet("services and processes have not been asked yet")
    mark_stale(response, seen.at_s, 4 * STALE_S)
    return seen.to_json()


async def get_streams_flow(request: Request, response: Response) -> dict[str, Any]:
    """Return the picture of who writes and reads which topic, and what flows now."""
    gateway = gateway_of(request)
    seen = gateway.flow.last
    if seen is not None:
        mark_stale(response, seen.at_s, STALE_S)
    trouble = gateway.flow.trouble
    return {"picture": gateway.picture, "now": None if seen is None else seen.to_json(), "trouble": trouble}


async def get_markets_live_data(request: Request) -> dict[str, Any]:
    """Return the last tick of each instrument, and the last bar of each instrument and interval."""
    gateway = gateway_of(request)
    troubles = [follower.trouble for follower in gateway.market if follower.trouble is not None]
    return {
        "as_of": round(time.time(), 3),
        "ticks": _cells(gateway, "ticks"),
        "bars": _cells(gateway, "bars"),
        "trouble": "; ".join(troubles) or None,
    }


async def get_markets_symbol_tick(symbol: str) -> dict[str, Any]:
    """Return the last tick; null while none has come. `lane.py` answers for it."""
    raise AssertionError(f"the lane has not answered for {symbol}")


async def get_markets_symbol_bars(symbol: str) -> list[dict[str, Any]]:
    """Return the last bar of each interval. `lane.py` answers for it."""
    raise AssertionError(f"the lane has not answered for {symbol}")


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
    request: Request, response: Response, account: Account = None, cursor: CursorText = None, limit: Limit = 100
) -> dict[str, Any]:
    """Return the tenant's orders with their states, newest first."""
    gateway, who = gateway_of(request), who_of(request)
    after = gateway.cursors.read("orders", who.tenant_id, cursor)
    page = await gateway.reads.orders(who.tenant_id, account, None, after, limit)
    following = gateway.cursors.made("orders", who.tenant_id, page.next)
    return {**written(gateway, response, "execution.order_events"), "orders": page.rows, "next": following}


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


def who_of(request: Request) -> Who:
    """Return who asks, as the check of the route's roles has found."""
    who: Who = request.state.who
    return who


def written(gateway: Gateway, response: Response, topic: str) -> dict[str, Any]:
    """Return up to when the rows of a topic are in PostgreSQL: the sink's lag says so; null while that is not known."""
    seen = gateway.flow.last
    reader = {} if seen is None else seen.readers.get("postgres", {}).get(topic, {})
    if seen is None or reader.get("lag_s") is None:
        return {"as_of": None}
    as_of = seen.at_s - reader["lag_s"]
    mark_stale(response, as_of, STALE_S)
    return {"as_of": round(as_of, 3)}


def _cells(gateway: Gateway, channel: Any) -> list[Any]:
    found = (gateway.hub.data((channel, symbol)) for symbol in gateway.hub.symbols(channel))
    return [json.loads(data) for data in found if data is not None]


def _access(gateway: Gateway, session: Session, request: Request, response: Response) -> Access:
    user = session.user
    response.set_cookie(
        COOKIE,
        base64.urlsafe_b64encode(session.refresh).decode(),
        max_age=SESSION_S,
        path=COOKIE_PATH,
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    response.headers["Cache-Control"] = "no-store"
    return Access(
        access_token=gateway.tokens.issue(user.user_id, user.role, user.tenant_id, session.session_id),
        expires_in=ACCESS_S,
        user=user.name,
        role=user.role,
        tenant=user.tenant_id,
    )


def _cookie(request: Request) -> bytes:
    try:
        return base64.b64decode(request.cookies.get(COOKIE, ""), altchars=b"-_", validate=True) or _no_cookie()
    except (binascii.Error, ValueError):
        return _no_cookie()


def _no_cookie() -> bytes:
    raise Problem(401, "SIGNED_OUT", "there is no session", "sign in: open a link of ./dev users link")


def refuse_foreign(request: Request) -> None:
    """Raise `Problem` for a request that a page of another origin has made."""
    if is_foreign(request.headers.get("origin"), request.headers.get("host", "")):
        raise Problem(
            403,
            "FOREIGN_ORIGIN",
            "a page of another origin may not do this",
            "use the pages that this gateway serves",
            pointer="header: Origin",
        )


def mark_stale(response: Response, at_s: float, bound_s: float) -> None:
    """Say how old an answer is, where it is older than it should be."""
    age = time.time() - at_s
    if age > bound_s:
        response.headers["Tradewind-Stale"] = str(int(age))


def not_yet(detail: str) -> Problem:
    """Return the answer while the first look at something is still to come."""
    return Problem(503, "STARTING", detail, "try again in some seconds", headers={"Retry-After": "2"})
