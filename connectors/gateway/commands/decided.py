"""Waits for what becomes of an order, as the sink writes it: a client may wait for it with its command."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from typing import Any, Final

from tradewind.connectors.gateway.cursors import Cursor
from tradewind.connectors.gateway.problems import Problem
from tradewind.connectors.gateway.views.reads import Reads

MOST_WAIT_S: Final = 10
FIRST_LOOK_S: Final = 0.05
LOOK_S: Final = 0.25
"""Each look is a query; looks come slower until they are this far apart."""
MOST_WAITING: Final = 50
"""Of a process: 200 queries a second. Whoever comes beyond that is answered at once, as without a wish to wait."""
WAIT: Final = re.compile(r"(?:^|[,;\s])wait\s*=\s*(\d{1,4})(?:$|[,;\s])")
log = logging.getLogger(__name__)


class Decided:
    """Looks at orders until their state has changed. For one event loop."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads
        self._waiting = 0

    async def order(
        self, tenant_id: str | None, order_id: str, wait_s: float, before: frozenset[str]
    ) -> dict[str, Any] | None:
        """Return an order once its state is none of `before`; None where that is not known within `wait_s`."""
        if wait_s <= 0 or self._waiting >= MOST_WAITING:
            return None
        self._waiting += 1
        try:
            return await self._seen(tenant_id, order_id, time.monotonic() + wait_s, before)
        finally:
            self._waiting -= 1

    async def _seen(
        self, tenant_id: str | None, order_id: str, deadline: float, before: frozenset[str]
    ) -> dict[str, Any] | None:
        pause_s = FIRST_LOOK_S
        while (left := deadline - time.monotonic()) > 0:
            try:
                page = await self._reads.orders(tenant_id, None, order_id, Cursor(), 1)
            except Problem as problem:  # PostgreSQL is away; the command is durable all the same
                log.warning("nobody can say what became of order %s yet: %s", order_id, problem)
                return None
            if page.rows and page.rows[0]["status"] not in before:
                return page.rows[0]
            await asyncio.sleep(min(pause_s, left))
            pause_s = min(LOOK_S, 2 * pause_s)
        return None


def wait_s(prefer: str | None) -> int:
    """Return how long a client prefers to wait (RFC 7240), s; 0 where it does not say so."""
    found = WAIT.search(prefer or "")
    return min(MOST_WAIT_S, int(found[1])) if found else 0
