"""The routes that come with Tradewind: who is asked first, who is next, and what happens without keys."""

from __future__ import annotations

import pytest
from asking import NOW, SECOND, Asking, price

from tradewind.connectors.ai.settings_files.templates import templates
from tradewind.connectors.ai.settings_files.text import document_of
from tradewind.processors.ai.settings import Setting
from tradewind.processors.ai.settings_file.fields import Flaw
from tradewind.processors.ai.settings_file.file import read
from tradewind.schemas.ai import AiCall, AiProvider, AiResponse

FIVE = "five-routes"
ORDERS = {
    "trading_signal": ("openai-primary", "anthropic-backup"),
    "market_sentiment": ("anthropic-backup", "gemini"),
    "risk_assessment": ("local-llama", "openai-primary"),
    "pattern_recognition": ("gemini", "openai-primary"),
    "news_analysis": ("anthropic-backup", "openai-primary"),
}


def settings_of(name: str) -> list[Setting]:
    """Return the settings of a template."""
    found = read(document_of(templates()[name]))
    return [one for one in found if not isinstance(one, Flaw)]


@pytest.fixture
def asking() -> Asking:
    """Give an agent with the five routes, whose models all have prices."""
    settings = settings_of(FIVE)
    models = [(one.name, str(model["name"])) for one in settings if isinstance(one, AiProvider) for model in one.models]
    return Asking((*settings, *(price(f"{name}/{model}") for name, model in models if name != "local-llama")))


@pytest.mark.parametrize("request_type", ORDERS)
def test_each_type_is_asked_in_its_order(request_type: str, asking: Asking) -> None:
    """The second provider follows where the first one fails; a timeout goes to no model twice."""
    first = asking.call(request_type=request_type)
    second = asking.follow(first, "TIMED_OUT")
    assert isinstance(second, AiCall)
    assert (first.provider, second.provider) == ORDERS[request_type]
    assert asking.follow(second).status == "ANSWERED"  # type: ignore[attr-defined]


@pytest.mark.parametrize("request_type", ORDERS)
def test_without_keys_a_request_fails_and_costs_nothing(request_type: str, asking: Asking) -> None:
    """The response says of each model that it had no key; no other model stands in."""
    outcomes = {"local-llama": "UNREACHABLE"}
    call, asked = asking.call(request_type=request_type), []
    while isinstance(call, AiCall):
        asked.append(call.provider)
        told = asking.follow(call, outcomes.get(call.provider, "BAD_KEY"), error="the caller has no key")
        call = told  # type: ignore[assignment]
    assert isinstance(call, AiResponse)
    assert tuple(asked) == ORDERS[request_type]
    assert (call.status, call.code) == ("FAILED", "EXHAUSTED")
    assert "BAD_KEY" in call.reason
    assert (asking.budget.spent, asking.budget.reserved, asking.budget.suspense) == (0, 0, 0)


def test_a_refused_key_is_left_alone_until_its_provider_is_applied_again(asking: Asking) -> None:
    """Whoever has given the caller the key need not wait for the probe."""
    second = asking.follow(asking.call(1, request_type="trading_signal"), "BAD_KEY")
    assert isinstance(second, AiCall)
    asking.follow(second, "BAD_KEY")
    refused = asking.ask(2, NOW + 2 * SECOND, request_type="trading_signal")
    assert isinstance(refused, AiResponse)
    assert (refused.status, refused.code) == ("REFUSED", "RATE")
    assert refused.retry_after_ms is not None
    assert refused.retry_after_ms > 200_000
    asking.apply(*(one for one in settings_of(FIVE) if isinstance(one, AiProvider)))
    assert asking.call(3, NOW + 3 * SECOND, request_type="trading_signal").provider == "openai-primary"


def test_the_providers_of_the_five_routes_are_those_of_their_templates() -> None:
    """So that one file can be changed for the other."""
    five = {one.name: one for one in settings_of(FIVE) if isinstance(one, AiProvider)}
    assert {name for order in ORDERS.values() for name in order} == five.keys()
    for name, provider in five.items():
        assert settings_of(name)[0] == provider
