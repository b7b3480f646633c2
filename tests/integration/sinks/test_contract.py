"""Every sink keeps what every sink must, on the embedded stores and on a server that answers as InfluxDB does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from influx_double import Double
from sinks.contract import CLAIMS, Store, influxdb, postgres, questdb

from tradewind.connectors.postgres.migrations import migrate
from tradewind.connectors.settings import InfluxSettings, PostgresSettings, Settings

Claim = Callable[[Store], None]
named = pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.__name__)


@named
def test_questdb(settings: Settings, claim: Claim) -> None:
    """Against the embedded QuestDB."""
    claim(questdb(settings))


@named
def test_influxdb(settings: Settings, claim: Claim) -> None:
    """Against the double."""
    with Double() as double:
        influx = InfluxSettings(url=double.url, token=double.token, org=double.org)
        claim(influxdb(settings.model_copy(update={"influx": influx})))


@named
async def test_postgres(settings: Settings, database: PostgresSettings, claim: Claim) -> None:
    """Against the embedded PostgreSQL."""
    await asyncio.to_thread(migrate, settings)
    await asyncio.to_thread(claim, postgres(settings))
