"""Keeps a process from working on a cluster that is not the known one: a check at its start, and a watch beside it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from tradewind.connectors.clock.wall import clock_us
from tradewind.connectors.cluster.comparison import Comparison, compare
from tradewind.connectors.cluster.file import FileUnreadable
from tradewind.connectors.cluster.identity import ClusterDiffers, Difference, Known, differences, summary
from tradewind.connectors.cluster.look import look
from tradewind.connectors.cluster.timings import USUAL, LookTimings
from tradewind.connectors.kafka.errors import BrokerUnavailable, StreamError
from tradewind.connectors.kafka.publication import publish
from tradewind.connectors.registry import RegistryError
from tradewind.connectors.settings import Settings
from tradewind.connectors.telemetry.health import Health
from tradewind.processors.identity import derive_id
from tradewind.schemas.notifications import Alert
from tradewind.topics import ALERTS, DOMAIN_TOPICS

LOOKS_MISSING = 2
"""Looks in a row that miss a topic before it counts: a broker that has just started may not know all of them."""
CODE = "CLUSTER_DIFFERS"
log = logging.getLogger(__name__)


class Guard:
    """Watches the cluster of one process."""

    def __init__(self, settings: Settings, process: str, timings: LookTimings = USUAL) -> None:
        self._settings, self._process, self._timings = settings, process, timings
        self._names = {settings.physical(topic) for topic in DOMAIN_TOPICS}
        self._known: tuple[Known, ...] = ()
        self._unchecked: str | None = None
        self._missed: dict[str, int] = {}
        self._found: tuple[Difference, ...] = ()
        self._told: Callable[[], None] = lambda: None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="known cluster", daemon=True)

    @property
    def found(self) -> tuple[Difference, ...]:
        """What differs; nothing where all is as it was known. For any thread."""
        return self._found

    def reasons(self) -> list[str]:
        """Return why the process should not be relied on; nothing where it may. For any thread."""
        if self._found:
            return [f"Kafka is not the known cluster: {summary(self._found)}; the process stops"]
        return [] if self._unchecked is None else [f"the cluster has not been compared yet: {self._unchecked}"]

    def check(self) -> None:
        """Compare the cluster with the known one; raises `ClusterDiffers`, `BrokerUnavailable` and `FileUnreadable`.

        Where nobody tells what was known for `known_s`, the process goes on, is not ready, and compares later:
        trading does not stop for want of PostgreSQL, which the agents do not need.
        """
        timings = self._timings
        deadline = time.monotonic() + timings.known_s
        patient = replace(timings, answer_s=timings.start_s)
        while True:
            found = compare(self._settings, self._names, patient)
            unconfigured = self._settings.postgres.url is None
            if found.checked or unconfigured or time.monotonic() > deadline:
                break
            time.sleep(timings.again_s)
        self._take(found)
        if self._found:
            raise ClusterDiffers(self._found, self._settings.bootstrap)
        if found.away is not None:
            effect = "goes on by the data folder's record" if found.checked else "goes on without the comparison"
            log.warning(
                "PostgreSQL does not say which cluster is known, and %s %s: %s", self._process, effect, found.away
            )
        if untold := found.look.found.untold & self._names:
            log.warning(
                "Kafka does not report the ids of %d topics, such as %s, so nothing notices if such a topic is "
                "recreated. Allow DESCRIBE on them",
                *(len(untold), min(untold)),
            )

    def start(self, on_difference: Callable[[], None]) -> None:
        """Begin to look beside the process; `on_difference` is called once, by the watch's thread."""
        self._told = on_difference
        self._thread.start()

    def close(self) -> None:
        """Look no more; a look that is under way changes nothing any more."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(self._timings.close_s)

    def alert(self) -> None:
        """Publish what differs as an alert, where the cluster takes it; the log has it in any case.

        Nothing is published to another cluster: it is not ours to write to.
        """
        if not self._found or any(one.kind == "cluster" for one in self._found):
            return
        try:
            publish(ALERTS, [alert_of(self._found, self._settings, clock_us())], self._settings)
        except (StreamError, RegistryError, OSError) as error:
            log.warning("the alert is not published: %s", error)

    def _take(self, found: Comparison) -> None:
        """Go on from a comparison: topics that nobody knew are known from now on as they were found."""
        seen = found.look.found
        self._known = (*found.known, Known(seen.cluster_id, seen.topics))
        waits = not found.checked and self._settings.postgres.url is not None
        self._unchecked = found.away if waits else None
        self._found = found.differences

    def _run(self) -> None:
        while not self._closing.wait(self._timings.every_s):
            try:
                self._look()
            except BrokerUnavailable as error:
                log.debug("no look at the cluster's ids: %s", error)
            except FileUnreadable:
                log.exception("the data folder's record of the cluster is damaged")
            except Exception:
                if self._closing.is_set():
                    return  # the interpreter ends beside the look, and takes away what it needs
                log.exception("comparing the cluster's ids failed because of a bug; the next comparison follows")
            if self._found:
                log.critical("%s stops: %s", self._process, ClusterDiffers(self._found, self._settings.bootstrap))
                self._told()
                return

    def _look(self) -> None:
        if self._unchecked is not None:
            compared = compare(self._settings, self._names, self._timings)
            if not self._closing.is_set():
                self._take(compared)
            return
        names = {*self._names, *(name for known in self._known for name in known.topics)}
        seen = look(self._settings, names, self._timings.look_s).found
        if self._closing.is_set():
            return
        found = dict.fromkeys(one for known in self._known for one in differences(known, seen))
        gone = {one.name for one in found if one.kind == "missing"}
        self._missed = {name: self._missed.get(name, 0) + 1 for name in gone}
        self._found = tuple(one for one in found if one.kind != "missing" or self._missed[one.name] >= LOOKS_MISSING)


@contextmanager
def guarded(
    settings: Settings, process: str, health: Health | None = None, timings: LookTimings = USUAL
) -> Iterator[Guard]:
    """Compare the cluster, then give a guard to `start`; raises `ClusterDiffers` at once, or after the body.

    The body ends by itself once `on_difference` was called.
    """
    guard = Guard(settings, process, timings)
    if health is not None:
        health.must_be_ready("known cluster", guard.reasons)
    try:
        guard.check()
        yield guard
    finally:
        guard.close()
        guard.alert()
    if guard.found:
        raise ClusterDiffers(guard.found, settings.bootstrap)


def alert_of(found: Iterable[Difference], settings: Settings, now_us: int) -> Alert:
    """Return the alert; each process that meets the same differences publishes it under the same id."""
    found = tuple(found)
    event_id = derive_id("known cluster", settings.namespace, *(f"{one.kind} {one.name} {one.found}" for one in found))
    return Alert(
        event_id=event_id,
        ts_event=now_us,
        ts_ingest=now_us,
        correlation_id=event_id,
        causation_id=event_id,
        severity="CRITICAL",
        source=settings.physical("tradewind.cluster"),
        code=CODE,
        message=str(ClusterDiffers(found, settings.bootstrap)),
    )
