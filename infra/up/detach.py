"""`up --detach`: the same `up` in a session of its own, followed until all is up."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tradewind.connectors.settings import Settings
from tradewind.infra.services.disk import Level, look, refuse_full
from tradewind.infra.services.ending import undivided
from tradewind.infra.services.folder import check_folder
from tradewind.infra.up.holder import refuse_second
from tradewind.infra.up.plan import link_of
from tradewind.infra.up.state import supervisor

LINE_EVERY_S = 60
"""Detached, `up` writes one line a minute to its log: a week of them is 1 MB."""
POLL_S = 0.1
LINK_S = 45.0
"""How long to wait for the gateway, which starts last: 3 s on a quiet machine, 30 s on a busy one."""
SAY_AFTER_S = 3.0
"""A person who waits for longer is told what for."""


class NotStarted(RuntimeError):
    """The detached `up` ended before all was up."""


def start_detached(data: Path, arguments: Sequence[str]) -> None:
    """Start `up` with the arguments, print what it says until all is up; raises `NotStarted` or `StillRunning`."""
    check_folder(data)
    refuse_second(data)
    refuse_full(data, Settings().disk, starting=True)
    log = data / "logs" / "up.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)
    log.touch()
    command = [sys.executable, "-P", "-m", "tradewind.infra.cli", "up", "--every", str(LINE_EVERY_S), *arguments]
    child: subprocess.Popen[bytes] | None = None
    with log.open(encoding="utf-8", errors="replace") as told:
        try:
            with log.open("wb") as out, undivided():
                child = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
                )
            while supervisor(data) != child.pid:
                sys.stdout.write(told.read())
                sys.stdout.flush()
                if child.poll() is not None:
                    raise NotStarted(f"it did not come up: {_reason(data, told.read().strip(), log)}")
                time.sleep(POLL_S)
        except BaseException:  # a signal, or an output that nobody reads any more
            if child is not None:
                child.terminate()
                child.wait()
            raise
        sys.stdout.write(told.read())
    print(_link(data) or "pages: the gateway still starts; once ./dev status shows it, ./dev users link makes a link")
    print(f"all is up (pid {child.pid}): ./dev status shows what flows, ./dev logs what is said, ./dev down stops it")


def _link(data: Path) -> str | None:
    """Return the line with the link to the pages; None if the gateway does not come up in time."""
    begun, told = time.monotonic(), False
    while (link := link_of(data)) is None and time.monotonic() - begun < LINK_S:
        if not told and time.monotonic() - begun > SAY_AFTER_S:
            told = True
            print(f"waiting for the gateway, for {LINK_S:.0f} s at most", flush=True)
        time.sleep(POLL_S)
    return link


def _reason(data: Path, last_words: str, log: Path) -> str:
    """Say why `up` ended. Its log lies on the disk of the data folder, and holds nothing where that is full."""
    said = last_words or ("see above" if log.stat().st_size else "it could say nothing")
    verdict = look(data, Settings().disk, starting=True, copies=True)
    full = f"; {verdict.message}" if verdict.level is Level.FULL else ""
    return f"{said} ({log}){full}"
