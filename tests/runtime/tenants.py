"""Tenants for tests: as large as a tenant may be, commands that change them, and orders of theirs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from processing import request

from runtime.records import INGEST_MS
from tradewind.processors.identity import derive_id
from tradewind.processors.tenancy.keys import MOST_NAMES
from tradewind.schemas.execution import OrderRequest
from tradewind.schemas.signals import Signal
from tradewind.schemas.tenancy import Seeded, TenantCommand

NOW = INGEST_MS * 1000
"""µs: what `Cluster.publish` stamps records with."""
NEEDED: Mapping[str, Any] = {
    "accounts": ["main"],
    "risk_per_trade": 20,
    "max_order_notional": 5_000,
    "max_position_notional": 10**9,
}
ACCOUNT_CHARACTERS = 48  # of each of the most accounts: 4 KiB of JSON, all of which sizing and risk read
LARGE: Mapping[str, Any] = {
    **NEEDED,
    "accounts": ["main", *(f"a{number:02}".ljust(ACCOUNT_CHARACTERS, "-") + "z" for number in range(1, MOST_NAMES))],
}
"""A tenant of as many bytes as one may have, within 1 %."""


def named(number: int) -> str:
    """Return the name of a tenant."""
    return f"t{number:05}"


def command(
    tenant: str, action: Any, revision: int, changes: Mapping[str, Any] | None = None, ts_ingest: int = NOW
) -> TenantCommand:
    """Return a command, with an id of its content."""
    told = {key: json.dumps(value) for key, value in (changes or {}).items()}
    event_id = derive_id("test", tenant, action, revision, *(f"{key}={value}" for key, value in told.items()))
    return TenantCommand(
        event_id=event_id,
        tenant_id=tenant,
        ts_event=ts_ingest,
        ts_ingest=ts_ingest,
        correlation_id=event_id,
        causation_id=event_id,
        action=action,
        revision=revision,
        changes=tuple({"key": key, "value": value} for key, value in told.items()),
    )


def seeded(count: int) -> Seeded:
    """Return the end of the first tenants."""
    times = {"ts_event": NOW, "ts_ingest": NOW}
    return Seeded(event_id="s", correlation_id="s", causation_id="s", tenants=count, **times)


def order(number: int, tenant: str, thousands: int, **other: Any) -> OrderRequest:
    """Return a request of about so many thousands of the quote currency."""
    fields = {"quote_bid": Decimal("0.9"), "quote_ask": Decimal(1), "quantity": Decimal(thousands * 1_000), **other}
    return request(number, NOW, tenant_id=tenant, **fields)


def view(number: int, **other: Any) -> Signal:
    """Return a signal to buy at 1, where bid and ask are one price, of a volatility of 0.001."""
    fields: dict[str, Any] = {
        "event_id": derive_id("view", number),
        "ts_event": NOW,
        "ts_ingest": NOW,
        "correlation_id": "c",
        "causation_id": "b",
        "symbol": "EURUSD",
        "venue": "OANDA",
        "strategy": "test",
        "direction": "LONG",
        "strength": 1.0,
        "mode": "TARGET",
        "sizing": "VOLATILITY",
        "volatility": 0.001,
        "quote_bid": 1.0,
        "quote_ask": 1.0,
        "quote_ts": NOW,
        "reason": "test",
    }
    return Signal(**{**fields, **other})
