"""A provider on loopback that logs each call id, and counts the tokens of each call that reaches it.

It takes its time to answer. Nobody can take back what it was sent.
"""

from __future__ import annotations

import asyncio
import random
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from aiohttp import web

ANSWER_S = (1.0, 4.0)
START_S = 30.0


@dataclass(frozen=True, slots=True)
class Counted:
    """A call that the provider was sent."""

    call_id: str
    pid: int
    """Of the caller."""
    input: int
    output: int


class Provider:
    """The server, in a thread of its own; a context. `log` has every call, in order."""

    def __init__(self, seed: int) -> None:
        self.log: list[Counted] = []
        self.url = ""
        self._chance = random.Random(seed)  # noqa: S311 - so that a seed repeats the counts
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="provider", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._started.wait(START_S):
            raise RuntimeError(f"the provider double did not start within {START_S:.0f} s")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        application = web.Application()
        application.router.add_post("/", self._answer)
        runner = web.AppRunner(application)
        self._loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1_024)
        self._loop.run_until_complete(site.start())
        host, port = runner.addresses[0][:2]
        self.url = f"http://{host}:{port}/"
        self._started.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        self._loop.close()

    async def _answer(self, request: web.Request) -> web.Response:
        asked = await request.json()
        tokens = self._chance.randint(1, asked["input"]), self._chance.randint(0, asked["output"])
        self.log.append(Counted(asked["call_id"], asked["pid"], *tokens))
        await asyncio.sleep(self._chance.uniform(*ANSWER_S))
        return web.json_response({"input": tokens[0], "output": tokens[1]})
