"""Processes of tests without the seconds that their imports take: a server forks them (`fork_server.py`).

Each process of tests has a server of its own, started with the first process that is asked for.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

TESTS = Path(__file__).parents[1]
CLI = "tradewind.infra.cli"
PRELOADED = (
    "runtime.agents",
    "runtime.held_restores",
    "tradewind.connectors.cluster.guard",
    "tradewind.connectors.feeds.publishing.run",
    "tradewind.connectors.sinks.postgres",
    "tradewind.connectors.sinks.questdb.sink",
    "tradewind.infra.cli.group",
    "tradewind.infra.services.disk",
    "tradewind.streams.agents",
)
"""What the workers of tests import."""
WITHOUT_THREADS = {"OPENBLAS_NUM_THREADS": "1", "_RJEM_MALLOC_CONF": "background_thread:false"}
"""Of numpy's library and of polars' allocator, which start some when they are imported."""
STARTED_S = 120.0
"""For the server to import all there is, and to fork: some 3 s on an idle machine."""


class Forked:
    """A process that the server has forked, as `subprocess.Popen` has one."""

    def __init__(self, pid: int, status: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        """The exit code; less than 0 where a signal ended it."""
        self._status = status
        self._lock = threading.Lock()

    def __del__(self) -> None:
        if self.returncode is None:
            os.close(self._status)

    def poll(self) -> int | None:
        """Return the exit code; None while the process runs."""
        return self._wait(0.0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and return the exit code; raises `TimeoutExpired` as `Popen.wait` does."""
        code = self._wait(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0.0)
        return code

    def _wait(self, timeout: float | None) -> int | None:
        with self._lock:
            if self.returncode is None and select.select([self._status], [], [], timeout)[0]:
                said = os.read(self._status, 64)
                os.close(self._status)
                self.returncode = int(said) if said else -signal.SIGKILL  # it ends with the server
            return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it is known to have ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it with SIGKILL."""
        self.send_signal(signal.SIGKILL)


class Server:
    """A server that has imported some modules; it ends with the connection."""

    def __init__(self, preloaded: Sequence[str]) -> None:
        self._asking, asked = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with asked:
            self.process = subprocess.Popen(
                [sys.executable, "-P", str(TESTS / "processes" / "fork_server.py"), str(asked.fileno()), *preloaded],
                env={**os.environ, **WITHOUT_THREADS, "PYTHONPATH": str(TESTS)},
                stdin=subprocess.DEVNULL,
                pass_fds=(asked.fileno(),),
            )

    def fork(self, request: Mapping[str, object], *files: IO[bytes]) -> Forked:
        """Have a process forked with files for its output, its errors, and its input if it has any.

        Its pid is known once it is there.
        """
        said, status = os.pipe()
        try:
            with contextlib.suppress(ConnectionError):  # it has ended, as is found below
                descriptors = [status, *(file.fileno() for file in files)]
                socket.send_fds(self._asking, [json.dumps(request).encode()], descriptors)
        finally:
            os.close(status)
        begun, line = time.monotonic(), b""
        while not line.endswith(b"\n"):
            assert select.select([said], [], [], STARTED_S)[0], f"the fork server says nothing for {STARTED_S} s"
            read = os.read(said, 1)
            assert read, f"the fork server has ended after {time.monotonic() - begun:.1f} s: {self.process.poll()}"
            line += read
        return Forked(int(line), said)


_servers: dict[tuple[str, ...], Server] = {}
_starting = threading.Lock()


def serving() -> list[int]:
    """Return the pids of the servers of this process."""
    return [server.process.pid for server in _servers.values() if server.process.poll() is None]


def forked(
    *arguments: str,
    environment: Mapping[str, str],
    out: IO[bytes],
    err: IO[bytes] | None = None,
    given: IO[bytes] | None = None,
    folder: Path | None = None,
    module: bool = False,
    server: tuple[str, ...] = PRELOADED,
) -> Forked:
    """Start a program of Python with its arguments: a file, or with `module` what `python -m` would be given.

    The import path is the tests' own, whatever the environment says. The program reads `given`, or nothing, and
    runs in `folder`, or in this process's own. `server` names what was imported before.
    """
    with _starting:
        if server not in _servers or _servers[server].process.poll() is not None:
            _servers[server] = Server(server)
        asked = _servers[server]
    request = {
        "program": arguments[0],
        "arguments": list(arguments),
        "module": module,
        "environment": dict(environment),
        "folder": str(folder or Path.cwd()),
    }
    return asked.fork(request, out, err or out, *([] if given is None else [given]))


def finished(
    *arguments: str,
    environment: Mapping[str, str],
    given: str | None = None,
    folder: Path | None = None,
    timeout_s: float,
) -> subprocess.CompletedProcess[str]:
    """Run a `tradewind` command to its end, as `subprocess.run` does; returns its exit code and what it printed.

    Raises `TimeoutExpired`, with the command killed, if it takes longer than `timeout_s`.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, tempfile.TemporaryFile() as read:
        read.write((given or "").encode())
        read.seek(0)
        how: dict[str, Any] = {"environment": environment, "given": read, "folder": folder, "module": True}
        process = forked(CLI, *arguments, out=out, err=err, **how)
        try:
            code = process.wait(timeout_s)
        except BaseException:
            process.kill()
            raise
        for file in (out, err):
            file.seek(0)
        return subprocess.CompletedProcess([CLI, *arguments], code, out.read().decode(), err.read().decode())
