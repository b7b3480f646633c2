"""What the routes of commands answer, and who gave which command."""

from __future__ import annotations

from functools import partial
from typing import Any

from fastapi import Request, Response

from tradewind.connectors.gateway.answers import CursorText, Limit, gateway_of, who_of, written
from tradewind.connectors.gateway.commands.asked import KeyText, asked_of
from tradewind.connectors.gateway.commands.made import Decide
from tradewind.connectors.gateway.commands.stop import Stop
from tradewind.topics import AUDIT


async def post_system_emergency_stop(
    body: Stop,
    key: KeyText,  # noqa: ARG001 - it is in OpenAPI, and checked, by standing here
    request: Request,
    response: Response,
) -> dict[str, Any]:
    """Deny all new orders of a tenant or account and cancel its open ones, or let it trade again."""
    decide = partial(gateway_of(request).stop.decide, body)
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
