"""The unchanged package `openai` against the gateway: whole, as a stream, with tools, and when there is no answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import plain_http
import pytest
from gateway.answering import VECTOR, Model
from gateway.serving import Served

from tradewind.connectors.gateway.routes import PREFIX
from tradewind.schemas.ai import AiRequest

ASKED: list[Any] = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "is EURUSD calm"}]
TOOL: Any = {"type": "function", "function": {"name": "price", "parameters": {"type": "object", "properties": {}}}}


@pytest.fixture
def client(gateway: Served) -> Iterator[openai.OpenAI]:
    """Give OpenAI's client, as a trader of alpha has it."""
    token = gateway.token("trader", "alpha")
    with openai.OpenAI(base_url=f"{gateway.url}{PREFIX}/ai", api_key=token, max_retries=0) as made:
        yield made


def last_request(gateway: Served) -> AiRequest:
    """Return what was asked last."""
    model: Model = gateway.gateway.asker._sending  # type: ignore[assignment]
    return model.asked[-1]


def test_a_conversation_is_answered(client: openai.OpenAI, gateway: Served) -> None:
    """Every field that has a meaning here goes on, and the tokens and the cost come back."""
    found = client.chat.completions.create(
        model="paper/paper-2",
        messages=ASKED,
        max_completion_tokens=77,
        temperature=0.5,
        top_p=0.9,
        seed=3,
        stop="END",
        user="somebody",
        response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}},
        extra_body={"tradewind": {"cache": "exact", "request_type": "news_analysis", "deadline_ms": 5_000}},
    )
    assert (found.choices[0].message.content, found.choices[0].finish_reason) == ("calm EURUSD is", "stop")
    assert found.model == "paper/paper-2"
    assert found.usage is not None
    assert (found.usage.prompt_tokens, found.usage.completion_tokens, found.usage.total_tokens) == (15, 5, 20)
    assert found.usage.prompt_tokens_details is not None
    assert found.usage.prompt_tokens_details.cached_tokens == 4
    assert found.model_extra is not None
    assert found.model_extra["tradewind"]["cost"] == "0.000021"
    asked = last_request(gateway)
    assert found.id == f"chatcmpl-{asked.event_id}"
    assert [(one["role"], one["content"]) for one in asked.messages] == [
        ("SYSTEM", "Be short."),
        ("USER", "is EURUSD calm"),
    ]
    assert (asked.tenant_id, asked.provider, asked.model, asked.request_type) == (
        "alpha",
        "paper",
        "paper-2",
        "news_analysis",
    )
    assert (asked.max_tokens, asked.temperature, asked.top_p, asked.seed, asked.stop) == (77, 0.5, 0.9, 3, ("END",))
    assert (asked.stream, asked.cache, asked.deadline_ms, asked.json_schema) == (
        "NONE",
        "EXACT",
        5_000,
        '{"type": "object"}',
    )
    assert asked.in_range()


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("trading_signal", ("trading_signal", None, None)),
        ("scalping", ("scalping", None, None)),
        ("paper-1", ("general", "paper", "paper-1")),
        ("betas/secret-1", ("general", None, "betas/secret-1")),
        ("gpt-9", ("general", None, "gpt-9")),
    ],
)
def test_a_name_is_a_route_a_model_or_what_the_agent_refuses(
    client: openai.OpenAI, gateway: Served, name: str, place: tuple[str | None, ...]
) -> None:
    """Another tenant's provider is as unknown as one that never was."""
    client.chat.completions.create(model=name, messages=ASKED)
    asked = last_request(gateway)
    assert (asked.request_type, asked.provider, asked.model) == place


def test_models_are_those_that_the_tenant_may_name(client: openai.OpenAI, gateway: Served) -> None:
    """Shared ones, and its own."""
    names = [one.id for one in client.models.list()]
    assert names[:2] == ["paper/paper-1", "paper/paper-2"]
    assert {"scalping", "trading_signal", "general"} < {*names[2:]}
    url = f"{gateway.url}{PREFIX}/ai/models"
    headers = {"Authorization": f"Bearer {gateway.token('analyst', 'beta')}"}
    assert "betas/secret-1" in [one["id"] for one in plain_http.get(url, headers=headers).json()["data"]]


def test_a_conversation_is_streamed(client: openai.OpenAI, gateway: Served) -> None:
    """Words as they come, then why it ended, and what it used where that is asked for."""
    stream = client.chat.completions.create(
        model="trading_signal", messages=ASKED, stream=True, stream_options={"include_usage": True}
    )
    chunks = [*stream]
    words = [choice.delta.content for chunk in chunks for choice in chunk.choices if choice.delta.content]
    assert words == ["calm", " EURUSD is"]
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 20
    assert last_request(gateway).stream == "LIVE"
    assert not gateway.gateway.asker._waiting
    sure = {"tradewind": {"stream": "sure"}}
    assert [*client.chat.completions.create(model="paper-1", messages=ASKED, stream=True, extra_body=sure)]
    assert last_request(gateway).stream == "SURE"


def test_tools_are_called_whole_and_in_a_stream(client: openai.OpenAI, gateway: Served) -> None:
    """And what a tool said goes on."""
    call = {"id": "a", "type": "function", "function": {"name": "price", "arguments": "{}"}}
    image = {"type": "image_url", "image_url": {"url": "https://x/y.png"}}
    said: list[Any] = [
        *ASKED,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "a", "content": "1.1"},
        {"role": "user", "content": [{"type": "text", "text": "and"}, image]},
    ]
    named: Any = {"type": "function", "function": {"name": "price"}}
    whole = client.chat.completions.create(model="paper-1", messages=said, tools=[TOOL], tool_choice=named)
    assert whole.choices[0].finish_reason == "tool_calls"
    assert whole.choices[0].message.tool_calls is not None
    assert whole.choices[0].message.tool_calls[0].id == "call-1"
    asked = last_request(gateway)
    assert asked.tool_choice == "price"
    assert [one["role"] for one in asked.messages] == ["SYSTEM", "USER", "ASSISTANT", "TOOL", "USER"]
    assert asked.messages[2]["tool_calls"] == ({"id": "a", "name": "price", "arguments": "{}"},)
    assert (asked.messages[4]["content"], asked.messages[4]["images"]) == ("and", ("https://x/y.png",))
    stream = client.chat.completions.create(model="paper-1", messages=ASKED, tools=[TOOL], stream=True)
    calls = [call for chunk in stream for choice in chunk.choices for call in choice.delta.tool_calls or ()]
    assert [(call.index, call.id, call.function.name if call.function else None) for call in calls] == [
        (0, "call-1", "price")
    ]


@pytest.mark.parametrize(
    ("code", "error", "header"),
    [
        ("RATE", openai.RateLimitError, ("retry-after", "3")),
        ("BUDGET", openai.APIStatusError, ("x-should-retry", "false")),
        ("NO_ROUTE", openai.NotFoundError, ("x-should-retry", "false")),
        ("EXHAUSTED", openai.InternalServerError, ("x-should-retry", "false")),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_refusal_is_an_error_of_the_client(
    client: openai.OpenAI, code: str, error: type[openai.APIStatusError], header: tuple[str, str], *, stream: bool
) -> None:
    """With a status, a code and a remedy, before a stream begins; only what costs nothing is tried again."""
    with pytest.raises(error) as raised:
        client.chat.completions.create(model="paper-1", messages=[{"role": "user", "content": code}], stream=stream)
    assert raised.value.code == code
    assert raised.value.response.headers[header[0]] == header[1]
    assert f"{code} in words" in raised.value.message


def test_text_that_is_void_ends_a_stream_with_an_error(client: openai.OpenAI) -> None:
    """The form of OpenAI cannot take back what it has shown."""
    stream = client.chat.completions.create(
        model="paper-1", messages=[{"role": "user", "content": "breaks off now"}], stream=True
    )
    with pytest.raises(openai.APIError, match="broken off"):
        list(stream)


def test_an_answer_that_does_not_come_is_an_error(client: openai.OpenAI, gateway: Served) -> None:
    """After the deadline, and nothing of it is left."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gateway.gateway.asker, "grace_s", 0.1)
        for stream in (False, True):
            with pytest.raises(openai.InternalServerError) as raised:
                client.chat.completions.create(
                    model="paper-1",
                    messages=[{"role": "user", "content": "silence"}],
                    stream=stream,
                    extra_body={"tradewind": {"deadline_ms": 100}},
                )
            assert (raised.value.status_code, raised.value.code) == (504, "UNANSWERED")
    assert not gateway.gateway.asker._waiting


def test_vectors_come_as_numbers_and_as_base64(client: openai.OpenAI, gateway: Served) -> None:
    """OpenAI's client asks for base64 by itself."""
    found = client.embeddings.create(model="paper-1", input=["one", "two"])
    assert [one.embedding for one in found.data] == [[0.25, -1.5]] * 2
    numbers = client.embeddings.create(model="paper-1", input="one", encoding_format="float")
    assert numbers.data[0].embedding == [0.25, -1.5]
    assert last_request(gateway).kind == "EMBEDDING"
    assert len(VECTOR) == 8


def test_what_no_route_honours_is_refused_by_its_name(client: openai.OpenAI) -> None:
    """Instead of an answer that leaves it out."""
    with pytest.raises(openai.UnprocessableEntityError) as raised:
        client.chat.completions.create(model="paper-1", messages=ASKED, n=2)
    assert json.loads(raised.value.response.text)["pointer"] == "#/n"
    with pytest.raises(openai.UnprocessableEntityError):
        client.chat.completions.create(model="paper-1", messages=ASKED, logit_bias={"1": 1})
    with pytest.raises(openai.UnprocessableEntityError) as raised:
        client.chat.completions.create(model="paper-1", messages=ASKED, response_format={"type": "json_schema"})  # type: ignore[typeddict-item]
    assert json.loads(raised.value.response.text)["pointer"] == "#/response_format/json_schema"


@pytest.mark.parametrize(
    ("change", "pointer", "said"),
    [
        ({"max_tokens": 10**9}, "#/max_tokens", "less than or equal to 10000000"),
        ({"max_completion_tokens": 10**9}, "#/max_completion_tokens", "less than or equal to 10000000"),
        ({"seed": 2**63}, "#/seed", "less than"),
        ({"messages": [{"role": "user", "content": "x" * 600_000}]}, "#/messages/0/content", "at most 524288"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "#/messages/0/content/0/text", "required"),
    ],
    ids=lambda of: of if isinstance(of, str) else "",
)
def test_a_request_that_the_agent_could_not_take_is_refused_at_once(
    client: openai.OpenAI, gateway: Served, change: dict[str, Any], pointer: str, said: str
) -> None:
    """It would be a dead letter, and nobody would answer. The pointer has no names of types."""
    before = list(gateway.gateway.asker._sending.asked)  # type: ignore[attr-defined]
    with pytest.raises(openai.UnprocessableEntityError) as raised:
        client.chat.completions.create(**{"model": "paper-1", "messages": ASKED} | change)
    found = json.loads(raised.value.response.text)
    assert (found["pointer"], said in found["detail"]) == (pointer, True), found
    assert gateway.gateway.asker._sending.asked == before  # type: ignore[attr-defined]


def test_no_input_is_refused_by_what_it_lacks(client: openai.OpenAI) -> None:
    """A list without a text is said to be short, not to be no text."""
    with pytest.raises(openai.UnprocessableEntityError) as raised:
        client.embeddings.create(model="paper-1", input=[])
    found = json.loads(raised.value.response.text)
    assert (found["pointer"], "at least 1 item" in found["detail"]) == ("#/input", True), found


def test_who_may_ask(gateway: Served) -> None:
    """A viewer may not, and an operator has no tenant that would pay."""
    url, body = f"{gateway.url}{PREFIX}/ai/chat/completions", {"model": "paper-1", "messages": ASKED}
    viewer = {"Authorization": f"Bearer {gateway.token('viewer', 'alpha')}"}
    assert plain_http.post(url, json=body, headers=viewer).json()["code"] == "FORBIDDEN"
    assert plain_http.post(url, json=body, headers=gateway.bearer()).json()["code"] == "NO_TENANT"
    assert plain_http.post(url, json=body).status_code == 401
