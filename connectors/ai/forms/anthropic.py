"""The form of Anthropic's Messages API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tradewind.connectors.ai.answer import Answer, Finish, Tokens
from tradewind.connectors.ai.forms.form import Message, Unfit
from tradewind.schemas.ai import AiCall

FINISHES: Mapping[str, Finish] = {
    "end_turn": "STOP",
    "stop_sequence": "STOP",
    "max_tokens": "LENGTH",
    "model_context_window_exceeded": "LENGTH",
    "tool_use": "TOOL_CALLS",
    "refusal": "FILTER",
}
CHOICES: Mapping[str, Mapping[str, str]] = {
    "auto": {"type": "auto"},
    "none": {"type": "none"},
    "required": {"type": "any"},
}
ANSWER = "answer"
"""A tool that the model must call where JSON of a schema is asked for: its input is the answer."""
EMBEDDINGS = "Anthropic has no embeddings: route them to another provider"


class AnthropicForm:
    """Translates calls."""

    def path(self, call: AiCall) -> str:
        """Return the path below the base URL."""
        if call.kind == "EMBEDDING":
            raise Unfit(EMBEDDINGS)
        return "/v1/messages"

    def body(self, call: AiCall) -> dict[str, Any]:
        """Return the request."""
        asked: dict[str, Any] = json.loads(call.body)
        if call.kind == "EMBEDDING":
            raise Unfit(EMBEDDINGS)
        body: dict[str, Any] = {
            "model": call.model,
            "max_tokens": call.max_tokens,
            "messages": _turns(asked["messages"]),
        }
        if system := [one["content"] for one in asked["messages"] if one["role"] == "system"]:
            body["system"] = "\n\n".join(system)
        body |= {name: asked[name] for name in ("temperature", "top_p") if name in asked}
        if "stop" in asked:
            body["stop_sequences"] = asked["stop"]
        tools = [_tool(one["name"], one["description"], one["parameters"]) for one in asked.get("tools") or ()]
        choice = asked.get("tool_choice")
        if choice is not None:
            body["tool_choice"] = dict(CHOICES.get(choice, {"type": "tool", "name": choice}))
        if (schema := asked.get("json_schema")) is not None:
            tools.append(_tool(ANSWER, "Gives the answer.", schema))
            body["tool_choice"] = {"type": "tool", "name": ANSWER}
        if tools:
            body["tools"] = tools
        if call.stream != "NONE":
            body["stream"] = True
        return body

    def whole(self, call: AiCall, payload: Mapping[str, Any]) -> Answer:  # noqa: ARG002 - all answers are alike
        """Return the answer of one JSON object."""
        text = "".join(block["text"] for block in payload["content"] if block["type"] == "text")
        calls = [
            {"id": block["id"], "name": block["name"], "arguments": json.dumps(block["input"])}
            for block in payload["content"]
            if block["type"] == "tool_use"
        ]
        finish = FINISHES.get(payload.get("stop_reason") or "")
        return _message(text, calls, finish, payload.get("usage"), payload).answer()

    def stream(self, call: AiCall) -> AnthropicStream:  # noqa: ARG002 - all streams of this form are alike
        """Return what reads a stream of events."""
        return AnthropicStream()


class AnthropicStream:
    """Events of a message."""

    def __init__(self) -> None:
        self._head: Mapping[str, Any] = {}
        self._usage: dict[str, Any] = {}
        self._blocks: dict[int, dict[str, str]] = {}
        self._finish: Finish | None = None
        self._stopped = False

    def feed(self, payload: Mapping[str, Any]) -> str | None:
        """Take an event; pings and the ends of blocks hold no tokens."""
        match payload["type"]:
            case "message_start":
                self._head = payload["message"]
                self._usage.update(self._head.get("usage") or {})
            case "content_block_start":
                block = payload["content_block"]
                start = {"type": block["type"], "id": block.get("id", ""), "name": block.get("name", "")}
                self._blocks[payload["index"]] = {**start, "text": block.get("text") or ""}
            case "content_block_delta":
                delta = payload["delta"]
                block = self._blocks[payload["index"]]
                text = delta.get("text") or delta.get("partial_json") or ""
                block["text"] += text
                return text if block["type"] == "text" or block["name"] == ANSWER else ""
            case "message_delta":
                self._usage.update(payload.get("usage") or {})
                self._finish = FINISHES.get(payload["delta"].get("stop_reason") or "") or self._finish
        return None

    def message(self) -> Message:
        """Return what came in all."""
        blocks = [self._blocks[at] for at in sorted(self._blocks)]
        text = "".join(block["text"] for block in blocks if block["type"] == "text")
        calls = [
            {"id": block["id"], "name": block["name"], "arguments": block["text"] or "{}"}
            for block in blocks
            if block["type"] == "tool_use"
        ]
        return _message(text, calls, self._finish, self._usage, self._head)


def _message(
    text: str,
    calls: list[dict[str, str]],
    finish: Finish | None,
    usage: Mapping[str, Any] | None,
    head: Mapping[str, Any],
) -> Message:
    """Return what an answer says; the input of the tool that gives the answer is its text."""
    answers = [call for call in calls if call["name"] == ANSWER]
    if answers:
        text, calls = answers[0]["arguments"], [call for call in calls if call["name"] != ANSWER]
        finish = "STOP" if finish == "TOOL_CALLS" and not calls else finish
    return Message(text, tuple(calls), finish, _tokens(usage), head.get("model"), head.get("id"))


def _tokens(usage: Mapping[str, Any] | None) -> Tokens | None:
    """Return the tokens by class; Anthropic's classes are disjoint, as ours are."""
    if not usage or "output_tokens" not in usage:
        return None
    return Tokens(
        int(usage["input_tokens"]),
        int(usage.get("cache_read_input_tokens") or 0),
        int(usage.get("cache_creation_input_tokens") or 0),
        int(usage["output_tokens"]),
    )


def _tool(name: str, description: str | None, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": name, "description": description or "", "input_schema": schema}


def _turns(messages: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the messages that are no system's; results of tools are parts of a user's turn."""
    turns: list[dict[str, Any]] = []
    for message in messages:
        if message["role"] == "system":
            continue
        if message["role"] == "tool":
            role = "user"
            parts = [{"type": "tool_result", "tool_use_id": message["tool_call_id"], "content": message["content"]}]
        else:
            role, parts = message["role"], _parts(message)
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += parts
        else:
            turns.append({"role": role, "content": parts})
    return turns


def _parts(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = [{"type": "image", "source": _image(image)} for image in message.get("images") or ()]
    if message["content"]:
        parts.append({"type": "text", "text": message["content"]})
    for call in message.get("tool_calls") or ():
        arguments = json.loads(call["arguments"] or "{}")
        parts.append({"type": "tool_use", "id": call["id"], "name": call["name"], "input": arguments})
    return parts


def _image(image: str) -> dict[str, str]:
    """Return the source of an image: an address, or what a `data:` address holds."""
    if image.startswith("data:") and ";base64," in image:
        kind, _, data = image[5:].partition(";base64,")
        return {"type": "base64", "media_type": kind, "data": data}
    return {"type": "url", "url": image}
