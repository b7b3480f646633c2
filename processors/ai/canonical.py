"""A request in our own form: the body that adapters translate, its digest, and the most tokens that it can have."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from tradewind.processors.ai.json_answers import UnsoundSchema, check_schema
from tradewind.processors.identity import derive_id
from tradewind.schemas.ai import AiRequest
from tradewind.schemas.event import UNKNOWN

MOST_INPUTS: Final = 2_048  # texts of one embedding: what providers take at once
IMAGE_TOKENS: Final = 10_000  # more than any provider counts for one image, whose address may be short
FRAME_TOKENS: Final = 2_048  # what providers add by themselves: for tools Anthropic counts up to 700
MESSAGE_TOKENS: Final = 16  # what a template puts around a message; OpenAI counts 3, and a role is a token


@dataclass(frozen=True, slots=True)
class Canonical:
    """What a request asks for, in one form for equal requests."""

    body: str
    """JSON with sorted keys and without spaces."""
    digest: str
    """Of the tenant and all that decides the answer, but the model."""
    input_bound: int
    """Most tokens that the prompt can have: a token is at least a byte."""
    images: bool

    @property
    def size(self) -> int:
        """Bytes of the body."""
        return len(self.body.encode())


class Unsound(ValueError):
    """A request that no provider could answer; the message says what is wrong with it."""


def canonical(request: AiRequest) -> Canonical:
    """Return a request in our own form; raises `Unsound`."""
    _check(request)
    body: dict[str, Any] = {"max_tokens": request.max_tokens}
    if request.kind == "EMBEDDING":
        body["inputs"] = list(request.inputs)
    else:
        body["messages"] = [_message(message) for message in request.messages]
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
    if request.json_schema is not None:
        body["json_schema"] = _schema(request.json_schema)
    optional = {
        "tool_choice": request.tool_choice,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "seed": request.seed,
        "stop": list(request.stop) or None,
    }
    body |= {key: value for key, value in optional.items() if value is not None}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    images = sum(len(cast("tuple[str, ...]", message["images"])) for message in request.messages)
    added = IMAGE_TOKENS * images + MESSAGE_TOKENS * (len(request.messages) + len(request.inputs)) + FRAME_TOKENS
    digest = derive_id("AiDigest", request.tenant_id, request.kind, text)
    return Canonical(text, digest, len(text.encode()) + added, images > 0)


def _check(request: AiRequest) -> None:
    if request.kind == "EMBEDDING":
        if request.messages or request.tools or request.json_schema is not None:
            raise Unsound("an embedding takes inputs alone: leave out messages, tools and json_schema")
        if not 0 < len(request.inputs) <= MOST_INPUTS:
            raise Unsound(f"an embedding takes 1 to {MOST_INPUTS} inputs, not {len(request.inputs)}")
        return
    if request.inputs:
        raise Unsound("inputs are of embeddings alone: use messages")
    if not request.messages:
        raise Unsound("it has no messages")
    for at, message in enumerate(request.messages):
        if message["role"] == UNKNOWN:
            raise Unsound(f"messages[{at}].role is one that this version does not know")


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {"role": message["role"].lower(), "content": message["content"]}
    for name in ("name", "tool_call_id"):
        if message[name] is not None:
            kept[name] = message[name]
    if message["images"]:
        kept["images"] = list(message["images"])
    if message["tool_calls"]:
        kept["tool_calls"] = [dict(call) for call in message["tool_calls"]]
    return kept


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    parameters = _parsed(str(tool["parameters"]), f"parameters of tool {tool['name']}")
    return {"name": tool["name"], "description": tool["description"], "parameters": parameters}


def _parsed(text: str, what: str) -> Any:
    try:
        found = json.loads(text, parse_constant=_refuse)
        json.dumps(found, allow_nan=False)
    except (ValueError, RecursionError) as error:
        raise Unsound(f"{what} is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise Unsound(f"{what} is no JSON object")
    return found


def _schema(text: str) -> Any:
    parsed = _parsed(text, "json_schema")
    try:
        check_schema(parsed)
    except UnsoundSchema as unsound:
        raise Unsound(f"json_schema: {unsound}") from None
    return parsed


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")
