"""Watches the workers or sinks of a process from a thread: asks Kafka where topics end, judges, and says so.

A complaint is said once and its end once: in the log and as an alert, which is published again each minute while the
complaint holds, under the same id. Metrics and `/ready` show it as long as it holds.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

from tradewind.connectors.clock.wall import clock_us
from tradewind.connectors.kafka.offsets import Offsets, Place
from tradewind.connectors.settings import Settings
from tradewind.connectors.telemetry.health import Health
from tradewind.connectors.watchdogs.alerts import Alerts, alert_of, over_of
from tradewind.connectors.watchdogs.watchdog import Memory, Seen, Stuck, judge
from tradewind.connectors.watchdogs.words import describe
from tradewind.schemas.codec import Codec
from tradewind.schemas.notifications import Alert
from tradewind.topics import Topic

LOOK_S = 2.0  # between two looks; one costs some milliseconds of processor time
LOOKS_PER_BOUND = 4  # at least, so that a short bound is kept to
AGAIN_S = 60.0  # from one alert of a complaint to the next, which has the same id
CLOSE_S = 4.0  # for the current look
log = logging.getLogger(__name__)
What = tuple[str, str, Place | None]
"""(group, kind, partition) of a complaint."""


class Watched(Protocol):
    """A worker or a sink, as the watch asks it: from a thread of its own."""

    @property
    def group(self) -> str:
        """The consumer group, by its name on the cluster."""
        ...

    @property
    def inputs(self) -> Sequence[Topic]:
        """The topics that the group reads."""
        ...

    def seen(self, at_s: float, ends: Mapping[Place, int] | None) -> Seen:
        """Return what watchdogs judge by, `ends` being last stable offsets; None where Kafka does not answer."""
        ...

    def complain(self, stuck: tuple[Stuck, ...]) -> None:
        """Take what the watchdogs say."""
        ...


class Watch:
    """Looks at workers or sinks until closed."""

    def __init__(self, observers: Sequence[Watched], settings: Settings, codec: Codec) -> None:
        self._observers = observers
        self._bounds = settings.watchdog
        shortest = min(self._bounds.model_dump().values())
        self._every_s = min(LOOK_S, shortest / LOOKS_PER_BOUND)
        self._inputs = [
            (settings.physical(topic), partition)
            for of in observers
            for topic in of.inputs
            for partition in range(topic.partitions)
        ]
        self._offsets = Offsets(settings)
        self._alerts = Alerts(settings, codec)
        self._memories = {of.group: Memory() for of in observers}
        self._said: dict[What, tuple[Alert, float]] = {}
        """What holds, as it was said first: its end has the same times and the same chain of ids; and when it was
        said last, on the monotonic clock."""
        self._bug = ""
        """What has ended the looks; set by their thread, and read by others."""
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdogs", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def close(self) -> None:
        """Look no more; a look that waits for Kafka is left behind after some seconds."""
        self._closing.set()
        self._thread.join(CLOSE_S)

    def reasons(self) -> list[str]:
        """Return why the watchdog cannot report anything; nothing if it can. For any thread."""
        if not self._bug:
            return []
        return [f"a bug ended them ({self._bug}); the workers continue without watchdogs: restart the process"]

    def _run(self) -> None:
        try:
            while not self._closing.wait(self._every_s):
                self._look()
        except Exception as bug:
            log.exception("a bug ended the watchdogs; the workers continue without them")
            self._bug = f"{type(bug).__name__}: {bug}"
            for of in self._observers:
                of.complain(())  # nobody would take back what was said
        finally:
            self._alerts.close()
            self._offsets.close()

    def _look(self) -> None:
        ends = self._offsets.known(self._inputs, "latest") or None
        found: dict[What, Stuck] = {}
        for of in self._observers:
            seen = of.seen(time.monotonic(), ends)
            self._memories[of.group], stuck = judge(self._memories[of.group], seen, self._bounds)
            of.complain(stuck)
            found.update({(of.group, *one.what): one for one in stuck})
        for what in self._said.keys() - found.keys():
            self._say_over(self._said.pop(what)[0])
        for what in found.keys() - self._said.keys():
            self._said[what] = self._say(what[0], found[what]), time.monotonic()
        self._say_again()
        self._alerts.tend()

    def _say(self, group: str, stuck: Stuck) -> Alert:
        now_s, now_us = time.monotonic(), clock_us()
        since_us = now_us - int((now_s - stuck.since_s) * 1_000_000)
        alert = alert_of(stuck, group, since_us, now_us, describe(stuck, group, now_s))
        log.error("watchdog: %s", alert.message)
        self._alerts.publish(alert)
        return alert

    def _say_again(self) -> None:
        """Say what still holds: a worker that was frozen may have called over what its successor complains of."""
        now_s = time.monotonic()
        for what, (alert, said_s) in self._said.items():
            if now_s - said_s > AGAIN_S:
                self._said[what] = alert, now_s
                self._alerts.publish(alert)

    def _say_over(self, alert: Alert) -> None:
        end = over_of(alert, clock_us())
        log.warning("watchdog: %s", end.message)
        self._alerts.publish(end)


@contextmanager
def watched(observers: Sequence[Watched], settings: Settings, codec: Codec, health: Health) -> Iterator[None]:
    """Have watchdogs look while the body runs; where they end by a bug, the process is not ready."""
    watch = Watch(observers, settings, codec)
    health.must_be_ready("watchdogs", watch.reasons)
    watch.start()
    try:
        yield
    finally:
        watch.close()
