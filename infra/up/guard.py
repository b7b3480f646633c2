"""Watches the disks of a data folder beside `up`, warns, and calls for a stop in order before one is full."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal

from tradewind.connectors.clock.wall import clock_us
from tradewind.connectors.settings import DiskSettings
from tradewind.infra.services.disk import Level, Verdict, disks, held, limits, look, refuse_full, room
from tradewind.infra.services.reserve import release, take, whole
from tradewind.processors.identity import derive_id
from tradewind.schemas.notifications import Alert

LOOK_S = 0.05
"""Asking the file systems takes some 50 µs: a thousandth of this. Kafka must not meet a full disk for longer."""
ROOMY_LOOKS = 200
"""A warning is over after so many looks that found room, 10 s: room comes and goes where a disk is nearly full."""
RESERVE_EVERY = 200
"""Looks between two at the reserves."""
FLUSH_S = 3.0
"""How long a stop waits for the last alert; Kafka takes it within milliseconds."""
SOURCE = "disk"
SEVERITY: dict[Level, Literal["INFO", "WARNING", "CRITICAL"]] = {
    Level.ROOM: "INFO",
    Level.LOW: "WARNING",
    Level.FULL: "CRITICAL",
}
Publish = Callable[[Alert], None]


class Guard(threading.Thread):
    """Looks several times a second. `full` is set once, when everything has to stop."""

    def __init__(self, data: Path, settings: DiskSettings, publish: Publish, stop: Callable[[], None]) -> None:
        """`publish` sends an alert and may take its time; `stop` calls off what is being started, at once."""
        super().__init__(name="disk", daemon=True)
        self._data, self._settings, self._stop_all = data, settings, stop
        self._alerts = _Alerts(publish)
        self._closing = threading.Event()
        self._looks = self._roomy = 0
        self._warned = False
        self._taken: set[Path] = set()
        self._trouble: str | None = None
        self.full = threading.Event()
        self.verdict: Verdict | None = None

    def begin(self) -> None:
        """Take the reserves and begin to look. Raises `DiskFull` if there is no room for them."""
        refuse_full(self._data, self._settings, starting=True)
        self._data.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._reserve()
        self.start()

    def run(self) -> None:
        """Look until closed, or until a disk is full."""
        while not self.full.is_set() and not self._closing.wait(LOOK_S):
            try:
                self.look()
                self._trouble = None
            except OSError as error:  # the next look may succeed: no look at all would let the disk fill
                self._trouble = f"the disks of {self._data} cannot be looked at: {error}"

    def look(self) -> None:
        """Look once: tell what has changed, and call for a stop where a disk is full."""
        verdict = self.verdict = look(self._data, self._settings)
        if verdict.level is Level.FULL:
            self._free()
            self._alerts.say(verdict)
            self.full.set()
            self._stop_all()
            return
        self._roomy = self._roomy + 1 if verdict.level is Level.ROOM else 0
        if verdict.level is Level.LOW and not self._warned:
            self._warned = True
            self._alerts.say(verdict)
        elif self._warned and self._roomy >= ROOMY_LOOKS:
            self._warned = False
            self._alerts.say(verdict)
        self._looks += 1
        if self._looks % RESERVE_EVERY == 0 and verdict.level is Level.ROOM:
            self._reserve()

    @property
    def notes(self) -> list[str]:
        """What a person should know."""
        trouble = [] if self._trouble is None else [self._trouble]
        if self.verdict is None or self.verdict.level is Level.ROOM:
            return trouble
        return [self.verdict.message, *trouble]

    def close(self) -> None:
        """Stop looking, give the reserves back, and wait a moment for alerts."""
        self._closing.set()
        if self.is_alive():
            self.join()
        self._free()
        self._alerts.close()

    def _reserve(self) -> None:
        """Take missing reserves: services may have put data on one more disk, or somebody deleted a reserve."""
        for folder in disks(self._data):
            with suppress(OSError):  # of a disk that does not answer, which the next look says
                size = limits(room(folder), self._settings).stop_bytes
                there = folder in self._taken and whole(folder, size)
                if not there and held(folder) < size and take(folder, size):
                    self._taken.add(folder)

    def _free(self) -> None:
        for folder in disks(self._data):
            with suppress(OSError):
                release(folder)


class _Alerts:
    """Publishes from a thread of its own: Kafka may not answer, and nothing here waits for it."""

    def __init__(self, publish: Publish) -> None:
        self._publish = publish
        self._waiting: queue.SimpleQueue[Alert | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="disk alerts", daemon=True)
        self._since_us: int | None = None

    def say(self, verdict: Verdict) -> None:
        """Have an alert sent; returns at once."""
        if not self._thread.is_alive() and self._thread.ident is None:
            self._thread.start()
        now_us = clock_us()
        self._since_us = self._since_us or now_us
        self._waiting.put(alert_of(verdict, self._since_us, now_us))
        if verdict.level is Level.ROOM:
            self._since_us = None

    def close(self) -> None:
        """Let what waits be sent, for `FLUSH_S` at the most."""
        if self._thread.ident is not None:
            self._waiting.put(None)
            self._thread.join(FLUSH_S)

    def _run(self) -> None:
        while (alert := self._waiting.get()) is not None:
            try:
                self._publish(alert)
            except Exception:  # noqa: BLE001, S112 - whatever fails here, the screen and `status` say the same
                continue


def alert_of(verdict: Verdict, since_us: int, now_us: int) -> Alert:
    """Return the alert of a verdict; times are µs since 1970. A disk that has room again ends the one before."""
    over = verdict.level is Level.ROOM
    code = "DISK_LOW_OVER" if over else f"DISK_{verdict.level.name}"
    event_id = derive_id("disk", code, since_us)
    return Alert(
        event_id=event_id,
        ts_event=now_us if over else since_us,
        ts_ingest=now_us,
        correlation_id=event_id,
        causation_id=event_id,
        severity=SEVERITY[verdict.level],
        source=SOURCE,
        code=code,
        message=verdict.message,
        since=since_us,
    )
