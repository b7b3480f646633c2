"""The metrics of one worker: histograms once per committed batch, counters and gauges from its facts when asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tradewind.connectors.telemetry import metrics
from tradewind.connectors.telemetry.instruments import Instruments
from tradewind.connectors.telemetry.metrics import GROUP, KIND, OPERATION, OUTCOME, PARTITION, SYSTEM, TOPIC, Metric
from tradewind.connectors.watchdogs.watchdog import KINDS, Kind
from tradewind.streams.runtime.lease import TopicPartition
from tradewind.streams.runtime.watch.facts import MS_PER_S, Facts
from tradewind.streams.runtime.watch.statistics import BatchStatistics
from tradewind.streams.runtime.work.assigned_tasks import Batch

LIVE_US = 60_000_000  # an event that came in within this time of happening is live; a replay's is years old
US_PER_S = 1_000_000
Labels = dict[str, str]
Points = list[tuple[float, Labels]]


class Measures:
    """Metrics of one consumer group in this process."""

    def __init__(self, group: str, facts: Facts, instruments: Instruments) -> None:
        """Be asked from now on."""
        self.facts = facts
        self.labels: Labels = {SYSTEM: "kafka", GROUP: group}
        self._record = instruments.record
        instruments.add_source(self.points)

    def record_restore(self, seconds: float) -> None:
        """Record how long a restore took."""
        self._record(metrics.RESTORE_DURATION, seconds, self.labels)

    def record_commit(self, batch: Batch, records: int, now_us: int) -> None:
        """Record a batch of some records that has committed just now, µs since 1970."""
        statistics, labels = batch.statistics, self.labels
        assert statistics.processed_s is not None  # it has committed
        self._record(metrics.BATCH_RECORDS, records, labels)
        fetched_s = min((chunk.fetched_s for _, chunks in batch.by_source() for chunk in chunks), default=None)
        if fetched_s is not None:
            self._record(metrics.QUEUE_TIME, statistics.begun_s - fetched_s, labels)
        processing_s, sending_s = (
            statistics.processed_s - statistics.begun_s,
            statistics.ended_s - statistics.processed_s,
        )
        self._record(metrics.PROCESS_DURATION, processing_s, {**labels, OPERATION: "process"})
        self._record(metrics.OPERATION_DURATION, sending_s, {**labels, OPERATION: "commit"})
        for topic, first_ms in self._first_ms(batch, statistics).items():
            seconds = max(0.0, now_us / US_PER_S - first_ms / MS_PER_S)
            self._record(metrics.LATENCY, seconds, {**labels, TOPIC: topic})
        newest_us = statistics.newest_us()
        if newest_us is not None:
            ts_event, ts_ingest = newest_us
            if abs(ts_ingest - ts_event) < LIVE_US:
                self._record(metrics.EVENT_LATENCY, max(0.0, (now_us - ts_event) / US_PER_S), labels)

    def _first_ms(self, batch: Batch, statistics: BatchStatistics) -> dict[str, int]:
        """Return the timestamp of the oldest record that each topic's part of the batch begins with, ms."""
        found: dict[str, int] = {}
        held = self.facts.held_topic
        for (topic, _), chunks in batch.by_source():
            if topic != held and chunks[0].records:
                first_ms = int(chunks[0].records.timestamps[0])
                found[topic] = min(found.get(topic, first_ms), first_ms)
        released = [size.released_ms for size in statistics.sizes.values() if size.released_ms is not None]
        if held is not None and released:
            found[held] = min(released)
        return found

    def points(self, metric: Metric) -> Points:
        """Return what a counter or gauge is now. For any thread."""
        source = _SOURCES.get(metric)
        return [] if source is None else source(self)

    def total(self, value: float, **more: str) -> Points:
        """Return a value of the whole group."""
        return [(value, {**self.labels, **more})]

    def by(self, attribute: str, values: Iterable[tuple[object, float]]) -> Points:
        """Return values that one attribute tells apart."""
        return [(value, {**self.labels, attribute: str(key)}) for key, value in values]

    def by_partition(self, values: Iterable[tuple[TopicPartition, float]]) -> Points:
        """Return values of partitions."""
        return [(value, self.of(source)) for source, value in values]

    def of(self, source: TopicPartition) -> Labels:
        """Return the attributes of a partition."""
        return {**self.labels, TOPIC: source[0], PARTITION: str(source[1])}

    def stuck(self) -> Points:
        """Return 1 for each complaint, and for each partition that it names; 0 for what could be one."""
        complaints = {of.what for of in self.facts.stuck}
        places: list[tuple[Kind, TopicPartition | None]] = [("position", at) for at in list(self.facts.positions)]
        places += [(kind, None) for kind in KINDS if kind != "position"]
        points = [
            (float((kind, at) in complaints), {**(self.labels if at is None else self.of(at)), KIND: kind})
            for kind, at in places
        ]
        return points + [(1.0, {**self.of(at), KIND: of.kind}) for of in self.facts.stuck for at in of.among]

    def held_points(self) -> Points:
        """Return how many records each task holds."""
        topic, sizes = self.facts.held_topic, list(self.facts.sizes.items())
        return [] if topic is None else self.by_partition([((topic, at), size.held) for at, size in sizes])


_SOURCES: dict[Metric, Callable[[Measures], Points]] = {
    metrics.CONSUMED: lambda to: to.by_partition(list(to.facts.consumed.items())),
    metrics.SENT: lambda to: to.total(to.facts.sent),
    metrics.DEAD_LETTERS: lambda to: to.by(KIND, list(to.facts.letters.items())),
    metrics.TRANSACTIONS: lambda to: to.by(OUTCOME, list(to.facts.outcomes.items())),
    metrics.RESTORED: lambda to: to.total(to.facts.progress().records),
    metrics.REBALANCES: lambda to: to.total(to.facts.rebalances),
    metrics.STATE_KEYS: lambda to: to.by(PARTITION, [(at, size.keys) for at, size in list(to.facts.sizes.items())]),
    metrics.WAITING: lambda to: to.by_partition([(at, found.records) for at, found in to.facts.waiting.items()]),
    metrics.PAUSED: lambda to: to.by_partition([(at, float(found.paused)) for at, found in to.facts.waiting.items()]),
    metrics.HELD: Measures.held_points,
    metrics.LAG: lambda to: to.by_partition(to.facts.lags().items()),
    metrics.LAG_TIME: lambda to: to.by_partition(to.facts.lag_times().items()),
    metrics.STUCK: Measures.stuck,
}
"""What each counter and gauge of a worker is read from."""
