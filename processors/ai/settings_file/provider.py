"""A provider of a settings file: in our own fields, or grouped as people write them for other programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final, TypeAlias

from tradewind.processors.ai.seed import CAPABILITIES, NO_EVENT, PLACE
from tradewind.processors.ai.settings_file.fields import Field, Flaw, Found, Unfit
from tradewind.processors.ai.settings_file.places import flaw_of_url
from tradewind.processors.ai.settings_file.plain_keys import NAMED
from tradewind.processors.ai.settings_file.values import (
    MODEL,
    NAME,
    attempts,
    factor,
    money,
    or_null,
    retries,
    text,
    whole,
    yes_or_no,
)
from tradewind.schemas.ai import AiProvider

Contexts: TypeAlias = Callable[[str, str], int | None]
"""(adapter, model) -> the model's context in tokens, if anybody knows it."""
NEED_KEYS: Final = frozenset({"openai", "anthropic", "gemini"})
LOCAL: Final = frozenset({"ollama"})  # these are on this machine unless their base_url says otherwise
OPEN_MODELS: Final = frozenset({"ollama", "openai-compatible"})  # few of their models take images
NEED_URLS: Final = frozenset({"openai-compatible"})
OUTPUT_TOKENS: Final = 4_096  # of a model that does not say: every model of these years writes as many
TIMES: Final = {
    "connect_timeout_ms": 5_000,
    "first_token_timeout_ms": 30_000,
    "idle_timeout_ms": 15_000,
    "total_timeout_ms": 120_000,
}
KEY_LIMITS: Final = ("requests_per_minute", "tokens_per_minute", "concurrent")


def _api_key(value: Any) -> str:
    found = NAMED.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise Unfit("expected the id of a key, such as ${OPENAI_API_KEY}")
    return found[1]


KEY: Final = {
    "key_id": Field(NAME, required=True),
    "tenant_id": Field(or_null(NAME)),
    **{name: Field(whole, 0) for name in KEY_LIMITS},
}
OF_MODEL: Final = {
    "name": Field(MODEL, required=True, aliases=("id",)),
    "context_tokens": Field(whole, aliases=("context_window",)),
    "max_output_tokens": Field(whole, aliases=("max_tokens",)),
    **{name: Field(yes_or_no) for name in CAPABILITIES if not name.endswith("_tokens")},
}
RATE_LIMITS: Final = {"requests_per_minute": Field(whole, 0), "tokens_per_minute": Field(whole, 0)}
COST_TRACKING: Final = {
    "enabled": Field(yes_or_no, True),  # noqa: FBT003 - a default
    "alert_threshold": Field(money, Decimal(0)),
}
RETRY_CONFIG: Final = {
    "max_retries": Field(retries),
    "backoff_multiplier": Field(factor),
    "initial_delay_ms": Field(whole, aliases=("initial_delay",)),
}
PERFORMANCE: Final = {"concurrent_requests": Field(whole, 0)}
PROVIDER: Final = {
    "tenant_id": Field(or_null(NAME)),
    "active": Field(yes_or_no, True, aliases=("enabled",)),  # noqa: FBT003 - a default
    "name": Field(NAME, required=True, aliases=("id",)),
    "adapter": Field(NAME, required=True, aliases=("type",)),
    "base_url": Field(or_null(text)),
    "allow_private": Field(yes_or_no, False),  # noqa: FBT003 - a default
    "keys": Field(items=KEY),
    "api_key": Field(or_null(_api_key)),
    "models": Field(items=OF_MODEL, required=True, bare=lambda name: {"name": name}),
    **{name: Field(whole) for name in TIMES},
    "timeout_ms": Field(whole),
    "max_attempts": Field(attempts),
    "backoff_ms": Field(whole),
    "backoff_factor": Field(factor),
    "alert_cost_per_hour": Field(money),
    "rate_limits": Field(group=RATE_LIMITS),
    "cost_tracking": Field(group=COST_TRACKING),
    "retry_config": Field(group=RETRY_CONFIG),
    "performance": Field(group=PERFORMANCE),
}
GROUPED: Final = {
    "max_attempts": ("retry_config", "max_retries"),
    "backoff_ms": ("retry_config", "initial_delay_ms"),
    "backoff_factor": ("retry_config", "backoff_multiplier"),
    "alert_cost_per_hour": ("cost_tracking", "alert_threshold"),
}
"""Field -> the group and its field that people write for it."""


def place_of(found: Found, name: str) -> str:
    """Return where the file gives a field of the provider: as itself, in a group, or as the timeout of all."""
    if found.values.get(name) is not None or name in found.spelled:
        return found.at(name)
    if name == "total_timeout_ms" and found.values["timeout_ms"] is not None:
        return found.at("timeout_ms")
    group, part = GROUPED.get(name, (name, ""))
    inner = found.values.get(group)
    return inner.at(part) if isinstance(inner, Found) and inner.values.get(part) is not None else found.at(name)


def provider_of(found: Found, contexts: Contexts, flaws: list[Flaw]) -> AiProvider:
    """Return the provider; what is wrong with it as a whole is added to the flaws."""
    values = found.values
    retry, cost = _group(values, "retry_config"), _group(values, "cost_tracking")
    retries = retry.get("max_retries")
    grouped = {
        "max_attempts": None if retries is None else 1 + retries,
        "backoff_ms": retry.get("initial_delay_ms"),
        "backoff_factor": retry.get("backoff_multiplier"),
        "total_timeout_ms": values["timeout_ms"],
        "alert_cost_per_hour": cost.get("alert_threshold") if cost.get("enabled") else None,
    }
    defaults = {"max_attempts": 2, "backoff_ms": 1_000, "backoff_factor": 2.0, "alert_cost_per_hour": Decimal(0)}
    for name, value in grouped.items():
        if value is not None and values[name] is not None:
            flaws.append(
                Flaw(found.at(name), f"given twice, also as a part of a group or as {found.called('timeout_ms')}")
            )
    taken = {name: values[name] if value is None else value for name, value in grouped.items()}
    times = {name: values[name] if taken.get(name) is None else taken[name] for name in TIMES}
    total = times["total_timeout_ms"] or TIMES["total_timeout_ms"]
    times = {name: min(TIMES[name], total) if times[name] is None else times[name] for name in TIMES}
    _check_url(found, flaws)
    return AiProvider(
        **NO_EVENT,
        **PLACE,
        **{name: values[name] for name in ("tenant_id", "active", "name", "adapter", "base_url", "allow_private")},
        **{**{name: defaults[name] if taken[name] is None else taken[name] for name in defaults}, **times},
        keys=tuple(_keys(found, flaws)),
        models=tuple(_model(one, values["adapter"], contexts, flaws) for one in values["models"]),
    )


def _group(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    group = values[name]
    return {} if group is None else group.values


def _keys(found: Found, flaws: list[Flaw]) -> list[dict[str, Any]]:
    """Return the keys with their limits; a provider without a key has limits under an empty id."""
    values = found.values
    limits = {**_group(values, "rate_limits")}
    if (concurrent := _group(values, "performance").get("concurrent_requests")) is not None:
        limits["concurrent"] = concurrent
    key_id, keys = values["api_key"], values["keys"]
    if keys is not None:
        if key_id is not None or limits:
            one = ", ".join(found.called(name) for name in ("api_key", "rate_limits"))
            said = f"given twice: give each key its limits in keys, or one key by {one} and performance"
            flaws.append(Flaw(found.at("keys"), said))
        return [key.values for key in keys]
    if key_id is None and values["adapter"] in NEED_KEYS:
        said = f"missing: {values['adapter']} needs a key; write its id, such as ${{OPENAI_API_KEY}}"
        flaws.append(Flaw(found.at("api_key"), said))
    if key_id is None and not limits:
        return []
    return [{"key_id": key_id or "", "tenant_id": None, **dict.fromkeys(KEY_LIMITS, 0), **limits}]


def _check_url(found: Found, flaws: list[Flaw]) -> None:
    values = found.values
    url, adapter, private = values["base_url"], values["adapter"], values["allow_private"]
    if url is None and adapter in NEED_URLS:
        flaws.append(Flaw(found.at("base_url"), f"missing: {adapter} is a form, and does not say where the server is"))
    elif url is None and adapter in LOCAL and not private:
        said = f"missing: {adapter} is on the caller's own machine unless base_url says otherwise; set it to true"
        flaws.append(Flaw(found.at("allow_private"), said))
    elif url is not None and (flaw := flaw_of_url(url, private=private)) is not None:
        flaws.append(Flaw(found.at("base_url"), flaw.replace("allow_private", found.called("allow_private"))))


def _model(found: Found, adapter: str, contexts: Contexts, flaws: list[Flaw]) -> dict[str, Any]:
    """Return a model; what it leaves out follows from its name."""
    values, name = found.values, found.values["name"]
    context = contexts(adapter, name) if values["context_tokens"] is None else values["context_tokens"]
    if context is None:
        write = f"{{name: {name}, {found.called('context_tokens')}: ...}}"
        said = f"missing: nobody knows the context of {name}; write {write}"
        flaws.append(Flaw(found.at("context_tokens"), said))
        context = 0
    embeds = "embed" in name
    output = min(OUTPUT_TOKENS, context) if values["max_output_tokens"] is None else values["max_output_tokens"]
    usual = dict.fromkeys(CAPABILITIES, not embeds) | {"embeddings": embeds}
    usual["images"] = not embeds and adapter not in OPEN_MODELS
    abilities = {able: usual[able] if values[able] is None else values[able] for able in CAPABILITIES if able in values}
    return {**abilities, "name": name, "context_tokens": context, "max_output_tokens": output}
