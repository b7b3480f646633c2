"""What `up` says of its workers, for `status` and `down`: `up.json` in the data folder."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tradewind.infra.services.process import read_record
from tradewind.infra.up.crew import Phase, Worker

FILE = "up.json"
GONE = "gone"
"""Phase of a process whose `up` was killed."""
STARTING_S = 60.0
"""How old a process is that may still be starting: loading takes 2 s, a group 20 s to rebalance, a large state some
seconds to restore, each more on busy cores."""


@dataclass(frozen=True, slots=True)
class Held:
    """A partition whose records an agent holds until another input has caught up."""

    group: str
    topic: str
    partition: int
    instrument: str
    """Whose record is the first that waits."""
    ts_event: str
    """Event time of that record."""
    until: str
    """The topic whose heartbeats of that instrument let it go."""
    reached: str | None
    """How far these have come in event time; None where there was none."""
    seconds: float
    """How long the partition has stood there."""
    records: int
    """How many records wait, those behind the first included."""
    through: str = ""
    """The topic whose partitions each pass on the heartbeats; empty where these come by one way."""
    behind: Sequence[int] = ()
    """Those of its partitions that have not passed on what the record waits for."""

    @property
    def stage(self) -> str:
        """The partitions that are behind, in words; empty where these come by one way."""
        many = "s" if len(self.behind) > 1 else ""
        return f"{self.through}, partition{many} {', '.join(map(str, self.behind))}" if self.behind else ""

    def __str__(self) -> str:
        """Say it in words."""
        reached = "there was none yet" if self.reached is None else f"they have reached {self.reached}"
        return (
            f"{self.topic}, partition {self.partition}, for {self.seconds:.0f} s: {self.records:,} records wait behind "
            f"{self.instrument} at {self.ts_event}, until heartbeats of it on {self.until} are there; {reached}"
            f"{f'; behind: {self.stage}' if self.stage else ''}"
        )


@dataclass(frozen=True, slots=True)
class Waiting:
    """Tasks of an agent that read commands and settings only, until what they wait for has come."""

    group: str
    partitions: list[int]
    reason: str

    def __str__(self) -> str:
        """Say it in words."""
        tasks = f"task{'s' * (len(self.partitions) > 1)} {', '.join(map(str, self.partitions))}"
        return f"{self.group}, {tasks}: {self.reason}"


@dataclass(frozen=True, slots=True)
class WorkerState:
    """A worker, as `up` last saw it."""

    name: str
    phase: str
    """running, waiting (for its next start), finished, refused (its source) or failed; gone where `up` was killed."""
    pid: int | None
    deaths: int
    log: str
    url: str | None = None
    """Where it answers `/metrics`, `/live` and `/ready`; None where it does not."""
    ready: bool | None = None
    """What it says to `/ready`; None where nobody asked."""
    reasons: tuple[str, ...] = ()
    """Why it is not ready."""
    age_s: float | None = None
    """How long the process has run; None where nobody asked, or it does not."""
    held: tuple[Held, ...] = ()
    """What its agents hold, if only for a moment."""
    waiting: tuple[Waiting, ...] = ()
    restoring: tuple[str, ...] = ()
    """Groups whose tasks are being restored."""
    advice: str | None = None
    """The command that passes over the record that it stays down for; None where its log names none."""

    @property
    def down(self) -> bool:
        """Whether it should run and does not."""
        return self.phase not in {Phase.RUNNING.value, Phase.FINISHED.value}

    @property
    def starting(self) -> bool:
        """Whether it is not ready because it has only just been started."""
        return self.ready is False and self.age_s is not None and self.age_s < STARTING_S

    @property
    def stands_still(self) -> bool:
        """Whether it runs, has had time to start, and says that something stands still."""
        return self.ready is False and not self.starting


def write_state(data: Path, workers: Iterable[Worker]) -> None:
    """Replace what is written, at once."""
    states = [
        asdict(
            WorkerState(
                worker.role.name,
                worker.phase.value,
                worker.pid,
                worker.deaths,
                str(worker.log),
                worker.url,
                advice=worker.advice,
            )
        )
        for worker in workers
    ]
    draft = data / f".{FILE}"
    draft.write_text(json.dumps({"supervisor": os.getpid(), "workers": states}, indent=1) + "\n")
    draft.replace(data / FILE)


def remove_state(data: Path) -> None:
    """Remove it: no worker runs."""
    (data / FILE).unlink(missing_ok=True)


def supervisor(data: Path) -> int | None:
    """Return the pid of the `up` that wrote the state last; None where there is none."""
    try:
        return int(json.loads((data / FILE).read_text())["supervisor"])
    except FileNotFoundError:
        return None


def read_state(data: Path) -> tuple[WorkerState, ...]:
    """Return the workers of a running `up`, or of one that was killed; none after a clean stop."""
    try:
        states = json.loads((data / FILE).read_text())["workers"]
    except FileNotFoundError:
        return ()
    return tuple(_as_it_is(WorkerState(**state), data) for state in states)


def _as_it_is(state: WorkerState, data: Path) -> WorkerState:
    """Return the state with what the process table says: `up` may have been killed since."""
    record = read_record(data / "run" / f"{state.name}.json")
    if state.phase == Phase.RUNNING.value and (record is None or not record.alive):
        return replace(state, phase=GONE, pid=None)
    return state
