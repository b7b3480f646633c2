"""An `up` as a person runs it: a data folder with ports of its own, and the commands on it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from processes.forking import finished
from tradewind.infra.services.ports import SPAN, is_free, ports
from tradewind.infra.services.process import recorded

UP_S = 240.0
"""Time to be up: some 15 s, and many times that on a machine where other tests run beside it."""
STOP_S = 15.0
FLOW_S = 120.0
SERVICES = {"kafka", "postgres", "registry", "questdb", "valkey"}
WORKERS = {"market", "decisions", "execution", "usage", "caller", "sink-questdb", "sink-postgres", "feed", "gateway"}


class Instance:
    """One data folder with ports of its own, and the commands on it."""

    def __init__(self, data: Path) -> None:
        self.data, self.base = data, ports(None).base
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("TRADEWIND_")}
        if cache := os.environ.get("TRADEWIND_CACHE"):
            self.environment["TRADEWIND_CACHE"] = cache
        self._ups: list[subprocess.Popen[bytes]] = []

    def command(self, *arguments: str) -> list[str]:
        """Return a command on the data folder."""
        return [sys.executable, "-P", "-m", "tradewind.infra.cli", *arguments, "--data", str(self.data)]

    def run(self, *arguments: str, timeout_s: float = 180) -> subprocess.CompletedProcess[str]:
        """Run a command to its end. An `up` may leave processes running, which would end with a fork server."""
        if arguments[0] != "up":
            how: dict[str, Any] = {"environment": self.environment, "folder": self.data, "timeout_s": timeout_s}
            done = finished(*arguments, "--data", str(self.data), **how)
            if arguments[0] == "down":
                self._wait_for_ups()
            return done
        return subprocess.run(
            self.command(*arguments), env=self.environment, cwd=self.data,
            capture_output=True, text=True, check=False, timeout=timeout_s,
        )  # fmt: skip

    def up(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start `up` in the foreground, its output in a file, and wait until all is up."""
        with (self.data / "out").open("wb") as out:
            process = subprocess.Popen(
                self.command("up", "--base-port", str(self.base), *arguments),
                env=self.environment, cwd=self.data, stdout=out, stderr=out,
            )  # fmt: skip
        self._ups.append(process)
        wait(lambda: process.poll() is not None or self.written_by() == process.pid, UP_S, self.out)
        return process

    def _wait_for_ups(self) -> None:
        """Wait for what `down` has ended, so that its CPU seconds count for the test that started it."""
        while self._ups:
            self._ups.pop().wait(4 * STOP_S)

    def written_by(self) -> int | None:
        """Return the pid of the `up` that last said that all is up."""
        try:
            return int(json.loads((self.data / "up.json").read_text())["supervisor"])
        except FileNotFoundError:
            return None

    def out(self) -> str:
        """Return what `up` has said."""
        return (self.data / "out").read_text()

    def status(self) -> dict[str, Any]:
        """Return what `status --json` says."""
        said = self.run("status", "--json")
        assert said.stdout, said.stderr
        found: dict[str, Any] = json.loads(said.stdout)
        return found

    def pids(self) -> dict[str, int]:
        """Return the recorded processes that run."""
        return {name: record.pid for name, record in recorded(self.data / "run").items()}

    @property
    def ports_free(self) -> bool:
        """Whether nothing listens on any of its ports."""
        return all(is_free(self.base + offset) for offset in range(SPAN))


def wait(
    until: Callable[[], object], timeout_s: float, told: Callable[[], object] = lambda: "", poll_s: float = 0.1
) -> None:
    """Wait until something is true, or fail with what is told."""
    deadline = time.monotonic() + timeout_s
    while not until():
        assert time.monotonic() < deadline, told()
        time.sleep(poll_s)


def stop(process: subprocess.Popen[bytes], number: signal.Signals) -> float:
    """Signal `up`, wait for its end, and return how long that took, seconds."""
    begun = time.monotonic()
    process.send_signal(number)
    process.wait(4 * STOP_S)
    return time.monotonic() - begun
