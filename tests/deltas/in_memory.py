"""The few commands of Valkey that deltas need, in memory."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

from redis.exceptions import ResponseError

from tradewind.connectors.ai.valkey import Command
from tradewind.connectors.clock.wall import clock_ms

Id = tuple[int, int]


class MemoryValkey:
    """A server."""

    def __init__(self) -> None:
        self.streams: dict[str, list[tuple[Id, bytes, bytes]]] = {}
        self.expires_ms: dict[str, int] = {}
        self.news = asyncio.Condition()
        self.numbers = itertools.count(1)
        self.unblocked: set[int] = set()

    def link(self) -> MemoryLink:
        """Connect."""
        return MemoryLink(self)


class MemoryLink:
    """A connection."""

    def __init__(self, server: MemoryValkey) -> None:
        self.server, self.number = server, next(server.numbers)

    async def ask(self, commands: list[Command], within_s: float) -> list[Any]:
        async with asyncio.timeout(within_s):
            replies = [await self._one(*command) for command in commands]
            async with self.server.news:
                self.server.news.notify_all()
            return replies

    async def close(self) -> None:
        """Have nothing to close."""

    async def _one(self, name: Any, *arguments: Any) -> Any:
        server = self.server
        match name:
            case "XADD":
                key, _, _, _, id_, field, value = arguments
                at = _id(id_)
                entries = server.streams.setdefault(key, [])
                if entries and at <= entries[-1][0]:
                    return ResponseError("The ID specified in XADD is equal or smaller than the target stream top item")
                entries.append((at, field, value))
                return id_.encode()
            case "PEXPIREAT":
                server.expires_ms[arguments[0]] = arguments[1]
                return 1
            case "PTTL":
                return server.expires_ms[arguments[0]] - clock_ms()
            case "CLIENT" if arguments[0] == "ID":
                return self.number
            case "CLIENT":
                server.unblocked.add(arguments[1])
                return 1
            case "XREAD":
                return await self._read(*arguments)
        return b"OK"  # MULTI and EXEC: nothing comes in between here

    async def _read(self, _: str, most: int, __: str, block_ms: int, ___: str, *rest: Any) -> Any:
        keys, lasts = rest[: len(rest) // 2], rest[len(rest) // 2 :]

        def found() -> dict[bytes, Any]:
            ahead = {}
            for key, last in zip(keys, lasts, strict=True):
                name = key.decode()
                entries = [one for one in self.server.streams.get(name, ()) if one[0] > _id(last)][:most]
                if entries:
                    ahead[key] = [(f"{at[0]}-{at[1]}".encode(), [field, value]) for at, field, value in entries]
            return ahead

        async with self.server.news:
            try:
                async with asyncio.timeout(block_ms / 1_000):
                    await self.server.news.wait_for(lambda: found() or self.number in self.server.unblocked)
            except TimeoutError:
                return None
            self.server.unblocked.discard(self.number)
            return found() or None


def _id(text: str) -> Id:
    attempt, number = text.split("-")
    return int(attempt), int(number)
