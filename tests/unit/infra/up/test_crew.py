"""A worker that dies is started again, not for ever; a feed that has finished is left in peace."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tradewind.infra.services.service import ServiceFailed
from tradewind.infra.up import verdict
from tradewind.infra.up.crew import (
    GOT_OFFSETS_S,
    LONGEST_PAUSE_S,
    QUICK_DEATHS,
    STEADY_S,
    Crew,
    Phase,
    Role,
    Worker,
    advice_in,
    retry_file,
)
from tradewind.infra.up.verdict import Verdict, write_verdict
from tradewind.streams.runtime.errors import PositionsUnavailable


class Deaths:
    """Stands for the process: alive until told otherwise."""

    def __init__(self) -> None:
        self.alive, self.exit_code, self.starts = False, None, 0
        self.said = (
            "pass over it: tradewind dlq skip signals market.bars 2 17\npass over it: tradewind dlq skip risk a.b 0 1\n"
        )

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

    def tail(self) -> str:
        """Say what it died of."""
        return self.said

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


def test_one_that_stays_down_is_started_again_when_asked(tmp_path: Path) -> None:
    """With a clean slate; what was asked for before it failed is forgotten, and its log said what to pass over."""
    one, process = worker(tmp_path)
    for _ in range(2):
        now = 0.0
        while one.phase is not Phase.FAILED:
            process.die(1)
            retry_file(tmp_path, "w").touch()
            one.tend(now)
            now += 10.0
            if one.phase is Phase.WAITING:
                one.tend(now)
        assert one.advice == "dlq skip risk a.b 0 1"
        one.tend(now)
        assert one.phase is Phase.FAILED
        retry_file(tmp_path, "w").touch()
        one.tend(now)
        assert (one.phase, one.advice, retry_file(tmp_path, "w").exists()) == (Phase.RUNNING, None, False)
    assert advice_in("nothing of the kind") is None


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


def test_deaths_for_want_of_stable_offsets_are_counted_while_they_follow_each_other(tmp_path: Path) -> None:
    """A worker says it as an exception; another reason, or the same words elsewhere, is none."""
    one, process = worker(tmp_path)
    no_offsets = str(PositionsUnavailable("group tradewind.market: no offsets within 60 s (timed out)."))
    told = f"tradewind.streams.runtime.errors.PositionsUnavailable: {no_offsets}\n"
    now, counts = 0.0, []
    for said in (told, told, "ValueError: a bug\n", told, f"agent market stopped: {no_offsets}\n"):
        process.said = said
        now += 60.0
        process.die(1)
        one.tend(now)
        counts.append(one.without_offsets)
        now += 1.0
        one.tend(now)
    assert counts == [1, 2, 0, 1, 0]
    process.said = told
    now += 60.0
    process.die(1)
    one.tend(now)
    assert one.without_offsets == 1
    one.tend(now + 10.0)
    one.tend(now + 5.0 + GOT_OFFSETS_S)
    assert one.without_offsets == 1
    one.tend(now + 15.0 + GOT_OFFSETS_S)
    assert one.without_offsets == 0


@pytest.mark.parametrize(
    ("ends", "code", "phase"), [(True, 0, "finished"), (True, 1, "waiting"), (False, 0, "waiting")]
)
def test_only_a_feed_that_ends_well_has_finished(tmp_path: Path, *, ends: bool, code: int, phase: str) -> None:
    """An agent that ends by itself has not done its work, whatever it says."""
    one, process = worker(tmp_path, ends=ends)
    process.die(code)
    one.tend(1.0)
    assert one.phase.value == phase


def test_a_feed_that_cannot_use_its_source_is_not_started_again(tmp_path: Path) -> None:
    """It would end in the same way five times; what it said is kept, and the next start forgets it."""
    one, process = worker(tmp_path, ends=True)
    write_verdict(tmp_path / "workers" / "w" / verdict.FILE, Verdict(well=False, text="a.zip: nothing was published"))
    process.die(1)
    one.tend(1.0)
    one.tend(100.0)
    assert (one.phase, one.deaths, process.starts) == (Phase.REFUSED, 1, 1)
    assert one.verdict == Verdict(well=False, text="a.zip: nothing was published")
    retry_file(tmp_path, "w").touch()
    one.tend(200.0)
    assert (one.phase, one.verdict, process.starts) == (Phase.RUNNING, None, 2), "a person has mended the file"


@pytest.mark.parametrize("said", [b"", b"{", b'{"well": true, "text": "published"}', b'{"other": 1}'])
def test_a_feed_that_dies_with_no_bad_verdict_is_started_again(tmp_path: Path, said: bytes) -> None:
    """A broker that is away, or a kill, is no fault of the source."""
    one, process = worker(tmp_path, ends=True)
    (tmp_path / "workers" / "w" / verdict.FILE).write_bytes(said)
    process.die(1)
    one.tend(1.0)
    assert one.phase is Phase.WAITING


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
    assert crew.stop(6.0) == []
    assert stopped == ["feed", "agent", "sink"]


def test_a_worker_that_outlives_a_kill_does_not_keep_the_others_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor the services: what is said of it goes to the screen."""
    names = []

    def stop(self: Worker, _: float) -> None:
        names.append(self.role.name)
        if self.role.name == "feed":
            raise ServiceFailed("feed outlives SIGKILL")

    monkeypatch.setattr(Worker, "stop", stop)
    crew = Crew([Role("agent", (), 1), Role("sink", (), 2), Role("feed", (), 0)], tmp_path, {})
    assert crew.stop(6.0) == ["feed outlives SIGKILL"]
    assert names == ["feed", "agent", "sink"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ServiceFailed("w outlives SIGKILL")])
def test_a_start_that_fails_counts_as_a_death_also_where_a_person_asked_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """It concerns one worker: `up` goes on with the others."""
    one, process = worker(tmp_path)

    def fails() -> int:
        raise error

    monkeypatch.setattr(process, "start", fails)
    process.die(1)
    for _ in range(2):
        now = 0.0
        while one.phase is not Phase.FAILED:
            one.tend(now)
            now += 10.0
        retry_file(tmp_path, "w").touch()
        one.tend(now)
        assert (one.phase, retry_file(tmp_path, "w").exists()) == (Phase.WAITING, False)
    monkeypatch.undo()
    one.tend(now + 10.0)
    assert one.phase is Phase.RUNNING


def test_a_worker_that_never_had_a_log_fails_as_others_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its log could not be opened, so that there is no advice in it."""
    one = Worker(Role("w", (), 1), tmp_path, {})

    def fails() -> int:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(one._server, "start", fails)
    for now in range(0, 200, 10):
        one.tend(float(now))
    assert (one.phase, one.advice) == (Phase.FAILED, None)
