"""A server as a process of its own: started in its own session, recorded, found after a crash, stopped within bounds.

A process is known by its pid and the time it started, which the record holds: a pid that another process has been given
since is never signalled. A server whose record was lost, because its starter was killed in between, is known by its
program and its working folder.
"""

from __future__ import annotations

import json
import os
import pwd
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tradewind.infra.services.ending import undivided
from tradewind.infra.services.service import ServiceFailed, StartCancelled

STOP_GRACE_S = 7.0
"""Time to stop cleanly. Kafka takes 0.3 s, and ten times as long on busy cores; where it is killed instead, it reads
its logs again at the next start."""
KILL_WAIT_S = 2.0
"""Time for the kernel to take a killed process away; a JVM's memory of some 100 MB takes about 0.1 s."""
POLL_S = 0.02
PROBE_S = 0.05
BOOT = Path("/proc/sys/kernel/random/boot_id")
"""Linux's name for the time since it was booted."""
READY_S = 300.0
"""Time until a server has to be ready. 1-4 s are usual; with ten busy processes on two cores 40 s were seen, and Kafka
takes minutes where it was killed with thousands of partitions. One that ends earlier is seen at once."""
LOG_BYTES = 8 << 20
"""Size at which a log becomes `<name>.log.1`, of which one is kept: some days of warnings."""
LOCALE = "C.UTF-8"
"""The only UTF-8 locale that systems have by default."""
TAIL_BYTES = 2000
"""How much of its log an error about a server quotes."""


@dataclass(frozen=True, slots=True)
class Command:
    """How a server is started. Its working folder is its own: no other process of that program works there."""

    name: str
    argv: tuple[str, ...]
    cwd: Path
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)
    user: int | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stdin: Path | None = None
    """What it reads at its start; None for nothing."""


@dataclass(frozen=True, slots=True)
class Record:
    """A process that was started, as `run/<name>.json` holds it."""

    pid: int
    started: str
    stop_signal: signal.Signals = signal.SIGTERM

    @property
    def alive(self) -> bool:
        """Whether that process still runs, and not merely one with its pid."""
        return started(self.pid) == self.started

    def signal(self, number: signal.Signals) -> None:
        """Signal the process; one that is gone, or a stranger with its pid, is left alone."""
        if self.alive:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return

    def end(self, grace_s: float, reap: Callable[[], object] = lambda: None) -> bool:
        """Ask the process to stop, wait, kill it, wait; return whether it is gone."""
        if grace_s > 0:
            self.signal(self.stop_signal)
            self.wait_gone(grace_s, reap)
        self.signal(signal.SIGKILL)
        return self.wait_gone(KILL_WAIT_S, reap)

    def wait_gone(self, timeout_s: float, reap: Callable[[], object] = lambda: None) -> bool:
        """Wait until the process has ended; return whether it has."""
        deadline = time.monotonic() + timeout_s
        while self.alive:
            if time.monotonic() > deadline:
                return False
            reap()
            time.sleep(POLL_S)
        reap()
        return True


def started(pid: int) -> str | None:
    """Return what tells a process from every other that has its pid before or after; None where none runs."""
    if BOOT.exists():
        # Ticks since boot, with the boot's id: unlike a date, they do not move when the clock is set.
        try:
            state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        # A process whose first thread has ended, while others still do, is not gone: it holds its ports and files.
        ended = state in "ZX" and int(fields[16]) <= 1
        return None if ended else f"{BOOT.read_text().strip()}:{fields[18]}"
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else repr(process.create_time())
    except psutil.NoSuchProcess:
        return None


def read_record(path: Path) -> Record | None:
    """Return the recorded process; None where nothing, or only half a record of a crash, is there."""
    try:
        found = json.loads(path.read_text())
        return Record(int(found["pid"]), str(found["started"]), signal.Signals(found["stop_signal"]))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def recorded(run: Path) -> dict[str, Record]:
    """Return the recorded processes that run, by name."""
    found = {path.stem: read_record(path) for path in sorted(run.glob("*.json"))}
    return {name: record for name, record in found.items() if record is not None and record.alive}


def end_recorded(run: Path) -> list[str]:
    """End every recorded process that still runs, all at once, and return their names: their starter was killed."""
    found = {name: record for name, record in recorded(run).items() if record.pid != os.getpid()}
    with ThreadPoolExecutor(max(1, len(found))) as pool:
        gone = list(pool.map(lambda record: record.end(STOP_GRACE_S), found.values()))
    for name, ended in zip(found, gone, strict=True):
        if not ended:
            raise ServiceFailed(
                f"{name} (pid {found[name].pid}) of an earlier start has not ended {KILL_WAIT_S:.0f} s after SIGKILL: "
                "run this command once more; if the process stays, its disk may hang"
            )
        _record_path(run, name).unlink()
    return list(found)


def _record_path(run: Path, name: str) -> Path:
    return run / f"{name}.json"


class Server:
    """One server process of a data folder."""

    def __init__(
        self, command: Command, run: Path, closing: threading.Event | None = None, log_bytes: int = LOG_BYTES
    ) -> None:
        """Keep its record in the folder `run`; a log of more than `log_bytes` is turned over."""
        self.command = command
        self._log_bytes = log_bytes
        self._record_path = _record_path(run, command.name)
        self._closing = closing or threading.Event()
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def record(self) -> Record | None:
        """The process that was last started, by this object or by another one."""
        return read_record(self._record_path)

    @property
    def alive(self) -> bool:
        """Whether the server runs."""
        self._reap()
        record = self.record
        return record is not None and record.alive

    @property
    def exit_code(self) -> int | None:
        """How the process that this object started has ended; None while it runs, or where this object started none."""
        return None if self._child is None else self._child.poll()

    def start(self) -> int:
        """Start the server, after ending what an earlier start left behind, and return its pid."""
        self.stop()
        command = self.command
        command.log.parent.mkdir(parents=True, exist_ok=True)
        if command.log.exists() and command.log.stat().st_size > self._log_bytes:
            command.log.replace(command.log.with_suffix(".log.1"))
        with command.log.open("ab") as log, (command.stdin or Path(os.devnull)).open("rb") as stdin, undivided():
            self._child = subprocess.Popen(
                command.argv,
                cwd=command.cwd,
                env={**_inherited(), **command.env},
                stdin=stdin,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=command.user,
                group=None if command.user is None else group_of(command.user),
                extra_groups=None if command.user is None else (),
            )
            pid = self._child.pid
            record = {"pid": pid, "started": started(pid), "stop_signal": command.stop_signal}
            written = self._record_path.with_suffix(".tmp")
            try:
                written.write_text(json.dumps(record))
                written.replace(self._record_path)
            except OSError:  # what has no record would outlive a stop
                self._child.kill()
                self._child.wait(KILL_WAIT_S)
                raise
        return pid

    def wait_ready(self, probe: Callable[[], str], timeout_s: float = READY_S) -> str:
        """Call the probe until it returns the server's version rather than raise `OSError`, and return that."""
        deadline = time.monotonic() + timeout_s
        while True:
            if self._closing.is_set():
                raise StartCancelled(f"{self.command.name}: the start was called off")
            if not self.alive:
                raise ServiceFailed(f"{self.command.name} ended while it started; its log says:\n{self.tail()}")
            try:
                return probe()
            except OSError as error:
                if time.monotonic() > deadline:
                    raise ServiceFailed(
                        f"{self.command.name} was not ready within {timeout_s:.0f} s ({error}); "
                        f"its log says:\n{self.tail()}"
                    ) from error
            time.sleep(PROBE_S)

    def stop(self, grace_s: float = STOP_GRACE_S) -> None:
        """End the server, and what it left behind: ask, wait, kill. Raises `ServiceFailed` where it outlives that."""
        if (record := self.record) is not None and not record.end(grace_s, self._reap):
            raise ServiceFailed(f"{self.command.name} (pid {record.pid}) outlives SIGKILL: its disk may hang")
        for stray in self._strays():
            stray.end(0)
        self._record_path.unlink(missing_ok=True)

    def kill(self) -> None:
        """Kill the server with SIGKILL, as a test of its recovery does, and wait until it is gone."""
        if (record := self.record) is not None:
            record.end(0, self._reap)

    def tend(self) -> None:
        """Keep the running server's log within bounds: it is appended to, so that it can be cut under the server.

        Where the disk has no room for the copy, the log is cut without one.
        """
        log = self.command.log
        if log.exists() and log.stat().st_size > self._log_bytes:
            copy = log.with_suffix(".log.1")
            try:
                copy.write_bytes(log.read_bytes())
            except OSError:
                copy.unlink(missing_ok=True)
            os.truncate(log, 0)

    def tail(self) -> str:
        """Return the end of the log, with its path, for an error to quote; nothing where there is no log yet."""
        log = self.command.log
        try:
            with log.open("rb") as file:
                file.seek(max(0, log.stat().st_size - TAIL_BYTES))
                return f"{file.read().decode(errors='replace').strip()}\n({log})"
        except FileNotFoundError:
            return ""

    def _reap(self) -> None:
        if self._child is not None:
            self._child.poll()

    def _strays(self) -> Iterator[Record]:
        """Find processes of this server that no record names, such as PostgreSQL's when their parent was killed."""
        program, cwd = os.path.realpath(self.command.argv[0]), os.path.realpath(self.command.cwd)
        for process in psutil.process_iter():
            try:
                if process.exe() == program and process.cwd() == cwd and (since := started(process.pid)) is not None:
                    yield Record(process.pid, since)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue  # gone meanwhile, or another user's and so not ours


def run_to_end(
    name: str, argv: Sequence[str], cwd: Path, timeout_s: float, *, closing: threading.Event, user: int | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program that prepares a server's data. Raises `StartCancelled`, and `ServiceFailed` after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    with subprocess.Popen(
        argv,
        cwd=cwd,
        env=_inherited(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        user=user,
        group=None if user is None else group_of(user),
        extra_groups=None if user is None else (),
    ) as child:
        try:
            while True:
                try:
                    said, _ = child.communicate(timeout=PROBE_S)
                except subprocess.TimeoutExpired as error:
                    if closing.is_set():
                        raise StartCancelled(f"{name}: the start was called off") from error
                    if time.monotonic() > deadline:
                        raise ServiceFailed(f"{name}: {argv[0]} took more than {timeout_s:.0f} s in {cwd}") from error
                else:
                    return subprocess.CompletedProcess(argv, child.returncode, said)
        finally:
            child.kill()


def group_of(user: int) -> int:
    """Return the user's own group."""
    return pwd.getpwuid(user).pw_gid


def _inherited() -> dict[str, str]:
    """Return the environment without what would change a server behind its settings, such as Java's options.

    The locale is one of UTF-8, whatever the user's is: in the C locale Java replaces what is not ASCII in a path by
    another character, and then makes a folder of that name.
    """
    foreign = (
        "JAVA_",
        "JDK_",
        "_JAVA",
        "CLASSPATH",
        "PG",
        "QDB_",
        "QUARKUS_",
        "APICURIO_",
        "REGISTRY_",
        "TRADEWIND_",
        "KAFKA_",
    )
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)} | {"LC_ALL": LOCALE}
