"""Answers in JSON are checked: one further try with the error, then none. The work of a check is bounded."""

from __future__ import annotations

import json
from typing import Any

import pytest
from asking import SECOND, Asking, request, tenant
from hypothesis import given
from hypothesis import strategies as st

from tradewind.processors.ai.json_answers import MOST_NODES, MOST_WORK, UnsoundSchema, check_schema
from tradewind.schemas.ai import AiCall, AiResponse

SCHEMA = {
    "type": "object",
    "properties": {"side": {"enum": ["BUY", "SELL"]}, "part": {"$ref": "#/$defs/share"}},
    "required": ["side", "part"],
    "additionalProperties": False,
    "$defs": {"share": {"type": "number", "minimum": 0, "maximum": 1}},
}
ASKED = {"json_schema": json.dumps(SCHEMA)}
RIGHT = '{"side": "BUY", "part": 0.25}'
WRONG = '{"side": "BUY", "part": 2}'


def asked(**other: Any) -> tuple[Asking, AiCall]:
    """Return an agent and the call of a request for JSON."""
    asking = Asking(**other)
    return asking, asking.call(**ASKED)


def ended(found: object) -> AiResponse:
    """Return a response that must be one."""
    assert isinstance(found, AiResponse), found
    return found


def again(found: object) -> AiCall:
    """Return a call that must be one."""
    assert isinstance(found, AiCall), found
    return found


def test_an_answer_that_matches_is_given_as_json() -> None:
    """And as the text that the model wrote."""
    asking, call = asked()
    found = ended(asking.follow(call, text=RIGHT))
    assert (found.status, found.json, found.text) == ("ANSWERED", '{"side":"BUY","part":0.25}', RIGHT)
    assert json.loads(call.body)["json_schema"] == SCHEMA
    assert ended(asking.follow(asking.call(2), text="calm")).json is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (WRONG, "$.part: 2 is greater than the maximum of 1"),
        ('{"side": "BUY"}', "'part' is a required property"),
        ('{"side": "HOLD", "part": 1}', "'HOLD' is not one of"),
        ('{"side": "BUY", "part": NaN}', "NaN is no JSON"),
        ('{"side": "BUY", "part": 1e999}', "too large a number"),
        ("Sure! " + RIGHT, "it is no JSON"),
        ("[" * 100_000, "it is no JSON"),
        (f'["{"x" * 100_000}"]', "is not of type 'object'"),
    ],
    ids=["bound", "missing", "enum", "nan", "infinite", "words", "deep", "long"],
)
def test_one_that_does_not_gets_one_further_try_with_its_error(text: str, said: str) -> None:
    """By the same model, which sees its answer and what is wrong; both calls are paid."""
    asking, call = asked()
    second = again(asking.follow(call, text=text))
    assert (second.provider, second.model, second.attempt) == (call.provider, call.model, 2)
    before, after = (json.loads(one.body)["messages"] for one in (call, second))
    assert after[: len(before)] == before
    assert [one["role"] for one in after[len(before) :]] == ["assistant", "user"]
    assert said in after[-1]["content"]
    assert len(second.body) < len(call.body) + 10_000
    assert second.digest != call.digest
    found = ended(asking.follow(second, text=RIGHT))
    assert (found.status, found.attempts, found.input_tokens) == ("ANSWERED", 2, 20)
    assert asking.budget.reserved == 0


def test_the_second_mismatch_ends_the_request_as_invalid() -> None:
    """With both errors, and no text that somebody could take for an answer."""
    asking, call = asked()
    found = ended(asking.follow(again(asking.follow(call, text=WRONG)), text="no"))
    assert (found.status, found.code, found.json, found.text) == ("INVALID", "SCHEMA", None, "")
    assert "greater than the maximum" in found.reason
    assert "no JSON" in found.reason
    assert not [key for key in asking.state.values if key.startswith(("open/", "asked/", "call/"))]


def test_the_further_try_keeps_its_question_through_other_failures() -> None:
    """A busy provider in between does not make the agent forget the error, or give a third try."""
    asking, call = asked()
    second = again(asking.follow(call, text=WRONG))
    third = again(asking.follow(second, "BUSY"))
    assert (third.body, third.attempt) == (second.body, 3)
    assert ended(asking.follow(third, text=WRONG)).status == "INVALID"


def test_without_time_or_money_there_is_no_further_try() -> None:
    """The response says why."""
    asking, call = asked()
    found = ended(asking.follow(call, at=call.deadline + SECOND, text=WRONG))
    assert (found.status, found.code) == ("INVALID", "SCHEMA")
    assert "there is no further try: its 60,000 ms are over" in found.reason
    asking, call = asked()
    asking.give(tenant(revision=2, ai_budget_per_month=call.reserved))
    assert "no further try: it may cost" in ended(asking.follow(call, text=WRONG, input_tokens=100)).reason


def test_a_call_of_tools_is_no_answer_yet() -> None:
    """Whoever asked performs it, and asks again."""
    asking, call = asked()
    calls = ({"id": "1", "name": "quote", "arguments": "{}"},)
    assert ended(asking.follow(call, text="", tool_calls=calls, finish="TOOL_CALLS")).status == "ANSWERED"


def nested(levels: int) -> dict[str, Any]:
    """Return a schema of so many levels."""
    found: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        found = {"type": "array", "items": found}
    return found


DOUBLING = {"$defs": {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(12)} | {"d12": {}}}


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"$ref": "https://example.com/schema"}, r"a reference begins with #/\$defs/"),
        ({"$ref": "#"}, "a reference begins with"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"items": {"$ref": "#/$defs/a"}}}}, "refers to itself"),
        ({"$ref": "#/$defs/b", "$defs": {}}, "there is no"),
        ({"properties": {"a": {"pattern": "(a+)+$"}}}, r"\$.properties.a.pattern: this keyword is not checked"),
        ({"$id": "https://example.com"}, "this keyword is not checked"),
        ({"type": "strnig"}, "'strnig' is not valid"),
        ({"properties": {"a": 5}}, r"\$.properties.a is no schema"),
        (nested(40), "more than 32 levels deep"),
        ({"enum": list(range(MOST_NODES))}, "more than 1,000 nodes"),
        ({"$ref": "#/$defs/d0", **DOUBLING}, "more than 1,000 nodes"),
        ({"description": "x" * 70_000}, "above 65,536"),
    ],
    ids=lambda of: str(of)[:40],
)
def test_a_schema_that_is_not_checked_in_bounded_time_is_refused(schema: dict[str, Any], said: str) -> None:
    """Before any call, with the place of what is wrong."""
    with pytest.raises(UnsoundSchema, match=said):
        check_schema(schema)
    found = ended(Asking().ask(json_schema=json.dumps(schema)))
    assert (found.status, found.code) == ("REFUSED", "BAD_REQUEST")
    assert found.reason.startswith("json_schema: ")


def test_an_answer_of_too_many_values_is_not_checked() -> None:
    """It counts as a mismatch."""
    asking = Asking()
    wide = {"type": "array", "items": {"enum": list(range(900))}}
    call = asking.call(json_schema=json.dumps(wide))
    many = json.dumps([0] * (MOST_WORK // 900 + 1))
    assert "too many values" in json.loads(again(asking.follow(call, text=many)).body)["messages"][-1]["content"]


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=8))
def test_whatever_a_model_writes_there_is_one_response(value: Any) -> None:
    """Of any JSON, and of what Python takes for JSON."""
    asking = Asking()
    found = asking.follow(asking.call(**ASKED), text=json.dumps(value) or "x")
    assert ended(asking.follow(again(found), text=json.dumps(value))).status == "INVALID"
    assert request().json_schema is None
