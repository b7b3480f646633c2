"""The models that a tenant may name, with how their calls end, as the page of AI shows them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tradewind.connectors.ai.in_force import InForce
from tradewind.processors.health.calls import Breakers, Ended, Health, Place
from tradewind.schemas.ai import AiProvider, AiRoute


def models_json(
    known: InForce, tenant_id: str | None, calls: Sequence[Health], ended: Iterable[Ended], now_us: int
) -> list[dict[str, Any]]:
    """Return a row for each model under each key; for an operator (None), those of all tenants."""
    applied = {one.name: one.ts_ingest for one in known.providers}
    # New settings of a provider close its breakers.
    breakers = Breakers(one for one in ended if one.ended_us >= applied.get(one.provider, 0))
    healths = {(one.provider, one.model, one.key): one for one in calls}
    own = [one for one in known.providers if tenant_id is None or one.tenant_id in (None, tenant_id)]
    routes = [one for one in known.routes if tenant_id is None or one.tenant_id in (None, tenant_id)]
    priced = {(one.provider, one.model) for one in known.prices}
    return [
        {
            **_named(provider, place),
            "routes": _routes(routes, place),
            "priced": place[:2] in priced,
            **_health(healths.get(place)),
            **_breaker(breakers, place, now_us),
        }
        for provider in own
        for place in _places(provider)
    ]


def _places(provider: AiProvider) -> list[Place]:
    keys = [str(key["key_id"]) for key in provider.keys] or [""]
    return [(provider.name, str(model["name"]), key) for model in provider.models for key in keys]


def _named(provider: AiProvider, place: Place) -> dict[str, Any]:
    return {
        "provider": provider.name,
        "adapter": provider.adapter,
        "tenant": provider.tenant_id,
        "model": place[1],
        "key": place[2] or None,
    }


def _routes(routes: Sequence[AiRoute], place: Place) -> list[str]:
    """Return the types of requests that the model answers."""
    found = {one.request_type for one in routes for of in one.candidates if (of["provider"], of["model"]) == place[:2]}
    return sorted(found)


def _health(of: Health | None) -> dict[str, Any]:
    found = of or Health("", "", "")
    return {
        "calls": str(found.calls),
        "failed": str(found.failed),
        "p50_ms": found.p50_ms,
        "p95_ms": found.p95_ms,
        "last_failure": found.last_failure,
        "last_failed": None if found.last_failed is None else found.last_failed.isoformat(),
    }


def _breaker(breakers: Breakers, place: Place, now_us: int) -> dict[str, Any]:
    standing, until_us = breakers.standing(place, now_us)
    return {"breaker": standing, "open_until": None if until_us is None else round(until_us / 1_000_000, 3)}
