"""What tests cost: seconds, and CPU seconds against the budgets of `tests/budgets.toml`.

A test's CPU seconds are the user and system time of its process and of the children that it has waited for, during its
set-up, its call and its tear-down. A fixture of a wider scope counts for the test that asks for it first. The shared
stack counts as the folder `services`. Unlike seconds of a clock, they depend little on what else the machine does.
"""

from __future__ import annotations

import os
import subprocess
import tomllib
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest
from processes.forking import serving

from tradewind.infra.services.process import recorded

BUDGETS = Path(__file__).resolve().parents[1] / "budgets.toml"
SERVICES = "services"
TOLERANCE = 1.2
"""CPU time varies with caches and with how long waiting loops poll: by some 10 % between runs on a busy machine."""
SHOWN = 20


def spent() -> float:
    """Return the CPU seconds of this process, of the children that it has waited for, and of its fork servers.

    A child that a test has started and let go of is waited for by Python when it starts another one. Without this, an
    `up` with all its services would count for whichever test comes next.
    """
    subprocess._cleanup()  # type: ignore[attr-defined]
    now = os.times()
    own = now.user + now.system + now.children_user + now.children_system
    return own + sum(_with_children(psutil.Process(pid)) for pid in serving())


def _with_children(process: psutil.Process) -> float:
    """Return the CPU seconds of a process and of the children that it has waited for."""
    return float(sum(process.cpu_times()[:4]))


def services_spent(data: Path) -> float:
    """Return the CPU seconds of the services of a data folder that run now."""
    total = 0.0
    for record in recorded(data / "run").values():
        try:
            root = psutil.Process(record.pid)
            for process in (root, *root.children(recursive=True)):
                total += _with_children(process)  # PostgreSQL has one for each connection
        except psutil.Error:  # gone meanwhile
            continue
    return total


class Costs:
    """What each test took, in the process that reports."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.cpu: dict[str, float] = defaultdict(float)
        self.services = 0.0

    def add(self, report: pytest.TestReport) -> None:
        """Add one phase of a test."""
        self.seconds[report.nodeid] += report.duration
        self.cpu[report.nodeid] += getattr(report, "cpu_s", 0.0)

    def slowest(self) -> list[str]:
        """Return a line for each of the slowest tests."""
        order = sorted(self.seconds, key=lambda test: -self.seconds[test])[:SHOWN]
        return [f"{self.seconds[test]:7.1f} s  {self.cpu[test]:6.1f} s CPU  {test}" for test in order]

    def by_folder(self) -> dict[str, float]:
        """Return the CPU seconds of each folder of tests, and of the services."""
        total: dict[str, float] = defaultdict(float)
        for test, seconds in self.cpu.items():
            total[test.partition("::")[0].rpartition("/")[0]] += seconds
        return {**total, SERVICES: self.services}


def read_budgets() -> dict[str, float]:
    """Return the CPU seconds that each folder may take."""
    found: dict[str, float] = tomllib.loads(BUDGETS.read_text())["cpu_s"]
    return found


def over(found: Mapping[str, float], budgets: Mapping[str, float]) -> list[str]:
    """Return what is wrong: folders that took too much, or that have no budget."""
    told = []
    for folder, seconds in sorted(found.items()):
        if folder not in budgets:
            told.append(f"{folder}: {seconds:.0f} CPU s and no budget: add it to tests/budgets.toml")
        elif seconds > TOLERANCE * budgets[folder]:
            told.append(
                f"{folder}: {seconds:.0f} CPU s, budget {budgets[folder]:.0f}: make its slowest tests cheaper, or "
                "raise the budget in tests/budgets.toml and say why in the commit"
            )
    return told
