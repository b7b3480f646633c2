"""The guard warns once, and calls for a stop before a disk is full."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tradewind.connectors.settings import DiskSettings
from tradewind.infra.services import disk
from tradewind.infra.services.disk import MB, Room, Verdict
from tradewind.infra.services.reserve import take
from tradewind.infra.services.service import DiskFull
from tradewind.infra.up import guard
from tradewind.infra.up.guard import RESERVE_EVERY, ROOMY_LOOKS, Guard
from tradewind.schemas.notifications import Alert

TOTAL = 10_000 * MB


class Watched:
    """A guard, a disk whose room a test sets, and what the guard says."""

    def __init__(self, data: Path) -> None:
        self.data, self.free, self.alerts, self.stops = data, TOTAL, list[Alert](), 0
        self.guard = Guard(data, DiskSettings(stop_bytes=MB, warning_bytes=4 * MB), self.alerts.append, self.stop)

    def stop(self) -> None:
        self.stops += 1

    def room(self, _: Path) -> Room:
        return Room(self.free, TOTAL, 10**6, 10**6)

    def look(self, free: int) -> None:
        self.free = free
        self.guard.look()


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    """Give a guard that begins with an empty disk."""
    made = Watched(tmp_path)
    monkeypatch.setattr(disk, "room", made.room)
    yield made
    made.guard.close()


def test_a_warning_comes_once_and_is_taken_back(watched: Watched) -> None:
    """As alerts of one complaint: since when is the same, and the ids differ."""
    for free in (TOTAL, 3 * MB, TOTAL, 2 * MB, *[TOTAL] * ROOMY_LOOKS, TOTAL):
        watched.look(free)
    watched.guard.close()
    assert [(alert.code, alert.severity) for alert in watched.alerts] == [
        ("DISK_LOW", "WARNING"),
        ("DISK_LOW_OVER", "INFO"),
    ]
    assert len({alert.since for alert in watched.alerts}) == 1
    assert len({alert.event_id for alert in watched.alerts}) == 2
    assert not watched.guard.full.is_set()


def test_a_person_is_told_while_it_holds(watched: Watched) -> None:
    """On the screen."""
    watched.look(3 * MB)
    assert "3 MB are free" in watched.guard.notes[0]
    watched.look(TOTAL)
    assert watched.guard.notes == []


def test_a_full_disk_stops_everything_once_and_gives_the_reserve_back(watched: Watched) -> None:
    """So that the stop has room."""
    watched.guard.begin()
    assert disk.held(watched.data) > 0
    watched.free = 0
    assert watched.guard.full.wait(30)
    watched.guard.close()
    assert watched.stops == 1
    assert disk.held(watched.data) == 0
    assert [(alert.code, alert.severity) for alert in watched.alerts] == [("DISK_FULL", "CRITICAL")]


def test_an_orderly_end_leaves_no_reserve(watched: Watched) -> None:
    """What does not run holds no room."""
    watched.guard.begin()
    watched.guard.close()
    assert list(watched.data.iterdir()) == []
    assert watched.stops == 0


def test_a_reserve_that_was_deleted_is_taken_again(watched: Watched) -> None:
    """While there is room for it."""
    for _ in range(2 * RESERVE_EVERY):
        watched.guard.look()
    assert disk.held(watched.data) >= MB
    assert watched.alerts == []


def test_a_start_on_a_full_disk_is_refused_and_writes_nothing(watched: Watched) -> None:
    """The message says how much is needed."""
    watched.free = MB
    with pytest.raises(DiskFull, match="needs 2 MB"):
        watched.guard.begin()
    assert list(watched.data.iterdir()) == []


def test_an_alert_that_cannot_be_sent_holds_up_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kafka may be what died of the full disk."""
    asked = threading.Event()

    def fails(_: Alert) -> None:
        asked.set()
        raise ConnectionError("Kafka is away")

    guard = Guard(tmp_path, DiskSettings(stop_bytes=MB), fails, lambda: None)
    monkeypatch.setattr(disk, "room", lambda _: Room(0, TOTAL, 0, 0))
    guard.look()
    guard.close()
    assert guard.full.is_set()
    assert asked.is_set()


def test_a_look_that_fails_is_said_and_does_not_end_the_guard(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its guard a disk would fill."""
    failing = threading.Event()

    def look(data: Path, settings: DiskSettings) -> Verdict:
        if failing.is_set():
            raise PermissionError(13, "Permission denied")
        return disk.look(data, settings)

    monkeypatch.setattr(guard, "look", look)
    watched.guard.begin()
    failing.set()
    assert soon(lambda: any("Permission denied" in note for note in watched.guard.notes))
    failing.clear()
    assert soon(lambda: watched.guard.notes == [])
    watched.free = 0
    assert watched.guard.full.wait(30)


def test_a_reserve_that_the_disk_counts_for_less_is_not_written_over_and_over(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each time would write all of it."""
    takes = []
    monkeypatch.setattr(guard, "held", lambda _: 0)
    monkeypatch.setattr(guard, "take", lambda folder, size: takes.append(folder) or take(folder, size))
    watched.guard.begin()
    for _ in range(3 * RESERVE_EVERY):
        watched.guard.look()
    assert takes == [watched.data]


def soon(holds: Callable[[], bool]) -> bool:
    """Wait until something holds, for 5 s at the most."""
    until = time.monotonic() + 5
    while not holds() and time.monotonic() < until:
        time.sleep(0.01)
    return holds()
