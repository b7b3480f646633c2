"""Keeps a process that looks at what flows, and reads what it saw: it may crash, and `up` must not."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path

from tradewind.infra.services.process import Command, Server
from tradewind.infra.services.service import ServiceError
from tradewind.infra.up.crew import FIRST_PAUSE_S
from tradewind.infra.up.looks import Looked, look_file, read_look

LONGEST_PAUSE_S = 30.0
SILENT_S = 60.0
"""How long a look may take: each question to a Kafka that does not answer takes 5 s."""
GRACE_S = 2.0
NAME = "look"


class Watcher:
    """The process, and the last look of it."""

    def __init__(
        self, data: Path, environment: Mapping[str, str], argv: tuple[str, ...] = (), silent_s: float = SILENT_S
    ) -> None:
        """Start nothing yet; `argv` is another program in the process's place."""
        self._data, self._silent_s = data, silent_s
        folder = look_file(data).parent
        folder.mkdir(parents=True, exist_ok=True)
        look_file(data).unlink(missing_ok=True)
        command = argv or (sys.executable, "-P", "-m", "tradewind.infra.cli", NAME)
        self._log = data / "logs" / f"{NAME}.log"
        self._server = Server(Command(NAME, command, folder, self._log, environment), data / "run")
        self._next = self._pause_s = 0.0
        self._heard = time.monotonic()
        self._stamp = 0
        self.deaths = 0

    def tend(self) -> None:
        """Start the process where it does not run, after a pause that doubles; end one that is silent."""
        now, stamp = time.monotonic(), self._written_ns()
        if stamp != self._stamp:
            self._stamp, self._heard, self._pause_s = stamp, now, 0.0
        if self._server.alive:
            self._server.tend()
            if now > self._heard + self._silent_s:
                self._server.kill()
            return
        if self._next == 0.0 and self._server.exit_code is not None:
            self.deaths += 1
            self._pause_s = min(LONGEST_PAUSE_S, max(FIRST_PAUSE_S, 2 * self._pause_s))
            self._next = now + self._pause_s
        if now >= self._next:
            self._next, self._heard = 0.0, now
            try:
                self._server.start()
            except (OSError, ServiceError):  # such as a disk without room for its log
                self._next = now + LONGEST_PAUSE_S

    @property
    def looked(self) -> Looked:
        """The last look; trouble that says what became of the process wins."""
        last = read_look(self._data) or Looked(None, None)
        if self._server.alive:
            return last
        code = self._server.exit_code
        how = "does not run" if code is None else f"ended by {f'signal {-code}' if code < 0 else f'code {code}'}"
        return Looked(last.glance, f"the process that counts {how}, and is started again (read {self._log})")

    def close(self) -> None:
        """End the process."""
        self._server.stop(GRACE_S)

    def _written_ns(self) -> int:
        try:
            return look_file(self._data).stat().st_mtime_ns
        except OSError:
            return 0
