"""`tradewind up`, detached, with the simulator: what it tells, what it refuses, and what it starts again."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import plain_http
import pytest
from harness.distribution import own_services
from processes.instance import FLOW_S, SERVICES, UP_S, WORKERS, Instance, wait
from processes.scraping import Scrape

from tradewind.streams.agents import OURS

pytestmark = [own_services, pytest.mark.timeout(900)]
NASTY = " ,a b\\ñ=ü:日本語 🌀'\"$HOME%20#!;&()[bold]{x}~*?`|<> "
"""Every character that some file, shell or list would take for something else; in a locale that knows none of them."""


@pytest.fixture(scope="module")
def running(new_data: Callable[[], Path]) -> Iterator[Instance]:
    """Give an `up` that runs detached, for tests that only look."""
    folder = new_data() / NASTY
    folder.mkdir(mode=0o711)
    made = Instance(folder)
    made.environment["LC_ALL"] = "C"
    try:
        done = made.run("up", "--detach", "--base-port", str(made.base), timeout_s=UP_S)
        assert done.returncode == 0, done.stdout + done.stderr
        yield made
    finally:
        made.run("down")


def test_a_detached_up_tells_what_it_does_and_returns(running: Instance) -> None:
    """Once all processes run, each with a log and a record of its own."""
    wait(lambda: running.pids().keys() == {*WORKERS, *SERVICES, "look"}, FLOW_S, running.pids)
    assert {path.stem for path in (running.data / "logs").glob("*.log")} >= {*WORKERS, "up", "kafka"}


def test_ticks_become_bars_and_every_group_reads(running: Instance) -> None:
    """The simulator feeds; all services are well, and nothing is a dead letter."""
    wait(lambda: running.status()["totals"]["bars"] > 0, FLOW_S, running.status)
    told = running.status()
    assert told["totals"]["ticks"] > told["totals"]["bars"]
    assert told["totals"]["dead_letters"] == 0
    assert all(service["healthy"] for service in told["services"])
    assert {lag["group"] for lag in told["groups"]} == {
        f"tradewind.{name}" for name in (*(agent.name for agent in OURS), "caller-ai", "questdb", "postgres")
    }


def test_every_process_is_ready_and_shows_metrics(running: Instance) -> None:
    """Each at a port of its own, which status tells; the sinks and the feed, too."""
    wait(lambda: all(worker["ready"] for worker in running.status()["workers"]), FLOW_S, running.status)
    urls = {worker["name"]: worker["url"] for worker in running.status()["workers"]}
    assert urls.keys() == WORKERS
    assert len(set(urls.values())) == len(WORKERS)
    assert Scrape(urls["market"]).sum("messaging_client_consumed_messages_total") > 0
    wait(lambda: Scrape(urls["sink-questdb"]).sum("tradewind_sink_written_total") > 0, FLOW_S)
    assert Scrape(urls["sink-questdb"]).sum("tradewind_consumer_lag") >= 0
    assert Scrape(urls["feed"]).sum("tradewind_feed_published_total", tradewind_feed="simulator.1") > 0
    assert "HTTP Request" not in (running.data / "logs" / "market.log").read_text()


def test_the_link_signs_in_once_and_the_flow_has_every_reader(running: Instance) -> None:
    """The page that it opens is served beside it; rates come from the count of `up`."""
    url, _, code = (running.data / "workers" / "gateway" / "link").read_text().strip().partition("/login#")
    with plain_http.Client(base_url=url) as client:
        assert "importmap" in client.get("/login").text
        token = client.post("/api/v1/auth/login", json={"link": code}).json()["access_token"]
        assert client.post("/api/v1/auth/login", json={"link": code}).status_code == 401
        client.headers["Authorization"] = f"Bearer {token}"

        def flow() -> Any:
            return client.get("/api/v1/streams/flow").json()["now"] or {"topics": {}, "readers": {}}

        wait(lambda: flow()["topics"].get("market.ticks", {}).get("rate_per_s", 0) > 0, FLOW_S, flow)
        readers = {*(agent.name for agent in OURS), "caller-ai", "questdb", "postgres"}
        wait(lambda: flow()["readers"].keys() == readers, FLOW_S, flow)
        assert client.get("/api/v1/markets/live-data").json()["ticks"]
        assert client.get("/api/v1/health/system").json()["down"] == []


def test_a_second_up_says_that_one_is_running(running: Instance) -> None:
    """In the foreground and detached, at once, and without harm to the first."""
    for detach in ((), ("--detach",)):
        second = running.run("up", "--base-port", str(running.base), *detach)
        assert second.returncode == 1
        assert "running" in second.stderr
        assert str(running.written_by()) in second.stderr
        assert (running.data / "workers" / "prepared").exists(), "what is started again would wait for ever"
    assert all(service["healthy"] for service in running.status()["services"])


def test_reset_beside_a_running_up_is_refused(running: Instance) -> None:
    """It would wipe the data under it."""
    done = running.run("reset", "--yes")
    assert done.returncode == 1
    assert "down" in done.stderr


def test_doctor_finds_nothing_in_the_way(running: Instance) -> None:
    """Services and workers are among what it looks at."""
    done = running.run("doctor", "--base-port", str(running.base))
    assert done.returncode == 0, done.stdout
    assert all(name in done.stdout for name in ("kafka", "questdb", "market", "sink-postgres"))


def test_a_worker_and_a_service_that_are_killed_come_back(running: Instance) -> None:
    """By themselves, while `up` runs; events flow on."""
    before = running.pids()
    for name in ("market", "registry"):
        os.kill(before[name], signal.SIGKILL)
    wait(lambda: before.items() & running.pids().items() != before.items(), 10)
    wait(lambda: running.pids().keys() == before.keys(), 60, running.pids)
    after = running.pids()
    assert {name for name in before if before[name] != after[name]} == {"market", "registry"}
    bars = running.status()["totals"]["bars"]
    wait(lambda: running.status()["totals"]["bars"] > bars, FLOW_S, running.status)
    assert {worker["name"]: worker["deaths"] for worker in running.status()["workers"]}["market"] == 1
