"""The form of OpenAI's API, which many other providers have as well: chat completions and embeddings."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Mapping
from typing import Any

from tradewind.connectors.ai.answer import Answer, Finish, Tokens
from tradewind.connectors.ai.forms.form import Message
from tradewind.schemas.ai import AiCall

FINISHES: Mapping[str, Finish] = {
    "stop": "STOP",
    "length": "LENGTH",
    "tool_calls": "TOOL_CALLS",
    "function_call": "TOOL_CALLS",
    "content_filter": "FILTER",
    **dict.fromkeys(("eos", "eos_token", "stop_sequence"), "STOP"),
}
"""The last ones are of servers of open models."""
PASSED_ON = ("temperature", "top_p", "seed", "stop")
TOOL_CHOICES = frozenset({"auto", "none", "required"})


class OpenAiForm:
    """Translates calls. `own` is OpenAI itself; others know fewer and older names of fields."""

    def __init__(self, *, own: bool) -> None:
        self._own = own

    def path(self, call: AiCall) -> str:
        """Return the path below `/v1`."""
        return "/embeddings" if call.kind == "EMBEDDING" else "/chat/completions"

    def body(self, call: AiCall) -> dict[str, Any]:
        """Return the request."""
        asked: dict[str, Any] = json.loads(call.body)
        if call.kind == "EMBEDDING":
            form = "base64" if self._own else "float"
            return {"model": call.model, "input": asked["inputs"], "encoding_format": form}
        body: dict[str, Any] = {"model": call.model, "messages": [_message(one) for one in asked["messages"]]}
        body["max_completion_tokens" if self._own else "max_tokens"] = call.max_tokens
        body |= {name: asked[name] for name in PASSED_ON if name in asked}
        if tools := asked.get("tools"):
            body["tools"] = [{"type": "function", "function": tool} for tool in tools]
        if (choice := asked.get("tool_choice")) is not None:
            named = {"type": "function", "function": {"name": choice}}
            body["tool_choice"] = choice if choice in TOOL_CHOICES else named
        if (schema := asked.get("json_schema")) is not None:
            body["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
        if call.stream != "NONE":
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        return body

    def whole(self, call: AiCall, payload: Mapping[str, Any]) -> Answer:
        """Return the answer of one JSON object."""
        if call.kind == "EMBEDDING":
            return _embeddings(call, payload)
        choice = payload["choices"][0]
        message = choice["message"]
        calls = tuple(_tool_call(one) for one in message.get("tool_calls") or ())
        finish = "FILTER" if message.get("refusal") else FINISHES.get(choice.get("finish_reason") or "")
        text = message.get("content") or ""
        return Message(
            text, calls, finish, tokens_of(payload.get("usage")), payload.get("model"), payload.get("id")
        ).answer()

    def stream(self, call: AiCall) -> OpenAiStream:  # noqa: ARG002 - all streams of this form are alike
        """Return what reads a stream of chunks."""
        return OpenAiStream()


class OpenAiStream:
    """Chunks of a chat completion."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._calls: dict[int, dict[str, str]] = {}
        self._finish: Finish | None = None
        self._usage: Mapping[str, Any] | None = None
        self._model: str | None = None
        self._id: str | None = None

    def feed(self, payload: Mapping[str, Any]) -> str | None:
        """Take a chunk; the last one has the usage and no choice."""
        self._model = payload.get("model") or self._model
        self._id = payload.get("id") or self._id
        self._usage = payload.get("usage") or self._usage
        if not payload["choices"]:
            return None
        choice = payload["choices"][0]
        delta = choice.get("delta") or {}
        if text := delta.get("content"):
            self._text.append(text)
        for part in delta.get("tool_calls") or ():
            self._add(part)
        if delta.get("refusal"):
            self._finish = "FILTER"
        if (finish := choice.get("finish_reason")) is not None:
            self._finish = self._finish or FINISHES.get(finish)
        return text or ("" if delta.get("tool_calls") or delta.get("reasoning_content") else None)

    def message(self) -> Message:
        """Return what came in all."""
        calls = tuple(self._calls[at] for at in sorted(self._calls))
        return Message("".join(self._text), calls, self._finish, tokens_of(self._usage), self._model, self._id)

    def _add(self, part: Mapping[str, Any]) -> None:
        call = self._calls.setdefault(part.get("index", 0), {"id": "", "name": "", "arguments": ""})
        function = part.get("function") or {}
        call["id"] = part.get("id") or call["id"]
        call["name"] += function.get("name") or ""
        call["arguments"] += function.get("arguments") or ""


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    content: Any = message["content"]
    if images := message.get("images"):
        parts = [{"type": "image_url", "image_url": {"url": image}} for image in images]
        content = [{"type": "text", "text": content}, *parts]
    found: dict[str, Any] = {"role": message["role"], "content": content}
    found |= {name: message[name] for name in ("name", "tool_call_id") if name in message}
    if calls := message.get("tool_calls"):
        found["tool_calls"] = [
            {"id": one["id"], "type": "function", "function": {"name": one["name"], "arguments": one["arguments"]}}
            for one in calls
        ]
    return found


def _tool_call(call: Mapping[str, Any]) -> dict[str, str]:
    function = call["function"]
    return {"id": str(call.get("id") or ""), "name": str(function["name"]), "arguments": str(function["arguments"])}


def tokens_of(usage: Mapping[str, Any] | None) -> Tokens | None:
    """Return the tokens by class: the prompt's count holds those that the cache gave or took, ours does not.

    OpenRouter tells what was written to a cache, and DeepSeek has a name of its own for what was read.
    """
    if not usage:
        return None
    prompt, details = int(usage["prompt_tokens"]), usage.get("prompt_tokens_details") or {}
    cached = min(prompt, int(details.get("cached_tokens") or usage.get("prompt_cache_hit_tokens") or 0))
    written = min(prompt - cached, int(details.get("cache_write_tokens") or 0))
    output = int(usage.get("completion_tokens") or 0)
    return Tokens(input=prompt - cached - written, cache_read=cached, cache_write=written, output=output)


def _embeddings(call: AiCall, payload: Mapping[str, Any]) -> Answer:
    data = sorted(enumerate(payload["data"]), key=lambda one: int(one[1].get("index", one[0])))
    vectors = tuple(_vector(one["embedding"]) for _, one in data)
    wanted = len(json.loads(call.body)["inputs"])
    if len(vectors) != wanted:
        return Answer("MALFORMED", f"{wanted} inputs have {len(vectors)} embeddings", http_status=200)
    tokens, model = tokens_of(payload.get("usage")), payload.get("model")
    return Answer("OK", embeddings=vectors, finish="STOP", tokens=tokens, model=model, http_status=200)


def _vector(given: str | list[float]) -> bytes:
    """Return a vector of float32 in little endian, which is what OpenAI's base64 holds."""
    return base64.b64decode(given) if isinstance(given, str) else struct.pack(f"<{len(given)}f", *given)
