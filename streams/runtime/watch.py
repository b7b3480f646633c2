"""Watches the workers of a process from a thread of its own: asks Kafka where topics end, judges, and says so.

A complaint is said once and its end once: in the log and as an alert. Metrics and `/ready` show it as long as it holds.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence

from tradewind.connectors.kafka.ends import Ends
from tradewind.connectors.settings import Settings
from tradewind.schemas.codec import Codec
from tradewind.streams.runtime.agent import redrive_topic
from tradewind.streams.runtime.alerts import Alerts, alert_of
from tradewind.streams.runtime.lease import TopicPartition
from tradewind.streams.runtime.observer import Observer, describe
from tradewind.streams.runtime.watchdog import Memory, Stuck, judge

LOOK_S = 2.0  # between two looks; one costs some milliseconds of processor time
LOOKS_PER_BOUND = 4  # at least, so that a short bound is kept to
CLOSE_S = 4.0  # for the look in hand
log = logging.getLogger(__name__)
What = tuple[str, str, TopicPartition | None]
"""(group, kind, partition) of a complaint."""


class Watch:
    """Looks at workers until closed."""

    def __init__(self, observers: Sequence[Observer], settings: Settings, codec: Codec) -> None:
        self._observers = observers
        self._settings = settings
        self._bounds = settings.watchdog
        shortest = min(self._bounds.model_dump().values())
        self._every_s = min(LOOK_S, shortest / LOOKS_PER_BOUND)
        self._inputs = [
            (settings.physical(topic), partition)
            for of in observers
            for topic in (*of.agent.inputs, redrive_topic(of.agent))
            for partition in range(topic.partitions)
        ]
        self._ends = Ends(settings)
        self._alerts = Alerts(settings, codec)
        self._memories = {of.group: Memory() for of in observers}
        self._stuck: dict[What, Stuck] = {}
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdogs", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def close(self) -> None:
        """Look no more; a look that waits for Kafka is left behind after some seconds."""
        self._closing.set()
        self._thread.join(CLOSE_S)

    def _run(self) -> None:
        try:
            while not self._closing.wait(self._every_s):
                self._look()
        except Exception:
            log.exception("watchdogs have ended by a bug; the workers go on without them")
        finally:
            self._alerts.close()

    def _look(self) -> None:
        ends = self._ends.ask(self._inputs)
        found: dict[What, Stuck] = {}
        for of in self._observers:
            seen = of.seen(time.monotonic(), ends)
            self._memories[of.group], stuck = judge(self._memories[of.group], seen, self._bounds)
            of.complain(stuck)
            found.update({(of.group, *one.what): one for one in stuck})
        for what in found.keys() - self._stuck.keys():
            self._say(what[0], found[what], over=False)
        for what in self._stuck.keys() - found.keys():
            self._say(what[0], self._stuck[what], over=True)
        self._stuck = found
        self._alerts.tend()

    def _say(self, group: str, stuck: Stuck, *, over: bool) -> None:
        now_s, now_us = time.monotonic(), time.time_ns() // 1000
        since_us = now_us - int((now_s - stuck.since_s) * 1_000_000)
        said = describe(stuck, group, now_s)
        if over:
            said = f"over: {said}"
            log.warning("watchdog: %s", said)
        else:
            log.error("watchdog: %s", said)
        self._alerts.publish(alert_of(stuck, group, since_us, now_us, said, over=over))
