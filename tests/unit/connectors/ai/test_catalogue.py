"""List prices: how those of the package `genai-prices` become ours."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest
from asking import provider
from genai_prices import data_snapshot
from genai_prices.types import (
    ClauseEquals,
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    Provider,
    StartDateConstraint,
    Tier,
    TieredPrices,
    TimeOfDateConstraint,
)

from tradewind.connectors.ai.catalogue import context_of, listed
from tradewind.connectors.ai.in_force import InForce
from tradewind.processors.ai.prices import price_of
from tradewind.processors.ai.settings import take
from tradewind.schemas.ai import AiPrice

LONG = TieredPrices(base=Decimal(1), tiers=[Tier(start=200_000, price=Decimal(2))])
JULY = date(2026, 7, 1)
NIGHT = TimeOfDateConstraint(start_time=time(1, tzinfo=UTC), end_time=time(4, tzinfo=UTC))
PRICES: dict[str, Any] = {
    "flat": ModelPrice(input_mtok=Decimal("0.25"), cache_read_mtok=Decimal("0.025"), output_mtok=Decimal(2)),
    "written": ModelPrice(input_mtok=Decimal(1), cache_write_mtok=Decimal("1.25"), output_mtok=Decimal(2)),
    "embeds": ModelPrice(input_mtok=Decimal("0.02")),
    "long": ModelPrice(input_mtok=LONG, output_mtok=Decimal(4)),
    "thinks": ModelPrice(input_mtok=Decimal(1), output_mtok=Decimal(2), output_reasoning_mtok=Decimal(3)),
    "fine": ModelPrice(input_mtok=Decimal("0.00000000001"), output_mtok=Decimal(1)),
    "speaks": ModelPrice(input_audio_mtok=Decimal(1)),
    "dated": [
        ConditionalPrice(constraint=None, prices=ModelPrice(input_mtok=Decimal(5), output_mtok=Decimal(10))),
        ConditionalPrice(
            constraint=StartDateConstraint(start_date=JULY),
            prices=ModelPrice(input_mtok=Decimal(3), output_mtok=Decimal(9)),
        ),
    ],
    "nightly": [
        ConditionalPrice(constraint=None, prices=ModelPrice(input_mtok=Decimal(1), output_mtok=Decimal(8))),
        ConditionalPrice(constraint=NIGHT, prices=ModelPrice(input_mtok=Decimal(2), output_mtok=Decimal(4))),
    ],
}


@pytest.fixture
def _catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put other prices in the package's place."""
    models = [ModelInfo(id=name, match=ClauseEquals(equals=name), prices=prices) for name, prices in PRICES.items()]
    models[0].context_window = 9_000
    known = Provider(id="openai", name="OpenAI", api_pattern=r"https://api\.openai\.com", models=models)
    snapshot = data_snapshot.DataSnapshot(providers=[known], from_auto_update=False)
    monkeypatch.setattr(data_snapshot, "get_snapshot", lambda: snapshot)


def prices(model: str, context_tokens: int = 100_000, *, adapter: str = "openai", **other: Any) -> list[AiPrice]:
    """Return the list prices of a model."""
    of = {"context_tokens": context_tokens, "images": False}
    found = provider("one", adapter=adapter, **other)
    found = replace(found, models=({**found.models[0], "name": model, **of},))
    return listed([found], {}, {}).prices


@pytest.mark.usefixtures("_catalogue")
def test_a_price_that_depends_on_the_prompts_length_is_told_of() -> None:
    """The dearest holds for all prompts; a model whose context ends below the tier has one price."""
    models = [{**provider("one").models[0], "name": name, "images": False} for name in ("flat", "long", "dated")]

    def told(context_tokens: int) -> dict[tuple[str, str], str]:
        wide = tuple({**model, "context_tokens": context_tokens} for model in models)
        return listed([replace(provider("one", adapter="openai"), models=wide)], {}, {}).tiered

    assert told(200_000) == {}
    (((_, model), said),) = told(200_001).items()
    assert model == "long"
    assert "more than 200,000 tokens are dearer" in said
    assert "set the model's contextTokens to 200000" in said


@pytest.mark.usefixtures("_catalogue")
@pytest.mark.parametrize(
    ("model", "context", "rates"),
    [
        ("flat", 100_000, ("0.25", "0.025", "0.25", "2")),  # what is written to a cache is input
        ("written", 100_000, ("1", "1", "1.25", "2")),
        ("embeds", 100_000, ("0.02", "0.02", "0.02", "0")),
        ("long", 200_000, ("1", "1", "1", "4")),  # no prompt reaches the tier
        ("long", 200_001, ("2", "2", "2", "4")),
        ("thinks", 100_000, ("1", "1", "1", "3")),
        ("fine", 100_000, ("0.0000000001", "0.0000000001", "0.0000000001", "1")),  # never rounded down
        ("nightly", 100_000, ("2", "2", "2", "8")),  # the dearest of each, at any time
    ],
)
def test_each_class_of_tokens_has_its_price(model: str, context: int, rates: tuple[str, ...]) -> None:
    """A class without a price of its own has that of input."""
    (found,) = prices(model, context)
    ours = (
        found.input_per_million,
        found.cache_read_per_million,
        found.cache_write_per_million,
        found.output_per_million,
    )
    assert ours == tuple(map(Decimal, rates))
    assert (found.currency, found.per_call, found.valid_from) == ("USD", 0, 0)
    assert found.origin.startswith("genai-prices ")


@pytest.mark.usefixtures("_catalogue")
def test_a_price_begins_on_its_day() -> None:
    """At midnight in UTC; the agent goes by the newest that has begun."""
    state, begin = InForce(), round(datetime(2026, 7, 1, tzinfo=UTC).timestamp()) * 1_000_000
    found = prices("dated")
    for part, one in enumerate(found, 1):
        take(state, replace(one, part=part, parts=len(found)))
    rates = []
    for now in (begin - 1, begin):
        known = price_of(state, "alpha", "one", "dated", now)
        assert known is not None
        rates.append(known.rates["input_per_million"])
    assert rates == [5, 3]


@pytest.mark.usefixtures("_catalogue")
def test_what_the_catalogue_does_not_know_gets_no_price() -> None:
    """And the reason says what to do; an unknown price is never 0."""
    one = provider("one", "unknown", "speaks", adapter="openai")
    local = provider("two", "flat", adapter="ollama")
    hosted = provider("three", "flat", adapter="openai-compatible", base_url="https://models.example/v1")
    found = listed([one, local, hosted], {}, {})
    assert not found.prices
    assert found.missing.keys() == {("one", "unknown"), ("one", "speaks"), ("two", "flat"), ("three", "flat")}
    assert "not paid by tokens alone" in found.missing["one", "speaks"]
    assert "0 if it is free" in found.missing["two", "flat"]
    assert context_of("openai", "flat") == 9_000
    assert context_of("openai", "unknown") is None


@pytest.mark.usefixtures("_catalogue")
def test_a_price_that_somebody_wrote_stays_and_an_imported_one_follows_the_catalogue() -> None:
    """Importing once more changes nothing."""
    one = provider("one", "flat", "dated", adapter="openai")
    state = InForce()

    def apply(*changes: AiPrice) -> None:
        revision = state.revision + 1
        for part, price in enumerate(changes, 1):
            take(state, replace(price, revision=revision, part=part, parts=len(changes)))
            state.origins[price.price_id] = price.origin

    apply(*listed([one], state.priced, state.origins).prices)
    assert not listed([one], state.priced, state.origins).prices
    apply(replace(prices("flat")[0], price_id="mine", origin="settings file"))
    PRICES["dated"][1].constraint.start_date = date(2026, 8, 1)
    try:
        found = listed([one], state.priced, state.origins)
    finally:
        PRICES["dated"][1].constraint.start_date = JULY
    assert found.own == [("one", "flat")]
    assert sorted((price.model, price.active) for price in found.prices) == [("dated", False), ("dated", True)]
    apply(*found.prices)
    begins = [int(price["valid_from"]) for price in state.priced[None, "one", "dated"].prices]
    assert begins == [0, round(datetime(2026, 8, 1, tzinfo=UTC).timestamp()) * 1_000_000]


def test_the_package_itself_knows_the_models_of_the_templates() -> None:
    """Offline: these are the data that it was installed with."""
    for adapter, model in (("openai", "gpt-5-mini"), ("anthropic", "claude-sonnet-4-5"), ("gemini", "gemini-2.5-pro")):
        (found,) = prices(model, adapter=adapter)
        assert found.output_per_million > found.input_per_million > found.cache_read_per_million > 0
