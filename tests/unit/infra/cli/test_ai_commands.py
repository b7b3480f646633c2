"""Commands of AI and usage refuse what cannot be meant, before anything is written or paid for."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from tradewind.connectors.ai.in_force import InForce
from tradewind.connectors.settings import Settings
from tradewind.connectors.tenancy import reading
from tradewind.infra.cli.ai.ai import ai
from tradewind.infra.cli.ai.apply import changes_of
from tradewind.infra.cli.known_tenants import require_tenant


def test_an_empty_question_is_not_asked() -> None:
    """It would cost tokens."""
    done = CliRunner().invoke(ai, ["ask", " "])
    assert (done.exit_code, "QUESTION is empty" in done.output) == (2, True)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--max-tokens", "1000000000"], "max_tokens is 1000000000; its range is from 1 to 10000000"),
        (["--deadline", "1e7"], "deadline_ms is 10000000000; its range is"),
        (["--type", "t" * 300], "request_type is"),
        (["--tenant", ""], "tenant_id is ''; its range is"),
    ],
)
def test_a_question_that_the_agent_could_not_take_is_not_sent(given: list[str], said: str) -> None:
    """It would be a dead letter, and the command would wait for an answer that never comes."""
    done = CliRunner().invoke(ai, ["ask", "Is it calm?", *given])
    assert (done.exit_code, said in done.output) == (2, True), done.output


def test_a_tenant_that_is_misspelt_is_told_from_one_that_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names those that there are; no name is every tenant."""
    monkeypatch.setattr(reading, "accounts", lambda _: {"alpha": (), "beta": ()})
    settings = Settings(_env_file=None)
    require_tenant("alpha", settings)
    require_tenant(None, settings)
    with pytest.raises(click.UsageError, match="no tenant 'alfa'; tenants are: alpha, beta"):
        require_tenant("alfa", settings)


def test_a_file_is_refused_with_all_that_is_wrong_with_it() -> None:
    """Also an adapter that is not installed, beside a route to a provider that there is not; and the paths are told."""
    models = [{"name": "m", "contextTokens": 1000}]
    document = {
        "providers": {"one": {"type": "opnai", "models": models}, "two": {"type": "paper", "models": models, "x": 1}},
        "routes": {"general": ["one/m", "two/n", "three/m"]},
    }
    with pytest.raises(click.ClickException) as raised:
        changes_of("a.yaml", document, InForce())
    first, *flaws = raised.value.message.splitlines()
    assert first == "a.yaml was not applied, and nothing has changed:"
    paths = [line.strip().partition(": ")[0] for line in flaws]
    assert paths == ["providers.two.x", "providers.one.type", *(f"routes.general[{at}]" for at in (1, 2))]
    assert "no adapter 'opnai' here; here are anthropic, gemini, ollama, openai" in raised.value.message
    document["providers"] = {"one": {"type": "opnai", "models": models, "enabled": False}}
    document["routes"] = {"general": ["one/m"]}
    assert len(changes_of("a.yaml", document, InForce())) == 2
