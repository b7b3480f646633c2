"""A process that has imported what workers need, and forks one on request: `forking.py` starts it and asks.

It stays without a Kafka client and without threads that a process needs, none of which survives a fork. A request is
one JSON message with descriptors: where the child's pid and then its exit code are written, its output, its errors, and
its input if it has any. The server ends with the connection, and what it has forked ends with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

REQUEST_BYTES = 256 * 1024  # an environment is some 10 KiB
STATUS, OUT, ERR, GIVEN = range(4)  # descriptors of a request
SPARE_THREADS = {"polars-ooc-clea"}
"""Polars starts it when it is imported, to delete what polars has spilled to disk: tests spill nothing."""
PARENT_DIED = 1  # PR_SET_PDEATHSIG


def preload(names: Sequence[str]) -> None:
    """Import what takes its time; raises where that has started a thread, which a fork would lose."""
    for name in names:
        importlib.import_module(name)
    tasks = [task for task in Path("/proc/self/task").iterdir() if task.name != str(os.getpid())]
    threads = {(task / "comm").read_text().strip() for task in tasks}
    if threads - SPARE_THREADS:
        raise RuntimeError(f"an import has started threads, {threads}: a process that is forked lacks them")
    gc.collect()
    gc.freeze()  # else each collection of a child copies all of it


def serve(connection: socket.socket) -> dict[str, Any] | None:
    """Fork on request until the connection ends; returns None then, and in each child what it is to run."""
    server, reports = os.getpid(), dict[int, tuple[int, int]]()
    """By the descriptor of a child: its pid, and where its exit code is written."""
    with selectors.DefaultSelector() as ready:
        ready.register(connection, selectors.EVENT_READ)
        while True:
            for key, _ in ready.select():
                if key.fileobj is not connection:
                    ready.unregister(key.fd)
                    pid, status = reports.pop(key.fd)
                    report(status, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
                    os.close(key.fd)
                    os.close(status)
                    continue
                message, given, *_ = socket.recv_fds(connection, REQUEST_BYTES, GIVEN + 1)
                if not message:
                    return None
                pid = os.fork()
                if pid == 0:
                    connection.close()
                    for child, (_, status) in reports.items():
                        os.close(child)
                        os.close(status)
                    return become(server, json.loads(message), given)
                report(given[STATUS], pid)
                for descriptor in given[OUT:]:
                    os.close(descriptor)
                child = os.pidfd_open(pid)
                reports[child] = pid, given[STATUS]
                ready.register(child, selectors.EVENT_READ)


def report(status: int, number: int) -> None:
    """Write a number, unless whoever asked has ended."""
    with contextlib.suppress(BrokenPipeError):
        os.write(status, f"{number}\n".encode())


def become(server: int, request: dict[str, Any], given: list[int]) -> dict[str, Any]:
    """Take over the output, the environment and the folder that a request names, and end with the server."""
    ctypes.CDLL(None).prctl(PARENT_DIED, signal.SIGKILL)
    if os.getppid() != server:
        os._exit(1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.dup2(given[OUT], 1)
    os.dup2(given[ERR], 2)
    if given[GIVEN:]:
        os.dup2(given[GIVEN], 0)
    for descriptor in given:
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    sys.argv = request["arguments"]
    return request


def main() -> None:
    """Serve; in a child, run the program to its end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests, whose end ends this process
    preload(sys.argv[2:])
    request = serve(socket.socket(fileno=int(sys.argv[1])))
    if request is None:
        return
    if request["module"]:
        runpy.run_module(request["program"], run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(request["program"], run_name="__main__")


if __name__ == "__main__":
    main()
