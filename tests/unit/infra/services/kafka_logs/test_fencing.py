"""Controllers alone fence the brokers that ended: which nodes need it, what they run with, and when it is done."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tradewind.infra.services.embedded.kafka import Kafka
from tradewind.infra.services.kafka_logs import fencing
from tradewind.infra.services.place import Place
from tradewind.infra.services.ports import ports


def test_a_broker_that_ended_in_order_or_never_ran_needs_no_fencing(tmp_path: Path) -> None:
    """A new folder has no metadata, and a clean end leaves a file that the next start removes."""
    assert not fencing.crashed(tmp_path / "absent")
    (tmp_path / "__cluster_metadata-0").mkdir()
    assert fencing.crashed(tmp_path)
    (tmp_path / fencing.CLEAN).touch()
    assert not fencing.crashed(tmp_path)


def test_a_controller_has_no_listener_for_clients(tmp_path: Path) -> None:
    """It could not fence the broker that it is itself, and clients could not tell it from one that serves them."""
    kafka = Kafka(Place(tmp_path, ports(25200), brokers=3))
    lines = fencing.controller_only(kafka._properties(2)).splitlines()
    assert "process.roles=controller" in lines
    assert [line for line in lines if "listeners=" in line] == ["listeners=CONTROLLER://127.0.0.1:25206"]
    assert "broker.session.timeout.ms=500" in lines
    assert [line for line in lines if line.startswith("controller.quorum.voters")] == [
        line for line in kafka._properties(2).splitlines() if line.startswith("controller.quorum.voters")
    ]


def test_it_is_done_when_each_broker_is_fenced_by_whichever_controller_is_active(tmp_path: Path) -> None:
    """Broker 1 is not broker 12, and a log of a controller that is not active says nothing."""
    first, second = tmp_path / "a.log", tmp_path / "b.log"
    first.write_text("")
    second.write_text(f"{fencing.ACTIVE}\nFencing broker 12 at epoch 3\n")
    probe = fencing.probe([1, 12], [first, second], [])
    with pytest.raises(ConnectionError, match=r"\[1\]"):
        probe()
    second.write_text(second.read_text() + "Fencing broker 1 at epoch 3\n")
    with pytest.raises(ConnectionError, match="not written"):
        probe()
    with pytest.raises(ConnectionError, match="not written"):
        probe()
    assert probe() == ""


def test_a_broker_that_was_fenced_before_is_waited_for_no_longer_than_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start that was ended between fencing and starting leaves one: no log speaks of it again."""
    log = tmp_path / "a.log"
    log.write_text("starting")
    probe = fencing.probe([1], [log], [tmp_path])
    with pytest.raises(ConnectionError, match="no controller"):
        probe()
    log.write_text(fencing.ACTIVE)
    with pytest.raises(ConnectionError, match=r"\[1\]"):
        probe()
    now = [time.monotonic() + fencing.FENCED_S]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with pytest.raises(ConnectionError, match="not written"):
        probe()
    now[0] += fencing.WRITTEN_S
    assert probe() == ""


def test_a_controller_is_not_stopped_before_it_has_written_what_it_says(tmp_path: Path) -> None:
    """Else the broker starts with the partitions that it had, and its groups may keep offsets pending for ever."""
    log, folders = tmp_path / "a.log", [tmp_path / "1", tmp_path / "2"]
    log.write_text(f"{fencing.ACTIVE}\nFencing broker 1 at epoch 3\n")
    segments = [folder / fencing.METADATA / "00000000000000000000.log" for folder in folders]
    for segment in segments:
        segment.parent.mkdir(parents=True)
        segment.write_bytes(b"earlier")
    probe = fencing.probe([1], [log], folders)

    def refused() -> None:
        with pytest.raises(ConnectionError, match="not written"):
            probe()

    refused()
    for segment in segments:  # a record that came before the fencing
        segment.write_bytes(segment.read_bytes() + b".")
        refused()
    segments[0].write_bytes(segments[0].read_bytes() + b".")
    refused()  # one controller of two is no majority
    segments[1].with_name("00000000000000000009.log").write_bytes(b".")
    assert probe() == ""
