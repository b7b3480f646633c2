"""Who runs a data folder: the process that holds its lock."""

from __future__ import annotations

import fcntl
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from tradewind.infra.services import endpoints
from tradewind.infra.services.process import end_recorded, recorded
from tradewind.infra.up.state import read_state, remove_state

STOP_S = 20.0
"""How long `down` waits before it kills: `up` takes 15 s at the most."""
POLL_S = 0.05


class StillRunning(RuntimeError):
    """Something runs in the data folder that has to be stopped first."""


def holder(data: Path) -> int | None:
    """Return the pid of the `up` that runs this data folder; None where none does."""
    try:
        lock = (data / "run" / "stack.lock").open("a+")
    except FileNotFoundError:
        return None
    with lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                if (pid := lock.read().strip()).isdigit():
                    return int(pid)
                time.sleep(POLL_S)  # it has the lock and has not written its pid yet
            else:
                return None


def killed(data: Path) -> str | None:
    """Say that the `up` of a data folder was killed, where it was; what it had started may still run."""
    if holder(data) is not None or not (read_state(data) or endpoints.published(data) or recorded(data / "run")):
        return None
    return "`up` was killed, so no process that ends is restarted: ./dev up ends the rest and starts everything again"


def refuse_second(data: Path) -> None:
    """Raise `StillRunning` where an `up` runs this data folder."""
    if (pid := holder(data)) is not None:
        raise StillRunning(
            f"`up` is running in {data} already (pid {pid}): see ./dev status, or stop it with ./dev down"
        )


def stop(data: Path, say: Callable[[str], object] = lambda _: None) -> list[str]:
    """Stop the `up` of a data folder, or what one that was killed has left; return the names of what was stopped.

    Says what it waits for.
    """
    pid = holder(data)
    if pid is not None:
        say(f"stopping up (pid {pid}), which ends all that it has started; up is killed after {STOP_S:.0f} s")
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_S
        while holder(data) == pid and time.monotonic() < deadline:
            time.sleep(POLL_S)
        if holder(data) == pid:
            say(f"up did not end within {STOP_S:.0f} s: it is killed, and what it has left is ended")
            os.kill(pid, signal.SIGKILL)
    left = end_recorded(data / "run")
    endpoints.withdraw(data)
    remove_state(data)
    return [*([] if pid is None else [f"up (pid {pid})"]), *left]
