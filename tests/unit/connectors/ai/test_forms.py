"""Requests and answers in the providers' own forms, and what their errors mean."""

from __future__ import annotations

import base64
import json
import struct
from datetime import UTC, datetime
from typing import Any

import pytest
from calls.calling import call
from pydantic import SecretStr

from tradewind.connectors.ai.forms.anthropic import AnthropicForm
from tradewind.connectors.ai.forms.openai import OpenAiForm
from tradewind.connectors.ai.keys.keys import Keys, NoKey, hidden
from tradewind.connectors.ai.outcomes import inside, refused, retry_after_ms

TOOL = {"name": "price", "description": "Gives a price.", "parameters": {"type": "object"}}
SCHEMA = {"type": "object", "properties": {"side": {"enum": ["BUY", "SELL"]}}}
ASKED = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "What does it cost?", "images": ["data:image/png;base64,QUJD"]},
    {"role": "assistant", "content": "", "tool_calls": [{"id": "c1", "name": "price", "arguments": '{"of":"gold"}'}]},
    {"role": "tool", "content": "2,000", "tool_call_id": "c1"},
]
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_openai_is_asked_in_its_own_form() -> None:
    """Others know the older name of the limit alone."""
    asked = call(body={"messages": ASKED, "tools": [TOOL], "tool_choice": "price", "temperature": 0.5, "stop": ["."]})
    body = OpenAiForm(own=True).body(asked)
    assert body["max_completion_tokens"] == 64
    assert body["tools"] == [{"type": "function", "function": TOOL}]
    assert body["tool_choice"] == {"type": "function", "function": {"name": "price"}}
    assert (body["temperature"], body["stop"], "stream" in body) == (0.5, ["."], False)
    assert body["messages"][1]["content"][1] == {
        "type": "image_url",
        "image_url": {"url": "data:image/png;base64,QUJD"},
    }
    assert body["messages"][2]["tool_calls"][0]["function"] == {"name": "price", "arguments": '{"of":"gold"}'}
    assert OpenAiForm(own=False).body(asked)["max_tokens"] == 64
    assert OpenAiForm(own=True).body(call(stream="LIVE"))["stream_options"] == {"include_usage": True}


def test_anthropic_is_asked_in_its_own_form() -> None:
    """The system's words stand apart, results of tools are the user's, and a schema is a tool that must be called."""
    asked = call(body={"messages": ASKED, "tools": [TOOL], "json_schema": SCHEMA, "stop": ["."]}, stream="SURE")
    body = AnthropicForm().body(asked)
    assert (body["system"], body["max_tokens"], body["stop_sequences"], body["stream"]) == (
        "Be brief.",
        64,
        ["."],
        True,
    )
    assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "user"]
    image, text = body["messages"][0]["content"]
    assert image["source"] == {"type": "base64", "media_type": "image/png", "data": "QUJD"}
    assert text == {"type": "text", "text": "What does it cost?"}
    assert body["messages"][1]["content"] == [
        {"type": "tool_use", "id": "c1", "name": "price", "input": {"of": "gold"}}
    ]
    assert body["messages"][2]["content"][0]["tool_use_id"] == "c1"
    assert [tool["name"] for tool in body["tools"]] == ["price", "answer"]
    assert body["tool_choice"] == {"type": "tool", "name": "answer"}


def test_calls_of_tools_come_in_parts() -> None:
    """And are one call each."""
    stream = OpenAiForm(own=True).stream(call())
    for part in ({"id": "c1", "function": {"name": "price", "arguments": ""}}, {"function": {"arguments": "{}"}}):
        assert stream.feed({"choices": [{"delta": {"tool_calls": [{"index": 0, **part}]}}]}) == ""
    assert stream.feed({"choices": [{"delta": {}, "finish_reason": "tool_calls"}]}) is None
    answer = stream.message().answer()
    assert (answer.outcome, answer.finish) == ("OK", "TOOL_CALLS")
    assert answer.tool_calls == ({"id": "c1", "name": "price", "arguments": "{}"},)


def test_the_answer_to_a_schema_is_the_input_of_anthropics_tool() -> None:
    """Whole, and in parts."""
    block = {"type": "tool_use", "id": "t", "name": "answer", "input": {"side": "BUY"}}
    usage = {"input_tokens": 3, "output_tokens": 4}
    payload = {"content": [block], "stop_reason": "tool_use", "usage": usage, "model": "m", "id": "i"}
    answer = AnthropicForm().whole(call(), payload)
    assert (answer.outcome, json.loads(answer.text), answer.tool_calls, answer.finish) == (
        "OK",
        {"side": "BUY"},
        (),
        "STOP",
    )
    stream = AnthropicForm().stream(call())
    stream.feed({"type": "message_start", "message": {"id": "i", "model": "m", "usage": {**usage, "output_tokens": 1}}})
    stream.feed({"type": "content_block_start", "index": 0, "content_block": {**block, "input": {}}})
    for part in ('{"side":', '"BUY"}'):
        delta = {"type": "input_json_delta", "partial_json": part}
        assert stream.feed({"type": "content_block_delta", "index": 0, "delta": delta}) == part
    stream.feed({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 4}})
    streamed = stream.message().answer()
    assert (streamed.text, streamed.tokens) == ('{"side":"BUY"}', answer.tokens)


@pytest.mark.parametrize("own", [True, False])
def test_embeddings_are_float32_whether_they_come_as_numbers_or_in_base64(own: bool) -> None:
    """In the order of the inputs."""
    asked = call(kind="EMBEDDING", body={"inputs": ["a", "b"]})
    vectors = [struct.pack("<2f", 1.0, 0.5), struct.pack("<2f", 0.0, -1.0)]
    given: list[Any] = [base64.b64encode(one).decode() for one in vectors] if own else [[1.0, 0.5], [0.0, -1.0]]
    payload = {"data": [{"index": at, "embedding": given[at]} for at in (1, 0)], "usage": {"prompt_tokens": 2}}
    form = OpenAiForm(own=own)
    assert form.body(asked)["encoding_format"] == ("base64" if own else "float")
    assert form.whole(asked, payload).embeddings == tuple(vectors)
    assert form.whole(asked, {**payload, "data": payload["data"][:1]}).outcome == "MALFORMED"


@pytest.mark.parametrize(
    ("headers", "wait_ms"),
    [
        ({}, None),
        ({"retry-after": "2"}, 2_000),
        ({"retry-after": "0.25"}, 250),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1_500),
        ({"retry-after": "Thu, 01 Jan 2026 00:00:30 GMT"}, 30_000),
        ({"retry-after": "Wed, 31 Dec 2025 00:00:00 GMT"}, 0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "1e9"}, 24 * 3600 * 1000),
    ],
)
def test_the_wait_that_a_provider_asks_for_is_read_in_each_form(headers: dict[str, str], wait_ms: int | None) -> None:
    """Seconds, milliseconds, or a date; no more than a day."""
    assert retry_after_ms(headers, NOW) == wait_ms


def test_an_error_is_judged_by_its_words_where_its_status_says_too_little() -> None:
    """And by its status where it has no words."""
    assert refused(429, {}, b"").outcome == "BUSY"
    assert refused(429, {}, b'{"error": {"code": "insufficient_quota"}}').outcome == "NO_CREDIT"
    assert refused(400, {}, b"<html>").outcome == "BAD_REQUEST"
    assert refused(400, {}, b'[{"error": {"message": "API key not valid"}}]').outcome == "BAD_KEY"
    assert refused(418, {}, b"").outcome == "BAD_REQUEST"
    assert refused(599, {}, b"billing").outcome == "ERROR"
    assert inside({"type": "overloaded_error"}).outcome == "BUSY"
    assert inside("out of luck").outcome == "ERROR"


async def test_keys_are_found_by_ids_and_hidden_in_texts() -> None:
    """A short one is not looked for: it may stand anywhere."""
    keys = Keys({"MAIN": SecretStr("sk-12345678")})
    assert await keys.key("alpha", "main") == "sk-12345678"
    with pytest.raises(NoKey, match="TRADEWIND_AI__KEYS__OTHER"):
        await keys.key("alpha", "other")
    assert "sk-12345678" not in repr(vars(keys))
    assert hidden("the key sk-12345678 is bad", "sk-12345678") == "the key *** is bad"
    assert hidden("abc", "a") == "abc"
