"""`tradewind up` with an InfluxDB: settings are all that it needs, and no QuestDB is started."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from harness.distribution import own_services
from influx_double import Double
from processes.instance import FLOW_S, SERVICES, UP_S, WORKERS, Instance, wait
from processes.scraping import Scrape

pytestmark = [own_services, pytest.mark.long, pytest.mark.timeout(900)]


def rows(running: Instance, table: str) -> int:
    """Return what status tells of a table: nothing before its bucket is there."""
    tables = running.status()["stored"]["tables"]
    return int(tables[table]["rows"]) if table in tables else 0


def test_settings_are_all_that_an_influxdb_needs(new_data: Callable[[], Path]) -> None:
    """The bucket is made, ticks and bars flow there, and every command names the product that answers."""
    running = Instance(new_data())
    with Double() as double:
        running.environment |= {
            "TRADEWIND_INFLUX__URL": double.url,
            "TRADEWIND_INFLUX__TOKEN": double.token,
            "TRADEWIND_INFLUX__ORG": double.org,
            "TRADEWIND_INFLUX__BUCKET": "prices",
        }
        try:
            done = running.run("up", "--detach", "--base-port", str(running.base), "--rate", "50", timeout_s=UP_S)
            assert done.returncode == 0, done.stdout + done.stderr
            workers, services = WORKERS - {"sink-questdb"} | {"sink-influxdb"}, SERVICES - {"questdb"}
            assert running.pids().keys() - {"look"} == workers | services
            wait(lambda: rows(running, "bars") > 0, FLOW_S, running.status)
            told = running.status()
            assert told["stored"]["product"] == "InfluxDB 2.8.0"
            assert {one["name"]: one["version"] for one in told["services"]}["influxdb"] == "2.8.0"
            assert "tradewind.influxdb" in {lag["group"] for lag in told["groups"]}
            assert told["totals"]["dead_letters"] == 0
            urls = {worker["name"]: worker["url"] for worker in told["workers"]}
            assert Scrape(urls["sink-influxdb"]).sum("tradewind_sink_written_total") > 0
            assert "2.8.0 at http" in running.run("doctor").stdout
            wait(lambda: "stored in InfluxDB 2.8.0: ticks" in running.run("status").stdout, FLOW_S, running.status)
            double.tokens.clear()
            wait(lambda: "refuses the token (401" in str(running.status()["workers"]), FLOW_S, running.status)
        finally:
            running.run("down")
    assert double.buckets["prices"].points("bars") > 0
