"""Chat completions in the form of OpenAI's API: a request as ours, and our response as theirs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tradewind.connectors.ai.in_force import InForce
from tradewind.connectors.gateway.ai.forms import (
    Asked,
    ChatCompletion,
    ChatMessage,
    ImagePart,
    NamedTool,
    ResponseFormat,
    SchemaFormat,
    TextPart,
)
from tradewind.connectors.gateway.problems import Problem
from tradewind.schemas.ai import AiRequest, AiResponse

TOKENS: Final = 1_024
"""Most tokens of an answer, where the client says nothing."""
FINISH: Final[Mapping[str | None, str]] = {
    "STOP": "stop",
    "LENGTH": "length",
    "TOOL_CALLS": "tool_calls",
    "FILTER": "content_filter",
}
TYPES: Final = frozenset(
    ("general", "trading_signal", "market_sentiment", "risk_assessment", "pattern_recognition", "news_analysis")
)
"""Types of requests that the route of all types answers, where they have none of their own."""
ROLES: Final[Mapping[str, str]] = {
    "system": "SYSTEM",
    "developer": "SYSTEM",
    "user": "USER",
    "assistant": "ASSISTANT",
    "tool": "TOOL",
}


@dataclass(frozen=True, slots=True)
class Sender:
    """Who asks, and by which process."""

    tenant_id: str
    request_id: str
    now_us: int
    reply_key: str


def chat_request(asked: ChatCompletion, sender: Sender, known: InForce) -> AiRequest:
    """Return a chat completion as a request of ours."""
    choice = asked.tool_choice
    stop = [asked.stop] if isinstance(asked.stop, str) else asked.stop or []
    return AiRequest(
        kind="CHAT",
        messages=tuple(_message(one) for one in asked.messages),
        inputs=(),
        tools=tuple(
            {
                "name": one.function.name,
                "description": one.function.description,
                "parameters": json.dumps(one.function.parameters),
            }
            for one in asked.tools or ()
        ),
        tool_choice=choice.function.name if isinstance(choice, NamedTool) else choice,
        json_schema=_schema(asked.response_format),
        max_tokens=asked.max_completion_tokens or asked.max_tokens or TOKENS,
        temperature=asked.temperature,
        top_p=asked.top_p,
        seed=asked.seed,
        stop=tuple(stop),
        stream={"live": "LIVE", "sure": "SURE"}[asked.tradewind.stream] if asked.stream else "NONE",  # type: ignore[arg-type]
        **shared(asked, sender, known),
    )


def shared(asked: Asked, sender: Sender, known: InForce) -> dict[str, Any]:
    """Return the fields that every request has."""
    return {
        "event_id": sender.request_id,
        "tenant_id": sender.tenant_id,
        "ts_event": sender.now_us,
        "ts_ingest": sender.now_us,
        "correlation_id": sender.request_id,
        "causation_id": sender.request_id,
        "prompt_values": (),
        "cache": asked.tradewind.cache.upper(),
        "makes_orders": asked.tradewind.makes_orders,
        "reply_key": sender.reply_key,
        "deadline_ms": asked.tradewind.deadline_ms,
        **place_of(asked.model, asked.tradewind.request_type, sender.tenant_id, known),
    }


def place_of(name: str, request_type: str | None, tenant_id: str, known: InForce) -> dict[str, str | None]:
    """Return route, provider and model by the name of a model: `PROVIDER/MODEL`, a model, or a route.

    What is not known goes to the agent as a model, which refuses it.
    """
    routes, models = names_of(known, tenant_id)
    if name in models:
        provider, _, model = name.partition("/")
        return {"request_type": request_type or "general", "provider": provider, "model": model}
    if name in routes:
        return {"request_type": request_type or name, "provider": None, "model": None}
    providers = sorted({one.partition("/")[0] for one in models if one.partition("/")[2] == name})
    return {
        "request_type": request_type or "general",
        "provider": providers[0] if len(providers) == 1 else None,
        "model": name,
    }


def names_of(known: InForce, tenant_id: str | None) -> tuple[list[str], list[str]]:
    """Return the routes and the models (`PROVIDER/MODEL`) that a tenant may name; for an operator, those of all."""
    own = (None, tenant_id)
    routes = {one.request_type for one in known.routes if one.tenant_id in own}
    if "*" in routes:
        routes = routes - {"*"} | TYPES
    models = {f"{one.name}/{model['name']}" for one in known.providers if one.tenant_id in own for model in one.models}
    return sorted(routes), sorted(models)


def completion_of(response: AiResponse, request: AiRequest) -> dict[str, Any]:
    """Return an answer as a chat completion."""
    message: dict[str, Any] = {"role": "assistant", "content": response.text or None, "refusal": None}
    if response.tool_calls:
        message["tool_calls"] = _calls(response)
    choice = {"index": 0, "message": message, "finish_reason": _finish(response), "logprobs": None}
    return {
        **_head(request, "chat.completion", _model(response)),
        "choices": [choice],
        "usage": usage_of(response),
        "tradewind": ours_of(response),
    }


class Chunks:
    """Makes the chunks of a stream."""

    def __init__(self, request: AiRequest, asked: str, *, with_usage: bool) -> None:
        """`asked` is the name that the client gave: which model answers is not known before the response."""
        self._request, self._asked, self._with_usage = request, asked, with_usage
        self.shown = False
        """Whether text was shown, so that a reset cannot be hidden."""

    def begin(self) -> dict[str, Any]:
        """Return the first chunk."""
        return self._chunk({"role": "assistant", "content": ""})

    def text(self, text: str) -> dict[str, Any]:
        """Return further text."""
        self.shown = True
        return self._chunk({"content": text})

    def end(self, response: AiResponse) -> list[dict[str, Any]]:
        """Return what ends an answer: calls of tools, why it ended, and what it used."""
        found: list[dict[str, Any]] = []
        if response.tool_calls:
            calls = [{"index": at, **call} for at, call in enumerate(_calls(response))]
            found.append(self._chunk({"tool_calls": calls}))
        last = self._chunk({}, _finish(response))
        found.append({**last, "model": _model(response), "tradewind": ours_of(response)})
        if self._with_usage:
            head = _head(self._request, "chat.completion.chunk", _model(response))
            found.append({**head, "choices": [], "usage": usage_of(response)})
        return found

    def _chunk(self, delta: Mapping[str, Any], finish: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        return {**_head(self._request, "chat.completion.chunk", self._asked), "choices": [choice]}


def usage_of(response: AiResponse) -> dict[str, Any]:
    """Return tokens as OpenAI counts them: those of its cache are among those of the prompt."""
    prompt = response.input_tokens + response.cache_read_tokens + response.cache_write_tokens
    return {
        "prompt_tokens": prompt,
        "completion_tokens": response.output_tokens,
        "total_tokens": prompt + response.output_tokens,
        "prompt_tokens_details": {"cached_tokens": response.cache_read_tokens},
    }


def ours_of(response: AiResponse) -> dict[str, Any]:
    """Return what OpenAI's form has no place for."""
    return {
        "request_id": response.request_id,
        "provider": response.provider,
        "source": response.source,
        "attempts": response.attempts,
        "cost": format(response.cost, "f"),
        "suspense": format(response.suspense, "f"),
        "currency": response.currency,
        "text_sha256": response.text_sha256,
    }


def _head(request: AiRequest, kind: str, model: str) -> dict[str, Any]:
    created = request.ts_ingest // 1_000_000
    return {"id": f"chatcmpl-{request.event_id}", "object": kind, "created": created, "model": model}


def _model(response: AiResponse) -> str:
    return f"{response.provider}/{response.model}"


def _finish(response: AiResponse) -> str:
    return FINISH.get(response.finish, "stop")


def _calls(response: AiResponse) -> list[dict[str, Any]]:
    return [
        {"id": one["id"], "type": "function", "function": {"name": one["name"], "arguments": one["arguments"]}}
        for one in response.tool_calls
    ]


def _message(given: ChatMessage) -> dict[str, Any]:
    parts = given.content if isinstance(given.content, list) else []
    texts = [one.text for one in parts if isinstance(one, TextPart)]
    return {
        "role": ROLES[given.role],
        "content": given.content if isinstance(given.content, str) else "\n".join(texts),
        "name": given.name,
        "tool_call_id": given.tool_call_id,
        "tool_calls": tuple(
            {"id": one.id, "name": one.function.name, "arguments": one.function.arguments}
            for one in given.tool_calls or ()
        ),
        "images": tuple(one.image_url.url for one in parts if isinstance(one, ImagePart)),
    }


def _schema(given: ResponseFormat | None) -> str | None:
    match given:
        case None | ResponseFormat(type="text"):
            return None
        case ResponseFormat(type="json_object"):
            return json.dumps({"type": "object"})
        case ResponseFormat(json_schema=SchemaFormat(schema_=schema)):
            return json.dumps(schema)
    raise Problem(
        422, "BAD_BODY", "response_format json_schema has no schema", "give it", pointer="#/response_format/json_schema"
    )


def listed(names: Sequence[str], owner: str | None = None) -> list[dict[str, Any]]:
    """Return models as OpenAI lists them."""
    return [{"id": one, "object": "model", "created": 0, "owned_by": owner or one.partition("/")[0]} for one in names]
