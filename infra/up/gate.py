"""A gate holds processes back that were started early, so that their imports overlap with the start of the services.

On two cores a worker's imports take 2 s of work, and the services wait for disks and for each other meanwhile.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

VARIABLE = "TRADEWIND_GATE"
POLL_S = 0.05


class Gate:
    """A file that is there when the gate is open."""

    def __init__(self, path: Path) -> None:
        """Make it shut, whatever an earlier process left."""
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)

    @property
    def variables(self) -> Mapping[str, str]:
        """Variables for a process that this one starts and that must wait: the starter's id, and the file."""
        return {VARIABLE: f"{os.getpid()}:{self._path}"}

    def open(self) -> None:
        """Let everyone through, also those that come later."""
        self._path.touch()


def pass_gate() -> None:
    """Wait until the gate of this process's starter is open; end the process if its starter is gone."""
    told = os.environ.pop(VARIABLE, None)
    if told is None:
        return
    starter, _, gate = told.partition(":")
    while not Path(gate).exists():
        if os.getppid() != int(starter):
            sys.exit(1)
        time.sleep(POLL_S)
