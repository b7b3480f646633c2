"""A settings file is read whole, or refused with every error and its path."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from asking import NOW, Asking
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.schemas.strategies import examples
from tradewind.processors.ai.file import Flaw, read
from tradewind.schemas.ai import AiCall, AiPrice, AiProvider, AiRoute
from tradewind.schemas.flaws import flaw_of

MODEL: dict[str, Any] = {"name": "m", "context_tokens": 1_000_000, "max_output_tokens": 100_000}
KEY: dict[str, Any] = {"key_id": "ONE_KEY", "requests_per_minute": 500, "tokens_per_minute": 150_000}
PROVIDER: dict[str, Any] = {"name": "one", "adapter": "openai", "keys": [KEY], "models": [MODEL]}
ROUTE: dict[str, Any] = {"request_type": "*", "candidates": [{"provider": "one", "model": "m"}]}
PRICE: dict[str, Any] = {"provider": "one", "model": "m", "input_per_million": "0.25", "output_per_million": 2}
FILE: dict[str, Any] = {"providers": [PROVIDER], "routes": [ROUTE], "prices": [PRICE]}


def test_a_file_is_read_whole() -> None:
    """With the defaults of what it leaves out; the agent goes by it."""
    found = read(json.dumps(FILE))
    provider, route, price = found
    assert isinstance(provider, AiProvider)
    assert isinstance(route, AiRoute)
    assert isinstance(price, AiPrice)
    assert (provider.max_attempts, provider.models[0]["tools"], provider.models[0]["embeddings"]) == (2, True, False)
    assert (price.input_per_million, price.cache_read_per_million) == (Decimal("0.25"), Decimal("0.25"))
    call = Asking((provider, route, price)).ask(at=NOW)
    assert isinstance(call, AiCall)
    assert (call.key_id, call.adapter, call.price_id) == ("ONE_KEY", "openai", price.price_id)


@pytest.mark.parametrize(
    ("change", "path", "said"),
    [
        ({"colour": []}, "colour", "unknown; there are providers, routes, prices"),
        ({"providers": {}}, "providers", "expected a list"),
        ({"providers": [PROVIDER | {"baseURL": "x"}]}, "providers[0].baseURL", "unknown"),
        ({"providers": [{"name": "one"}]}, "providers[0].adapter", "missing"),
        ({"providers": [PROVIDER | {"name": "a/b"}]}, "providers[0].name", 'not "a/b"'),
        ({"providers": [PROVIDER | {"models": [MODEL, 7]}]}, "providers[0].models[1]", "expected an object"),
        ({"providers": [PROVIDER | {"max_attempts": 0}]}, "providers[0]", "max_attempts is 0; its range is from 1"),
        ({"providers": [PROVIDER | {"max_attempts": True}]}, "providers[0].max_attempts", "expected a whole number"),
        ({"routes": [ROUTE | {"strategy": "BEST"}]}, "routes[0].strategy", "expected one of PRIORITY"),
        (
            {"routes": [ROUTE | {"candidates": [{"provider": "two", "model": "m"}]}]},
            "routes[0].candidates[0]",
            "there is no model 'm' of a provider 'two'",
        ),
        ({"prices": [PRICE | {"output_per_million": -1}]}, "prices[0].output_per_million", "0 or above"),
        ({"prices": [PRICE | {"output_per_million": "1e-11"}]}, "prices[0].output_per_million", "10 places"),
        ({"prices": [PRICE | {"output_per_million": "1e999999"}]}, "prices[0].output_per_million", "10 places"),
        ({"prices": [PRICE | {"currency": "usd"}]}, "prices[0].currency", "three letters"),
        ({"prices": [PRICE | {"model": "n"}]}, "prices[0]", "there is no model 'n'"),
    ],
    ids=lambda of: of if isinstance(of, str) and "[" in of else "",
)
def test_an_error_names_its_path(change: dict[str, Any], path: str, said: str) -> None:
    """And nothing of the file is applied."""
    found = read(json.dumps(FILE | change))
    assert [(one.path, said in one.text) for one in found if isinstance(one, Flaw)][:1] == [(path, True)], found
    assert all(isinstance(one, Flaw) for one in found)


def test_all_errors_are_told_at_once() -> None:
    """Of every list."""
    found = read(json.dumps({"providers": [{}], "routes": [7], "prices": [{"provider": 1}]}))
    paths = {one.path for one in found if isinstance(one, Flaw)}
    assert {"providers[0].name", "providers[0].models", "routes[0]", "prices[0].provider", "prices[0].model"} <= paths


@pytest.mark.parametrize("text", ["", "[]", "{}", "{", '{"providers": NaN}'])
def test_what_is_no_settings_file_is_refused(text: str) -> None:
    """In words."""
    (flaw,) = read(text)
    assert isinstance(flaw, Flaw)
    assert flaw.text


def test_models_in_force_may_be_named() -> None:
    """A file may change prices alone."""
    (found,) = read(json.dumps({"prices": [PRICE]}), {("one", "m")})
    assert isinstance(found, AiPrice)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["1e9999", "*"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*PROVIDER, *PRICE, *ROUTE]), inner),
    max_leaves=6,
)


@given(
    st.sampled_from(["providers", "routes", "prices"]), st.dictionaries(st.sampled_from([*PROVIDER, *PRICE]), VALUES)
)
@examples(200)
def test_whatever_a_file_holds_it_is_read_or_refused(name: str, change: dict[str, Any]) -> None:
    """No error leaves the reader, and what it returns is in range."""
    base = {"providers": PROVIDER, "routes": ROUTE, "prices": PRICE}[name]
    for found in read(json.dumps(FILE | {name: [base | change]})):
        assert isinstance(found, Flaw) or flaw_of(found) is None
