"""The workers: processes of this command that are started, watched, started again when they die, and stopped in order.

starting ──> running ──> (exit 0 of a feed)      finished
│
├──────> (a feed's verdict on its source)  refused        no restart would end otherwise
│
└──────> (any other end) ──> waiting ──> running     after a pause that doubles
│
└──> failed          after `QUICK_DEATHS` in a row; waiting again when a person asks for it
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from tradewind.infra.services.process import Command, Server
from tradewind.infra.services.service import LOOPBACK, ServiceError
from tradewind.infra.up import verdict
from tradewind.infra.up.verdict import Verdict, read_verdict

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 8.0
QUICK_DEATHS = 5
"""Deaths in a row, each soon after a start, after which a worker stays down: no restart cures what it dies of."""
GRACE_S, SHORTEST_GRACE_S = 3.0, 0.5
"""Time for a worker to finish its transaction and leave its group, milliseconds as a rule; the last has some, too."""
ADVICE = re.compile(r"tradewind (dlq skip \S+ \S+ \d+ \d+)")
"""What an agent that stops by a bug says of the record."""
WITHOUT_OFFSETS = re.compile(r"PositionsUnavailable: group \S+ no offsets within")
"""What a worker says that gets no stable offsets of its group."""
GOT_OFFSETS_S = 180.0
"""A worker that has run this long has got its offsets: it ends after a minute without."""
STEADY_S = 30.0
"""A worker that has run this long was well: its next death is the first of a new row."""


class Phase(Enum):
    """Where a worker stands; see the module's diagram."""

    RUNNING = "running"
    WAITING = "waiting"
    FINISHED = "finished"
    FAILED = "failed"
    REFUSED = "refused"


STAYS_DOWN = frozenset({Phase.FAILED, Phase.REFUSED})
"""Until a person asks for another start, by `./dev retry`."""


@dataclass(frozen=True, slots=True)
class Role:
    """A process of the crew."""

    name: str
    arguments: tuple[str, ...]
    """Of the `tradewind` command."""
    rank: int
    """The crew stops in ascending order of this: feeds, then agents, then sinks."""
    ends: bool = False
    """Whether it may end by itself, with exit code 0 or with a verdict."""
    metrics_port: int | None = None
    """Where it answers `/metrics`, `/live` and `/ready`, on loopback; None is nowhere."""
    variables: tuple[tuple[str, str], ...] = ()
    """Variables of its own."""


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
        self._verdict = folder / verdict.FILE
        asked = ("--verdict", str(self._verdict)) if role.ends else ()
        argv = (sys.executable, "-P", "-m", "tradewind.infra.cli", *role.arguments, *asked)
        told = {**environment, **_metrics(role), **dict(role.variables)}
        self._server = Server(Command(role.name, argv, folder, self.log, told), data / "run")
        self._asked = retry_file(data, role.name)
        self._asked.unlink(missing_ok=True)
        self.advice: str | None = None
        """The command that passes over the record that the worker dies of; None where it names none."""
        self.without_offsets = 0
        """Deaths in a row for want of stable offsets."""
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

    @property
    def verdict(self) -> Verdict | None:
        """What the process said at its end; None where it said nothing."""
        return read_verdict(self._verdict) if self.role.ends else None

    def start(self, now: float) -> None:
        """Start the process; `now` is monotonic, in seconds."""
        self._verdict.unlink(missing_ok=True)
        self._server.start()
        self.phase, self._began = Phase.RUNNING, now

    def tend(self, now: float) -> None:
        """Notice an end and start again when it is time; keep the log within bounds."""
        if self.phase is Phase.RUNNING:
            self._server.tend()
            if not self._server.alive:
                self._ended(now)
            elif now - self._began > GOT_OFFSETS_S:
                self.without_offsets = 0
        elif self.phase in STAYS_DOWN and self._asked.exists():
            self._quick, self.advice = 0, None
            self._begin(now)
        elif self.phase is Phase.WAITING and now >= self._next:
            self._begin(now)

    def _begin(self, now: float) -> None:
        """Start the process; what keeps it from starting is as good as a death at once.

        That is a disk without room for its log, say, or an earlier process that outlives SIGKILL.
        """
        try:
            self._asked.unlink(missing_ok=True)
            self.start(now)
        except (OSError, ServiceError):
            self._began = now
            self._ended(now)

    def stop(self, grace_s: float) -> None:
        """End the process: ask, wait, kill."""
        self._server.stop(grace_s)

    def _ended(self, now: float) -> None:
        if self.role.ends and self._server.exit_code == 0:
            self.phase = Phase.FINISHED
            return
        self.deaths += 1
        self.without_offsets = self.without_offsets + 1 if WITHOUT_OFFSETS.search(self._server.tail()) else 0
        if (said := self.verdict) is not None and not said.well:
            self.phase = Phase.REFUSED
            return
        self._quick = 1 if now - self._began >= STEADY_S else self._quick + 1
        if self._quick >= QUICK_DEATHS:
            with suppress(OSError):  # of a disk that is read-only: then it is started again once it is not
                self._asked.unlink(missing_ok=True)
            self.phase, self.advice = Phase.FAILED, advice_in(self._server.tail())
            return
        self._next = now + min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (self._quick - 1))
        self.phase = Phase.WAITING


def retry_file(data: Path, name: str) -> Path:
    """Return the file that asks for a worker that stays down to be started again."""
    return data / "workers" / name / "retry"


def advice_in(log: str) -> str | None:
    """Return the last command in a log that passes over a record, without its program; None where there is none."""
    found = ADVICE.findall(log)
    return found[-1] if found else None


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

    def stop(self, within_s: float) -> list[str]:
        """Stop rank after rank, each rank's processes at once; those that take longer than is left are killed.

        Returns what to say of those that outlive that: the others, and the services, have to stop all the same.
        """
        undead: list[str] = []
        deadline = time.monotonic() + within_s
        for rank in sorted({worker.role.rank for worker in self.workers}):
            members = [worker for worker in self.workers if worker.role.rank == rank]
            grace_s = max(SHORTEST_GRACE_S, min(GRACE_S, deadline - time.monotonic()))
            with ThreadPoolExecutor(len(members)) as pool:
                undead += filter(None, pool.map(_stop, members, [grace_s] * len(members)))
        return undead


def _stop(worker: Worker, grace_s: float) -> str | None:
    try:
        worker.stop(grace_s)
    except (OSError, ServiceError) as error:
        return str(error)
    return None
