"""Starts everything in order, watches it, and stops it in the reverse order."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from tradewind.connectors.cluster.identity import ACCEPT
from tradewind.connectors.kafka import publish
from tradewind.connectors.settings import Settings
from tradewind.infra.services.ending import ended_by_signals, undivided
from tradewind.infra.services.folder import check_folder
from tradewind.infra.services.ports import DEFAULT_BASE
from tradewind.infra.services.process import Command, Server
from tradewind.infra.services.service import DiskFull, Running, ServiceError
from tradewind.infra.services.stack import Stack
from tradewind.infra.up.crew import STAYS_DOWN, Crew, Phase
from tradewind.infra.up.environment import variables
from tradewind.infra.up.gate import Gate
from tradewind.infra.up.guard import Guard
from tradewind.infra.up.holder import refuse_second
from tradewind.infra.up.plan import Plan, link_file, link_of
from tradewind.infra.up.screen import Screen, View
from tradewind.infra.up.state import remove_state, write_state
from tradewind.infra.up.watcher import Watcher
from tradewind.schemas.notifications import Alert
from tradewind.topics import ALERTS

TICK_S = 0.5
"""How often workers are looked after: a restart waits as long anyway, and each look costs some milliseconds."""
POLL_S = 0.05
TEND_S = 2.0
"""How often services are."""
PREPARE_S = 120.0
CREW_STOP_S = 5.0
"""Time for feed, agents and sinks to stop, one after the other; with the services' 9 s it stays under 15 s. What is
killed at its end loses nothing: its transaction is rolled back, and done again at the next start."""
SERVICE_DEATHS = 3
"""Failed restarts of a service in a row after which it stays down."""
KAFKA = "kafka"
OFFSET_DEATHS = 2
"""Deaths in a row of a worker that gets no stable offsets, a minute each, after which Kafka is renewed: a broker that
was too slow for its controller may have missed the end of a transaction while it loaded its groups again (ADR 30)."""
RENEWED_S = 900.0
"""How long Kafka is not renewed again: if it did not help, a person has to look."""


TOLD = ("accepted, and its data is lost", "the kill switch of", "Kafka does not report")
"""How lines of `prepare` begin that `up` passes on: what was lost, and what was engaged again."""


class PrepareFailed(RuntimeError):
    """Schemas, topics or tables could not be made ready."""


class WorkersDown(RuntimeError):
    """The time that was planned is over, and a worker stayed down in it."""


class Supervisor:
    """One `up`."""

    def __init__(self, settings: Settings, data: Path, plan: Plan, screen: Screen) -> None:
        self._settings, self._data, self._plan, self._screen = settings, data, plan, screen
        self._stack = Stack(
            data, settings, plan.base_port or DEFAULT_BASE, screen.step, accept_cluster=plan.accept_cluster
        )
        self._prepared: Gate | None = None
        self._preparing: _Preparing | None = None
        self._crew: Crew | None = None
        self._watcher: Watcher | None = None
        self._repairs = _Repairs(self._stack)
        self._guard = Guard(data, settings.disk, self._alert, self._stack.call_off)
        self._started = self._linked = False

    def run(self) -> None:
        """Run until SIGTERM or Ctrl-C, or as long as planned.

        Raises `StillRunning`, `ServiceError`, which may be `DiskFull`, `PrepareFailed`, or `WorkersDown`.
        """
        check_folder(self._data)
        refuse_second(self._data)
        with ended_by_signals():
            try:
                self._guard.begin()
                self._start()
                self._watch()
            except KeyboardInterrupt:
                self._screen.say("stopping")
            except (ServiceError, PrepareFailed, OSError):
                if not self._guard.full.is_set():
                    raise  # else it failed for want of room, which is said below
            finally:
                with undivided():
                    self._stop()
        if self._guard.full.is_set() and self._guard.verdict is not None:
            raise DiskFull(f"`up` has stopped everything: {self._guard.verdict.message}. No record is lost")
        if self._plan.for_s is not None and self._crew is not None:
            down = [worker.role.name for worker in self._crew.workers if worker.phase in STAYS_DOWN]
            if down:
                raise WorkersDown(
                    f"the planned time is over, and {', '.join(down)} stayed down: read the logs in {self._data}"
                )

    def _start(self) -> None:
        self._stack.start(self._launch)
        assert self._preparing is not None
        assert self._prepared is not None
        assert self._crew is not None
        self._screen.say("preparing schemas, topics and tables")
        for line in self._preparing.finish(self._guard.full):
            self._screen.say(line)
        self._prepared.open()
        write_state(self._data, self._crew.workers)
        self._watcher = Watcher(self._data, variables(self._data))

    def _launch(self) -> None:
        """Start all processes beside the services, each held back until what it needs is there."""
        self._started = True
        remove_state(self._data)
        environment = variables(self._data)
        self._preparing = _Preparing(self._data, environment, accept_cluster=self._plan.accept_cluster)
        self._prepared = Gate(self._data / "workers" / "prepared")
        self._crew = Crew(self._plan.roles(self._data), self._data, {**environment, **self._prepared.variables})
        link_file(self._data).unlink(missing_ok=True)
        self._crew.tend()

    def _watch(self) -> None:
        assert self._crew is not None
        assert self._watcher is not None
        begun = time.monotonic()
        tended = shown = 0.0
        seen: list[tuple[Phase, int | None]] = []
        while self._plan.for_s is None or time.monotonic() < begun + self._plan.for_s:
            if self._guard.full.wait(TICK_S):
                self._screen.say("stopping everything: a disk is full")
                return
            self._crew.tend()
            self._watcher.tend()
            phases = [(worker.phase, worker.pid) for worker in self._crew.workers]
            if phases != seen:
                with suppress(OSError):  # of a disk that is full, which the guard says: tried again at the next look
                    write_state(self._data, self._crew.workers)
                    seen = phases
            now = time.monotonic()
            if not self._linked and (link := link_of(self._data)) is not None:
                self._screen.say(link)
                self._linked = True
            if now >= tended + TEND_S:
                self._stack.tend()
                self._repairs.look()
                self._renew_kafka(self._crew)
                tended = now
            if now >= shown + self._screen.every_s:
                self._screen.show(self._view(now - begun))
                shown = now

    def _renew_kafka(self, crew: Crew) -> None:
        starved = [worker for worker in crew.workers if worker.without_offsets >= OFFSET_DEATHS]
        if starved and self._repairs.renew_kafka():
            for worker in starved:
                worker.without_offsets = 0

    def _alert(self, alert: Alert) -> None:
        """Publish what the guard says, where Kafka is there to take it."""
        publish(ALERTS, [alert], Settings(data=self._data))

    def _view(self, up_s: float) -> View:
        assert self._crew is not None
        assert self._watcher is not None
        notes = [*self._guard.notes, *self._repairs.notes]
        looked = self._watcher.looked
        if looked.trouble is not None:
            notes.append(f"no look at Kafka: {looked.trouble}")
        for worker in self._crew.workers:
            if worker.phase is Phase.FAILED:
                name, cause = worker.role.name, "mend the cause"
                if worker.advice is not None:
                    cause = f"mend the cause, or pass over the record that it dies of by ./dev {worker.advice}"
                notes.append(
                    f"{name} ended {worker.deaths} times and stays down: read {worker.log}, {cause}; then ./dev retry "
                    f"{name}"
                )
            elif worker.phase is Phase.WAITING:
                notes.append(f"{worker.role.name} ended (read {worker.log}) and is started again")
            elif worker.phase is Phase.FINISHED:
                said = worker.verdict
                notes.append(f"{worker.role.name} has finished" + ("" if said is None else f": {said.text}"))
            elif worker.phase is Phase.REFUSED and (said := worker.verdict) is not None:
                name = worker.role.name
                notes.append(f"{name} cannot go on: {said.text} (read {worker.log}); once mended, ./dev retry {name}")
        return View(up_s, looked.glance, tuple(notes))

    def _stop(self) -> None:
        if not self._started:
            self._guard.close()
            return  # the stack stopped what it had started, and another one's is not ours to stop
        if self._preparing is not None:
            self._preparing.end()
        if self._crew is not None:
            for undead in self._crew.stop(CREW_STOP_S):
                self._screen.say(undead)
        if self._watcher is not None:
            self._watcher.close()
        self._guard.close()  # its last alert goes out while Kafka still takes it
        self._stack.stop()
        self._repairs.close()
        remove_state(self._data)


class _Repairs:
    """Starts services again that have ended, one at a time, beside the supervisor."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="repair")
        self._at_work: tuple[str, Future[Running]] | None = None
        self._why = ""
        self._renewed = -RENEWED_S
        self._failures: dict[str, int] = {}
        self._errors: dict[str, str] = {}

    @property
    def notes(self) -> list[str]:
        """What a person should know of services."""
        down = [
            f"{name} stays down after {SERVICE_DEATHS} attempts: {self._errors[name]}"
            for name, failures in self._failures.items()
            if failures >= SERVICE_DEATHS
        ]
        return down if self._at_work is None else [f"{self._at_work[0]} {self._why}", *down]

    def look(self) -> None:
        """Note how the repair went that was at work, and begin the next where one is needed."""
        if self._at_work is not None:
            name, work = self._at_work
            if not work.done():
                return
            self._at_work = None
            try:
                work.result()
                self._failures.pop(name, None)
            except (ServiceError, OSError) as error:
                self._failures[name] = self._failures.get(name, 0) + 1
                self._errors[name] = str(error)
        for name in self._stack.dead():
            if self._failures.get(name, 0) < SERVICE_DEATHS:
                self._begin(name, "has ended and is started again", self._stack.restart)
                return

    def renew_kafka(self) -> bool:
        """Begin to stop Kafka in order and to start it again; return whether it has begun.

        Kafka must be embedded, nothing else may be at work, and the last time must be long ago.
        """
        now = time.monotonic()
        if self._at_work is not None or now < self._renewed + RENEWED_S or not self._stack.embeds(KAFKA):
            return False
        self._renewed = now
        self._begin(KAFKA, "is restarted: agents get no stable offsets of their groups", self._stack.renew)
        return True

    def _begin(self, name: str, why: str, repair: Callable[[str], Running]) -> None:
        self._why, self._at_work = why, (name, self._pool.submit(repair, name))

    def close(self) -> None:
        """Wait for the repair at work, which the stopped stack calls off, and end what it may have started since."""
        self._pool.shutdown()
        if self._at_work is not None:
            for server in self._stack.service(self._at_work[0]).servers:
                server.stop()


class _Preparing:
    """Registers schemas, creates topics and migrates the database, in a process of its own: its imports take 200 MB."""

    def __init__(self, data: Path, environment: Mapping[str, str], *, accept_cluster: bool) -> None:
        """Start the process, which waits for the services."""
        folder, self._log = data / "workers" / "prepare", data / "logs" / "prepare.log"
        folder.mkdir(parents=True, exist_ok=True)
        self._log.unlink(missing_ok=True)
        self._services = Gate(folder / "services")
        argv = (sys.executable, "-P", "-m", "tradewind.infra.cli", "prepare", *([ACCEPT] if accept_cluster else []))
        told = {**environment, **self._services.variables}
        self._server = Server(Command("prepare", argv, folder, self._log, told), data / "run")
        self._server.start()

    def finish(self, called_off: threading.Event) -> list[str]:
        """Let it go on, for the services are up, and wait for its end; returns what a person should know of it.

        Raises `PrepareFailed`.
        """
        self._services.open()
        deadline = time.monotonic() + PREPARE_S
        while (code := self._server.exit_code) is None and time.monotonic() < deadline and not called_off.is_set():
            time.sleep(POLL_S)
        self.end()
        if code != 0:
            raise PrepareFailed(f"schemas, topics and tables could not be made ready:\n{self._server.tail()}")
        return [line for line in self._log.read_text().splitlines() if line.startswith(TOLD)]

    def end(self) -> None:
        """End the process where it still runs."""
        self._server.stop(grace_s=0)
