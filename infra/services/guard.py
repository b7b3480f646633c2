"""Ends what a command started, however the command ends: by itself, by a signal, or by kill -9.

The guard is a process of its own, in a session of its own, that waits until the command's end of a pipe is closed. Then
it ends every process that carries the command's mark in its environment, and every recorded server of the command's
temporary folders, and removes those folders. Processes of other commands carry other marks.

python -m tradewind.infra.services.guard MARK
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import psutil

from tradewind.infra.services.ending import NUMBERS, undivided
from tradewind.infra.services.process import Record, end_recorded, recorded, started
from tradewind.infra.services.service import ServiceError

VARIABLE = "RUN_OF_TRADEWIND"
"""Holds a command's mark in the environment of what it starts. The name begins with nothing that servers or benches
take out of their environment."""
GRACE_S = 20.0
"""Time for a marked process to end what it has started itself: an `up` takes 15 s at the most."""
KILL_WAIT_S = 2.0
CLOSE_S = 60.0
"""Time for the guard to end all that is left; it has nothing to do as a rule."""
CHILD_S = 30.0
"""Time for the one program of a command, such as pytest, to end its stack."""


class Guard:
    """The guard of this process; closing it ends and removes what is left."""

    def __init__(self) -> None:
        self._mark = secrets.token_hex(8)
        self._folders: list[Path] = []
        self._before = os.environ.pop(VARIABLE, None)  # the guard must outlive what it guards
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "tradewind.infra.services.guard", self._mark],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd="/",
        )
        os.environ[VARIABLE] = self._mark

    def add(self, folder: Path) -> None:
        """End the servers of a temporary folder with this process, and remove the folder."""
        self._folders.append(folder.resolve())
        self._tell({"add": str(folder.resolve())})

    def close(self) -> None:
        """End what is left, and wait for it. Raises `ServiceError` where something outlives that."""
        os.environ.pop(VARIABLE, None)
        if self._before is not None:
            os.environ[VARIABLE] = self._before
        try:
            said, _ = self._process.communicate(timeout=CLOSE_S)
        except subprocess.TimeoutExpired as error:
            raise ServiceError(f"processes with {VARIABLE}={self._mark} have not ended: end them by hand") from error
        if self._process.returncode < 0:  # somebody killed the guard
            sweep(self._mark, self._folders)
        elif self._process.returncode > 0:
            raise ServiceError(f"not all that was started has ended: {said.decode(errors='replace').strip()}")

    def _tell(self, what: Mapping[str, str]) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # somebody killed the guard: `close` does its work
            self._process.stdin.write(f"{json.dumps(what)}\n".encode())
            self._process.stdin.flush()


_own: list[Guard] = []
"""The guard of this process, if it has one."""


@contextmanager
def guarded() -> Iterator[Guard]:
    """Give this process a guard for as long as the block lasts; within another such block, the same guard."""
    if _own:
        yield _own[0]
        return
    with undivided():
        guard = Guard()
        _own.append(guard)
    try:
        yield guard
    finally:
        with undivided():
            _own.clear()
            guard.close()


@contextmanager
def temporary_folder(prefix: str) -> Iterator[Path]:
    """Give a folder for the data of a stack, which goes with the block, or with the process.

    Others may pass through it: root's PostgreSQL runs as another user.
    """
    with guarded() as guard:
        with undivided():
            folder = Path(tempfile.mkdtemp(prefix=prefix))
            guard.add(folder)
        try:
            folder.chmod(0o711)
            yield folder
        finally:
            with undivided():
                clear(folder)


def run(
    command: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdout: IO[bytes] | None = None,
    stderr: IO[bytes] | None = None,
) -> int:
    """Run a program and return its exit code; where this process is ended, the program is, too.

    What it says goes where this process's goes, or to files.
    """
    with guarded():
        marked_ = None if env is None else {**env, VARIABLE: os.environ[VARIABLE]}
        child = subprocess.Popen(command, cwd=cwd, env=marked_, stdout=stdout, stderr=stderr)
        try:
            return child.wait()
        except BaseException:
            end_child(child)
            raise


def end_child(child: subprocess.Popen[bytes]) -> None:
    """Ask a program to stop, wait, kill it."""
    child.terminate()
    try:
        child.wait(CHILD_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def sweep(mark: str, folders: Collection[Path]) -> None:
    """End all processes with a mark and the servers of folders, and remove the folders. Raises `ServiceError`."""
    servers = {record.pid for folder in folders for run in _runs(folder) for record in recorded(run).values()}
    _end([process for process in marked(mark) if process.pid not in servers], GRACE_S)
    for folder in folders:
        clear(folder)
    if undead := _end(marked(mark), 0):
        raise ServiceError(f"processes {undead} outlive SIGKILL: their disk may hang")


def clear(folder: Path) -> None:
    """End the servers of a stack's temporary folder, or of such folders in it, and remove it all."""
    for run in _runs(folder):
        end_recorded(run)
    shutil.rmtree(folder, ignore_errors=True)


def marked(mark: str) -> list[Record]:
    """Return the processes that were started with a mark, but for this one."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):  # gone meanwhile, or another user's and so not ours
            if process.pid != os.getpid() and process.environ().get(VARIABLE) == mark:
                since = started(process.pid)
                found += [] if since is None else [Record(process.pid, since)]
    return found


def _runs(folder: Path) -> list[Path]:
    return [folder / "run", *folder.glob("*/run")]


def _end(processes: Collection[Record], grace_s: float) -> list[int]:
    """Ask processes to stop, wait, kill them; return the pids of those that outlive it."""
    deadline = time.monotonic() + grace_s
    if grace_s:
        for process in processes:
            process.signal(signal.SIGTERM)
            process.signal(signal.SIGCONT)  # a frozen one hears nothing else
        for process in processes:
            process.wait_gone(max(0.0, deadline - time.monotonic()))
    for process in processes:
        process.signal(signal.SIGKILL)
    return [process.pid for process in processes if not process.wait_gone(KILL_WAIT_S)]


def main() -> int:
    """Wait for the command's end, then end what it has left."""
    for number in NUMBERS:
        signal.signal(number, signal.SIG_IGN)
    folders = [Path(json.loads(line)["add"]) for line in sys.stdin if line.endswith("\n")]
    try:
        sweep(sys.argv[1], folders)
    except ServiceError as error:
        print(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
