"""What the routes under `health` and `system` answer, beside the emergency stop."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final

from fastapi import Query, Request, Response

from tradewind.connectors.gateway.answers.basics import gateway_of, mark_stale, not_yet
from tradewind.connectors.gateway.problems import Problem, meant
from tradewind.connectors.gateway.views.flow import STALE_S

MOST_LINES: Final = 1_000
Name = Annotated[str | None, Query(max_length=128, description="Whose log; without it, the logs are listed.")]
Lines = Annotated[int, Query(ge=1, le=MOST_LINES, description="The last lines, of at most 256 KiB.")]


async def get_health_system(request: Request, response: Response) -> dict[str, Any]:
    """Return services and processes, as they were asked in the last seconds."""
    seen = gateway_of(request).system.last
    if seen is None:
        raise not_yet("services and processes have not been asked yet")
    mark_stale(response, seen.at_s, 4 * STALE_S)
    return seen.to_json()


async def get_system_logs(request: Request, name: Name = None, lines: Lines = 200) -> dict[str, Any]:
    """Return the end of a log of this machine, and the names of all logs."""
    ports = gateway_of(request).declared.ports
    names = await asyncio.to_thread(ports.logs)
    if name is None:
        return {"names": names, "name": None, "lines": [], "bytes": None, "whole": False}
    if name not in names:
        raise Problem(
            404,
            "UNKNOWN_LOG",
            f"this machine has no log of {name}",
            meant(name, names, "GET /api/v1/system/logs lists the logs"),
            pointer="query: name",
        )
    try:
        found = await asyncio.to_thread(ports.log, name, lines)
    except OSError as error:
        raise Problem(
            503, "LOG_UNREADABLE", f"the log of {name} cannot be read: {error.strerror}", "see ./dev logs"
        ) from error
    return {"names": names, "name": name, **found}
