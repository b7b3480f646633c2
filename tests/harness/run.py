"""One run of the suite: a folder and a guard that all its worker processes share.

The process that pytest was started in begins the run. Its guard ends what the workers have started for all of them,
such as the shared stack: at the run's end, after a signal, and after kill -9.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tradewind.infra.services.guard import VARIABLE, guarded

PREFIX = "tradewind-test-"


@dataclass(frozen=True, slots=True)
class Run:
    """What workers need to know of the run."""

    folder: Path
    mark: str
    """What starts for all workers carries this mark, so that it outlives the worker which started it."""

    @property
    def stack(self) -> Path:
        """The data folder of the shared stack."""
        return self.folder / "stack"


KEY = pytest.StashKey[Run]()


def begin(config: pytest.Config) -> Run:
    """Begin a run in this process; it ends, with all that was started for it, when pytest does."""
    ending = ExitStack()
    guard = ending.enter_context(guarded())
    config.add_cleanup(ending.close)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    guard.add(folder)
    folder.chmod(0o711)  # root's PostgreSQL runs as another user and passes through
    config.stash[KEY] = Run(folder, os.environ[VARIABLE])
    return config.stash[KEY]


def run_of(config: pytest.Config) -> Run:
    """Return the run that this process belongs to; without worker processes it begins where a test first asks."""
    return config.stash[KEY] if KEY in config.stash else begin(config)
