"""The provider `paper`: the same request has the same answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from calls.calling import call
from jsonschema import Draft202012Validator

from tradewind.connectors.ai.answer import Answer
from tradewind.connectors.ai.paper import DIMENSIONS, Paper
from tradewind.connectors.ai.prompt_files import prompts
from tradewind.connectors.calls.kind import Sending
from tradewind.connectors.settings import Settings

SCHEMA = {
    "type": "object",
    "properties": {
        "side": {"enum": ["BUY", "SELL"]},
        "part": {"type": "number", "minimum": 0, "maximum": 1},
        "why": {"type": "array", "items": {"type": "string"}},
    },
}


async def answer(**changes: object) -> Answer:
    """Ask paper once."""
    return await Paper().ask(call(**changes), None, Sending())


async def test_an_answer_follows_from_the_request_and_the_model() -> None:
    """Not from its ids, nor from the time."""
    first, again, other = await answer(), await answer(), await answer(model="paper-2")
    assert first == again
    assert first.text != other.text
    assert first.outcome == "OK"
    assert first.tokens is not None
    assert 0 < first.tokens.output == len(first.text.split()) <= 64


async def test_a_limit_of_tokens_cuts_the_answer_and_says_so() -> None:
    """As providers do."""
    cut = await answer(max_tokens=3)
    assert (len(cut.text.split()), cut.finish) == (3, "LENGTH")


async def test_a_schema_is_answered_by_what_fits_it() -> None:
    """So that what asks for JSON can be tried without a key."""
    found = json.loads((await answer(body={"json_schema": SCHEMA})).text)
    assert found.keys() == {"side", "part", "why"}
    assert found["side"] in {"BUY", "SELL"}
    assert 0 <= found["part"] <= 1


async def test_equal_texts_have_equal_embeddings() -> None:
    """Of float32."""
    found = await answer(kind="EMBEDDING", body={"inputs": ["a", "b", "a"]})
    assert found.embeddings[0] == found.embeddings[2] != found.embeddings[1]
    assert len(found.embeddings[0]) == 4 * DIMENSIONS


FITTING = (
    SCHEMA,
    prompts(Settings(_env_file=None))["news-sentiment@1"].json_schema,
    {"type": "integer", "exclusiveMinimum": 2, "exclusiveMaximum": 5},
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    {"type": "number", "maximum": -5},
    {"type": "integer", "minimum": 0.5, "maximum": 1.5},
    {"type": "string", "minLength": 40, "maxLength": 41},
    {"type": "string", "maxLength": 1},
    {"type": ["null", "string"]},
    {"$ref": "#/$defs/a", "$defs": {"a": {"type": "array", "minItems": 3, "items": {"$ref": "#/definitions/b"}}},
     "definitions": {"b": {"type": "boolean"}}},
    {"anyOf": [{"const": 5}, {"type": "object", "properties": {"a": {"oneOf": [{"type": "integer"}]}}}]},
)  # fmt: skip


@pytest.mark.parametrize("schema", FITTING, ids=lambda of: str(of)[:40])
async def test_an_answer_fits_its_schema(schema: Any) -> None:
    """Whatever the model is called: so examples work without a key."""
    schema = json.loads(schema) if isinstance(schema, str) else schema
    for model in map(str, range(20)):
        found = await answer(model=model, body={"json_schema": schema})
        assert found.outcome == "OK"
        Draft202012Validator(schema).validate(json.loads(found.text))
