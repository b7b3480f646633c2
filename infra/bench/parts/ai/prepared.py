"""Prepares a stack for AI requests to a double of a provider: topics, tables, tenants, settings and a price."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from tradewind.connectors.ai.in_force import apply
from tradewind.connectors.clock.wall import clock_us
from tradewind.connectors.kafka import publish
from tradewind.connectors.settings import Settings
from tradewind.infra.bench.parts.ai.asked import TENANTS
from tradewind.infra.bench.parts.tenants import tenant_command
from tradewind.processors.ai.seed import first_settings
from tradewind.schemas.ai import AiPrice, AiProvider, AiRoute
from tradewind.schemas.tenancy import TenantCommand
from tradewind.topics import TENANT_COMMANDS

PREPARED_S = 300.0
PATIENT_MS = 60_000  # a busy machine is no reason for another attempt


@dataclass(frozen=True, slots=True)
class Double:
    """A provider of a bench, which has one model."""

    url: str
    name: str
    adapter: str
    key_id: str
    concurrent: int
    """Calls at the same time."""
    attempts: int = 3
    """Of one request."""


def prepare(settings: Settings, double: Double) -> AiPrice:
    """Lead all requests to the double, from tenants that may ask as often as they like; return its model's price."""
    command = [sys.executable, "-P", "-m", "tradewind.infra.cli", "prepare"]
    environment = {**os.environ, "TRADEWIND_DATA": str(settings.data)}
    subprocess.run(command, env=environment, check=True, timeout=PREPARED_S, stdout=subprocess.DEVNULL)
    publish(TENANT_COMMANDS, [_large(name) for name in TENANTS], settings)
    provider, route, price = first_settings()
    assert isinstance(provider, AiProvider)
    assert isinstance(route, AiRoute)
    assert isinstance(price, AiPrice)
    model = {**provider.models[0], "name": "m"}
    key = {"key_id": double.key_id, "tenant_id": None, "requests_per_minute": 0, "tokens_per_minute": 0}
    made = replace(
        provider,
        name=double.name,
        adapter=double.adapter,
        base_url=double.url,
        allow_private=True,
        keys=({**key, "concurrent": double.concurrent},),
        models=(model,),
        max_attempts=double.attempts,
        connect_timeout_ms=PATIENT_MS,
        first_token_timeout_ms=PATIENT_MS,
        total_timeout_ms=PATIENT_MS,
    )
    candidates: tuple[Mapping[str, int | str], ...] = ({"provider": double.name, "model": "m", "weight": 1},)
    paid = replace(price, provider=double.name, model="m", price_id="double", cache_write_per_million=Decimal(2))
    apply([made, replace(route, candidates=candidates, max_attempts=double.attempts), paid], 1, settings)
    return paid


def _large(tenant: str) -> TenantCommand:
    """Return a command that lets a tenant ask as often as it likes."""
    changes = {"ai_requests_per_hour": 10_000_000, "ai_requests_per_day": 10_000_000}
    return tenant_command(tenant, "SET", 1, changes, clock_us())
