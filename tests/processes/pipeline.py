"""The whole pipeline as processes of their own, on the services of a test: to be killed, restarted and counted."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from runtime.timings import variables

from processes.forking import CLI, Forked, finished, forked
from tradewind.connectors.settings import Settings
from tradewind.connectors.timeseries.product import hinted
from tradewind.infra.services.ports import ports
from tradewind.infra.up.plan import Plan
from tradewind.streams.runtime.timings import USUAL, Timings

WORKER = str(Path(__file__).with_name("worker.py"))
STOP_S = 60
POLL_S = 0.2
PUBLISHED = re.compile(r"([\d,]+) published")


def environment(settings: Settings) -> dict[str, str]:
    """Return the variables that give another process the same settings."""

    def flat(prefix: str, values: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
        for name, value in values.items():
            if isinstance(value, dict):
                yield from flat(f"{prefix}{name.upper()}__", value)
            elif isinstance(value, SecretStr):
                yield f"{prefix}{name.upper()}", value.get_secret_value()
            elif isinstance(value, list | tuple):
                yield f"{prefix}{name.upper()}", json.dumps(value)
            elif value is not None:
                yield f"{prefix}{name.upper()}", str(value)

    known = settings.model_dump(exclude={"tenants"})
    tenants = json.dumps(settings.model_dump(mode="json", include={"tenants"})["tenants"])
    return {**os.environ, **dict(flat("TRADEWIND_", known)), "TRADEWIND_TENANTS": tenants}


class Pipeline:
    """Starts, kills and stops the processes; each writes a log of its own."""

    def __init__(self, settings: Settings, folder: Path, timings: Timings = USUAL) -> None:
        """Have workers run with these timings; sinks have those of service."""
        self.settings = settings
        self.folder = folder
        port = {"TRADEWIND_GATEWAY__PORT": str(ports(None).gateway)}  # others run beside it
        self.environment = {**environment(settings), **variables(timings), **port}
        self.running: dict[str, Forked] = {}
        plan = Plan(timeseries=hinted(settings.influx) or "questdb")
        self.roles = {role.name: role.arguments for role in plan.roles(settings.data) if not role.ends}

    def run(self, *arguments: str, given: str | None = None, timeout_s: float = 120, status: int = 0) -> str:
        """Run a command to its end, which must be of this status; return what it printed."""
        done = finished(*arguments, environment=self.environment, given=given, timeout_s=timeout_s)
        assert done.returncode == status, f"{arguments}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def start(self, name: str, *arguments: str) -> None:
        """Start a process by name; the arguments are its role's unless given."""
        with (self.folder / f"{name}.log").open("ab") as log:
            command = arguments or self.roles[name]
            if command[0] == "worker":
                self.running[name] = forked(WORKER, *command[1:], environment=self.environment, out=log)
            else:
                self.running[name] = forked(CLI, *command, environment=self.environment, out=log, module=True)

    def start_workers(self) -> None:
        """Register schemas, create topics and tables, and start every worker."""
        self.run("prepare")
        for name in self.roles:
            self.start(name)

    def kill(self, name: str) -> None:
        """End a process with SIGKILL, which lets it clean up nothing."""
        process = self.running.pop(name)
        assert process.poll() is None, f"{name} had ended already: {self.log(name)}"
        process.send_signal(signal.SIGKILL)
        process.wait(STOP_S)

    def log(self, name: str) -> str:
        """Return the end of a process's log."""
        return (self.folder / f"{name}.log").read_text("utf-8", "replace")[-4000:]

    def reports(self, name: str) -> int:
        """Return how often a feed has said that it published something; each file's reports are a second apart."""
        return len(PUBLISHED.findall((self.folder / f"{name}.log").read_text("utf-8", "replace")))

    def finish(self, name: str, still_s: float) -> None:
        """Wait until a feed ends by itself, which must be a success; it may take as long as it goes on publishing."""
        process = self.running[name]
        self.wait_until(
            lambda: process.poll() is not None,
            f"the end of {name}",
            still_s,
            progress=lambda: self.reports(name),
        )
        code = self.running.pop(name).returncode
        assert code == 0, f"{name} ended with {code}:\n{self.log(name)}"

    def stop(self) -> None:
        """Ask every process to end, and see that it does."""
        for process in self.running.values():
            process.terminate()
        for process in self.running.values():
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        self.running.clear()

    def wait_until(
        self,
        holds: Callable[[], bool],
        what: str,
        timeout_s: float,
        poll_s: float = POLL_S,
        progress: Callable[[], object] = lambda: None,
    ) -> float:
        """Wait until something holds; return the seconds it took. A process that ends with an error fails the test.

        The time-out begins anew whenever `progress`, asked after `holds`, says something else than before.
        """
        begun = start = time.monotonic()
        before: object = None
        while not holds():
            if (now := progress()) != before:
                before, start = now, time.monotonic()
            for name, process in self.running.items():
                assert process.poll() in (None, 0), f"{name} ended with {process.poll()}:\n{self.log(name)}"
            assert time.monotonic() - start < timeout_s, f"{what}: not within {timeout_s} s"
            time.sleep(poll_s)
        return time.monotonic() - begun
