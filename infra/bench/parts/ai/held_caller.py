"""A caller that dies or freezes where it is told to, and asks the provider double.

python -P -m tradewind.infra.bench.parts.ai.held_caller ORDERS LIMITS
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import cast

import aiohttp

from tradewind.connectors.ai.answer import Answer, Tokens
from tradewind.connectors.ai.calls import OURS
from tradewind.connectors.calls import loop
from tradewind.connectors.calls.book import Step
from tradewind.connectors.calls.call import Call, Unsent
from tradewind.connectors.calls.kind import Sending
from tradewind.connectors.calls.limits import Limits
from tradewind.connectors.settings import PREFIX
from tradewind.infra.bench.parts.ai.orders import Orders, Point
from tradewind.infra.cli.processes.caller import run_callers
from tradewind.infra.cli.processes.process_log import set_up_log
from tradewind.schemas.ai import AiCall

MODULE = "tradewind.infra.bench.parts.ai.held_caller"
ADAPTER = "double"
KEY = f"{PREFIX}AI__KEYS__{ADAPTER.upper()}"
MOST_CONNECTIONS = 1_000
FLIGHT_S = 0.05
"""After a call was sent, before an order for a call in flight is obeyed: the provider has read it by then."""


class Double:
    """Asks the provider double, by HTTP on loopback."""

    async def open(self) -> None:
        """Open connections."""
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=MOST_CONNECTIONS))

    async def ask(self, call: AiCall, key: str | None, sending: Sending) -> Answer:  # noqa: ARG002 - it needs none
        """Send the call's id; the answer has the tokens that the provider has counted."""
        told = {"call_id": call.call_id, "pid": os.getpid(), "input": call.input_bound, "output": call.max_tokens}
        sending.sent = True
        async with self._session.post(str(call.base_url), json=told) as reply:
            counted = await reply.json()
        return Answer("OK", text="calm", finish="STOP", tokens=Tokens(input=counted["input"], output=counted["output"]))

    async def close(self) -> None:
        """Close them."""
        await self._session.close()


class HeldCaller(loop.Caller):
    """A caller that obeys orders."""

    orders: Orders

    async def _write(self, step: Step) -> None:
        if step.claims:
            self._obey("before the claim", also=step.claims)
        if any(not isinstance(ending.how, Unsent) for ending in step.endings):
            self._obey("after the answer")
        await super()._write(step)

    def _send(self, call: Call) -> None:
        self._obey("between claim and send")
        super()._send(call)
        asyncio.get_running_loop().call_later(FLIGHT_S, self._obey_in_flight)

    def _obey_in_flight(self) -> None:
        if self.book.flying:
            self._obey("in flight")

    def _obey(self, point: Point, also: Iterable[Call] = ()) -> None:
        unpublished = [ending.call for ending in self.book._ended.values()]
        claimed = [*self.book.flying.values(), *unpublished]
        self.orders.obey(point, _ids([*self.book.turns._waiting.values(), *also]), _ids(claimed))


def _ids(calls: Iterable[Call]) -> list[str]:
    return [cast("AiCall", call.event).call_id for call in calls]


def main() -> None:
    """Run until told to stop."""
    set_up_log()
    orders, limits = sys.argv[1:]
    HeldCaller.orders = Orders(Path(orders))
    loop.Caller = HeldCaller  # type: ignore[misc]
    run_callers(("ai",), Limits(**json.loads(limits)), {**OURS, ADAPTER: Double})


if __name__ == "__main__":
    main()
