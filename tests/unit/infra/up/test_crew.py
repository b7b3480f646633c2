"""A worker that dies is started again, not for ever; a feed that has finished is left in peace."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tradewind.infra.up.crew import LONGEST_PAUSE_S, QUICK_DEATHS, STEADY_S, Crew, Phase, Role, Worker


class Deaths:
    """Stands for the process: alive until told otherwise."""

    def __init__(self) -> None:
        self.alive, self.exit_code, self.starts = False, None, 0

    def start(self) -> int:
        """Come up."""
        self.alive, self.exit_code = True, None
        self.starts += 1
        return self.starts

    def die(self, code: int) -> None:
        """End with an exit code."""
        self.alive, self.exit_code = False, code

    def tend(self) -> None:
        """Do nothing: there is no log."""

    record = None


def worker(tmp_path: Path, *, ends: bool = False) -> tuple[Worker, Deaths]:
    """Return a worker, and the process that it believes to have."""
    made, process = Worker(Role("w", (), 1, ends=ends), tmp_path, {}), Deaths()
    made._server = process
    made.start(0.0)
    return made, process


def test_a_worker_that_dies_is_started_again_after_a_pause(tmp_path: Path) -> None:
    """Half a second the first time."""
    one, process = worker(tmp_path)
    process.die(1)
    one.tend(1.0)
    assert one.phase is Phase.WAITING
    one.tend(1.4)
    assert process.starts == 1
    one.tend(1.5)
    assert (one.phase, process.starts, one.deaths) == (Phase.RUNNING, 2, 1)


def test_a_worker_that_dies_at_once_each_time_stays_down(tmp_path: Path) -> None:
    """Pauses double up to a limit; after `QUICK_DEATHS` deaths it has failed, and stays so."""
    one, process = worker(tmp_path)
    now, pauses = 0.0, []
    while one.phase is not Phase.FAILED:
        process.die(1)
        one.tend(now)
        began = now
        while one.phase is Phase.WAITING:
            now += 0.25
            one.tend(now)
        pauses.append(now - began)
    assert pauses == [0.5, 1.0, 2.0, 4.0, 0.0]
    assert max(pauses) <= LONGEST_PAUSE_S
    one.tend(now + 1_000)
    assert (one.phase, one.deaths, process.starts) == (Phase.FAILED, QUICK_DEATHS, QUICK_DEATHS)


def test_a_death_now_and_then_is_always_cured(tmp_path: Path) -> None:
    """A worker that ran for `STEADY_S` has a clean slate."""
    one, process = worker(tmp_path)
    now = 0.0
    for _ in range(3 * QUICK_DEATHS):
        now += STEADY_S
        process.die(-9)
        one.tend(now)
        now += 0.5
        one.tend(now)
        assert one.phase is Phase.RUNNING


@pytest.mark.parametrize(
    ("ends", "code", "phase"), [(True, 0, "finished"), (True, 1, "waiting"), (False, 0, "waiting")]
)
def test_only_a_feed_that_ends_well_has_finished(tmp_path: Path, *, ends: bool, code: int, phase: str) -> None:
    """An agent that ends by itself has not done its work, whatever it says."""
    one, process = worker(tmp_path, ends=ends)
    process.die(code)
    one.tend(1.0)
    assert one.phase.value == phase


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Give the names of workers in the order in which they were stopped."""
    names: list[str] = []

    def stop(self: Worker, grace_s: float) -> None:
        assert grace_s > 0
        names.append(self.role.name)

    monkeypatch.setattr(Worker, "stop", stop)
    return names


def test_feeds_stop_first_and_sinks_last(tmp_path: Path, stopped: list[str]) -> None:
    """So that what was brought in is worked on, and what was decided is stored."""
    crew = Crew([Role("agent", (), 1), Role("sink", (), 2), Role("feed", (), 0)], tmp_path, {})
    crew.stop(6.0)
    assert stopped == ["feed", "agent", "sink"]
