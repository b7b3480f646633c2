"""Requests and answers in the forms of Gemini, Ollama, and servers of open models."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from calls.calling import call

from tradewind.connectors.ai.answer import Answer, Tokens
from tradewind.connectors.ai.batches import in_batches
from tradewind.connectors.ai.forms.completion import CompletionForm
from tradewind.connectors.ai.forms.form import Unfit
from tradewind.connectors.ai.forms.gemini import NO_SIGNATURE, GeminiForm
from tradewind.connectors.ai.forms.ollama import OllamaForm
from tradewind.connectors.ai.forms.openai import tokens_of
from tradewind.connectors.ai.outcomes import inside, refused
from tradewind.schemas.ai import AiCall

TOOL = {"name": "price", "description": None, "parameters": {"type": "object"}}
SCHEMA = {"type": "object", "properties": {"side": {"enum": ["BUY", "SELL"]}}}
ASKED = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "What does it cost?", "images": ["data:image/png;base64,QUJD"]},
    {"role": "assistant", "content": "", "tool_calls": [{"id": "c1", "name": "price", "arguments": '{"of":"gold"}'}]},
    {"role": "tool", "content": "2,000", "tool_call_id": "c1"},
]
SOME = {"content": {"parts": [{"text": "a"}]}}
WHOLE = {"messages": ASKED, "tools": [TOOL], "temperature": 0.5, "top_p": 0.9, "seed": 7, "stop": ["."]}


def test_gemini_is_asked_in_its_own_form() -> None:
    """The system's words stand apart, and a tool's result names its tool."""
    body = GeminiForm().body(call(model="gemini-3-pro", body={**WHOLE, "tool_choice": "price", "json_schema": SCHEMA}))
    assert body == {
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [
            {
                "role": "user",
                "parts": [
                    {"inlineData": {"mimeType": "image/png", "data": "QUJD"}},
                    {"text": "What does it cost?"},
                ],
            },
            {
                "role": "model",
                "parts": [
                    {"functionCall": {"name": "price", "args": {"of": "gold"}}, "thoughtSignature": NO_SIGNATURE}
                ],
            },
            {"role": "user", "parts": [{"functionResponse": {"name": "price", "response": {"result": "2,000"}}}]},
        ],
        "tools": [
            {"functionDeclarations": [{"name": "price", "description": "", "parametersJsonSchema": {"type": "object"}}]}
        ],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["price"]}},
        "generationConfig": {
            "maxOutputTokens": 64,
            "temperature": 0.5,
            "topP": 0.9,
            "seed": 7,
            "stopSequences": ["."],
            "responseMimeType": "application/json",
            "responseJsonSchema": SCHEMA,
        },
    }
    older = GeminiForm().body(call(model="gemini-2.5-pro", body=WHOLE))
    assert "thoughtSignature" not in json.dumps(older)


def test_geminis_model_is_a_part_of_its_path() -> None:
    """And cannot lead out of it."""
    form = GeminiForm()
    assert form.path(call(model="g-1")) == "/models/g-1:generateContent"
    assert form.path(call(model="g-1", stream="LIVE")) == "/models/g-1:streamGenerateContent?alt=sse"
    assert form.path(call(model="g-1", kind="EMBEDDING")) == "/models/g-1:batchEmbedContents"
    assert form.path(call(model="../x?y#z")) == "/models/..%2Fx%3Fy%23z:generateContent"


def test_gemini_counts_thoughts_as_output_and_the_cache_apart() -> None:
    """Its prompt count holds the tokens of the cache; thoughts are no text."""
    usage = {"promptTokenCount": 25, "cachedContentTokenCount": 5, "candidatesTokenCount": 4, "thoughtsTokenCount": 3}
    parts = [{"text": "hm", "thought": True}, {"text": "calm"}]
    payload = {"candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}], "usageMetadata": usage}
    answer = GeminiForm().whole(call(), payload)
    assert (answer.text, answer.tokens) == ("calm", Tokens(input=20, cache_read=5, output=7))


@pytest.mark.parametrize(
    ("payload", "outcome"),
    [
        ({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 3}}, "FILTERED"),
        ({"candidates": [{"finishReason": "SAFETY"}]}, "FILTERED"),
        ({"candidates": [{**SOME, "finishReason": "MALFORMED_FUNCTION_CALL"}]}, "TRUNCATED"),
        ({"candidates": [{**SOME, "finishReason": "MAX_TOKENS"}]}, "OK"),
        ({"candidates": [{"content": {}, "finishReason": "STOP"}]}, "EMPTY"),
    ],
)
def test_an_answer_of_gemini_has_its_outcome(payload: dict[str, Any], outcome: str) -> None:
    """A filter of the prompt leaves no candidate."""
    assert GeminiForm().whole(call(), payload).outcome == outcome


def test_tool_calls_of_gemini_come_whole() -> None:
    """Their ids are made where it gives none."""
    stream = GeminiForm().stream(call())
    made = {"functionCall": {"name": "price", "args": {"of": "gold"}}}
    assert stream.feed({"candidates": [{"content": {"parts": [made]}}]}) == ""
    stream.feed({"candidates": [{"content": {"parts": [{"text": ""}]}, "finishReason": "STOP"}]})
    answer = stream.message().answer()
    assert (answer.outcome, answer.finish) == ("OK", "TOOL_CALLS")
    assert answer.tool_calls == ({"id": "call-0", "name": "price", "arguments": '{"of": "gold"}'},)


def test_google_says_in_an_error_how_long_to_wait() -> None:
    """Its words for a limit of a minute are those of an account without credit."""
    said = "You exceeded your current quota, please check your plan and billing details."
    error: dict[str, Any] = {"code": 429, "message": said, "status": "RESOURCE_EXHAUSTED"}
    retry = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "13.5s"}
    waits = refused(429, {}, json.dumps({"error": {**error, "details": [retry]}}).encode())
    assert (waits.outcome, waits.retry_after_ms) == ("BUSY", 13_500)
    assert refused(429, {}, json.dumps({"error": error}).encode()).outcome == "NO_CREDIT"
    assert inside({"code": 503, "status": "UNAVAILABLE", "message": "try later"}).outcome == "BUSY"
    assert inside({"code": 402, "message": "no"}).outcome == "NO_CREDIT"


def test_ollama_is_asked_in_its_own_form() -> None:
    """A prompt that does not fit is refused by it, and not cut."""
    body = OllamaForm().body(call(model="llama3", body={**WHOLE, "json_schema": SCHEMA}, stream="SURE"))
    assert body == {
        "model": "llama3",
        "stream": True,
        "truncate": False,
        "shift": False,
        "format": SCHEMA,
        "options": {"num_predict": 64, "temperature": 0.5, "top_p": 0.9, "seed": 7, "stop": ["."]},
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "What does it cost?", "images": ["QUJD"]},
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [{"function": {"name": "price", "arguments": {"of": "gold"}}}],
            },
            {"role": "tool", "content": "2,000", "tool_name": "price"},
        ],
        "tools": [{"type": "function", "function": TOOL}],
    }
    linked = [{"role": "user", "content": "", "images": ["https://a.example/b.png"]}]
    with pytest.raises(Unfit, match="fetches no images"):
        OllamaForm().body(call(body={"messages": linked}))


def test_a_tool_that_ollama_was_to_call_is_looked_for() -> None:
    """It cannot be forced to call one: an answer without the call goes to the next model."""
    said = {"message": {"content": "no"}, "done": True, "done_reason": "stop", "eval_count": 3}
    made = {**said, "message": {"content": "", "tool_calls": [{"function": {"name": "price", "arguments": {}}}]}}
    for choice, answers in {"price": made, "required": made, "auto": said, "none": said}.items():
        asked = call(body={"tools": [TOOL], "tool_choice": choice})
        assert OllamaForm().whole(asked, answers).outcome == "OK", choice
        missing = "OK" if choice in {"auto", "none"} else "MALFORMED"
        found = OllamaForm().whole(asked, said)
        assert (found.outcome, found.tokens) == (missing, Tokens(output=3)), choice
    assert "tools" not in OllamaForm().body(call(body={"tools": [TOOL], "tool_choice": "none"}))


def test_a_completion_of_plain_text_has_one_prompt() -> None:
    """In the older form, which servers of open models still have."""
    plain = call(kind="COMPLETION", model="m", body={"stop": ["."]}, stream="SURE")
    prompt = "how calm is the market?"
    assert CompletionForm().body(plain) == {
        "model": "m",
        "prompt": prompt,
        "max_tokens": 64,
        "stop": ["."],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert OllamaForm().path(plain) == "/api/generate"
    assert OllamaForm().body(plain)["prompt"] == prompt
    assert OllamaForm().path(call(kind="COMPLETION", body={"tools": [TOOL]})) == "/api/chat"
    line = {"response": "calm", "done": True, "done_reason": "stop", "prompt_eval_count": 2, "eval_count": 1}
    assert OllamaForm().whole(plain, line).text == "calm"
    payload = {"choices": [{"text": "calm", "finish_reason": "eos_token"}], "usage": {"prompt_tokens": 2}}
    assert CompletionForm().whole(plain, payload).text == "calm"


def test_tokens_of_other_providers_are_in_disjoint_classes() -> None:
    """OpenRouter tells what a cache was given, DeepSeek names what was read in its own way."""
    router = {"prompt_tokens": 20, "prompt_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 7}}
    assert tokens_of(router) == Tokens(input=8, cache_read=5, cache_write=7)
    assert tokens_of({"prompt_tokens": 20, "prompt_cache_hit_tokens": 6}) == Tokens(input=14, cache_read=6)


@pytest.mark.parametrize("form", [GeminiForm(), OllamaForm()])
def test_embeddings_are_float32(form: GeminiForm | OllamaForm) -> None:
    """One for each input."""
    asked = call(kind="EMBEDDING", model="e", body={"inputs": ["a", "b"]})
    if isinstance(form, GeminiForm):
        assert [one["model"] for one in form.body(asked)["requests"]] == ["models/e", "models/e"]
        payload: dict[str, Any] = {"embeddings": [{"values": [1.0, 0.5]}, {"values": [0.0, -1.0]}]}
    else:
        assert form.body(asked) == {"model": "e", "input": ["a", "b"], "truncate": False}
        payload = {"embeddings": [[1.0, 0.5], [0.0, -1.0]], "prompt_eval_count": 4}
    found = form.whole(asked, payload)
    assert found.embeddings == (struct.pack("<2f", 1.0, 0.5), struct.pack("<2f", 0.0, -1.0))
    assert form.whole(asked, {"embeddings": payload["embeddings"][:1]}).outcome == "MALFORMED"


async def test_more_texts_than_a_provider_takes_are_several_requests() -> None:
    """One call, whose tokens are those of all of them."""
    asked: list[list[str]] = []

    async def ask(part: AiCall) -> Answer:
        inputs = json.loads(part.body)["inputs"]
        asked.append(inputs)
        return Answer("OK", embeddings=tuple(text.encode() for text in inputs), tokens=Tokens(input=len(inputs)))

    whole = call(kind="EMBEDDING", body={"inputs": list("abcde")})
    found = await in_batches(whole, 2, ask)
    assert asked == [["a", "b"], ["c", "d"], ["e"]]
    assert (found.embeddings, found.tokens) == ((b"a", b"b", b"c", b"d", b"e"), Tokens(input=5))
    assert (await in_batches(whole, None, ask)).tokens == Tokens(input=5)


@pytest.mark.parametrize(
    ("first", "then", "outcome", "tokens"),
    [
        (Tokens(input=2), "BUSY", "BUSY", Tokens(input=2)),  # the first batch is paid, the second cost nothing
        (Tokens(input=2), "BROKEN", "BROKEN", None),  # nobody knows what the second one cost
        (None, "BUSY", "BROKEN", None),  # nor what the first one did
    ],
)
async def test_a_batch_that_fails_leaves_those_before_it_paid(
    first: Tokens | None, then: Any, outcome: str, tokens: Tokens | None
) -> None:
    """Or held, where nobody knows what they cost."""
    answers = iter([Answer("OK", embeddings=(b"", b""), tokens=first), Answer(then, "no")])

    async def ask(_: AiCall) -> Answer:
        return next(answers)

    found = await in_batches(call(kind="EMBEDDING", body={"inputs": list("abc")}), 2, ask)
    assert (found.outcome, found.tokens, found.embeddings) == (outcome, tokens, ())
