"""`tradewind up` from start to stop, killed and not: what it leaves, and how the next one goes on."""

from __future__ import annotations

import math
import os
import signal
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from harness.distribution import own_services
from processes.instance import FLOW_S, SERVICES, STOP_S, WORKERS, Instance, stop, wait

from tradewind import Bar, Decision, Event, Fill, OrderRequest, Settings, Signal, consume
from tradewind.topics import BARS, DECISIONS, FILLS, ORDER_REQUESTS, SIGNALS, Topic

pytestmark = [own_services, pytest.mark.long, pytest.mark.timeout(900)]
HOURS = 2
HELD: dict[str, tuple[Topic, type[Event]]] = {
    "bars": (BARS, Bar),
    "signals": (SIGNALS, Signal),
    "orders": (ORDER_REQUESTS, OrderRequest),
    "decisions": (DECISIONS, Decision),
    "fills": (FILLS, Fill),
}


@pytest.fixture
def instance(new_data: Callable[[], Path]) -> Iterator[Instance]:
    """Give a data folder where nothing runs, neither before the test nor after it."""
    made = Instance(new_data())
    try:
        yield made
    finally:
        made.run("down")


def test_ctrl_c_ends_it_all_with_exit_code_0(instance: Instance) -> None:
    """In time; recorded processes are gone, ports are free, and the data is there at the next start."""
    process = instance.up()
    wait(lambda: instance.status()["totals"]["ticks"] > 0, FLOW_S, instance.out)
    pids = instance.pids()
    assert pids.keys() == {*WORKERS, *SERVICES}
    took = stop(process, signal.SIGINT)
    assert process.returncode == 0, instance.out()
    assert took < STOP_S
    assert instance.pids() == {}
    assert not any(psutil.pid_exists(pid) for pid in pids.values())
    assert instance.ports_free
    assert "Traceback" not in instance.out()
    ticks = instance.status()["totals"]["ticks"]
    process = instance.up("--for", "1")
    process.wait(60)
    assert process.returncode == 0, instance.out()
    assert instance.status()["totals"]["ticks"] >= ticks > 0
    assert instance.ports_free


def quotes(folder: Path) -> Path:
    """Write an archive of quotes that rise and fall every 20 minutes, for `HOURS`."""
    seconds = range(int(HOURS * 3600))
    mids = (1.38 + 0.002 * math.sin(2 * math.pi * second / 1200) for second in seconds)
    lines = (f"{1000 * second},{mid:.5f},{mid + 0.0001:.5f}\n" for second, mid in zip(seconds, mids, strict=True))
    with zipfile.ZipFile(folder / "day.zip", "w") as archive:
        archive.writestr("20140501_eurusd_tick_quote.csv", "".join(lines))
    return folder / "day.zip"


def ids(settings: Settings, topic: Topic, model: type[Event]) -> set[str]:
    """Return the ids of the events of a topic."""
    found = (record.event for record in consume(topic.name, settings=settings))
    return {event.to_dict()["event_id"] for event in found if isinstance(event, model)}


def holds_what_status_tells(instance: Instance) -> None:
    """Wait until a file has passed through, and compare the totals with the file and with what the topics hold."""
    wait(lambda: "feed has finished" in instance.out(), FLOW_S, instance.out)

    def settled() -> bool:
        told = instance.status()
        return told["totals"]["fills"] > 0 and all(lag["lag"] == 0 for lag in told["groups"])

    wait(settled, FLOW_S, instance.status)
    totals = instance.status()["totals"]
    settings = Settings(data=instance.data, _env_file=None)
    held = {name: ids(settings, topic, model) for name, (topic, model) in HELD.items()}
    assert totals["ticks"] == HOURS * 3600
    assert totals["dead_letters"] == 0
    assert {name: totals[name] for name in held} == {name: len(found) for name, found in held.items()}


def test_a_file_flows_to_the_fills_and_totals_are_what_the_topics_hold(instance: Instance) -> None:
    """All of a file's quotes, once, and all that follows from them; the feed has finished and is not started again."""
    process = instance.up("--feed", str(quotes(instance.data)), "--speed", "max")
    holds_what_status_tells(instance)
    assert {worker["name"]: worker["phase"] for worker in instance.status()["workers"]}["feed"] == "finished"
    stop(process, signal.SIGTERM)
    assert process.returncode == 0


def test_after_kill_9_of_up_and_of_services_the_next_up_recovers(instance: Instance) -> None:
    """By itself: what was left running is stopped, the file goes on where it was, and totals count each event once."""
    arguments = ("--feed", str(quotes(instance.data)), "--speed", "200")
    process = instance.up(*arguments)
    wait(lambda: instance.status()["totals"]["bars"] > 0, FLOW_S, instance.out)
    before = instance.pids()
    for pid in (process.pid, before["kafka"], before["postgres"], before["execution"]):
        os.kill(pid, signal.SIGKILL)
    process.wait()
    assert {worker["phase"] for worker in instance.status()["workers"]} >= {"running", "gone"}
    assert "was killed" in instance.run("doctor", "--base-port", str(instance.base)).stdout
    process = instance.up(*arguments)
    assert not any(psutil.pid_exists(pid) for pid in before.values())
    holds_what_status_tells(instance)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert instance.run("down").returncode == 0
    assert instance.pids() == {}
    assert instance.ports_free


def test_a_worker_that_always_dies_stays_down_and_is_told(instance: Instance) -> None:
    """A feed that cannot read its file: after a few attempts `up` says what to do, and goes on without it."""
    broken = instance.data / "broken.zip"
    broken.write_bytes(b"no archive")
    process = instance.up("--feed", str(broken))
    wait(lambda: "stays down" in instance.out(), FLOW_S, instance.out)
    failed = {worker["name"]: worker["phase"] for worker in instance.status()["workers"]}
    assert failed.pop("feed") == "failed"
    assert set(failed.values()) == {"running"}
    assert instance.run("status").returncode == 1
    stop(process, signal.SIGTERM)
    assert process.returncode == 0
