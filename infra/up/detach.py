"""`up --detach`: the same `up` in a session of its own, followed until all is up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tradewind.infra.up.holder import refuse_second
from tradewind.infra.up.state import supervisor

LINE_EVERY_S = 60
"""Detached, `up` writes one line a minute to its log: a week of them is 1 MB."""
POLL_S = 0.1


class NotStarted(RuntimeError):
    """The detached `up` ended before all was up."""


def start_detached(data: Path, arguments: Sequence[str]) -> None:
    """Start `up` with the arguments, print what it says until all is up; raises `NotStarted` or `StillRunning`."""
    refuse_second(data)
    log = data / "logs" / "up.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)
    command = [sys.executable, "-P", "-m", "tradewind.infra.cli", "up", "--every", str(LINE_EVERY_S), *arguments]
    with log.open("wb") as out:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
    with log.open() as told:
        try:
            while supervisor(data) != child.pid:
                sys.stdout.write(told.read())
                sys.stdout.flush()
                if child.poll() is not None:
                    raise NotStarted(f"it did not come up: {told.read().strip() or 'see above'} ({log})")
                time.sleep(POLL_S)
        except KeyboardInterrupt:
            os.kill(child.pid, signal.SIGTERM)
            child.wait()
            raise
        sys.stdout.write(told.read())
    print(f"all is up (pid {child.pid}): ./dev status shows what flows, ./dev logs what is said, ./dev down stops it")
