"""How much room a disk must have, and the reserve that makes a stop in order possible."""

from __future__ import annotations

import json
import os
import zlib
from dataclasses import replace
from pathlib import Path

import pytest

from tradewind.connectors.settings import ENDPOINTS, DiskSettings, Settings
from tradewind.connectors.telemetry.health import Health
from tradewind.infra.services import disk
from tradewind.infra.services.disk import MB, Level, Room, judge, limits, look, refuse_full, room, tell_disk
from tradewind.infra.services.kafka_logs.copies import COPIES
from tradewind.infra.services.reserve import PARTS, release, take, whole
from tradewind.infra.services.service import DiskFull

DATA = Path("/data")
LARGE = Room(50_000 * MB, 500_000 * MB, 10_000_000, 20_000_000)
BOUNDS = limits(LARGE, DiskSettings())


@pytest.mark.parametrize(
    ("total", "stop"), [(900 * MB, 16 * MB), (5_000 * MB, 50 * MB), (25_600 * MB, 256 * MB), (10**13, 256 * MB)]
)
def test_limits_are_a_hundredth_of_the_disk_within_bounds(total: int, stop: int) -> None:
    """A small disk is not refused for what only a large one needs."""
    found = limits(replace(LARGE, bytes_total=total), DiskSettings())
    assert (found.stop_bytes, found.warning_bytes) == (stop, 4 * stop)


def test_settings_replace_the_limits() -> None:
    """A warning never comes after the stop."""
    found = limits(LARGE, DiskSettings(stop_bytes=7 * MB, warning_bytes=MB))
    assert (found.stop_bytes, found.warning_bytes) == (7 * MB, 7 * MB)


@pytest.mark.parametrize(
    ("change", "level", "said"),
    [
        ({}, Level.ROOM, "50,000 MB are free"),
        ({"bytes_free": 1_000 * MB}, Level.LOW, "stops everything at 256 MB"),
        ({"bytes_free": 200 * MB}, Level.FULL, "needs 512 MB"),
        ({"bytes_free": 0}, Level.FULL, "0 MB are free on the disk of /data"),
        ({"files_free": 3_000}, Level.LOW, "3,000 more files"),
        ({"files_free": 12}, Level.FULL, "needs 1,000"),
        ({"files_free": 0, "files_total": 0}, Level.ROOM, "free"),
        ({"writable": False}, Level.FULL, "read-only"),
    ],
)
def test_a_disk_is_judged_by_bytes_files_and_whether_it_takes_writes(
    change: dict[str, int], level: Level, said: str
) -> None:
    """A file system that does not count files, such as btrfs, is judged by its bytes."""
    verdict = judge(DATA, replace(LARGE, **change), BOUNDS)
    assert verdict.level is level
    assert said in verdict.message


def test_a_start_needs_room_for_the_reserve_as_well() -> None:
    """Otherwise `up` would stop as soon as it has set the reserve aside."""
    found = replace(LARGE, bytes_free=300 * MB)
    assert judge(DATA, found, BOUNDS).level is Level.LOW
    verdict = judge(DATA, found, BOUNDS, BOUNDS.stop_bytes)
    assert (verdict.level, "needs 512 MB" in verdict.message) == (Level.FULL, True)


def test_nothing_is_written_where_a_start_is_refused(tmp_path: Path) -> None:
    """Not even the data folder."""
    data = tmp_path / "not" / "there"
    with pytest.raises(DiskFull, match=r"nothing is started: .* MB are free"):
        refuse_full(data, DiskSettings(stop_bytes=10**18), starting=True)
    assert not (tmp_path / "not").exists()
    refuse_full(data, DiskSettings(stop_bytes=0), starting=True)


def test_a_disk_that_does_not_answer_counts_as_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as one whose cable was pulled."""

    def fails(_: Path) -> Room:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(disk, "room", fails)
    verdict = look(tmp_path, DiskSettings())
    assert verdict.level is Level.FULL
    assert "Input/output error" in verdict.message


def test_the_reserve_is_really_allocated_and_given_back(tmp_path: Path) -> None:
    """A sparse file would hold nothing; what is taken twice is held once."""
    size = 8 * MB
    assert take(tmp_path, size)
    assert take(tmp_path, size)
    blocks = sum(part.stat().st_blocks * 512 for part in (tmp_path / "reserve").iterdir())
    assert size - PARTS <= blocks < 1.2 * size
    assert release(tmp_path) == blocks
    assert list(tmp_path.iterdir()) == []
    assert release(tmp_path) == 0


def test_a_reserve_that_does_not_fit_is_not_held_in_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its part would be missing where it is needed."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    assert not take(tmp_path, MB)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_up_had_set_aside_counts_for_the_next(tmp_path: Path) -> None:
    """Otherwise a disk with just enough room would refuse it."""
    free = room(tmp_path).bytes_free
    settings = DiskSettings(stop_bytes=64 * MB)
    assert look(tmp_path, settings, starting=True).level is (Level.ROOM if free > 256 * MB else Level.LOW)
    assert take(tmp_path, 64 * MB)
    assert disk.held(tmp_path) >= 64 * MB - PARTS
    release(tmp_path)


def test_folders_on_another_disk_are_looked_at_too(tmp_path: Path) -> None:
    """A person may have put Kafka's data elsewhere by a link."""
    elsewhere = Path("/dev/shm")
    if not elsewhere.exists() or elsewhere.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system here")
    (tmp_path / "kafka").symlink_to(elsewhere)
    assert disk.disks(tmp_path) == [tmp_path, tmp_path / "kafka"]


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), OSError(116, "Stale file handle")])
def test_a_folder_that_cannot_be_looked_at_is_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    """The other disks are watched still, and a full one is worse."""
    real = Path.exists

    def exists(self: Path, **options: bool) -> bool:
        if self == tmp_path / "kafka":
            raise error
        return real(self, **options)

    monkeypatch.setattr(Path, "exists", exists)
    assert disk.disks(tmp_path) == [tmp_path]
    verdict = look(tmp_path, DiskSettings(stop_bytes=0))
    assert (verdict.level, verdict.folder) == (Level.LOW, tmp_path / "kafka")
    assert str(error.strerror) in verdict.message
    assert look(tmp_path, DiskSettings(stop_bytes=10**18)).level is Level.FULL


def test_copies_of_kafkas_logs_do_not_refuse_the_start_that_removes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`up` and a restart alike; while it runs they take room as anything does."""
    copy = tmp_path / "kafka" / "1" / COPIES / "ticks-0" / "00000000000000000000.log"
    copy.parent.mkdir(parents=True)
    copy.write_bytes(bytes(4 * MB))
    (tmp_path / "kafka" / "cluster.id").touch()
    monkeypatch.setattr(disk, "room", lambda _: replace(LARGE, bytes_free=8 * MB))
    settings = DiskSettings(stop_bytes=10 * MB)
    assert look(tmp_path, settings).level is Level.FULL
    refuse_full(tmp_path, settings)
    copy.unlink()
    with pytest.raises(DiskFull, match="8 MB are free"):
        refuse_full(tmp_path, settings)


def test_a_reserve_is_real_where_allocating_allocates_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a file system that compresses: only bytes that cannot be compressed hold room."""
    monkeypatch.setattr(os, "posix_fallocate", lambda descriptor, _, size: os.truncate(descriptor, size), raising=False)
    assert take(tmp_path, 4 * MB)
    assert disk.held(tmp_path) >= 4 * MB - PARTS
    held = b"".join(part.read_bytes() for part in (tmp_path / "reserve").iterdir())
    assert len(zlib.compress(held, 1)) > 0.99 * 4 * MB
    assert whole(tmp_path, 4 * MB)
    (tmp_path / "reserve" / "3").unlink()
    assert not whole(tmp_path, 4 * MB)
    release(tmp_path)


def test_ready_tells_of_the_disk_that_an_embedded_kafka_lies_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it is low; of an external Kafka's disk nothing is known, and the process stays ready."""
    (tmp_path / ENDPOINTS).write_text(json.dumps({"kafka": {"bootstrap": "127.0.0.1:1", "replication_factor": 1}}))
    health, elsewhere = Health(), Health()
    settings = Settings(data=tmp_path, _env_file=None)
    tell_disk(health, settings)
    kafka = settings.kafka.model_copy(update={"bootstrap": "broker:9092"})
    tell_disk(elsewhere, settings.model_copy(update={"kafka": kafka}))
    monkeypatch.setattr(disk, "room", lambda _: LARGE)
    assert health.details() == {}
    monkeypatch.setattr(disk, "room", lambda _: replace(LARGE, bytes_free=500 * MB))
    (told,) = health.details()["disk"]
    assert told["level"] == "low"
    assert "500 MB are free" in str(told["message"])
    assert (elsewhere.details(), health.not_ready()) == ({}, {})
