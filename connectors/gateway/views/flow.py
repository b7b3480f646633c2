"""What flows, once a second: rates of topics, and lag and state of each reader."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from confluent_kafka import KafkaException

from tradewind.connectors.gateway.views.view import View
from tradewind.connectors.health.flow import Lag
from tradewind.connectors.health.names import Known
from tradewind.connectors.health.watch import Glance, Watch
from tradewind.connectors.registry import RegistryError
from tradewind.connectors.settings import Settings
from tradewind.processors.health.states import Seen, State, catch_up_s, state_of, worst

EVERY_S: Final = 1.0
COUNT_S: Final = 0.5
"""Time to count in one look, where nobody else does."""
WINDOW: Final = 90
"""Samples of each reader and partition: a minute and a half."""
STALE_S: Final = 5.0
"""How old the last look may be before all it said is UNKNOWN."""
Reads = tuple[str, str, int]
"""(group, topic, partition), by their names on the cluster."""
Intents = Callable[[], Mapping[Reads, State]]
"""Returns what processes say of partitions that stand by intent: HELD or RESTORING."""
log = logging.getLogger(__name__)


def everywhere(group: str) -> Reads:
    """Return what stands for all partitions of a group among intents."""
    return group, "*", -1


@dataclass(frozen=True, slots=True)
class FlowSeen:
    """One look at all that flows."""

    at_s: float
    topics: Mapping[str, dict[str, Any]]
    """Topic, without its namespace -> `records` and `rate_per_s`."""
    readers: Mapping[str, Mapping[str, dict[str, Any]]]
    """Group, without its namespace and prefix -> topic -> `lag`, `lag_s`, `state`, `since` (when this process first saw
    that state, s since 1970), `catch_up_s`, `partitions`."""

    def to_json(self) -> dict[str, Any]:
        """Return what pages get."""
        return {"as_of": round(self.at_s, 3), "topics": self.topics, "readers": self.readers}


class FlowView(View):
    """Looks again and again, in a thread of its own."""

    def __init__(
        self, settings: Settings, known: Known, put: Callable[[FlowSeen], None], intents: Intents = dict
    ) -> None:
        super().__init__("the flow")
        self._settings, self._known, self._put, self._intents = settings, known, put, intents
        self._windows: defaultdict[Reads, deque[Seen]] = defaultdict(lambda: deque(maxlen=WINDOW))
        self._since: dict[tuple[str, str], tuple[State, float]] = {}
        """(group, topic) -> its state, and when this process first saw it."""
        self.last: FlowSeen | None = None
        self.windows: Mapping[Reads, tuple[Seen, ...]] = {}
        """The last looks at each partition that each group reads, oldest first; replaced whole by each look."""
        self.trouble: str | None = None
        """Why the last look failed; None where it did not."""

    def run(self) -> None:
        """Look until closed."""
        watch: Watch | None = None
        while not self._closing.is_set():
            begun = time.monotonic()
            try:
                if watch is None:
                    watch = Watch(self._settings, self._settings.data, self._known, remember_s=float(WINDOW))
                self.take(watch.look(COUNT_S, shared=True), time.time())
                self.trouble = None
            except (KafkaException, RegistryError, sqlite3.Error, OSError) as error:  # shown, and tried again
                if self.trouble is None:
                    log.warning("no look at what flows: %s", error)
                self.trouble = f"{type(error).__name__}: {error}"
            self._closing.wait(max(0.0, begun + EVERY_S - time.monotonic()))
        if watch is not None:
            watch.close()

    def take(self, glance: Glance, now: float) -> None:
        """Add a look to the windows, and hand on what they say."""
        intents = self._intents()
        by_reader: defaultdict[tuple[str, str], list[tuple[Lag, State, float | None]]] = defaultdict(list)
        windows: dict[Reads, tuple[Seen, ...]] = {}
        for lag in glance.lags:
            at = (lag.group, lag.topic, lag.partition)
            window = self._windows[at]
            window.append(Seen(now, lag.position, lag.end, lag.lag, lag.lag_seconds))
            seen = windows[at] = tuple(window)
            intent = intents.get(at) or intents.get(everywhere(lag.group))
            by_reader[lag.group, lag.topic].append((lag, state_of(seen, intent), catch_up_s(seen)))
        self.windows = windows
        self.last = FlowSeen(
            now,
            {
                self._logical(topic.name): {"records": str(topic.records), "rate_per_s": round(topic.rate_per_s, 2)}
                for topic in glance.topics
            },
            self._readers(by_reader, now),
        )
        self._put(self.last)

    def _readers(
        self, found: Mapping[tuple[str, str], list[tuple[Lag, State, float | None]]], now: float
    ) -> dict[str, dict[str, dict[str, Any]]]:
        readers: dict[str, dict[str, dict[str, Any]]] = {}
        for (group, topic), seen in found.items():
            ages = [lag.lag_seconds for lag, _, _ in seen]
            waits = [wait for _, _, wait in seen]
            state = worst([state for _, state, _ in seen])
            if self._since.get((group, topic), (None, now))[0] != state:
                self._since[group, topic] = (state, now)
            readers.setdefault(self._logical(group).removeprefix("tradewind."), {})[self._logical(topic)] = {
                "lag": str(sum(lag.lag for lag, _, _ in seen)),
                "lag_s": None if None in ages else round(max(age or 0.0 for age in ages), 2),
                "state": state,
                "since": round(self._since[group, topic][1], 3),
                "catch_up_s": None if None in waits else round(max(wait or 0.0 for wait in waits), 1),
                "partitions": [
                    {"partition": lag.partition, "lag": str(lag.lag), "lag_s": lag.lag_seconds, "state": state}
                    for lag, state, _ in seen
                ],
            }
        return readers

    def _logical(self, name: str) -> str:
        return name.removeprefix(self._settings.namespace)
