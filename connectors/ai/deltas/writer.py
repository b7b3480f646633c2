"""What the caller writes of answers while they come. It waits for nobody, and a call never waits for it."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from contextlib import suppress
from typing import Any, Protocol

from redis.exceptions import RedisError, ResponseError

from tradewind.connectors.ai.answer import Answer
from tradewind.connectors.ai.deltas.entries import Entry, added, pieces, stream_key
from tradewind.connectors.ai.deltas.limits import DeltaLimits
from tradewind.connectors.ai.valkey import Command
from tradewind.schemas.ai import AiCall

log = logging.getLogger(__name__)
DOWN = (OSError, TimeoutError, RedisError)
"""What a `Link` raises if there is no server, or a slow one."""
REASON_BYTES = 500
"""Of why an attempt ended without an answer."""


class Asked(Protocol):
    """What deltas need of a connection."""

    async def ask(self, commands: list[Command], within_s: float) -> list[Any]:
        """Send commands at once, and return their replies in order."""
        ...

    async def close(self) -> None:
        """Close the connection."""
        ...


class Telling:
    """The deltas of one attempt. A failure of any kind ends them, and the client gets the rest with the response."""

    __slots__ = ("_bytes", "_deltas", "_live", "_writer", "attempt", "expires_ms", "key", "over", "waiting")

    def __init__(self, writer: DeltaWriter, key: str, call: AiCall, kept_s: float) -> None:
        self._writer, self._live = writer, call.stream == "LIVE"
        self.key, self.attempt = key, call.attempt
        self.expires_ms = call.deadline // 1_000 + round(kept_s * 1_000)
        self._bytes = self._deltas = 0
        self.waiting: list[str] = []
        self.over = False

    def text(self, text: str) -> None:
        """Take text of the answer as it comes: LIVE shows it now, SURE not before the attempt is whole."""
        if self._live:
            self._add(text)

    def end(self, answer: Answer) -> None:
        """Take what came of the attempt."""
        if answer.outcome != "OK":
            if self._live and self._deltas:
                reason = f"{answer.outcome}: {answer.error or ''}".rstrip(": ")
                self._writer.reset(self, pieces(reason, REASON_BYTES)[0])
        elif not self._live:
            self._add(answer.text)

    def numbered(self, text: str, *, is_reset: bool = False) -> Entry:
        """Return the next entry of the attempt."""
        self._deltas += 1
        return Entry(self.attempt, self._deltas, text, is_reset)

    def is_first(self, entries: int) -> bool:
        """Return whether the last `entries` entries are all that there are."""
        return self._deltas == entries

    def _add(self, text: str) -> None:
        if not text or self.over:
            return
        size = len(text.encode("utf-8", "replace"))
        self._bytes += size
        limits = self._writer.limits
        if self._bytes > limits.stream_bytes or self._deltas >= limits.stream_deltas:
            self.over = True
            return
        self.waiting.append(text)
        self._writer.wait_for(self, size)


class DeltaWriter:
    """Writes the deltas of all answers that one caller gets."""

    def __init__(self, link: Asked, namespace: str = "", limits: DeltaLimits | None = None) -> None:
        self._link, self._namespace = link, namespace
        self.limits = limits or DeltaLimits()
        self._due: deque[Telling] = deque()
        self._resets: deque[tuple[Telling, str]] = deque()
        self._waiting_bytes = 0
        self._writing: asyncio.Task[None] | None = None
        self._down_until = 0.0
        self._refused: str | None = None

    def begin(self, call: AiCall) -> Telling | None:
        """Return what takes the deltas of a call; None if it has none.

        SURE with a `json_schema` has none: the agent may still refuse the answer.
        """
        if call.stream not in {"LIVE", "SURE"} or call.kind == "EMBEDDING":
            return None
        if call.stream == "SURE" and '"json_schema"' in call.body:
            return None
        key = stream_key(self._namespace, call.tenant_id, call.request_id)
        return Telling(self, key, call, self.limits.kept_s)

    def wait_for(self, telling: Telling, size: int) -> None:
        """Take note of text that waits."""
        now = asyncio.get_running_loop().time()
        self._waiting_bytes += size
        if now < self._down_until or self._waiting_bytes > self.limits.waiting_bytes:
            self._waiting_bytes -= size
            telling.waiting.pop()
            telling.over = True
            return
        if len(telling.waiting) == 1:
            self._due.append(telling)
        self._begin()

    def reset(self, telling: Telling, reason: str) -> None:
        """Write that an attempt has ended without an answer, behind its text."""
        if not telling.over:
            self._resets.append((telling, reason))
            self._begin()

    async def close(self) -> None:
        """Write what waits, for a short time, and close the connection."""
        if self._writing is not None:
            _, late = await asyncio.wait({self._writing}, timeout=self.limits.close_s)
            for task in late:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        await self._link.close()

    def _begin(self) -> None:
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all())

    async def _write_all(self) -> None:
        while self._due or self._resets:
            await self._write()
            await asyncio.sleep(self.limits.gather_s)

    async def _write(self) -> None:
        """Write some of what waits: the text that an answer has by now is one delta, or as many as its bytes need."""
        commands: list[Command] = []
        whose: list[Telling] = []
        limits = self.limits
        while self._due and len(commands) < limits.write_deltas:
            telling = self._due.popleft()
            text = "".join(telling.waiting)
            telling.waiting.clear()
            self._waiting_bytes -= len(text.encode("utf-8", "replace"))
            entries = [telling.numbered(piece) for piece in pieces(text, limits.delta_bytes)]
            self._put(commands, whose, telling, entries)
        while self._resets and not self._due:
            telling, reason = self._resets.popleft()
            if not telling.over:
                self._put(commands, whose, telling, [telling.numbered(reason, is_reset=True)])
        if not commands:
            return
        try:
            replies = await self._link.ask(commands, limits.answer_s)
        except DOWN as error:
            self._failed(whose, error)
            return
        if self._down_until:
            log.info("deltas: Valkey answers again")
            self._down_until = 0.0
        self._look_at(whose, replies)

    def _put(self, commands: list[Command], whose: list[Telling], telling: Telling, entries: list[Entry]) -> None:
        """Add the commands of entries. With the first ones of an attempt, and not without them, comes the expiry."""
        made = [added(telling.key, entry, self.limits.kept_deltas) for entry in entries]
        if telling.is_first(len(entries)):
            made = [("MULTI",), *made, ("PEXPIREAT", telling.key, telling.expires_ms), ("EXEC",)]
        commands += made
        whose += [telling] * len(made)

    def _look_at(self, whose: list[Telling], replies: list[Any]) -> None:
        """End what the server refused: it is out of memory, or another attempt writes by now."""
        for telling, reply in zip(whose, replies, strict=True):
            parts = reply if isinstance(reply, list) else (reply,)
            for part in parts:
                if isinstance(part, ResponseError):
                    telling.over = True
                    said = str(part)
                    if "equal or smaller" not in said and said != self._refused:
                        self._refused = said  # once for each reason, not for each delta
                        log.warning("deltas: Valkey refuses them, answers come whole at their end: %s", said)

    def _failed(self, whose: list[Telling], error: BaseException) -> None:
        """Leave the server alone for a while. What waits is given up, since what follows it would have a gap."""
        if not self._down_until:
            log.warning("deltas: Valkey does not answer, answers come whole at their end: %r", error)
        self._down_until = asyncio.get_running_loop().time() + self.limits.pause_s
        for telling in {*whose, *self._due, *(telling for telling, _ in self._resets)}:
            telling.over = True
            telling.waiting.clear()
        self._due.clear()
        self._resets.clear()
        self._waiting_bytes = 0
