"""What a sink tells of itself: its counters, its lag, and whether it is ready. Nothing is added to its own work."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable

from tradewind.connectors.kafka.offsets import Offsets
from tradewind.connectors.settings import Settings
from tradewind.connectors.sinks.loop import SinkLoop
from tradewind.connectors.telemetry import metrics
from tradewind.connectors.telemetry.metrics import GROUP, KIND, PARTITION, SYSTEM, TOPIC, Metric
from tradewind.connectors.telemetry.process import Telemetry

ENDS_S = 2.0  # how long the ends of partitions are taken for known: one scrape asks for several metrics
Points = list[tuple[float, dict[str, str]]]


class SinkTelemetry:
    """Tells of one sink, whenever somebody asks."""

    def __init__(self, loop: SinkLoop, settings: Settings, telemetry: Telemetry) -> None:
        """Be asked from now on."""
        self._loop = loop
        self._settings = settings
        self._labels = {SYSTEM: "kafka", GROUP: loop.group}
        self._asking = threading.Lock()
        self._offsets: Offsets | None = None
        self._known: dict[tuple[str, int], int] = {}
        self._known_s = -ENDS_S
        if telemetry.instruments is not None:
            telemetry.instruments.add_source(self.points)
        telemetry.health.must_be_ready(f"sink {loop.sink.name}", loop.not_ready)

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
        totals = {
            metrics.CONSUMED: count.taken,
            metrics.SINK_WRITTEN: count.written,
            metrics.SINK_BATCHES: count.batches,
            metrics.SINK_RETRIES: count.retries,
            metrics.SINK_STALLS: count.stalls,
            metrics.SINK_LOST: count.lost,
        }
        return [(totals[metric], self._labels)] if metric in totals else []

    def _of(self, at: tuple[str, int]) -> dict[str, str]:
        return {**self._labels, TOPIC: at[0], PARTITION: str(at[1])}

    def _lags(self) -> Points:
        with self._asking:
            positions = self._loop.positions()
            if time.monotonic() - self._known_s >= ENDS_S and positions:
                self._offsets = self._offsets or Offsets(self._settings)
                self._known = self._offsets.known(positions, "latest") or self._known
                self._known_s = time.monotonic()
            return [
                (max(0, self._known[at] - position), self._of(at))
                for at, position in positions.items()
                if at in self._known
            ]
