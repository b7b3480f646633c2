"""A server that answers as the APIs of OpenAI, Anthropic, Gemini and Ollama do, and fails as the model's name asks for.

It speaks HTTP by hand, so that a test decides about each byte, and keeps what it was sent.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote

TEXT = "the market is calm"
USAGE = {"input": 20, "cached": 5, "output": 7}
ANTHROPIC_USAGE = {"input_tokens": USAGE["input"], "cache_read_input_tokens": USAGE["cached"]}
FOR_EVER_S = 600.0


@dataclass(frozen=True, slots=True)
class Asked:
    """A request."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]

    @property
    def form(self) -> str:
        forms = {"/messages": "anthropic", "/models/": "gemini", "/api/": "ollama", "/completions": "completion"}
        path = self.path.replace("/chat/completions", "")
        return next((form for part, form in forms.items() if part in path), "openai")

    @property
    def model(self) -> str:
        if self.form == "gemini":
            return unquote(self.path.partition("/models/")[2].partition(":")[0])
        return str(self.body["model"])

    @property
    def streamed(self) -> bool:
        return bool(self.body.get("stream")) or "streamGenerateContent" in self.path


class Conversation:
    """What a fault may do with a request."""

    def __init__(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        self.asked, self._writer = asked, writer

    async def head(
        self, status: int = 200, kind: str = "application/json", length: int | None = None, **more: str
    ) -> None:
        """Send the head; without a length, the body comes in chunks."""
        fields = {"content-type": kind, **{name.replace("_", "-"): value for name, value in more.items()}}
        fields |= {"transfer-encoding": "chunked"} if length is None else {"content-length": str(length)}
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        await self.send(f"HTTP/1.1 {status} X\r\n{lines}\r\n".encode())

    async def whole(self, payload: object, status: int = 200, kind: str = "application/json", **more: str) -> None:
        """Send a head and a body."""
        content = payload.encode() if isinstance(payload, str) else json.dumps(payload).encode()
        await self.head(status, kind, len(content), **more)
        await self.send(content)

    async def chunk(self, text: str) -> None:
        """Send a part of a body."""
        content = text.encode()
        await self.send(f"{len(content):x}\r\n".encode() + content + b"\r\n")

    async def stream(self) -> None:
        """Send the head of a stream, as the form has it."""
        await self.head(kind="application/x-ndjson" if self.asked.form == "ollama" else "text/event-stream")

    async def event(self, payload: object) -> None:
        """Send an event of a stream, as the form has it."""
        text = payload if isinstance(payload, str) else json.dumps(payload)
        if self.asked.form == "ollama":
            await self.chunk(f"{text}\n")
            return
        name = f"event: {payload['type']}\n" if isinstance(payload, dict) and "type" in payload else ""
        await self.chunk(f"{name}data: {text}\n\n")

    async def end(self) -> None:
        """End a body in chunks."""
        await self.send(b"0\r\n\r\n")

    async def send(self, content: bytes) -> None:
        self._writer.write(content)
        await self._writer.drain()

    def reset(self) -> None:
        """Break the connection."""
        self._writer.transport.abort()

    async def answer(self, text: str = TEXT, **parts: Any) -> None:
        """Answer well, in the form that is asked for."""
        if not self.asked.streamed:
            await self.whole(whole(self.asked, text, **parts))
            return
        await self.stream()
        for payload in events(self.asked, text, **parts):
            await self.event(payload)
        await self.end()


def whole(asked: Asked, text: str = TEXT, finish: str | None = "", *, usage: bool = True) -> dict[str, Any]:
    """Return a whole answer."""
    if "embed" in asked.path:
        vectors = [{"object": "embedding", "index": at, "embedding": [1.0]} for at, _ in enumerate(asked.body["input"])]
        return {"object": "list", "model": asked.model, "data": vectors, "usage": {"prompt_tokens": 4}}
    if asked.form == "gemini":
        return gemini(asked, text, "STOP" if finish == "" else finish, usage=usage)
    if asked.form == "ollama":
        return ollama(asked, text, "stop" if finish == "" else finish, usage=usage)
    if asked.form == "anthropic":
        counts = {
            "input_tokens": USAGE["input"],
            "cache_read_input_tokens": USAGE["cached"],
            "output_tokens": USAGE["output"],
        }
        return {
            "id": "msg_1", "type": "message", "role": "assistant", "model": asked.model,
            "content": [{"type": "text", "text": text}], "stop_reason": "end_turn" if finish == "" else finish,
            **({"usage": counts} if usage else {}),
        }  # fmt: skip
    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop" if finish == "" else finish}
    return {
        "id": "chatcmpl-1", "object": "chat.completion", "model": asked.model, "choices": [{"index": 0, **choice}],
        **({"usage": openai_usage()} if usage else {}),
    }  # fmt: skip


def gemini(asked: Asked, text: str, finish: str | None, *, usage: bool = True) -> dict[str, Any]:
    """Return an answer of Gemini, or one of a stream."""
    counts = {"promptTokenCount": USAGE["input"] + USAGE["cached"], "cachedContentTokenCount": USAGE["cached"]}
    counts |= {"candidatesTokenCount": USAGE["output"] - 2, "thoughtsTokenCount": 2}
    candidate = {"content": {"role": "model", "parts": [{"text": text}] if text else []}, "index": 0}
    return {
        "candidates": [{**candidate, **({"finishReason": finish} if finish else {})}],
        "modelVersion": asked.model, "responseId": "r-1", **({"usageMetadata": counts} if usage else {}),
    }  # fmt: skip


def ollama(asked: Asked, text: str, finish: str | None, *, usage: bool = True, done: bool = True) -> dict[str, Any]:
    """Return an answer of Ollama, or a line of a stream; it tells no cache."""
    said = {"response": text} if "generate" in asked.path else {"message": {"role": "assistant", "content": text}}
    counts = {"prompt_eval_count": USAGE["input"], "eval_count": USAGE["output"]}
    reason = {"done_reason": finish} if finish else {}
    return {"model": asked.model, "done": done, **said, **({**reason, **(counts if usage else {})} if done else {})}


def openai_usage() -> dict[str, Any]:
    """Return the usage as OpenAI counts it: the prompt's tokens with those of the cache."""
    prompt = USAGE["input"] + USAGE["cached"]
    details = {"cached_tokens": USAGE["cached"]}
    return {"prompt_tokens": prompt, "completion_tokens": USAGE["output"], "prompt_tokens_details": details}


def events(
    asked: Asked, text: str = TEXT, finish: str | None = "", *, usage: bool = True, done: bool = True
) -> list[dict[str, Any] | str]:
    """Return the events of an answer."""
    words = [f"{word} " for word in text.split()] if text else []
    words = [*words[:-1], words[-1].rstrip()] if words else []
    if asked.form == "gemini":
        ends = gemini(asked, "", "STOP" if finish == "" else finish, usage=usage)
        return [*(gemini(asked, word, None, usage=usage) for word in words), ends]
    if asked.form == "ollama":
        ends = ollama(asked, "", "stop" if finish == "" else finish, usage=usage)
        return [*(ollama(asked, word, None, done=False) for word in words), ends]
    if asked.form == "anthropic":
        counts = {**ANTHROPIC_USAGE, "output_tokens": 1}
        head = {"id": "msg_1", "type": "message", "model": asked.model, **({"usage": counts} if usage else {})}
        end = {"usage": {"output_tokens": USAGE["output"]}} if usage else {}
        delta = {"type": "content_block_delta", "index": 0}
        return [
            {"type": "message_start", "message": head},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            {"type": "ping"},
            *({**delta, "delta": {"type": "text_delta", "text": word}} for word in words),
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn" if finish == "" else finish}, **end},
            *([{"type": "message_stop"}] if done else []),
        ]
    base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": asked.model}
    ending: list[dict[str, Any] | str] = [{**base, "choices": [], "usage": openai_usage()}] if usage else []
    return [
        {**base, "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]},
        *({**base, "choices": [{"index": 0, "delta": {"content": word}, "finish_reason": None}]} for word in words),
        {**base, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop" if finish == "" else finish}]},
        *ending,
        *(["[DONE]"] if done else []),
    ]


Fault = Callable[[Conversation], Awaitable[None]]


class Provider:
    """The server. What it was asked is in `requests`."""

    def __init__(self, faults: Mapping[str, Fault]) -> None:
        """Answer a model by its fault; any other model well."""
        self._faults = faults
        self.requests: list[Asked] = []
        self.url = ""
        self._serving: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for one in self._serving:
            one.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        with suppress(ConnectionError, EOFError, asyncio.CancelledError, UnicodeDecodeError, asyncio.LimitOverrunError):
            while True:
                asked = await _request(reader)
                self.requests.append(asked)
                fault = self._faults.get(asked.model, Conversation.answer)
                await fault(Conversation(asked, writer))
        self._serving.discard(task)
        writer.close()


async def _request(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    content = await reader.readexactly(int(headers.get("content-length", "0")))
    return Asked(first.split()[1], headers, json.loads(content))
