"""What the routes of commands answer, and who gave which command."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Final

from fastapi import Header, Path, Request, Response

from tradewind.connectors.gateway.answers.basics import CursorText, Limit, gateway_of, not_yet, who_of, written
from tradewind.connectors.gateway.answers.books import order_of
from tradewind.connectors.gateway.commands.acknowledge import (
    Acknowledge,
    acknowledged,
    acknowledged_before,
    alert_of,
)
from tradewind.connectors.gateway.commands.asked import KeyText, asked_of
from tradewind.connectors.gateway.commands.decided import wait_s
from tradewind.connectors.gateway.commands.ledger import Begun
from tradewind.connectors.gateway.commands.made import Decide, Made
from tradewind.connectors.gateway.commands.orders import (
    Cancel,
    Create,
    Quote,
    cancelled,
    check_account,
    check_order,
    created,
    found_before,
    tenant_of,
)
from tradewind.connectors.gateway.commands.stop import Stop
from tradewind.connectors.gateway.gateway import Gateway
from tradewind.connectors.gateway.lane import instrument_named
from tradewind.connectors.gateway.problems import Problem
from tradewind.connectors.gateway.routes import PREFIX
from tradewind.topics import ALERTS, AUDIT, ORDER_COMMANDS, TICKS

REQUESTED: Final = frozenset({"REQUESTED"})
OPEN: Final = frozenset({"REQUESTED", "APPROVED", "ACCEPTED"})
PreferText = Annotated[
    str | None, Header(max_length=100, description="`wait=N`: wait for the decision, up to N seconds (10 at most).")
]


async def post_system_emergency_stop(
    body: Stop,
    key: KeyText,  # noqa: ARG001 - it is in OpenAPI, and checked, by standing here
    request: Request,
    response: Response,
) -> dict[str, Any]:
    """Deny all new orders of a tenant or account and cancel its open ones, or let it trade again."""
    decide = partial(gateway_of(request).stop.decide, body)
    return await _carried_out(request, response, body, decide)


async def post_orders_create(
    body: Create,
    key: KeyText,  # noqa: ARG001 - as above
    request: Request,
    response: Response,
    prefer: PreferText = None,
) -> dict[str, Any]:
    """Submit an order at the quote that the tenant's user sees now; 201 with the decision where that is waited for."""
    gateway, who = gateway_of(request), who_of(request)
    tenant = tenant_of(body.tenant, who)
    quoted = _quoted(gateway, body.symbol)

    def decide(begun: Begun) -> Made:
        if (before := gateway.written.find(ORDER_COMMANDS, begun)) is not None:
            return found_before(before)
        if isinstance(quoted, Problem):
            raise quoted
        quote = quoted
        check_order(body, quote, gateway.instruments.get(quote.instrument.rpartition(".")[0]))
        check_account(tenant, body.account, gateway.stop.accounts(), operator=who.tenant_id is None)
        return created(body, tenant, quote, begun)

    told = await _carried_out(request, response, body, decide)
    response.headers["Location"] = f"{PREFIX}/orders/{told['order_id']}"
    order = await gateway.decided.order(tenant, told["order_id"], wait_s(prefer), REQUESTED)
    if order is None:
        return {**told, **_waits_for(gateway)}
    response.status_code = 201
    return {**told, "status": order["status"], "order": order}


async def post_executions_cancel(
    body: Cancel,
    key: KeyText,  # noqa: ARG001 - as above
    request: Request,
    response: Response,
    prefer: PreferText = None,
) -> dict[str, Any]:
    """Cancel an open order; 200 with its last state where that is waited for."""
    gateway, who = gateway_of(request), who_of(request)
    order = await order_of(gateway, who.tenant_id, body.order_id, "#/order_id")

    def decide(begun: Begun) -> Made:
        before = gateway.written.find(ORDER_COMMANDS, begun)
        return cancelled(body, order, begun) if before is None else found_before(before)

    told = await _carried_out(request, response, body, decide)
    response.headers["Location"] = f"{PREFIX}/orders/{body.order_id}"
    ended = await gateway.decided.order(who.tenant_id, body.order_id, wait_s(prefer), OPEN)
    if ended is None:
        return told
    response.status_code = 200
    return {**told, "status": ended["status"], "order": ended}


def _quoted(gateway: Gateway, symbol: str) -> Quote | Problem:
    """Return the quote that a user sees now, or why there is none: a repeat of a command needs none."""
    try:
        name = instrument_named(gateway.hub, symbol)
        return Quote.of(name, gateway.hub.data(("ticks", name)))
    except Problem as problem:
        return Problem(problem.status, problem.code, problem.detail, problem.remedy, pointer="#/symbol")


def _waits_for(gateway: Gateway) -> dict[str, str]:
    """Return what an order waits for where no quotes come at all."""
    seen = gateway.flow.last
    if seen is None or seen.topics.get(TICKS.name, {}).get("rate_per_s", 0) > 0:
        return {}
    return {"waits_for": "quotes: none is coming in at present, so the order waits until a feed runs"}


async def post_alerts_id_acknowledge(
    id: Annotated[str, Path(max_length=256)],  # noqa: A002 - the path's name
    body: Acknowledge,
    key: KeyText,  # noqa: ARG001 - as above
    request: Request,
    response: Response,
) -> dict[str, Any]:
    """Say that somebody looks into an alert; all who see it see who does. The next occurrence wants another."""
    gateway, who = gateway_of(request), who_of(request)
    name = await gateway.store.name_of(who.user_id)

    def decide(begun: Begun) -> Made:
        if (before := gateway.written.find(ALERTS, begun)) is not None:
            return acknowledged_before(before)
        if gateway.alerts.last is None:
            raise not_yet(gateway.alerts.trouble or "the alerts have not been read yet")
        return acknowledged(body, alert_of(gateway.alerts.last, id, who), name, begun)

    return await _carried_out(request, response, body, decide)


async def get_audit(
    request: Request, response: Response, cursor: CursorText = None, limit: Limit = 100
) -> dict[str, Any]:
    """Return the commands that changed something or were refused, newest first."""
    gateway, who = gateway_of(request), who_of(request)
    after = gateway.cursors.read("audit", who.tenant_id, cursor)
    page = await gateway.reads.audit(who.tenant_id, after, limit)
    following = gateway.cursors.made("audit", who.tenant_id, page.next)
    return {**written(gateway, response, AUDIT.name), "events": page.rows, "next": following}


async def _carried_out(request: Request, response: Response, body: Any, decide: Decide) -> dict[str, Any]:
    gateway = gateway_of(request)
    answer = await gateway.commands.carry_out(asked_of(request, request.state.action, body), decide)
    response.status_code = answer.status
    return answer.body
