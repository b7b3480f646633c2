"""Answers in Valkey, which all callers share and a restart does not lose. Without Valkey there are the same answers."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any, Protocol, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from tradewind.connectors.ai.cache.kept import Kept, read
from tradewind.connectors.settings import Settings, revealed
from tradewind.schemas.ai import AiCall

log = logging.getLogger(__name__)
SECONDS = 24 * 3_600
ANSWER_S = 0.1
"""Longest wait for Valkey, which answers in less than 1 ms: a call to a provider takes far longer than both."""
PAUSE_S = 5.0
"""After Valkey did not answer: until then it is not asked."""
WRITING = 256
"""Answers that are on their way to Valkey at once; further ones are not written."""
ROOM_S = 5.0
"""How long what was seen of Valkey's memory holds."""
SHARE = 0.5
"""Of Valkey's memory that may be in use, by anybody, for answers to be written: it drops nothing by itself."""
PREFIX = "ai:cache:"


class SharedAnswers(Protocol):
    """A store that callers share."""

    async def get(self, key: str, call: AiCall) -> Kept | None:
        """Return an answer; None if there is none, or the store does not answer."""
        ...

    def put(self, key: str, kept: Kept) -> None:
        """Have an answer written, soon or not at all."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


class ValkeyAnswers:
    """Answers in Valkey or Redis."""

    def __init__(
        self, settings: Settings, clock: Callable[[], float] = time.monotonic, most_writing: int = WRITING
    ) -> None:
        """Use the server of the settings, which name one; connect when it is first asked."""
        redis = settings.redis
        assert redis.url is not None  # who has none has no shared answers
        self._redis: Any = Redis.from_url(
            redis.url,
            username=redis.user,
            password=revealed(redis.password),
            socket_timeout=ANSWER_S,
            socket_connect_timeout=ANSWER_S,
        )
        self._prefix = settings.physical(PREFIX)
        self._clock, self._most_writing = clock, most_writing
        self._asked_from = 0.0
        self._room_until, self._room = 0.0, False
        self._writing: set[asyncio.Task[None]] = set()

    async def get(self, key: str, call: AiCall) -> Kept | None:
        """Return an answer; None if there is none, or Valkey does not answer."""
        if self._clock() < self._asked_from:
            return None
        try:
            async with asyncio.timeout(ANSWER_S):
                line = await self._redis.get(f"{self._prefix}{key}")
        except (RedisError, OSError, TimeoutError) as error:
            self._pause(error)
            return None
        return None if line is None else read(cast("bytes", line), call)

    def put(self, key: str, kept: Kept) -> None:
        """Have an answer written, unless Valkey is half full, does not answer, or has too much to write."""
        if self._clock() < self._asked_from or len(self._writing) >= self._most_writing:
            return
        task = asyncio.create_task(self._write(f"{self._prefix}{key}", kept.line()))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def close(self) -> None:
        """Let what is being written end, and close the connections."""
        if self._writing:
            await asyncio.wait(self._writing, timeout=ANSWER_S)
        await self._redis.aclose()

    async def _write(self, key: str, line: bytes) -> None:
        try:
            async with asyncio.timeout(ANSWER_S):
                if await self._has_room():
                    await self._redis.set(key, line, ex=SECONDS)
        except (RedisError, OSError, TimeoutError) as error:
            self._pause(error)

    async def _has_room(self) -> bool:
        if self._clock() >= self._room_until:
            memory = await self._redis.info("memory")
            most = int(memory.get("maxmemory", 0))
            self._room = most == 0 or int(memory["used_memory"]) < SHARE * most
            self._room_until = self._clock() + ROOM_S
        return self._room

    def _pause(self, error: Exception) -> None:
        if self._clock() >= self._asked_from:
            log.warning("Valkey does not answer, so answers are not shared for %.0f s: %s", PAUSE_S, error)
        self._asked_from = self._clock() + PAUSE_S


def shared_answers(settings: Settings) -> SharedAnswers | None:
    """Return the store of the settings; None if they name no Valkey."""
    return None if settings.redis.url is None else ValkeyAnswers(settings)
