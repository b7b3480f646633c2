"""What a sink tells of itself: its counters, its lag, whether it is ready, and what its watchdogs say.

Nothing is added to the sink's own work: it is asked by other threads.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from tradewind.connectors.kafka.offsets import Place
from tradewind.connectors.sinks.loop.sink_loop import SinkLoop
from tradewind.connectors.telemetry import metrics
from tradewind.connectors.telemetry.metrics import GROUP, KIND, PARTITION, SYSTEM, TOPIC, Metric
from tradewind.connectors.telemetry.process import Telemetry
from tradewind.connectors.watchdogs.watchdog import Kind, Seen, Stuck
from tradewind.connectors.watchdogs.words import describe

KINDS: tuple[Kind, ...] = ("assignment", "broker")
"""Complaints that are of no partition, and that a sink can have."""
Points = list[tuple[float, dict[str, str]]]


class SinkTelemetry:
    """Tells of one sink, whenever somebody asks."""

    def __init__(self, loop: SinkLoop, telemetry: Telemetry) -> None:
        """Be asked from now on."""
        self.group = loop.group
        self.inputs = loop.sink.topics
        self._loop = loop
        self._labels = {SYSTEM: "kafka", GROUP: loop.group}
        self._ends: Mapping[Place, int] = {}
        self._stuck: tuple[Stuck, ...] = ()
        if telemetry.instruments is not None:
            telemetry.instruments.add_source(self.points)
        telemetry.health.must_be_ready(f"sink {loop.sink.name}", self.reasons)

    def seen(self, at_s: float, ends: Mapping[Place, int] | None) -> Seen:
        """Return what watchdogs judge by, `ends` being last stable offsets, and keep those for the lag."""
        if ends is not None:
            self._ends = {**self._ends, **ends}
        loop = self._loop
        return Seen(at_s, loop.positions(), ends, waits=loop.waits(), waiting="; ".join(loop.unread()))

    def complain(self, stuck: tuple[Stuck, ...]) -> None:
        """Take what the watchdogs say."""
        self._stuck = stuck

    def reasons(self) -> list[str]:
        """Return why the sink is not ready; nothing where it is. For any thread."""
        now_s = time.monotonic()
        return [*(describe(of, self.group, now_s) for of in self._stuck), *self._loop.not_ready()]

    def points(self, metric: Metric) -> Iterable[tuple[float, dict[str, str]]]:
        """Return what a counter or gauge is now. For any thread."""
        count = self._loop.counters
        if metric is metrics.DEAD_LETTERS:
            kinds = {"UNDECODABLE": count.undecodable, "POISON": count.poison}
            return [(value, {**self._labels, KIND: kind}) for kind, value in kinds.items() if value]
        if metric is metrics.PAUSED:
            return [(float(self._loop.paused), self._of(at)) for at in self._loop.positions()]
        if metric is metrics.LAG:
            return self._lags()
        if metric is metrics.STUCK:
            return self._complaints()
        totals = {
            metrics.CONSUMED: count.taken,
            metrics.SINK_WRITTEN: count.written - self._loop.sink.outside,
            metrics.SINK_OUTSIDE: self._loop.sink.outside,
            metrics.SINK_BATCHES: count.batches,
            metrics.SINK_RETRIES: count.retries,
            metrics.SINK_STALLS: count.stalls,
            metrics.SINK_LOST: count.lost,
            metrics.SINK_REPEATED: count.repeated,
        }
        return [(totals[metric], self._labels)] if metric in totals else []

    def _of(self, at: Place) -> dict[str, str]:
        return {**self._labels, TOPIC: at[0], PARTITION: str(at[1])}

    def _complaints(self) -> Points:
        """Return 1 for each complaint, 0 for what could be one."""
        complaints = {of.what for of in self._stuck}
        found = [
            (float(("position", at) in complaints), {**self._of(at), KIND: "position"}) for at in self._loop.positions()
        ]
        return found + [(float((kind, None) in complaints), {**self._labels, KIND: kind}) for kind in KINDS]

    def _lags(self) -> Points:
        ends = self._ends
        return [
            (max(0, ends[at] - position), self._of(at)) for at, position in self._loop.positions().items() if at in ends
        ]
