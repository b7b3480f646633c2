"""A question in other words gets the answer of the same tenant; one of another meaning never does."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from dataclasses import replace
from difflib import SequenceMatcher
from typing import Any
from unicodedata import normalize

import pytest
from asking import Asking
from calls.calling import call
from hypothesis import given
from hypothesis import strategies as st

from tradewind.connectors.ai.answer import Answer, Tokens
from tradewind.connectors.ai.cache.cache import AnswerCache
from tradewind.connectors.ai.cache.meanings import Meanings, meaning_of
from tradewind.connectors.ai.calls import AiCalls
from tradewind.connectors.ai.keys.keys import Keys
from tradewind.connectors.calls.kind import Sending
from tradewind.infra.bench.parts.ai.opposites import KINDS, PARAPHRASES, opposites
from tradewind.processors.ai.meaning.gate import MOST_CHARACTERS, plain
from tradewind.processors.identity import derive_id
from tradewind.schemas.ai import AiAttempt, AiCall

QUESTION, AGAIN = "What is the outlook for EURUSD today?", "what's the outlook for EURUSD today"
FINE = Answer("OK", text="calm", finish="STOP", tokens=Tokens(input=9, output=4), model="m-2026")
ALIKE = 0.85
_numbers = itertools.count(1_000_000)


def asks(question: str, **changes: Any) -> AiCall:
    """Return a call that asks a question, as the agent makes it: its digest follows from its body."""
    body = {
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": question}],
        **changes.pop("body", {}),
    }
    made = call(next(_numbers), **{"cache": "SEMANTIC", **changes}, body=body)
    return replace(made, digest=derive_id("AiDigest", made.tenant_id, made.kind, made.body))


class Provider:
    """An adapter that says which question it has answered."""

    def __init__(self, answer: Answer = FINE) -> None:
        self.answer = answer

    async def open(self) -> None:
        """Have nothing to open."""

    async def ask(self, call: AiCall, key: str | None, sending: Sending) -> Answer:
        """Answer at once."""
        sending.sent = True
        return self.answer if self.answer is not FINE else replace(FINE, text=call.call_id)

    async def close(self) -> None:
        """Have nothing to close."""


def kind_of(answer: Answer = FINE) -> AiCalls:
    """Return the kind of call with one adapter."""
    return AiCalls(Keys({}), {"paper": lambda: Provider(answer)}, cache=AnswerCache())


async def attempt(kind: AiCalls, of: AiCall) -> AiAttempt:
    """Return the attempt of a call."""
    found = await kind.perform(of, Sending())
    assert isinstance(found, AiAttempt)
    return found


async def test_a_question_in_other_words_gets_the_answer_and_says_so() -> None:
    """It is counted apart from answers to equal requests."""
    kind = kind_of()
    first = asks(QUESTION)
    await attempt(kind, first)
    again, equal = await attempt(kind, asks(AGAIN)), await attempt(kind, asks(QUESTION))
    assert (again.text, again.source, again.semantic, again.source_call_id, again.counted) == (
        first.call_id, "CACHE", True, first.call_id, False
    )  # fmt: skip
    assert (equal.source, equal.semantic) == ("CACHE", False)
    assert dict(kind.cache.found) == {"missed": 1, "semantic": 1, "memory": 1}


@pytest.mark.parametrize(
    "other",
    [
        {"cache": "EXACT"},
        {"cache": "OFF"},
        {"probe": True},
        {"tenant_id": "beta"},
        {"model": "paper-2"},
        {"provider": "other"},
        {"base_url": "https://other.example"},
        {"body": {"temperature": 0.5}},
        {"body": {"max_tokens": 65}},
        {"body": {"json_schema": {}}},
        {"body": {"tools": [{"name": "quote", "description": "", "parameters": {}}]}},
        {"body": {"messages": [{"role": "system", "content": "Be long."}, {"role": "user", "content": AGAIN}]}},
        {"body": {"messages": [{"role": "user", "content": AGAIN}]}},
    ],
    ids=str,
)
async def test_whatever_else_differs_asks_the_provider(other: dict[str, Any]) -> None:
    """Another tenant, model, system message, schema, tool or setting; and whoever has not opted in."""
    kind = kind_of()
    await attempt(kind, asks(QUESTION))
    assert (await attempt(kind, asks(AGAIN, **other))).source == "PROVIDER"


@pytest.mark.parametrize(
    "answer",
    [
        replace(FINE, finish="LENGTH"),
        replace(FINE, finish="TOOL_CALLS", tool_calls=({"id": "1", "name": "f", "arguments": "{}"},)),
        Answer("BUSY", "busy"),
    ],
    ids=["cut", "calls a tool", "busy"],
)
async def test_only_whole_texts_are_found_by_meaning(answer: Answer) -> None:
    """A tool may act, so its call is for an equal request alone."""
    kind = kind_of(answer)
    await attempt(kind, asks(QUESTION))
    assert (await attempt(kind, asks(AGAIN))).source == "PROVIDER"


async def test_answers_of_those_who_did_not_opt_in_are_not_found_by_meaning() -> None:
    """Their questions are not kept."""
    kind = kind_of()
    await attempt(kind, asks(QUESTION, cache="EXACT"))
    assert (await attempt(kind, asks(AGAIN))).source == "PROVIDER"


def test_a_request_that_makes_orders_never_takes_an_answer_by_its_meaning() -> None:
    """The agent makes its call EXACT."""
    asking = Asking()
    assert asking.call(1, cache="SEMANTIC", makes_orders=True).cache == "EXACT"
    assert asking.call(2, cache="SEMANTIC", makes_orders=False).cache == "SEMANTIC"


async def test_no_opposite_question_gets_the_answer() -> None:
    """500 pairs, both ways: 0 false hits. In letters they are nearly equal, so it is the gate that tells them apart."""
    kind, pairs = kind_of(), opposites(500)
    for number, (_, one, other) in enumerate(pairs):
        assert SequenceMatcher(None, one, other).ratio() > ALIKE, (one, other)
        for way, (first, second) in enumerate(((one, other), (other, one))):
            tenant = f"t{number}-{way}"
            await attempt(kind, asks(first, tenant_id=tenant))
            assert (await attempt(kind, asks(second, tenant_id=tenant))).source == "PROVIDER", (first, second)
    assert Counter(of for of, _, _ in pairs).keys() == KINDS.keys()
    assert kind.cache.found == {"missed": 2_000}


async def test_questions_that_ask_the_same_get_the_answer() -> None:
    """Both ways: else the cache would be of no use."""
    kind = kind_of()
    for number, pair in enumerate(PARAPHRASES):
        for way, (first, second) in enumerate((pair, pair[::-1])):
            tenant = f"t{number}-{way}"
            await attempt(kind, asks(first, tenant_id=tenant))
            assert (await attempt(kind, asks(second, tenant_id=tenant))).semantic, (first, second)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Is Apple up?", "Is apple up?"),
        ("Apple rises?", "apple rises?"),
        ("A shares rise", "Shares rise"),
        ("Sell, not buy", "Sell not buy"),
        ("Sell 5\nBuy 3", "Sell 5 Buy 3"),
        ("if x:\n    y", "if x:\n  y"),
        ("EURUSD is calm.", "EURUSD is calm?"),
        ("5 0 lots", "50 lots"),
        ("1.10", "1.1"),
        ("EUR/USD", "USD/EUR"),
        ("", ""),
        ("x" * (MOST_CHARACTERS + 1), "x" * (MOST_CHARACTERS + 1)),
    ],
)
def test_what_is_not_certain_is_not_the_same(one: str, other: str) -> None:
    """Names, lists, code, numbers; nothing, and documents."""
    assert not plain(one) or plain(one) != plain(other)


@given(st.text(max_size=80))
def test_any_text_has_a_form_that_keeps_its_numbers(text: str) -> None:
    """Whatever people write; space around it says nothing."""
    form = plain(text)
    assert plain(f" {text}  ") == form
    digits = [letter for letter in normalize("NFC", text) if letter.isdigit()]
    assert [letter for word in form for letter in word if letter.isdigit()] == digits


def test_the_index_is_bounded_by_tenant_and_forgets() -> None:
    """In entries, tenants and time; one tenant pushes out nothing of another."""
    now = [0.0]
    meanings = Meanings(entries=10, tenants=2, seconds=900.0, clock=lambda: now[0])
    meanings.put("beta", "m", "kept")
    for number in range(99):
        meanings.put("alpha", str(number), f"key {number}")
        assert len(meanings) <= 11
    assert (meanings.get("alpha", "98"), meanings.get("alpha", "10"), meanings.get("alpha", "m")) == (
        "key 98",
        None,
        None,
    )
    assert meanings.get("beta", "m") == "kept"
    meanings.put("gamma", "new", "key")
    assert meanings.get("alpha", "98") is None
    now[0] = 901.0
    assert (meanings.get("beta", "m"), meanings.get("gamma", "new")) == (None, None)


async def test_a_question_whose_answer_is_gone_asks_the_provider() -> None:
    """The provider is asked, and its answer is found by meaning afterwards."""
    kind = kind_of()
    await attempt(kind, asks(QUESTION))
    kind.cache.memory._kept.clear()
    assert (await attempt(kind, asks(AGAIN))).source == "PROVIDER"
    assert (await attempt(kind, asks(QUESTION))).semantic


def test_what_has_no_question_is_not_found_by_meaning() -> None:
    """Vectors, an answer to a tool, and a document."""
    tool = {"messages": [{"role": "tool", "content": "1", "tool_call_id": "t"}]}
    for of in (asks(QUESTION, kind="EMBEDDING"), asks("", body=tool), asks("x" * (MOST_CHARACTERS + 1)), asks("")):
        assert meaning_of(of) is None, json.loads(of.body)
    assert meaning_of(asks(QUESTION)) == meaning_of(asks(AGAIN)) is not None
