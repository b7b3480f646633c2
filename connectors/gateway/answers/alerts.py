"""What the routes under `alerts` answer."""

from __future__ import annotations

import time
from typing import Any

from fastapi import Request

from tradewind.connectors.gateway.answers.basics import gateway_of, not_yet, who_of
from tradewind.connectors.gateway.views.alerts import alerts_json


async def get_alerts_active(request: Request) -> dict[str, Any]:
    """Return the alerts of the last day: what holds first. A tenant's users see their tenant's."""
    view, who = gateway_of(request).alerts, who_of(request)
    if view.last is None:
        raise not_yet(view.trouble or "the alerts have not been read yet")
    return {"as_of": round(time.time(), 3), "trouble": view.trouble, "alerts": alerts_json(view.last, who.tenant_id)}
