"""A settings file is read whole, or refused with every error and its path."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from asking import NOW, Asking
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.schemas.strategies import examples
from tradewind.connectors.ai.settings_files.templates import template
from tradewind.connectors.ai.settings_files.text import NotReadable, document_of
from tradewind.processors.ai.settings import Setting
from tradewind.processors.ai.settings_file import file
from tradewind.processors.ai.settings_file.fields import Flaw
from tradewind.schemas.ai import AiCall, AiPrice, AiProvider, AiRoute
from tradewind.schemas.codec import MODELS, Codec
from tradewind.schemas.flaws import flaw_of

MODEL: dict[str, Any] = {"name": "m", "context_tokens": 1_000_000, "max_output_tokens": 100_000}
KEY: dict[str, Any] = {"key_id": "ONE_KEY", "requests_per_minute": 500, "tokens_per_minute": 150_000}
PROVIDER: dict[str, Any] = {"name": "one", "adapter": "openai", "keys": [KEY], "models": [MODEL]}
ROUTE: dict[str, Any] = {"request_type": "*", "candidates": [{"provider": "one", "model": "m"}]}
PRICE: dict[str, Any] = {"provider": "one", "model": "m", "input_per_million": "0.25", "output_per_million": 2}
PEOPLES: dict[str, Any] = {
    "type": "openai",
    "apiKey": "${OPENAI_API_KEY}",
    "models": [MODEL],
    "rateLimits": {"requestsPerMinute": 500, "tokensPerMinute": 150_000},
    "costTracking": {"enabled": True, "alertThreshold": 100},
    "retryConfig": {"maxRetries": 3, "backoffMultiplier": 2, "initialDelay": 1_000},
    "performance": {"concurrentRequests": 4},
    "timeoutMs": 20_000,
}
"""A provider as people write it for other programs."""
FILE: dict[str, Any] = {"providers": [PROVIDER], "routes": [ROUTE], "prices": [PRICE]}


def read(text: str, known: Collection[tuple[str, str]] = ()) -> list[Setting] | list[Flaw]:
    """Return what a text of JSON holds, as the command reads it."""
    try:
        return file.read(document_of(text, is_json=True), known)
    except NotReadable as error:
        return [Flaw("", str(error))]


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
        ({"providers": 7}, "providers", "expected a list"),
        ({"providers": [PROVIDER | {"baseURL": "x"}]}, "providers[0].baseURL", "has no host"),
        ({"providers": [{"name": "one"}]}, "providers[0].adapter", "missing"),
        ({"providers": [PROVIDER | {"name": "a/b"}]}, "providers[0].name", 'not "a/b"'),
        ({"providers": [PROVIDER | {"models": [MODEL, 7]}]}, "providers[0].models[1]", "expected an object"),
        ({"providers": [PROVIDER | {"max_attempts": 0}]}, "providers[0].max_attempts", "from 1 to 20, not 0"),
        ({"providers": [PROVIDER | {"max_attempts": True}]}, "providers[0].max_attempts", "expected a whole number"),
        ({"routes": [ROUTE | {"strategy": "BEST"}]}, "routes[0].strategy", "expected one of PRIORITY"),
        (
            {"routes": [ROUTE | {"candidates": [{"provider": "two", "model": "m"}]}]},
            "routes[0].candidates[0]",
            "there is no model 'm' of a provider 'two'",
        ),
        ({"routes": [ROUTE | {"candidates": []}]}, "routes[0].candidates", "has no candidate"),
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


def test_errors_of_an_object_that_has_others_are_told_with_them() -> None:
    """A person who corrects a file gets no second round: ranges, addresses, adapters and models, all at once."""
    first = {
        "name": "first",
        "adapter": "openai-compatibel",
        "baseUrl": "ftp://a.example",
        "colour": 1,
        "timeoutMs": 0,
        "connectTimeoutMs": 0,
        "retryConfig": {"backoffMultiplier": -2},
        "models": [MODEL, MODEL | {"name": "n", "size": 7}],
    }
    second = PROVIDER | {"name": "second", "flavour": 1}
    routes = {"trading_signal": ["second/nope", "second/m", "nobody/nothing", "first/any"], "general": ["second/m"]}
    found = file.read({"providers": [first, second], "routes": routes}, adapters=("openai",))
    told = {(one.path, one.text.split(" is ")[0].split(":")[0][:40]) for one in found if isinstance(one, Flaw)}
    assert {path for path, _ in told} == {
        "providers[0].colour",
        "providers[0].baseUrl",
        "providers[0].adapter",
        "providers[0].models[1].size",
        "providers[0].retryConfig.backoffMultiplier",
        "providers[0].timeoutMs",
        "providers[0].connectTimeoutMs",
        "providers[1].flavour",
        "routes.trading_signal[0]",
        "routes.trading_signal[2]",
    }, found


@pytest.mark.parametrize(
    ("change", "path", "said"),
    [
        ({"colour": 1}, "colour", "unknown; there are tenantId, active, name, adapter, baseUrl"),
        ({"base_url": "https://a.example", "baseUrl": "https://a.example"}, "baseUrl", "given twice, also as base_url"),
        ({"apiKey": "OPENAI_API_KEY"}, "apiKey", "a key in plain text: write ${OPENAI_API_KEY}"),
        ({"apiKey": None}, "apiKey", "openai needs a key"),
        ({"keys": [KEY]}, "keys", "given twice"),
        ({"models": ["gpt-x"]}, "models[0].contextTokens", "nobody knows the context of gpt-x"),
        ({"models": [{**MODEL, "size": 1}]}, "models[0].size", "unknown"),
        ({"rateLimits": {"requestsPerMinute": -1}}, "rateLimits.requestsPerMinute", "from 0 to 2,147,483,647, not -1"),
        ({"rateLimits": {"requestsPerDay": 1}}, "rateLimits.requestsPerDay", "unknown; there are requestsPerMinute"),
        ({"retryConfig": {"maxRetries": 20}}, "retryConfig.maxRetries", "from 0 to 19, not 20"),
        ({"retryConfig": {"backoffMultiplier": 11}}, "retryConfig.backoffMultiplier", "is 11.0; its range is"),
        ({"rateLimits": 500}, "rateLimits", "expected an object"),
        ({"costTracking": {"alertThreshold": "much"}}, "costTracking.alertThreshold", "expected a decimal"),
        ({"retryConfig": {"backoffMultiplier": "2"}}, "retryConfig.backoffMultiplier", "expected a number"),
        ({"maxAttempts": 3}, "maxAttempts", "given twice"),
        ({"performance": {"cache": True}}, "performance.cache", "unknown"),
        ({"timeoutMs": "30s"}, "timeoutMs", "expected a whole number"),
        ({"timeoutMs": 0}, "timeoutMs", "is 0; its range is"),
        ({"baseUrl": "http://127.0.0.1:1"}, "baseUrl", "not https, which only a provider with allowPrivate"),
        ({"baseUrl": "https://127.0.0.1:1"}, "baseUrl", "private address: if you mean it"),
        ({"baseUrl": "https://a.example?key=12345678"}, "baseUrl", "may be a key"),
        ({"type": "openai-compatible"}, "baseUrl", "does not say where the server is"),
        ({"type": "ollama"}, "allowPrivate", "on the caller's own machine"),
    ],
    ids=lambda of: "",
)  # fmt: skip
def test_an_error_in_a_provider_as_people_write_it_names_its_path(change: dict[str, Any], path: str, said: str) -> None:
    """As they wrote it."""
    found = file.read({"providers": {"one": {**PEOPLES, **change}}})
    here = f"providers.one.{path}".removesuffix(".")
    assert [(one.path, said in one.text) for one in found if isinstance(one, Flaw)][:1] == [(here, True)], found


def test_a_provider_is_read_as_people_write_it() -> None:
    """Three retries are four attempts, and the timeout is that of the whole call."""
    (found,) = file.read({"providers": {"one": PEOPLES}})
    assert isinstance(found, AiProvider)
    assert found.keys == (KEY | {"tenant_id": None, "concurrent": 4, "key_id": "OPENAI_API_KEY"},)
    assert (found.name, found.adapter, found.max_attempts, found.backoff_ms, found.backoff_factor) == (
        "one",
        "openai",
        4,
        1_000,
        2.0,
    )
    assert (found.alert_cost_per_hour, found.total_timeout_ms, found.first_token_timeout_ms) == (100, 20_000, 20_000)


def test_limits_of_a_provider_without_a_key_stand_under_an_empty_id() -> None:
    """And its calls have no key."""
    local = {"type": "ollama", "allowPrivate": True, "models": [MODEL], "performance": {"concurrentRequests": 4}}
    found = file.read({"providers": {"one": local}, "routes": {"*": ["one/m"]}, "prices": [PRICE]})
    call = Asking(found).ask(at=NOW)  # type: ignore[arg-type]
    assert isinstance(call, AiCall)
    assert (call.key_id, call.concurrent) == (None, 4)


def test_a_model_by_its_name_alone_has_what_such_a_name_can_do() -> None:
    """Its context is looked up, and a name of an embedding embeds."""
    sizes = {("openai", "gpt-x"): 9_000, ("openai", "text-embedding-x"): 3_000}
    provider = {**PEOPLES, "models": ["gpt-x", "text-embedding-x"]}
    (found,) = file.read({"providers": {"one": provider}}, (), lambda *place: sizes.get(place))
    assert isinstance(found, AiProvider)
    chat, embeds = found.models
    assert (chat["context_tokens"], chat["max_output_tokens"], chat["chat"], chat["embeddings"]) == (
        9_000,
        4_096,
        True,
        False,
    )
    assert (embeds["max_output_tokens"], embeds["chat"], embeds["tools"], embeds["embeddings"]) == (
        3_000,
        False,
        False,
        True,
    )


def test_routes_may_be_written_by_names() -> None:
    """A model of a route is provider/model; a model's name may have slashes."""
    document = FILE | {"routes": {"news": ["one/m"], "*": {"strategy": "round-robin", "candidates": ["one/org/m"]}}}
    found = file.read(document, {("one", "org/m")})
    routes = {one.request_type: one for one in found if isinstance(one, AiRoute)}
    assert (routes["news"].strategy, routes["*"].strategy) == ("PRIORITY", "ROUND_ROBIN")
    assert routes["*"].candidates == ({"provider": "one", "model": "org/m", "weight": 1},)
    (flaw,) = file.read(FILE | {"routes": {"news": ["m"]}})
    assert isinstance(flaw, Flaw)
    assert (flaw.path, flaw.text) == ("routes.news[0]", 'expected provider/model, not "m"')
    (flaw,) = file.read(FILE | {"routes": {"bad name": ["one/m"]}})
    assert isinstance(flaw, Flaw)
    assert flaw.path == "routes.bad name"


def test_a_price_may_begin_on_a_date() -> None:
    """Of UTC."""
    found = [
        file.read(FILE | {"prices": [PRICE | {"validFrom": valid_from}]})[2]
        for valid_from in ("2026-07-01", "2026-07-01T02:00:00+02:00", 1_782_864_000_000_000)
    ]
    assert {one.valid_from for one in found if isinstance(one, AiPrice)} == {1_782_864_000_000_000}


SECRETS = ("sk-proj-0123456789abcdef", "AIzaSyA0123456789abcdef", "gsk_0123456789abcdef", "Bearer 0123456789abcdef")
PLACES: list[Callable[[str], Any]] = [
    lambda key: {"providers": {"one": {**PEOPLES, "apiKey": key}}},
    lambda key: {"providers": {"one": {**PEOPLES, "api_key": [key]}}},
    lambda key: {"providers": {"one": {**PEOPLES, "keys": [{"key_id": key}]}}},
    lambda key: {"providers": {"one": {**PEOPLES, "baseUrl": f"https://a.example/v1?key={key}"}}},
    lambda key: {"providers": {"one": {**PEOPLES, "headers": {"Authorization": key}}}},
    lambda key: {"providers": {key: PEOPLES}},
    lambda key: {"providers": [PEOPLES | {"name": key}]},
    lambda key: {"routes": [{"request_type": key, "candidates": [key]}], key: 1},
    lambda key: key,
    lambda key: [key],
]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("at", range(len(PLACES)))
def test_a_key_in_plain_text_is_refused_and_not_repeated(at: int, secret: str) -> None:
    """Wherever it stands."""
    found = file.read(PLACES[at](secret))
    assert found
    assert all(isinstance(one, Flaw) for one in found)
    assert secret not in repr(found)
    assert "0123456789" not in repr(found)


@pytest.mark.parametrize("name", ["openai-primary", "anthropic-backup", "local-llama", "gemini", "custom"])
def test_a_template_is_sound(name: str) -> None:
    """By itself."""
    found = file.read(document_of(template(name)))
    provider = found[0]
    assert isinstance(provider, AiProvider), found
    assert provider.name == name
    limits = {
        "openai-primary": (500, 150_000, 4),
        "anthropic-backup": (300, 100_000, 4),
        "local-llama": (0, 0, 4),
        "gemini": (300, 100_000, 4),
        "custom": (300, 100_000, 4),
    }
    (key,) = provider.keys
    assert (key["requests_per_minute"], key["tokens_per_minute"], key["concurrent"]) == limits[name]
    if name != "local-llama":
        assert (provider.max_attempts, provider.alert_cost_per_hour, provider.total_timeout_ms) == (4, 100, 30_000)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\na: 2", "line 2, column 1: no YAML: a name stands twice in one object"),
        ("a: [1", "line 1, column 6: no YAML"),
        ("a: *b", "line 1, column 4: no YAML: found undefined alias"),
        ("a: !!python/object:os.system {}", "line 1, column 4: no YAML"),
        ("apiKey: {sk-0123456789", "no YAML"),
        ("x" * 2_000_000, "2,000,000 characters, and the most is"),
    ],
    ids=lambda of: of[:20],
)
def test_a_text_that_cannot_be_read_is_refused_with_its_place(text: str, said: str) -> None:
    """And nothing of it is repeated."""
    with pytest.raises(NotReadable) as caught:
        document_of(text)
    assert said in str(caught.value)
    assert "0123456789" not in str(caught.value)


def test_yaml_and_json_of_the_same_file_are_the_same() -> None:
    """Decimals are exact in both, and a name that stands twice is refused in both."""
    assert document_of(json.dumps(FILE)) == document_of(json.dumps(FILE), is_json=True)
    assert document_of("a: 0.1") == document_of('{"a": 0.1}', is_json=True) == {"a": Decimal("0.1")}
    assert document_of("a: 2026-07-01") == {"a": "2026-07-01"}
    with pytest.raises(NotReadable, match="'a' stands twice"):
        document_of('{"a": 1, "a": 2}', is_json=True)


def test_the_file_of_the_page_is_sound() -> None:
    """As docs/ai.md shows it."""
    page = (Path(__file__).resolve().parents[4] / "docs" / "ai.md").read_text("utf-8")
    whole, keys = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert not [one for one in file.read(document_of(whole)) if isinstance(one, Flaw)]
    provider = {"type": "openai", "models": [MODEL], **document_of(keys)}
    (found,) = file.read({"providers": {"one": provider}})
    assert isinstance(found, AiProvider)
    assert [key["tenant_id"] for key in found.keys] == [None, "alpha"]


def test_a_file_that_refers_to_itself_is_refused() -> None:
    """YAML can do so, and it can multiply what it refers to."""
    found = file.read(document_of("providers: &a [*a]"))
    assert any("within each other" in one.text for one in found if isinstance(one, Flaw))
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 10)}]" for at in range(1, 12)]
    found = file.read(document_of("\n".join(lines)))
    assert any("more than 100,000 values" in one.text for one in found if isinstance(one, Flaw))


def test_a_number_that_no_record_holds_is_refused() -> None:
    """Here, and not when it is written."""
    many = {**PEOPLES, "rateLimits": {"requestsPerMinute": 2**31}, "models": [{**MODEL, "contextTokens": 10**30}]}
    many["models"][0].pop("context_tokens")
    paths = [one.path for one in file.read({"providers": {"one": many}}) if isinstance(one, Flaw)]
    assert paths == ["providers.one.models[0].contextTokens", "providers.one.rateLimits.requestsPerMinute"]


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


CODEC = Codec(dict.fromkeys(MODELS, 1), lambda _: "")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["1e9999", "*"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*PROVIDER, *PRICE, *ROUTE, *PEOPLES, "maxRetries", "baseUrl"]), inner)
    ),
    max_leaves=6,
)


@given(
    st.sampled_from(["providers", "routes", "prices"]),
    st.dictionaries(st.sampled_from([*PROVIDER, *PRICE, *PEOPLES]), VALUES),
)
@examples(200)
def test_whatever_a_file_holds_it_is_read_or_refused(name: str, change: dict[str, Any]) -> None:
    """No error leaves the reader, and what it returns is in range."""
    base = {"providers": PROVIDER, "routes": ROUTE, "prices": PRICE}[name]
    for found in read(json.dumps(FILE | {name: [base | change]})):
        assert isinstance(found, Flaw) or (flaw_of(found) is None and CODEC.encode(found))
