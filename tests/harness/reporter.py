"""The process that reports: it adds up what tests cost, tells what went wrong beside them, and ends the workers."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness import cost, evidence
from harness.evidence import PROPERTY
from harness.run import KEY

WORKER_END_S = 30
"""Time for a worker to end an `up` that its test has started: xdist's own 10 s would leave that to the guard."""


class Reporter:
    """A plugin of the process that pytest was started in."""

    def __init__(self, config: pytest.Config, logs: Path) -> None:
        self._config, self._logs = config, logs
        self._costs = cost.Costs()
        self._told: list[str] = []
        self._evidence: dict[str, Mapping[str, Any]] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count what a test took."""
        self._costs.add(report)
        if report.when == "call" and report.passed:
            self._evidence.update((report.nodeid, found) for name, found in report.user_properties if name == PROPERTY)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Say where a worker that crashed has left its last words."""
        if error:
            self._told.append(f"{node.gateway.id} crashed: {self._logs / node.gateway.id}.log")

    def pytest_keyboard_interrupt(self) -> None:
        """End the workers by the signal that ends their tests' fixtures, at once and not when xdist gives up."""
        manager = getattr(self._config.pluginmanager.getplugin("dsession"), "nodemanager", None)
        if manager is None:
            return
        manager.EXIT_TIMEOUT = WORKER_END_S
        for child in psutil.Process().children():
            if os.getsid(child.pid) == os.getsid(0):  # the guard and the stack have sessions of their own
                child.send_signal(signal.SIGTERM)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail a whole run that is over a budget."""
        if not self._config.getoption("--budgets"):
            return
        if KEY in self._config.stash:
            self._costs.services = cost.services_spent(self._config.stash[KEY].stack)
        found = self._costs.by_folder()
        table = "".join(f'"{folder}" = {seconds:.0f}\n' for folder, seconds in sorted(found.items()))
        (self._logs / "cpu_s.toml").write_text(f"[cpu_s]\n{table}")
        over = cost.over(found, cost.read_budgets())
        self._told += over
        if over and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the slowest tests, and what went wrong beside them."""
        if self._config.getoption("--budgets"):
            terminalreporter.section(f"the {cost.SHOWN} slowest tests")
            for line in self._costs.slowest():
                terminalreporter.write_line(line)
            total = sum(self._costs.by_folder().values())
            terminalreporter.write_line(f"{total:.0f} CPU s in all, {self._costs.services:.0f} of them by the services")
        if self._evidence and self._config.getoption("--evidence"):
            commit = evidence.commit()
            rows = [evidence.row(test, found, commit) for test, found in self._evidence.items()]
            evidence.PAGE.write_text(evidence.merged(evidence.PAGE.read_text("utf-8"), rows), "utf-8")
            terminalreporter.write_line(f"{evidence.PAGE}: {len(rows)} rows written")
        if self._told:
            terminalreporter.section("beside the tests", red=True)
            for line in self._told:
                terminalreporter.write_line(line, red=True)
