"""The settings of AI that a first start has: a provider that needs no key, and a route to it for everything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from tradewind.processors.ai.prices import EVERYONE
from tradewind.processors.ai.settings import Setting
from tradewind.processors.identity import derive_id
from tradewind.schemas.ai import AiPrice, AiProvider, AiRoute

PAPER: Final = "paper"
MODEL: Final = "paper-1"
PER_MILLION_IN, PER_MILLION_OUT = Decimal(1), Decimal(4)
"""USD. Play money, so that budgets and usage can be seen to work before there is a key."""
CAPABILITIES: Final[dict[str, Any]] = {
    "chat": True,
    "embeddings": True,
    "tools": True,
    "json_schema": True,
    "images": True,
    "streams": True,
    "context_tokens": 1_000_000,
    "max_output_tokens": 100_000,
}
IDS: Final[dict[str, Any]] = dict.fromkeys(("event_id", "correlation_id", "causation_id"), "-")
"""Of settings that are no records yet: `revised` gives them theirs."""
NO_EVENT: Final[dict[str, Any]] = {**IDS, "ts_event": 0, "ts_ingest": 0}
PLACE: Final[dict[str, Any]] = {"revision": 1, "part": 1, "parts": 1}
NO_PLACE: Final[dict[str, Any]] = {"tenant_id": None, "active": True, **PLACE}


def first_settings() -> list[Setting]:
    """Return the settings of a first start, for `revised`."""
    provider = AiProvider(
        **NO_EVENT,
        **NO_PLACE,
        name=PAPER,
        adapter=PAPER,
        base_url=None,
        allow_private=False,
        keys=(),
        models=({"name": MODEL, **CAPABILITIES},),
        connect_timeout_ms=1_000,
        first_token_timeout_ms=5_000,
        idle_timeout_ms=5_000,
        total_timeout_ms=30_000,
        max_attempts=2,
        backoff_ms=200,
        backoff_factor=2.0,
        alert_cost_per_hour=Decimal(0),
    )
    route = AiRoute(
        **NO_EVENT,
        **NO_PLACE,
        request_type=EVERYONE,
        strategy="PRIORITY",
        candidates=({"provider": PAPER, "model": MODEL, "weight": 1},),
        max_attempts=3,
    )
    price = AiPrice(
        **NO_EVENT,
        **NO_PLACE,
        price_id=derive_id("AiPrice", PAPER, MODEL, "USD", str(PER_MILLION_IN), str(PER_MILLION_OUT)),
        provider=PAPER,
        model=MODEL,
        currency="USD",
        valid_from=0,
        input_per_million=PER_MILLION_IN,
        cache_read_per_million=PER_MILLION_IN,
        cache_write_per_million=PER_MILLION_IN,
        output_per_million=PER_MILLION_OUT,
        per_call=Decimal(0),
        origin="tradewind",
    )
    return [provider, route, price]


def revised(settings: Sequence[Setting], revision: int, now_us: int) -> list[Setting]:
    """Return settings as the records of one revision."""
    whole = derive_id("AiSettings", revision, now_us)
    return [
        replace(
            setting,
            event_id=derive_id(whole, part),
            ts_event=now_us,
            ts_ingest=now_us,
            correlation_id=whole,
            causation_id=whole,
            revision=revision,
            part=part,
            parts=len(settings),
        )
        for part, setting in enumerate(settings, 1)
    ]
