"""What shows answers while they come to those who asked: the gateway, and `ai ask --stream`.

A reader follows many requests over few connections. Whoever reads `ai.responses` hands it the committed responses. Each
answer ends with its response, whether or not there is a Valkey.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from tradewind.connectors.ai.deltas.entries import entry_of, stream_key
from tradewind.connectors.ai.deltas.limits import DeltaLimits
from tradewind.connectors.ai.deltas.merging import Delta, Done, Merging, Reset, Shown
from tradewind.connectors.ai.deltas.writer import DOWN, Asked
from tradewind.connectors.ai.valkey import Command
from tradewind.schemas.ai import AiResponse

log = logging.getLogger(__name__)
FIRST = "0-0"
"""Behind no entry."""


class Following:
    """One answer as it comes: iterate over it; the last thing shown is `Done`."""

    def __init__(self, key: str, tenant_id: str, request_id: str, unread_bytes: int) -> None:
        self.key, self.last = key, FIRST
        self._tenant_id, self._request_id, self._unread_bytes = tenant_id, request_id, unread_bytes
        self._merging = Merging()
        self._waiting: deque[Shown] = deque()
        self._bytes = 0
        self._news = asyncio.Event()

    def answered(self, response: AiResponse) -> None:
        """Take the committed response, which ends it. Raises `ValueError` if it is another request's."""
        if (response.tenant_id, response.request_id) != (self._tenant_id, self._request_id):
            raise ValueError(f"response {response.event_id} is of another request than {self._request_id}")
        self._put(self._merging.done(response))

    def take(self, id_: bytes, fields: Any) -> None:
        """Take an entry of the stream. A client that is too slow gets the rest with the response."""
        self.last = id_.decode()
        if self._bytes <= self._unread_bytes:
            self._put(self._merging.entry(entry_of(id_, fields)))

    async def __aiter__(self) -> AsyncIterator[Shown]:
        """Yield what is to be shown."""
        while True:
            while self._waiting:
                shown = self._waiting.popleft()
                if isinstance(shown, Delta):
                    self._bytes -= len(shown.text)
                yield shown
                if isinstance(shown, Done):
                    return
            self._news.clear()
            await self._news.wait()

    def _put(self, shown: list[Shown]) -> None:
        """Add what is to be shown; text that was not taken before a reset is not shown at all."""
        for one in shown:
            if isinstance(one, Reset):
                self._waiting.clear()
                self._bytes = 0
            elif isinstance(one, Delta):
                self._bytes += len(one.text)
            self._waiting.append(one)
        if shown:
            self._news.set()


class DeltaReader:
    """Follows the answers to one process's requests."""

    def __init__(
        self, links: Callable[[], Asked] | None, namespace: str = "", limits: DeltaLimits | None = None
    ) -> None:
        """Make connections by `links`; without it, answers come whole at their end."""
        self._links, self._namespace = links, namespace
        self._limits = limits or DeltaLimits()
        self._lanes: list[_Lane] = []

    async def __aenter__(self) -> Self:
        """Have nothing to open: connections are made when something is followed."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        """Close the connections."""
        await asyncio.gather(*(lane.close() for lane in self._lanes))

    def follow(self, tenant_id: str, request_id: str) -> Following:
        """Begin to follow the answer to a request of a tenant; `leave` ends it."""
        key = stream_key(self._namespace, tenant_id, request_id)
        following = Following(key, tenant_id, request_id, self._limits.unread_bytes)
        if self._links is not None and sum(len(lane) for lane in self._lanes) < self._limits.followed:
            lane = next((one for one in self._lanes if len(one) < self._limits.lane), None)
            if lane is None:
                lane = _Lane(self._links, self._limits)
                self._lanes.append(lane)
            lane.add(following)
        return following

    def leave(self, following: Following) -> None:
        """Stop following an answer. The request goes on, and costs the same."""
        for lane in self._lanes:
            lane.drop(following)


class _Lane:
    """A connection that reads some answers, and another one that wakes it when there is one more to read."""

    def __init__(self, links: Callable[[], Asked], limits: DeltaLimits) -> None:
        self._reads, self._wakes, self._limits = links(), links(), limits
        self._followed: dict[bytes, Following] = {}
        self._changed = asyncio.Event()
        self._id: int | None = None
        """Of the connection that reads, while it may be blocked."""
        self._down = False
        self._tasks = [asyncio.create_task(self._read_all()), asyncio.create_task(self._wake_all())]

    def __len__(self) -> int:
        return len(self._followed)

    def add(self, following: Following) -> None:
        self._followed[following.key.encode()] = following
        self._changed.set()

    def drop(self, following: Following) -> None:
        if self._followed.get(following.key.encode()) is following:
            del self._followed[following.key.encode()]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for link in (self._reads, self._wakes):
            with suppress(*DOWN):
                await link.close()

    async def _read_all(self) -> None:
        while True:
            if not self._followed:
                await self._changed.wait()
            self._changed.clear()
            try:
                if self._id is None:
                    (self._id,) = await self._reads.ask([("CLIENT", "ID")], self._limits.answer_s)
                await self._read()
            except DOWN as error:
                self._id = None
                if not self._down:
                    log.warning("deltas: Valkey does not answer, answers come whole at their end: %r", error)
                self._down = True
                await asyncio.sleep(self._limits.pause_s)
            else:
                self._down = False
                await asyncio.sleep(self._limits.gather_s)

    async def _read(self) -> None:
        followed = dict(self._followed)
        if not followed:
            return
        block_ms = round(self._limits.block_s * 1_000)
        command: Command = (
            "XREAD", "COUNT", self._limits.read_deltas, "BLOCK", block_ms, "STREAMS", *followed,
            *(one.last for one in followed.values()),
        )  # fmt: skip
        (reply,) = await self._reads.ask([command], self._limits.block_s + self._limits.answer_s)
        if isinstance(reply, Exception):
            raise reply
        for key, entries in reply.items() if isinstance(reply, dict) else reply or ():
            for id_, fields in entries:
                followed[key].take(id_, fields)

    async def _wake_all(self) -> None:
        """End a read that is blocked whenever there is another answer to follow."""
        while True:
            await self._changed.wait()
            if self._id is None:  # it reads nothing yet
                await asyncio.sleep(self._limits.gather_s)
                continue
            try:
                await self._wakes.ask([("CLIENT", "UNBLOCK", self._id)], self._limits.answer_s)
            except DOWN:
                await asyncio.sleep(self._limits.pause_s)  # the reader notices by itself, and says so
            await asyncio.sleep(self._limits.gather_s)
