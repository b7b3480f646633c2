"""`ai reconcile`: what it lists, what it settles, and what it refuses without changing anything."""

from __future__ import annotations

import json
from typing import Any

import pytest
from calls.calling import call
from click.testing import CliRunner

from tradewind.connectors import registry
from tradewind.connectors.ai import reconciling
from tradewind.infra.cli.ai.reconcile import MOST_TOKENS, reconcile
from tradewind.schemas.ai import AiAttempt

HELD = call(7)


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> list[AiAttempt]:
    """Give what is published, where one call is in suspense."""
    published: list[AiAttempt] = []
    monkeypatch.setattr(registry, "open_codec", lambda _: None)
    monkeypatch.setattr(reconciling, "suspended", lambda *_: {HELD.call_id: HELD})
    monkeypatch.setattr(reconciling, "publish", lambda _topic, attempts, _settings: published.extend(attempts))
    return published


def run(*arguments: str) -> tuple[int, str]:
    """Run the command; return its code and what it printed."""
    found = CliRunner().invoke(reconcile, arguments)
    return found.exit_code, found.output


def test_calls_in_suspense_are_listed(settled: list[AiAttempt]) -> None:
    """As a table, or as JSON; nothing is changed."""
    code, said = run()
    assert (code, settled) == (0, [])
    assert HELD.call_id in said
    assert json.loads(run("--json")[1])["calls"][0]["reserved"] == "1 USD"


def test_a_call_is_settled_by_the_tokens_on_the_bill(settled: list[AiAttempt]) -> None:
    """0 and 0 if the bill lacks it; the attempt has the same id each time."""
    for tokens in (12, 3), (0, 0):
        assert run(HELD.call_id, "--tokens-in", str(tokens[0]), "--tokens-out", str(tokens[1]))[0] == 0
    first, second = settled
    assert (first.input_tokens, first.output_tokens, first.counted, first.outcome) == (12, 3, True, "LOST")
    assert (second.input_tokens, second.output_tokens, second.event_id) == (0, 0, first.event_id)


def test_tokens_of_a_cache_are_counted_apart(settled: list[AiAttempt]) -> None:
    """Their prices are others, and no token is in two classes."""
    cached = ("--cache-read", "1000", "--cache-write", "7")
    code, said = run(HELD.call_id, "--tokens-in", "12", "--tokens-out", "3", *cached)
    assert (code, "12 tokens in, of a cache 1,000 read and 7 written, 3 out" in said) == (0, True)
    (made,) = settled
    found = (made.input_tokens, made.cache_read_tokens, made.cache_write_tokens, made.output_tokens)
    assert found == (12, 1_000, 7, 3)


REFUSED: list[tuple[tuple[Any, ...], int, str]] = [
    (("nobody", "--tokens-in", "1", "--tokens-out", "1"), 1, "call nobody is not in suspense"),
    ((HELD.call_id,), 2, "--tokens-in and --tokens-out"),
    ((HELD.call_id, "--tokens-in", "1"), 2, "--tokens-in and --tokens-out"),
    (("--tokens-in", "1", "--tokens-out", "1"), 2, "name the CALL"),
    (("--cache-read", "1"), 2, "name the CALL"),
    ((HELD.call_id, "--tokens-in", "-1", "--tokens-out", "1"), 2, "is not in the range"),
    ((HELD.call_id, "--tokens-in", str(MOST_TOKENS + 1), "--tokens-out", "1"), 2, "is not in the range"),
]


@pytest.mark.parametrize(("arguments", "code", "said"), REFUSED, ids=str)
def test_what_cannot_be_settled_is_said(settled: list[AiAttempt], arguments: Any, code: int, said: str) -> None:
    """And nothing is published."""
    found = run(*arguments)
    assert found[0] == code
    assert said in found[1]
    assert settled == []
