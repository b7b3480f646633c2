"""What the unchanged packages `openai` and `anthropic` send, and what our adapters send for the same request.

A recorder in the provider's place keeps both. They must be equal, field by field.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import pytest
from calls.calling import call
from calls.provider import Asked, Provider
from pydantic import SecretStr

from tradewind.connectors.ai.calls import OURS, AiCalls
from tradewind.connectors.ai.keys.keys import Keys
from tradewind.connectors.ai.packages import ByPackage, OpenAi
from tradewind.connectors.calls.kind import Sending
from tradewind.schemas.ai import AiAttempt

KEY = "sk-recorded-0123456789"
LOCAL = (".127.0.0.1",)
"""The recorder stands for OpenAI itself, which has fields of its own."""
RAW = "x-stainless-raw-response"
VARYING = {"host", "content-length", "connection", "x-stainless-read-timeout", "x-stainless-timeout", RAW}
"""Headers that say nothing of the request: our own waits, and that the answer is read as it comes. The packages send
`RAW` themselves where somebody asks for `with_streaming_response`."""
SYSTEM, QUESTION, NOW = "Be brief.", "What does gold cost?", "And now?"
TOOL = {"name": "price", "description": "Gives a price.", "parameters": {"type": "object", "properties": {}}}
SCHEMA = {"type": "object", "properties": {"side": {"enum": ["BUY", "SELL"]}}, "required": ["side"]}
IMAGE = "data:image/png;base64,QUJD"
CALLED = {"id": "c1", "name": "price", "arguments": '{"of": "gold"}'}
MESSAGES = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}]
TOOL_MESSAGES = [
    *MESSAGES,
    {"role": "assistant", "content": "", "tool_calls": [CALLED]},
    {"role": "tool", "content": "2,000", "tool_call_id": "c1"},
    {"role": "user", "content": NOW, "images": [IMAGE]},
]
ASKED: Mapping[str, dict[str, Any]] = {
    "chat": {"body": {"messages": MESSAGES, "temperature": 0.5, "top_p": 0.9, "stop": ["."]}},
    "stream": {"body": {"messages": MESSAGES}, "stream": "SURE"},
    "tools": {"body": {"messages": TOOL_MESSAGES, "tools": [TOOL], "tool_choice": "required"}},
    "one tool": {"body": {"messages": MESSAGES, "tools": [TOOL], "tool_choice": "price"}, "stream": "LIVE"},
    "schema": {"body": {"messages": MESSAGES, "json_schema": SCHEMA}},
    "embedding": {"body": {"inputs": ["a", "b"]}, "kind": "EMBEDDING"},
}
Create = Callable[[Any], Awaitable[Any]]
"""Asks by a client of a package, as its users do."""

OPENAI_TOOLS = {"tools": [{"type": "function", "function": TOOL}]}
OPENAI_CHAT: dict[str, Any] = {
    "model": "m-1",
    "messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}],
}
OPENAI_TURNS: dict[str, Any] = {
    "messages": [
        *OPENAI_CHAT["messages"],
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "price", "arguments": '{"of": "gold"}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "2,000"},
        {
            "role": "user",
            "content": [{"type": "text", "text": NOW}, {"type": "image_url", "image_url": {"url": IMAGE}}],
        },
    ]
}
STREAMED = {"stream": True, "stream_options": {"include_usage": True}}


def openai_users(limit: str, **embedding: Any) -> dict[str, Create]:
    """Return how users of `openai` ask; `limit` is the name of the limit of tokens."""

    def chat(**more: Any) -> Create:
        return lambda client: client.chat.completions.create(**{**OPENAI_CHAT, limit: 64, **more})

    return {
        "chat": chat(temperature=0.5, top_p=0.9, stop=["."]),
        "stream": chat(**STREAMED),
        "tools": chat(**OPENAI_TURNS, **OPENAI_TOOLS, tool_choice="required"),
        "one tool": chat(**OPENAI_TOOLS, **STREAMED, tool_choice={"type": "function", "function": {"name": "price"}}),
        "schema": chat(response_format={"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}}),
        "embedding": lambda client: client.embeddings.create(model="m-1", input=["a", "b"], **embedding),
    }


def said(text: str) -> list[dict[str, Any]]:
    """Return a text as a message of Anthropic's has it."""
    return [{"type": "text", "text": text}]


ANTHROPIC_TOOL = {"name": "price", "description": "Gives a price.", "input_schema": TOOL["parameters"]}
ANTHROPIC_ANSWER = {"name": "answer", "description": "Gives the answer.", "input_schema": SCHEMA}
ANTHROPIC_TURNS = [
    {"role": "user", "content": said(QUESTION)},
    {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "price", "input": {"of": "gold"}}]},
    {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "c1", "content": "2,000"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}},
            *said(NOW),
        ],
    },
]


def anthropic_users() -> dict[str, Create]:
    """Return how users of `anthropic` ask."""

    def chat(**more: Any) -> Create:
        asked = {"model": "m-1", "max_tokens": 64, "system": SYSTEM, "messages": ANTHROPIC_TURNS[:1]}
        return lambda client: client.messages.create(**{**asked, **more})

    return {
        # version 2 has no names for these two, which models before it still take
        "chat": chat(extra_body={"temperature": 0.5, "top_p": 0.9}, stop_sequences=["."]),
        "stream": chat(stream=True),
        "tools": chat(messages=ANTHROPIC_TURNS, tools=[ANTHROPIC_TOOL], tool_choice={"type": "any"}),
        "one tool": chat(tools=[ANTHROPIC_TOOL], tool_choice={"type": "tool", "name": "price"}, stream=True),
        "schema": chat(tools=[ANTHROPIC_ANSWER], tool_choice={"type": "tool", "name": "answer"}),
    }


OWN, OTHERS = openai_users("max_completion_tokens"), openai_users("max_tokens", encoding_format="float")
CASES = [
    *(("openai", "openai", name, OWN) for name in OWN),
    *(("openai", "others", name, OTHERS) for name in OTHERS),
    *(("openai", "openai-compatible", name, OTHERS) for name in OTHERS),
    *(("anthropic", "anthropic", name, anthropic_users()) for name in anthropic_users()),
]


@pytest.fixture
async def kind() -> AsyncIterator[AiCalls]:
    """Give our adapters; `openai` takes the recorder for OpenAI itself, `others` does not."""
    adapters = {**OURS, "openai": lambda: ByPackage(OpenAi(LOCAL)), "others": lambda: ByPackage(OpenAi())}
    found = AiCalls(Keys({"main": SecretStr(KEY)}), adapters)
    yield found
    await found.close()


async def by_package(package: str, url: str, create: Create) -> None:
    """Ask by the package as it is installed."""
    import anthropic  # noqa: PLC0415 - they take seconds
    import openai  # noqa: PLC0415

    if package == "anthropic":
        async with anthropic.AsyncAnthropic(api_key=KEY, base_url=url, max_retries=0) as client:
            answer = await create(client)
    else:
        async with openai.AsyncOpenAI(api_key=KEY, base_url=f"{url}/v1", max_retries=0) as client:
            answer = await create(client)
    if hasattr(answer, "__aiter__"):
        async for _ in answer:
            pass


def headers(asked: Asked, names: set[str] | None = None) -> dict[str, str]:
    """Return the headers that say something of the request; of `names` alone, if they are given."""
    kept = asked.headers.keys() - VARYING if names is None else names
    return {name: value for name, value in asked.headers.items() if name in kept}


@pytest.mark.parametrize(("package", "adapter", "name", "users"), CASES, ids=[" ".join(one[1:3]) for one in CASES])
async def test_an_adapter_sends_what_the_package_sends(
    package: str, adapter: str, name: str, users: Mapping[str, Create], kind: AiCalls
) -> None:
    """To the same path, with the same body and key."""
    async with Provider({}) as recorder:
        await by_package(package, recorder.url, users[name])
        base = recorder.url if package == "anthropic" else f"{recorder.url}/v1"
        one = call(adapter=adapter, model="m-1", base_url=base, key_id="main", **ASKED[name])
        attempt = await kind.perform(one, Sending())
        theirs, ours = recorder.requests
    assert isinstance(attempt, AiAttempt)
    assert attempt.outcome == "OK", attempt.error
    assert ours.path == theirs.path
    assert ours.body == theirs.body
    same = {"authorization", "content-type"} if adapter == "openai-compatible" else None
    assert headers(ours, same) == headers(theirs, same)
