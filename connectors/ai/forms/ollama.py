"""The form of Ollama's own API: streams are lines of JSON, and the last one tells the tokens."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping
from typing import Any

from tradewind.connectors.ai.answer import Answer, Finish, Tokens
from tradewind.connectors.ai.forms.form import Message, Unfit, is_plain, plain_prompt
from tradewind.schemas.ai import AiCall

FINISHES: Mapping[str, Finish] = {"stop": "STOP", "length": "LENGTH"}
OPTIONS = ("temperature", "top_p", "seed", "stop")
WHOLE = {"truncate": False, "shift": False}
"""A prompt that does not fit is an error: Ollama would leave out its begin otherwise, and answer the rest."""
FREE_CHOICES = frozenset({"auto", "none"})


class OllamaForm:
    """Translates calls."""

    def path(self, call: AiCall) -> str:
        """Return the path."""
        if call.kind == "EMBEDDING":
            return "/api/embed"
        return "/api/generate" if _is_generated(call, json.loads(call.body)) else "/api/chat"

    def body(self, call: AiCall) -> dict[str, Any]:
        """Return the request."""
        asked: dict[str, Any] = json.loads(call.body)
        if call.kind == "EMBEDDING":
            return {"model": call.model, "input": asked["inputs"], "truncate": False}
        options = {"num_predict": call.max_tokens, **{name: asked[name] for name in OPTIONS if name in asked}}
        body: dict[str, Any] = {"model": call.model, "stream": call.stream != "NONE", "options": options, **WHOLE}
        if (schema := asked.get("json_schema")) is not None:
            body["format"] = schema
        if _is_generated(call, asked):
            return {**body, "prompt": plain_prompt(asked)}
        body["messages"] = _messages(asked["messages"])
        if (tools := asked.get("tools")) and asked.get("tool_choice") != "none":
            body["tools"] = [{"type": "function", "function": tool} for tool in tools]
        return body

    def whole(self, call: AiCall, payload: Mapping[str, Any]) -> Answer:
        """Return the answer of one JSON object."""
        if call.kind == "EMBEDDING":
            return _embeddings(call, payload)
        stream = self.stream(call)
        stream.feed(payload)
        return stream.message().answer()

    def stream(self, call: AiCall) -> OllamaStream:
        """Return what reads a stream of lines."""
        return OllamaStream(json.loads(call.body).get("tool_choice"))


class OllamaStream:
    """Lines of an answer."""

    def __init__(self, choice: str | None) -> None:
        self._choice = choice
        self._text: list[str] = []
        self._calls: list[dict[str, str]] = []
        self._last: Mapping[str, Any] = {}
        self._model: str | None = None

    def feed(self, payload: Mapping[str, Any]) -> str | None:
        """Take a line; thoughts of a model are tokens, too."""
        self._model = payload.get("model") or self._model
        message = payload["message"] if "message" in payload else {"content": payload["response"]}
        text = message.get("content") or ""
        self._text.append(text)
        for call in message.get("tool_calls") or ():
            function, id_ = call["function"], call.get("id") or f"call-{len(self._calls)}"
            arguments = json.dumps(function.get("arguments") or {})
            self._calls.append({"id": str(id_), "name": str(function["name"]), "arguments": arguments})
        if payload.get("done"):
            self._last = payload
        others = message.get("tool_calls") or message.get("thinking") or payload.get("thinking")
        return text or ("" if others else None)

    def message(self) -> Message:
        """Return what came in all."""
        finish = FINISHES.get(self._last.get("done_reason") or "")
        finish = "TOOL_CALLS" if finish == "STOP" and self._calls else finish
        text, calls = "".join(self._text), tuple(self._calls)
        return Message(text, calls, finish, _tokens(self._last), self._model, None, self._flaw())

    def _flaw(self) -> str | None:
        """Say that the model was to call a tool, and has not."""
        called = {call["name"] for call in self._calls}
        if self._choice is None or self._choice in {*FREE_CHOICES, *called} or (self._choice == "required" and called):
            return None
        return f"the model was to call a tool ({self._choice}), and has not: Ollama cannot force it"


def _is_generated(call: AiCall, asked: Mapping[str, Any]) -> bool:
    return call.kind == "COMPLETION" and is_plain(asked)


def _tokens(last: Mapping[str, Any]) -> Tokens | None:
    """Return the tokens; Ollama leaves out a count of 0, and tells no cache."""
    if not {"prompt_eval_count", "eval_count"} & last.keys():
        return None
    return Tokens(input=int(last.get("prompt_eval_count") or 0), output=int(last.get("eval_count") or 0))


def _embeddings(call: AiCall, payload: Mapping[str, Any]) -> Answer:
    vectors = tuple(struct.pack(f"<{len(one)}f", *one) for one in payload["embeddings"])
    wanted = len(json.loads(call.body)["inputs"])
    if len(vectors) != wanted:
        return Answer("MALFORMED", f"{wanted} inputs have {len(vectors)} embeddings", http_status=200)
    tokens, model = _tokens(payload), payload.get("model")
    return Answer("OK", embeddings=vectors, finish="STOP", tokens=tokens, model=model, http_status=200)


def _messages(messages: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the messages; a result names its tool, and arguments are objects."""
    found: list[dict[str, Any]] = []
    names: dict[str, str] = {}
    for message in messages:
        made: dict[str, Any] = {"role": message["role"], "content": message["content"]}
        if images := message.get("images"):
            made["images"] = [_image(image) for image in images]
        if calls := message.get("tool_calls"):
            names |= {call["id"]: call["name"] for call in calls}
            made["tool_calls"] = [
                {"function": {"name": call["name"], "arguments": json.loads(call["arguments"] or "{}")}}
                for call in calls
            ]
        if message["role"] == "tool":
            id_ = message["tool_call_id"]
            made["tool_name"] = message.get("name") or names.get(id_, id_)
        found.append(made)
    return found


def _image(image: str) -> str:
    """Return what a `data:` address holds; raises `Unfit` for others, which Ollama does not fetch."""
    if image.startswith("data:") and ";base64," in image:
        return image.partition(";base64,")[2]
    raise Unfit("Ollama fetches no images: send it as a data: address in base64")
