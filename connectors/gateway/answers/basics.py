"""What answers have in common: who asks whom, parameters of lists, and how old an answer is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, TypeAlias

from fastapi import Path, Query, Request, Response

from tradewind.connectors.gateway.auth.roles import Who
from tradewind.connectors.gateway.gateway import Gateway
from tradewind.connectors.gateway.problems import Problem
from tradewind.connectors.gateway.views.flow import STALE_S
from tradewind.connectors.kafka.errors import StreamError
from tradewind.connectors.registry import RegistryError

MOST_ROWS: Final = 500
"""Of one page: some 200 KB."""
Account: TypeAlias = Annotated[str | None, Query(max_length=256, description="Only this account.")]
CursorText: TypeAlias = Annotated[str | None, Query(max_length=400, description="`next` of the page before.")]
Limit: TypeAlias = Annotated[int, Query(ge=1, le=MOST_ROWS, description="Rows of a page.")]
OrderId: TypeAlias = Annotated[str, Path(max_length=256)]


def gateway_of(request: Request) -> Gateway:
    """Return the gateway of a request."""
    found: Gateway = request.app.state.gateway
    return found


def who_of(request: Request) -> Who:
    """Return who asks, as the check of the route's roles has found."""
    who: Who = request.state.who
    return who


async def accounts_of(gateway: Gateway) -> Mapping[str, Sequence[str]]:
    """Return the accounts of each tenant. Raises `Problem` (503)."""
    try:
        return await asyncio.to_thread(gateway.stop.accounts)
    except (StreamError, RegistryError) as error:
        raise Problem(
            503,
            "KAFKA_AWAY",
            f"nobody can say which tenants and accounts there are: {error}",
            "try again, and see ./dev status",
            headers={"Retry-After": "3"},
        ) from error


def written(gateway: Gateway, response: Response, topic: str) -> dict[str, Any]:
    """Return up to when the rows of a topic are in PostgreSQL: the sink's lag says so; null while that is not known."""
    seen = gateway.flow.last
    reader = {} if seen is None else seen.readers.get("postgres", {}).get(topic, {})
    if seen is None or reader.get("lag_s") is None:
        return {"as_of": None}
    as_of = seen.at_s - reader["lag_s"]
    mark_stale(response, as_of, STALE_S)
    return {"as_of": round(as_of, 3)}


def mark_stale(response: Response, at_s: float, bound_s: float) -> None:
    """Say how old an answer is, where it is older than it should be."""
    age = time.time() - at_s
    if age > bound_s:
        response.headers["Tradewind-Stale"] = str(int(age))


def not_yet(detail: str) -> Problem:
    """Return the answer while the first look at something is still to come."""
    return Problem(503, "STARTING", detail, "try again in some seconds", headers={"Retry-After": "2"})
