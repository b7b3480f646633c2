"""Carries out a command once: under its key, and durable before the answer. In doubt, the answer says so."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Final

from tradewind.connectors.cluster.kept import KeptAway
from tradewind.connectors.gateway.commands.asked import KEY_HEADER, Answer, Asked, Caller
from tradewind.connectors.gateway.commands.audit import Audits
from tradewind.connectors.gateway.commands.ledger import Begun, Keys, in_doubt
from tradewind.connectors.gateway.commands.made import Decide, InDoubt, Writes
from tradewind.connectors.gateway.problems import Problem
from tradewind.connectors.kafka.errors import StreamError
from tradewind.connectors.registry import RegistryError

CARRY_S: Final = 12.0
"""A client waits no longer; what goes on in the thread is found by a repeat."""
AT_ONCE: Final = 8
"""Commands of a process that are written at the same time."""


class Commands:
    """The commands of one process. For one event loop."""

    def __init__(self, keys: Keys, writes: Writes, audits: Audits, carry_s: float = CARRY_S) -> None:
        self._keys, self._writes, self._audits, self._carry_s = keys, writes, audits, carry_s
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="command")
        self._running = 0

    async def close(self) -> None:
        """Let go of Kafka and PostgreSQL; what a thread still writes is found by a repeat."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        await asyncio.to_thread(self._audits.close)
        await self._keys.close()

    async def carry_out(self, asked: Asked, decide: Decide) -> Answer:
        """Carry out a command, or return what it was answered before.

        Raises `Problem`: what `decide` raises, 503 while Kafka or PostgreSQL is away, and 503 UNKNOWN in doubt.
        """
        async with self._keys.held(asked) as begun:
            if begun.answer is None:
                begun.fresh = await self._done(begun, decide)
        answer = begun.fresh or begun.answer
        assert answer is not None
        return answer

    async def refused(self, caller: Caller, problem: Problem) -> None:
        """Write that a command was refused; return once that is durable. Raises `Problem` (503)."""
        await asyncio.to_thread(self._audits.refused, caller, problem)

    async def _done(self, begun: Begun, decide: Decide) -> Answer:
        if self._running >= AT_ONCE:
            raise _away(begun, "BUSY", f"{AT_ONCE} commands are being written")
        try:
            async with asyncio.timeout(self._carry_s):
                return await asyncio.shield(self._in_thread(begun, decide))
        except InDoubt as error:
            raise in_doubt(str(error)) from error
        except TimeoutError:
            raise in_doubt(f"Kafka did not answer within {self._carry_s:.0f} s") from None
        except (StreamError, RegistryError) as error:
            raise _away(begun, "KAFKA_AWAY", str(error)) from error
        except KeptAway as error:
            raise _away(begun, "STORE_AWAY", str(error)) from error
        except Problem as problem:
            begun.forgotten = problem.status < 500
            raise

    def _in_thread(self, begun: Begun, decide: Decide) -> asyncio.Future[Answer]:
        loop = asyncio.get_running_loop()
        self._running += 1
        done = self._threads.submit(self._writes.carried, begun, decide)

        def ended(_: Future[Answer]) -> None:
            with suppress(RuntimeError):  # the loop is closed: the process ends
                loop.call_soon_threadsafe(self._end)

        done.add_done_callback(ended)
        awaited = asyncio.wrap_future(done)
        awaited.add_done_callback(lambda one: one.cancelled() or one.exception())  # nobody may wait for it any more
        return awaited

    def _end(self) -> None:
        self._running -= 1


def _away(begun: Begun, code: str, why: str) -> Problem:
    """Return the answer where this attempt has written nothing; an earlier one may have."""
    if begun.again:
        return in_doubt(f"an earlier attempt may have done it, and now {why}")
    return Problem(
        503,
        code,
        f"nothing was changed: {why}",
        f"ask again with the same {KEY_HEADER}, and see ./dev status",
        headers={"Retry-After": "3"},
    )
