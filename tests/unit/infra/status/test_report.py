"""`status` answers while Kafka or the registry are not ready yet: what was counted before, and why no more."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, KafkaException
from rich.console import Console

from tradewind.connectors.health.names import TOTALS
from tradewind.connectors.health.watch import Glance
from tradewind.connectors.registry import RegistryError
from tradewind.connectors.settings import DiskSettings, Settings
from tradewind.infra.cli.processes.prepare import every_topic
from tradewind.infra.services.service import ServiceHealth
from tradewind.infra.status import report as reports
from tradewind.infra.status.names import topics_of
from tradewind.infra.status.table import tables


@pytest.mark.parametrize(
    "error",
    [KafkaException(KafkaError(KafkaError.COORDINATOR_LOAD_IN_PROGRESS)), RegistryError("no answer from the registry")],
)
def test_what_cannot_be_counted_is_told_with_the_reason(
    error: Exception, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In JSON and in the table, and the report is not one of a healthy platform."""

    def fails(*_: object, **__: object) -> None:
        raise error

    up = ServiceHealth("kafka", "127.0.0.1:1", healthy=True, version="4.3.1", detail="")
    monkeypatch.setattr(reports, "check", lambda *_: (up,))
    monkeypatch.setattr(reports, "_look", fails)
    found = reports.report(Settings(data=tmp_path, _env_file=None), tmp_path)
    assert not found.healthy
    told = json.loads(json.dumps(found.to_json()))
    assert str(error) in told["trouble"]
    assert (told["totals"]["ticks"], told["topics"], told["groups"]) == (0, [], [])
    console = Console(width=200)
    with console.capture() as shown:
        console.print(tables(found))
    assert "nothing could be counted" in shown.get()


@pytest.mark.parametrize("times", [1, 2])
def test_an_up_that_was_killed_is_told_though_all_it_started_still_runs(
    times: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nothing that ends is started again then. A second kill, of the `up` after it, is told as well."""
    up = ServiceHealth("kafka", "127.0.0.1:1", healthy=True, version="4.3.1", detail="")
    glance = Glance(dict.fromkeys(TOTALS, 0), dict.fromkeys(TOTALS, 0.0), (), (), 0)
    monkeypatch.setattr(reports, "check", lambda *_: (up,))
    monkeypatch.setattr(reports, "_look", lambda *_: glance)
    monkeypatch.setattr(reports, "_sizes", lambda *_: {})
    settings = Settings(data=tmp_path, _env_file=None, disk=DiskSettings(stop_bytes=0))
    (tmp_path / "run").mkdir()
    for _ in range(times):
        with (tmp_path / "run" / "stack.lock").open("a+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            lock.truncate(0)
            lock.write("1")
            lock.flush()
            (tmp_path / "endpoints.json").write_text('{"kafka": {"bootstrap": "127.0.0.1:1"}}')
            assert reports.report(settings, tmp_path).healthy
            assert reports.report(settings, tmp_path).to_json()["up"] == "running"
        found = reports.report(settings, tmp_path)  # the kernel took the lock away from what was killed
        assert not found.healthy
        assert found.to_json()["up"] == "killed"
        console = Console(width=200)
        with console.capture() as shown:
            console.print(tables(found))
        assert "was killed" in shown.get()


def test_an_up_that_does_not_run_is_not_told_to_run(tmp_path: Path) -> None:
    """Where it never ran, or stopped in order."""
    settings = Settings(data=tmp_path, _env_file=None)
    assert reports.report(settings, tmp_path).to_json()["up"] == "stopped"


def test_a_disk_with_little_room_is_not_healthy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In JSON with its limits, and in the table."""
    up = ServiceHealth("kafka", "127.0.0.1:1", healthy=True, version="4.3.1", detail="")
    monkeypatch.setattr(reports, "check", lambda *_: (up,))
    monkeypatch.setattr(
        reports, "_look", lambda *_: Glance(dict.fromkeys(TOTALS, 0), dict.fromkeys(TOTALS, 0.0), (), (), 0)
    )
    monkeypatch.setattr(reports, "_sizes", lambda *_: {})
    settings = Settings(data=tmp_path, _env_file=None, disk=DiskSettings(stop_bytes=0, warning_bytes=10**18))
    found = reports.report(settings, tmp_path)
    assert not found.healthy
    assert found.to_json()["disk"]["level"] == "low"
    console = Console(width=200)
    with console.capture() as shown:
        console.print(tables(found))
    assert "MB are free on the disk of" in shown.get()


def test_status_answers_where_its_own_file_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a full disk, where SQLite finds no room for its shared memory."""
    (tmp_path / "status.sqlite3").mkdir()
    monkeypatch.setattr(reports, "check", lambda *_: ())
    settings = Settings(data=tmp_path, _env_file=None, disk=DiskSettings(stop_bytes=10**18))
    found = reports.report(settings, tmp_path)
    assert set(found.totals.values()) == {0}
    assert found.to_json()["disk"]["level"] == "full"


def test_every_topic_that_agents_and_sinks_keep_is_shown() -> None:
    """Those of the runtime are named here once more, for importing the agents takes a second."""
    settings = Settings(_env_file=None)
    assert {settings.physical(topic) for topic in every_topic(settings)} <= set(topics_of(settings))
