"""What the routes of dead letters answer."""

from __future__ import annotations

import time
from typing import Any

from fastapi import Request

from tradewind.connectors.gateway.answers.basics import gateway_of, who_of
from tradewind.connectors.gateway.letters import Redrive


async def get_letters(request: Request) -> dict[str, Any]:
    """Return the dead letters of all agents and sinks, counted by error, topic and reason."""
    gateway = gateway_of(request)
    as_of = round(time.time(), 3)
    return {"as_of": as_of, "trouble": None, **await gateway.letters.groups()}


async def post_letters_redrive(body: Redrive, request: Request) -> dict[str, Any]:
    """Send dead letters back to their agent, each once; without `confirm`, say what would be sent."""
    return await gateway_of(request).letters.redrive(body, who_of(request))
