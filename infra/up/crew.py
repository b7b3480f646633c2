"""The workers: processes of this command that are started, watched, started again when they die, and stopped in order.

starting ──> running ──> (exit 0 of a feed)      finished
│
└──────> (any other end) ──> waiting ──> running     after a pause that doubles
│
└──> failed          after `QUICK_DEATHS` in a row
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from tradewind.infra.services.process import Command, Server
from tradewind.infra.services.service import LOOPBACK

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 8.0
QUICK_DEATHS = 5
"""Deaths in a row, each soon after a start, after which a worker stays down: no restart cures what it dies of."""
GRACE_S, SHORTEST_GRACE_S = 3.0, 0.5
"""Time for a worker to finish its transaction and leave its group, milliseconds as a rule; the last has some, too."""
STEADY_S = 30.0
"""A worker that has run this long was well: its next death is the first of a new row."""


class Phase(Enum):
    """Where a worker stands; see the module's diagram."""

    RUNNING = "running"
    WAITING = "waiting"
    FINISHED = "finished"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Role:
    """A process of the crew."""

    name: str
    arguments: tuple[str, ...]
    """Of the `tradewind` command."""
    rank: int
    """The crew stops in ascending order of this: feeds, then agents, then sinks."""
    ends: bool = False
    """Whether it may end by itself, with exit code 0."""
    metrics_port: int | None = None
    """Where it answers `/metrics`, `/live` and `/ready`, on loopback; None is nowhere."""


class Worker:
    """One process of the crew."""

    def __init__(self, role: Role, data: Path, environment: Mapping[str, str]) -> None:
        self.role = role
        self.phase = Phase.WAITING
        self.deaths = 0
        """All deaths since `up`."""
        self.log = data / "logs" / f"{role.name}.log"
        folder = data / "workers" / role.name
        folder.mkdir(parents=True, exist_ok=True)
        argv = (sys.executable, "-P", "-m", "tradewind.infra.cli", *role.arguments)
        told = {**environment, **_metrics(role)}
        self._server = Server(Command(role.name, argv, folder, self.log, told), data / "run")
        self._quick = 0
        self._began = 0.0
        self._next = 0.0

    @property
    def pid(self) -> int | None:
        """The process, while it runs."""
        record = self._server.record
        return record.pid if self.phase is Phase.RUNNING and record is not None else None

    @property
    def url(self) -> str | None:
        """Where the process answers about itself; None where it does not."""
        return None if self.role.metrics_port is None else f"http://{LOOPBACK}:{self.role.metrics_port}"

    def start(self, now: float) -> None:
        """Start the process; `now` is monotonic, in seconds."""
        self._server.start()
        self.phase, self._began = Phase.RUNNING, now

    def tend(self, now: float) -> None:
        """Notice an end and start again when it is time; keep the log within bounds."""
        if self.phase is Phase.RUNNING:
            self._server.tend()
            if not self._server.alive:
                self._ended(now)
        elif self.phase is Phase.WAITING and now >= self._next:
            self.start(now)

    def stop(self, grace_s: float) -> None:
        """End the process: ask, wait, kill."""
        self._server.stop(grace_s)

    def _ended(self, now: float) -> None:
        if self.role.ends and self._server.exit_code == 0:
            self.phase = Phase.FINISHED
            return
        self.deaths += 1
        self._quick = 1 if now - self._began >= STEADY_S else self._quick + 1
        if self._quick >= QUICK_DEATHS:
            self.phase = Phase.FAILED
            return
        self._next = now + min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (self._quick - 1))
        self.phase = Phase.WAITING


def _metrics(role: Role) -> dict[str, str]:
    """Return the variables that tell a process where to answer: each has a port of its own."""
    if role.metrics_port is None:
        return {}
    return {"TRADEWIND_METRICS__HOST": LOOPBACK, "TRADEWIND_METRICS__PORT": str(role.metrics_port)}


class Crew:
    """All workers of one `up`."""

    def __init__(self, roles: Sequence[Role], data: Path, environment: Mapping[str, str]) -> None:
        self.workers = [Worker(role, data, environment) for role in roles]

    def tend(self) -> None:
        """Start what is due; to be called several times a second."""
        now = time.monotonic()
        for worker in self.workers:
            worker.tend(now)

    def stop(self, within_s: float) -> None:
        """Stop rank after rank, each rank's processes at once; those that take longer than is left are killed."""
        deadline = time.monotonic() + within_s
        for rank in sorted({worker.role.rank for worker in self.workers}):
            members = [worker for worker in self.workers if worker.role.rank == rank]
            grace_s = max(SHORTEST_GRACE_S, min(GRACE_S, deadline - time.monotonic()))
            with ThreadPoolExecutor(len(members)) as pool:
                list(pool.map(Worker.stop, members, [grace_s] * len(members)))
