"""The sinks' contract and a played day on real servers in containers: what embedded servers or a double may hide."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from containing.engine import Contained, wait
from containing.servers import valkey_says
from days.ledger import read_all
from days.played import check, fed
from days.recorded import EURUSD
from processes.pipeline import Pipeline
from sinks.contract import CLAIMS, Store, influxdb, postgres, questdb

from tradewind.connectors.postgres.migrations import migrate
from tradewind.connectors.settings import Settings

pytestmark = [pytest.mark.containers, pytest.mark.timeout(600)]
Claim = Callable[[Store], None]
Changed = Callable[[str], Settings]
named = pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.__name__)


@named
def test_postgres(contained: Changed, claim: Claim) -> None:
    """The rows of a namespace lie in a schema of its name, so that one server serves every claim."""
    settings = contained("postgres")
    migrate(settings)
    claim(postgres(settings))


@named
def test_influxdb(contained: Changed, claim: Claim) -> None:
    """A bucket that is missing is made, and the measurements of a namespace have its name."""
    claim(influxdb(contained("influxdb")))


@named
def test_questdb_reading_kafka_in_a_container(contained: Changed, claim: Claim) -> None:
    """The positions of a sink that has none of its own lie there."""
    claim(questdb(contained("kafka")))


@pytest.mark.parametrize("service", ["postgres", "influxdb", "kafka"])
async def test_a_played_day_balances(contained: Changed, database: object, service: str, tmp_path: Path) -> None:
    """Ticks, bars, orders, fills and positions are the same in every place, with one service in a container."""
    settings = await asyncio.to_thread(contained, service)
    pipeline = Pipeline(settings, tmp_path)
    try:
        await asyncio.to_thread(pipeline.start_workers)
        await asyncio.to_thread(fed, pipeline, (EURUSD,))
        await check(settings, read_all(settings), (EURUSD,))
    finally:
        pipeline.stop()


def test_valkey_keeps_what_it_was_told(start: Callable[[str], Contained]) -> None:
    """It answers nobody without the password, and has its keys again after a kill -9."""
    server = start("valkey")
    assert valkey_says(server.port, "PING") == ["-NOAUTH Authentication required."]
    signed_in = f"AUTH {server.secret}"
    assert valkey_says(server.port, signed_in, "SET kept 42", "GET kept") == ["+OK", "+OK", "42"]
    assert valkey_says(server.port, signed_in, "CONFIG SET appendfsync always") == ["+OK", "+OK"]
    assert valkey_says(server.port, signed_in, "SET kept 43", "GET kept") == ["+OK", "+OK", "43"]
    container = server.container.get_wrapped_container()
    container.kill("SIGKILL")
    container.wait()
    container.start()
    wait(server.container, "valkey", lambda: valkey_says(server.port, "PING"))
    assert valkey_says(server.port, signed_in, "GET kept") == ["+OK", "43"]
