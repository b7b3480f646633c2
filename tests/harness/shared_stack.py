"""The services that all tests share: started by the worker that asks first, ended with the run."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from harness.run import Run
from tradewind.connectors.registry import open_codec
from tradewind.connectors.settings import RegistrySettings, Settings
from tradewind.infra.services import endpoints
from tradewind.infra.services.guard import VARIABLE
from tradewind.infra.services.service import ServiceHealth
from tradewind.infra.services.stack import check

START_S = 280.0
"""Below a test's time-out of 300 s, so that a start that takes too long is told with the stack's own words."""
POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class SharedStack:
    """A stack that another process runs: tests use its services, and stop none of them."""

    data: Path

    def health(self) -> list[ServiceHealth]:
        """Ask every service."""
        return check(self.data, Settings(data=self.data, _env_file=None))


def ensure(run: Run) -> SharedStack:
    """Return the run's stack, and start it where no worker has. Raises `RuntimeError` where it does not come up."""
    with (run.folder / "stack.lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not endpoints.published(run.stack):
            _start(run)
            # The registry gives an id to a schema once; workers that all register first would get in each other's way.
            registry = RegistrySettings(**endpoints.published(run.stack)["registry"])
            open_codec(Settings(_env_file=None, data=run.stack, registry=registry))
    return SharedStack(run.stack)


def _start(run: Run) -> None:
    """Start the stack as a process of its own, in a session of its own: Ctrl-C ends tests first, and then the stack."""
    log = run.folder / "stack.log"
    command = [sys.executable, "-P", "-m", "tradewind.infra.services", "--data", os.fspath(run.stack), "--free-ports"]
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            cwd=run.folder,  # where no .env of a person's own is
            env={**os.environ, VARIABLE: run.mark},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_S
    while not endpoints.published(run.stack):
        if process.poll() is not None or time.monotonic() > deadline:
            process.terminate()
            raise RuntimeError(f"the stack of the tests did not come up:\n{log.read_text('utf-8', 'replace')[-4000:]}")
        time.sleep(POLL_S)
