"""One exchange with a provider: a request, its answer, the waits that end it, and what every failure is called."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Any

import aiohttp

from tradewind.connectors.ai.answer import Answer
from tradewind.connectors.ai.forms.form import Form, Unfit, Unreadable
from tradewind.connectors.ai.outcomes import inside, refused
from tradewind.connectors.calls.kind import Sending
from tradewind.schemas.ai import AiCall

BODY_BYTES = 16 * 1024 * 1024
"""Of a whole answer: embeddings of 2,048 texts are some 12 MB in base64."""
LINE_BYTES = 4 * 1024 * 1024
"""Of one line of a stream: more is no event."""
ERROR_BYTES = 64 * 1024
"""Of an error's body: the rest is not read."""
DONE = "[DONE]"


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: the head, and the body as it comes."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    chunks: AsyncIterator[bytes]


Post = Callable[[AiCall, str, dict[str, Any], str | None], AbstractAsyncContextManager[Reply]]
"""Sends a body to a path, with a key. The connection's own wait holds; no other does."""


class Exchange:
    """Performs one call by a form and a way to send."""

    def __init__(self, form: Form, post: Post, call: AiCall, sending: Sending) -> None:
        self._form, self._post, self._call, self._sending = form, post, call, sending
        self._first_token_us: int | None = None
        self._status: int | None = None

    async def answer(self, key: str | None) -> Answer:
        """Return what came of it; the waits for the first token and between tokens hold."""
        call = self._call
        clock = asyncio.get_running_loop().time
        begun = clock()
        streamed = call.kind != "EMBEDDING" and call.stream != "NONE"
        try:
            path, body = self._form.path(call), self._form.body(call)
        except Unfit as error:
            return Answer("NO_MODEL", str(error))
        first_s = (call.first_token_timeout_ms if streamed else call.total_timeout_ms) / 1_000
        try:
            async with asyncio.timeout_at(begun + first_s) as limit:
                self._sending.sent = True
                async with self._post(call, path, body, key) as reply:
                    self._status = reply.status

                    def token(text: str) -> None:
                        now = clock()
                        if self._first_token_us is None:
                            self._first_token_us = round((now - begun) * 1_000_000)
                        limit.reschedule(now + call.idle_timeout_ms / 1_000)
                        if text:
                            self._sending.text(text)

                    found = await self._read(reply, token, streamed=streamed)
                    limit.reschedule(None)  # all is read: what is left is to give the connection back
        except TimeoutError as error:
            if isinstance(error, aiohttp.ConnectionTimeoutError):
                return self._unconnected(error)
            stage = "TOTAL" if not streamed else "FIRST_TOKEN" if self._first_token_us is None else "IDLE"
            found = Answer("TIMED_OUT", f"nothing came in time: {stage}", timeout=stage)  # type: ignore[arg-type]
        except Unreadable as error:
            found = Answer("MALFORMED", str(error))
        except Exception as error:
            if (failed := self._failed(error)) is None:
                raise
            found = failed
        return replace(found, first_token_us=self._first_token_us, http_status=found.http_status or self._status)

    async def _read(self, reply: Reply, token: Callable[[str], None], *, streamed: bool) -> Answer:
        if reply.status != 200:
            return refused(reply.status, reply.headers, await _content(reply, ERROR_BYTES, cut=True))
        kind = reply.headers.get("content-type", "")
        if streamed and "text/event-stream" in kind:
            return await self._streamed(_events(reply.chunks), token)
        if streamed and "ndjson" in kind:
            return await self._streamed(_filled(_lines(reply.chunks)), token)
        payload = _object(await _content(reply, BODY_BYTES))
        if payload is None:
            return Answer("MALFORMED", f"the answer is no JSON object, but {kind or 'of no type'}")
        if payload.get("error"):
            return inside(payload["error"])
        token("")
        try:
            return self._form.whole(self._call, payload)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            return Answer("MALFORMED", f"the answer has another form: {type(error).__name__}: {error}")

    async def _streamed(self, events: AsyncIterator[str], token: Callable[[str], None]) -> Answer:
        stream = self._form.stream(self._call)
        broken: Exception | None = None
        try:
            async for data in events:
                if data == DONE:
                    break
                payload = _object(data.encode())
                if payload is None:
                    return Answer("MALFORMED", "an event of the stream is no JSON object")
                if payload.get("error"):
                    return inside(payload["error"])
                if (text := stream.feed(payload)) is not None:
                    token(text)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            return Answer("MALFORMED", f"the stream has another form: {type(error).__name__}: {error}")
        except Exception as error:
            if self._failed(error) is None:
                raise
            broken = error
        answer = stream.message().answer()
        if broken is not None and answer.outcome == "TRUNCATED":  # else all was there before it broke
            return replace(answer, outcome="BROKEN", error=f"the stream broke: {_words(broken)}")
        return answer

    def _failed(self, error: Exception) -> Answer | None:
        """Return what a failure of the connection is called; None if it is another error, such as a bug."""
        cause = _cause(error)
        if cause is None:
            return None
        if isinstance(cause, aiohttp.ConnectionTimeoutError):
            return self._unconnected(cause)
        if isinstance(cause, aiohttp.ClientConnectorError | aiohttp.InvalidURL):
            self._sending.sent = False
            return Answer("UNREACHABLE", _words(cause))
        return Answer("BROKEN", _words(cause))

    def _unconnected(self, error: Exception) -> Answer:
        self._sending.sent = False
        return Answer("TIMED_OUT", f"no connection in time: {_words(error)}", timeout="CONNECT")


def _cause(error: BaseException | None) -> BaseException | None:
    """Return the error of the connection behind an error of a package."""
    while error is not None:
        if isinstance(error, aiohttp.ClientError):
            return error
        error = error.__cause__ or error.__context__
    return None


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ")


async def _content(reply: Reply, most: int, *, cut: bool = False) -> bytes:
    """Return the body; `cut` leaves out what is beyond `most` bytes, which is an error otherwise."""
    found = bytearray()
    async for chunk in reply.chunks:
        found += chunk
        if len(found) > most:
            if cut:
                return bytes(found[:most])
            raise Unreadable(f"the answer has more than {most:,} bytes")
    return bytes(found)


def _object(content: bytes) -> dict[str, Any] | None:
    try:
        payload = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return payload if isinstance(payload, dict) else None


async def _events(chunks: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """Yield the data of each event of a stream; comments and names of events are left out."""
    data: list[str] = []
    async for line in _lines(chunks):
        if line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif not line and data:
            yield "\n".join(data)
            data = []
    if data:
        yield "\n".join(data)


async def _filled(lines: AsyncIterator[str]) -> AsyncIterator[str]:
    async for line in lines:
        if line:
            yield line


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[str]:
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > LINE_BYTES:
            raise Unreadable(f"a line of the stream has more than {LINE_BYTES:,} bytes")
        for line in lines:
            yield line.rstrip(b"\r").decode("utf-8", "replace")
    if rest:
        yield rest.decode("utf-8", "replace")
