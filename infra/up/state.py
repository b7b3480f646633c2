"""What `up` says of its workers, for `status` and `down`: `up.json` in the data folder."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tradewind.infra.services.process import read_record
from tradewind.infra.up.crew import Phase, Worker

FILE = "up.json"


@dataclass(frozen=True, slots=True)
class WorkerState:
    """A worker, as `up` last saw it."""

    name: str
    phase: str
    """running, waiting (for its next start), finished or failed; gone where `up` was killed."""
    pid: int | None
    deaths: int
    log: str
    url: str | None = None
    """Where it answers `/metrics`, `/live` and `/ready`; None where it does not."""
    ready: bool | None = None
    """What it says to `/ready`; None where nobody asked."""
    reasons: tuple[str, ...] = ()
    """Why it is not ready."""

    @property
    def down(self) -> bool:
        """Whether it should run and does not."""
        return self.phase not in {Phase.RUNNING.value, Phase.FINISHED.value}


def write_state(data: Path, workers: Iterable[Worker]) -> None:
    """Replace what is written, at once."""
    states = [
        asdict(
            WorkerState(worker.role.name, worker.phase.value, worker.pid, worker.deaths, str(worker.log), worker.url)
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
        return replace(state, phase="gone", pid=None)
    return state
