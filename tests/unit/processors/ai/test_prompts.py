"""Prompts are versioned texts: their values are checked, and their text is known by a digest."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from asking import Asking

from tradewind.connectors.ai.prompt_files import prompts as prompts_of
from tradewind.connectors.settings import AiSettings, Settings
from tradewind.processors.ai.processor import ai
from tradewind.processors.ai.prompts import (
    MOST_PLACES,
    VALUE_CHARACTERS,
    PromptError,
    UnknownPrompt,
    prompt_from,
    prompt_of,
)
from tradewind.schemas.ai import AiCall, AiResponse

CALM = 'system = "You watch $symbol."\nuser = "Is $symbol calm at $$1 and $price?"\nmax_tokens = 9\n'
PROMPT = prompt_from("calm@2", CALM)
VALUES = ({"name": "price", "value": "1.1"}, {"name": "symbol", "value": "EURUSD"})


def told(found: object) -> tuple[str, str | None, str]:
    """Return how a request ended."""
    assert isinstance(found, AiResponse), found
    return found.status, found.code, found.reason


def asking() -> Asking:
    """Return an agent that knows one prompt."""
    found = Asking()
    found.processor = ai({PROMPT.name: PROMPT})
    return found


def test_a_prompt_is_filled_with_its_values() -> None:
    """Once: what stands in a value is no place."""
    assert PROMPT.places == {"symbol", "price"}
    assert PROMPT.filled({"symbol": "$price", "price": 1.5}) == [
        ("SYSTEM", "You watch $price."),
        ("USER", "Is $price calm at $1 and 1.5?"),
    ]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"symbol": "EURUSD"}, "needs a value for price"),
        ({"symbol": "EURUSD", "price": 1, "more": 2}, "no place for more; its places: price, symbol"),
        ({"symbol": "EURUSD", "price": [1]}, "price is a list"),
        ({"symbol": "x" * (VALUE_CHARACTERS + 1), "price": 1}, "symbol has 65,537 characters"),
    ],
    ids=["missing", "surplus", "kind", "long"],
)
def test_values_are_checked_against_the_places(values: dict[str, Any], said: str) -> None:
    """Before anything is asked."""
    with pytest.raises(PromptError, match=said):
        PROMPT.checked(values)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("calm", CALM, "name@version"),
        ("calm@0", CALM, "name@version"),
        ("../calm@1", CALM, "name@version"),
        ("calm@1", "user = ", "no TOML"),
        ("calm@1", 'system = "a"', "user is missing"),
        ("calm@1", 'user = "a"\nmodel = "b"', "no field 'model'"),
        ("calm@1", 'user = "costs 5 $ now"', r"write \$\$"),
        ("calm@1", 'user = "a"\nmax_tokens = 0', "max_tokens"),
        ("calm@1", 'user = "a"\nmax_tokens = true', "max_tokens"),
        ("calm@1", 'user = "a"\ntemperature = 3.0', "temperature"),
        ("calm@1", 'user = "a"\njson_schema = "{"', "no JSON"),
        ("calm@1", 'user = "a"\njson_schema = "[]"', "it is no object"),
        ("calm@1", f'user = "{"$a" * (MOST_PLACES + 1)}"', "65 places"),
        ("calm@1", "user = 5", "user is no text"),
    ],
)
def test_a_file_that_is_no_prompt_is_refused_with_what_is_wrong(name: str, text: str, said: str) -> None:
    """Its name, and the field."""
    with pytest.raises(PromptError, match=said):
        prompt_from(name, text)


def test_an_unknown_prompt_is_refused_with_the_closest_and_all_there_are() -> None:
    """And how to add it."""
    with pytest.raises(
        UnknownPrompt, match=r"'calm@1' \(is it calm@2\?\); prompts are: calm@2. Add a file calm@1.toml"
    ):
        prompt_of({PROMPT.name: PROMPT}, "calm@1")


def test_the_agent_puts_the_messages_in_place_of_the_prompt() -> None:
    """The call has the text, and its digest is that of a request with the same messages."""
    call = asking().call(messages=(), prompt="calm@2", prompt_values=VALUES, prompt_digest=PROMPT.digest)
    said = [(one["role"], one["content"]) for one in json.loads(call.body)["messages"]]
    assert said == [("system", "You watch EURUSD."), ("user", "Is EURUSD calm at $1 and 1.1?")]
    message: dict[str, Any] = {"name": None, "tool_call_id": None, "tool_calls": (), "images": ()}
    messages = tuple({"role": role.upper(), "content": text, **message} for role, text in said)
    assert asking().call(messages=messages).digest == call.digest
    other = asking().call(messages=(), prompt="calm@2", prompt_values=({"name": "price", "value": "2"}, VALUES[1]))
    assert other.digest != call.digest


def test_a_retry_asks_the_same() -> None:
    """The agent keeps the messages, so that a restart with other prompts changes no request under way."""
    agent = asking()
    call = agent.call(messages=(), prompt="calm@2", prompt_values=VALUES)
    agent.processor = ai()
    again = agent.follow(call, "LOST")
    assert isinstance(again, AiCall)
    assert (again.body, again.digest, again.attempt) == (call.body, call.digest, 2)


@pytest.mark.parametrize(
    ("other", "code", "said"),
    [
        ({"prompt": "calm@1", "messages": ()}, "UNKNOWN_PROMPT", "is it calm@2"),
        ({"prompt": "calm@2", "messages": (), "prompt_digest": "0" * 32}, "UNKNOWN_PROMPT", "gets another version"),
        ({"prompt": "calm@2", "messages": ()}, "BAD_REQUEST", "needs a value for price, symbol"),
        ({"prompt": "calm@2", "prompt_values": VALUES}, "BAD_REQUEST", "messages beside the prompt"),
    ],
    ids=["unknown", "digest", "values", "both"],
)
def test_a_request_that_does_not_fit_its_prompt_is_refused(other: dict[str, Any], code: str, said: str) -> None:
    """Before any call."""
    status, found, reason = told(asking().ask(**other))
    assert (status, found) == ("REFUSED", code)
    assert said in reason


def test_a_digest_is_of_all_that_a_prompt_says() -> None:
    """Another answer's length is another prompt."""
    assert replace(PROMPT, max_tokens=10).digest != PROMPT.digest == prompt_from("calm@2", CALM).digest


def test_a_folder_of_the_user_adds_prompts_and_changes_none(tmp_path: Path) -> None:
    """A file under a known name must say the same."""
    (tmp_path / "calm@2.toml").write_text(CALM)
    settings = Settings(_env_file=None, ai=AiSettings(prompts_folder=tmp_path))
    found = prompts_of(settings)
    assert found["calm@2"] == PROMPT
    assert "news-sentiment@1" in found
    (tmp_path / "news-sentiment@1.toml").write_text(CALM)
    with pytest.raises(PromptError, match=r"news-sentiment@1 is there twice, with other text: give it a new version"):
        prompts_of(settings)
    with pytest.raises(PromptError, match=r"AI__PROMPTS_FOLDER is .*, which is no folder"):
        prompts_of(Settings(_env_file=None, ai=AiSettings(prompts_folder=tmp_path / "none")))
