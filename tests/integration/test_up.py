"""`tradewind up` from start to stop, killed and not, as a person runs it: in processes of its own."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tradewind import Bar, Decision, Event, Fill, OrderRequest, Settings, Signal, consume
from tradewind.infra.services.ports import SPAN, is_free, ports
from tradewind.infra.services.process import read_record
from tradewind.topics import BARS, DECISIONS, FILLS, ORDER_REQUESTS, SIGNALS, Topic

pytestmark = pytest.mark.timeout(900)
UP_S = 240.0
"""Time to be up: some 15 s, and many times that on a machine where other tests run beside it."""
STOP_S = 15.0
FLOW_S = 120.0
HOURS = 2
HELD: dict[str, tuple[Topic, type[Event]]] = {
    "bars": (BARS, Bar),
    "signals": (SIGNALS, Signal),
    "orders": (ORDER_REQUESTS, OrderRequest),
    "decisions": (DECISIONS, Decision),
    "fills": (FILLS, Fill),
}
WORKERS = {"market", "decisions", "execution", "sink-questdb", "sink-postgres", "feed"}


class Instance:
    """One data folder with ports of its own, and the commands on it."""

    def __init__(self, data: Path) -> None:
        self.data, self.base = data, ports(None).base
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("TRADEWIND_")}
        if cache := os.environ.get("TRADEWIND_CACHE"):
            self.environment["TRADEWIND_CACHE"] = cache

    def command(self, *arguments: str) -> list[str]:
        """Return a command on the data folder."""
        return [sys.executable, "-P", "-m", "tradewind.infra.cli", *arguments, "--data", str(self.data)]

    def run(self, *arguments: str, timeout_s: float = 180) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            self.command(*arguments), env=self.environment, cwd=self.data,
            capture_output=True, text=True, check=False, timeout=timeout_s,
        )  # fmt: skip

    def up(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start `up` in the foreground, its output in a file, and wait until all is up."""
        with (self.data / "out").open("wb") as out:
            process = subprocess.Popen(
                self.command("up", "--base-port", str(self.base), *arguments),
                env=self.environment, cwd=self.data, stdout=out, stderr=out,
            )  # fmt: skip
        wait(lambda: process.poll() is not None or self.written_by() == process.pid, UP_S, self.out)
        return process

    def written_by(self) -> int | None:
        """Return the pid of the `up` that last said that all is up."""
        try:
            return int(json.loads((self.data / "up.json").read_text())["supervisor"])
        except FileNotFoundError:
            return None

    def out(self) -> str:
        """Return what `up` has said."""
        return (self.data / "out").read_text()

    def status(self) -> dict[str, Any]:
        """Return what `status --json` says."""
        found: dict[str, Any] = json.loads(self.run("status", "--json").stdout)
        return found

    def pids(self) -> dict[str, int]:
        """Return the recorded processes that run."""
        records = {path.stem: read_record(path) for path in (self.data / "run").glob("*.json")}
        return {name: record.pid for name, record in records.items() if record is not None and record.alive}

    @property
    def ports_free(self) -> bool:
        """Whether nothing listens on any of its ports."""
        return all(is_free(self.base + offset) for offset in range(SPAN))


def wait(until: Callable[[], object], timeout_s: float, told: Callable[[], object] = lambda: "") -> None:
    """Wait until something is true, or fail with what is told."""
    deadline = time.monotonic() + timeout_s
    while not until():
        assert time.monotonic() < deadline, told()
        time.sleep(0.1)


def stop(process: subprocess.Popen[bytes], number: signal.Signals) -> float:
    """Signal `up`, wait for its end, and return how long that took, seconds."""
    begun = time.monotonic()
    process.send_signal(number)
    process.wait(4 * STOP_S)
    return time.monotonic() - begun


@pytest.fixture(scope="module")
def running(new_data: Callable[[], Path]) -> Iterator[Instance]:
    """Give an `up` that runs detached, for tests that only look."""
    made = Instance(new_data())
    try:
        done = made.run("up", "--detach", "--base-port", str(made.base), timeout_s=UP_S)
        assert done.returncode == 0, done.stdout + done.stderr
        yield made
    finally:
        made.run("down")


@pytest.fixture
def instance(new_data: Callable[[], Path]) -> Iterator[Instance]:
    """Give a data folder where nothing runs, neither before the test nor after it."""
    made = Instance(new_data())
    try:
        yield made
    finally:
        made.run("down")


def test_a_detached_up_tells_what_it_does_and_returns(running: Instance) -> None:
    """Once all processes run, each with a log and a record of its own."""
    assert running.pids().keys() == {*WORKERS, "kafka", "postgres", "registry", "questdb"}
    assert {path.stem for path in (running.data / "logs").glob("*.log")} >= {*WORKERS, "up", "kafka"}


def test_ticks_become_bars_and_every_group_reads(running: Instance) -> None:
    """The simulator feeds; all services are well, and nothing is a dead letter."""
    wait(lambda: running.status()["totals"]["bars"] > 0, FLOW_S, running.status)
    told = running.status()
    assert told["totals"]["ticks"] > told["totals"]["bars"]
    assert told["totals"]["dead_letters"] == 0
    assert all(service["healthy"] for service in told["services"])
    assert {lag["group"] for lag in told["groups"]} == {
        f"tradewind.{name}"
        for name in ("market", "signals", "sizing", "risk", "execution", "portfolio", "questdb", "postgres")
    }


def test_a_second_up_says_that_one_is_running(running: Instance) -> None:
    """In the foreground and detached, at once, and without harm to the first."""
    for detach in ((), ("--detach",)):
        second = running.run("up", "--base-port", str(running.base), *detach)
        assert second.returncode == 1
        assert "running" in second.stderr
        assert str(running.written_by()) in second.stderr
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


@pytest.mark.long
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


@pytest.mark.long
def test_ctrl_c_ends_it_all_with_exit_code_0(instance: Instance) -> None:
    """In time; recorded processes are gone, ports are free, and the data is there at the next start."""
    process = instance.up()
    wait(lambda: instance.status()["totals"]["ticks"] > 0, FLOW_S, instance.out)
    pids = instance.pids()
    assert len(pids) == 10
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


@pytest.mark.long
def test_after_kill_9_of_up_and_of_services_the_next_up_recovers(instance: Instance) -> None:
    """By itself: what was left running is stopped, events flow on, and totals count each once."""
    process = instance.up()
    wait(lambda: instance.status()["totals"]["bars"] > 0, FLOW_S, instance.out)
    before = instance.pids()
    for pid in (process.pid, before["kafka"], before["postgres"], before["execution"]):
        os.kill(pid, signal.SIGKILL)
    process.wait()
    assert {worker["phase"] for worker in instance.status()["workers"]} == {"running", "gone"}
    assert "was killed" in instance.run("doctor", "--base-port", str(instance.base)).stdout
    process = instance.up()
    assert not any(psutil.pid_exists(pid) for pid in before.values())
    bars = instance.status()["totals"]["bars"]
    wait(lambda: instance.status()["totals"]["bars"] > bars, FLOW_S, instance.out)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert instance.run("down").returncode == 0
    assert instance.pids() == {}
    assert instance.ports_free


def quotes(folder: Path) -> Path:
    """Write an archive of quotes that rise and fall every 20 minutes, for `HOURS`."""
    seconds = range(int(HOURS * 3600))
    mids = (1.38 + 0.002 * math.sin(2 * math.pi * second / 1200) for second in seconds)
    lines = (f"{1000 * second},{mid:.5f},{mid + 0.0001:.5f}\n" for second, mid in zip(seconds, mids, strict=True))
    with zipfile.ZipFile(folder / "day.zip", "w") as archive:
        archive.writestr("20140501_eurusd_tick_quote.csv", "".join(lines))
    return folder / "day.zip"


@pytest.mark.long
def test_a_file_flows_to_the_fills_and_totals_are_what_the_topics_hold(instance: Instance) -> None:
    """All of a file's quotes, once, and all that follows from them; the feed has finished and is not started again."""
    process = instance.up("--feed", str(quotes(instance.data)), "--speed", "max")
    wait(lambda: "feed has finished" in instance.out(), FLOW_S, instance.out)

    def settled() -> bool:
        told = instance.status()
        return told["totals"]["fills"] > 0 and all(lag["lag"] == 0 for lag in told["groups"])

    wait(settled, FLOW_S, instance.status)
    totals = instance.status()["totals"]
    assert totals["ticks"] == HOURS * 3600
    settings = Settings(data=instance.data, _env_file=None)
    held = {name: ids(settings, topic, model) for name, (topic, model) in HELD.items()}
    assert {name: totals[name] for name in held} == {name: len(found) for name, found in held.items()}
    assert {worker["name"]: worker["phase"] for worker in instance.status()["workers"]}["feed"] == "finished"
    stop(process, signal.SIGTERM)
    assert process.returncode == 0


def ids(settings: Settings, topic: Topic, model: type[Event]) -> set[str]:
    """Return the ids of the events of a topic."""
    found = (record.event for record in consume(topic.name, settings=settings))
    return {event.to_dict()["event_id"] for event in found if isinstance(event, model)}


@pytest.mark.long
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
