"""What a worker tells of itself: plain calls once per batch, assignment and restore, for metrics and watchdogs.

The worker's event loop writes. Scrapes and the watch read from other threads: what they read is replaced whole, or is
copied in one step.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from tradewind.connectors.settings import Settings
from tradewind.connectors.telemetry import metrics
from tradewind.connectors.telemetry.metrics import GROUP, KIND, OPERATION, OUTCOME, PARTITION, SYSTEM, TOPIC, Metric
from tradewind.connectors.telemetry.process import Telemetry
from tradewind.streams.runtime.account import Account, TaskSize
from tradewind.streams.runtime.agent import Agent, group_of
from tradewind.streams.runtime.chunk import Chunk
from tradewind.streams.runtime.inbox import Inbox
from tradewind.streams.runtime.lease import TopicPartition
from tradewind.streams.runtime.outbox import Outcome
from tradewind.streams.runtime.tasks import Batch
from tradewind.streams.runtime.watchdog import KINDS, Kind, Seen, Stuck

LIVE_US = 60_000_000  # an event that came in within this time of happening is live; a replay's is years old
US_PER_S, MS_PER_S = 1_000_000, 1_000
Labels = dict[str, str]


@dataclass(frozen=True, slots=True)
class _Waiting:
    records: int
    first_ms: int | None
    paused: bool


class Observer:
    """Watches one worker."""

    def __init__(self, agent: Agent, settings: Settings, telemetry: Telemetry) -> None:
        self.agent = agent
        self.group = group_of(agent, settings)
        self._instruments, self._spans = telemetry.instruments, telemetry.spans
        self._held = None if agent.hold is None else settings.physical(agent.hold.topic)
        self._labels: Labels = {SYSTEM: "kafka", GROUP: self.group}
        self._work = {**self._labels, OPERATION: "process"}
        self._commit = {**self._labels, OPERATION: "commit"}
        self._begun_us = 0
        self._consumed: Counter[TopicPartition] = Counter()
        self._letters: Counter[str] = Counter()
        self._outcomes: Counter[str] = Counter()
        self._sent = self._rebalances = 0
        self._restored_before: int | None = None
        self._restored: Callable[[], int] = lambda: 0
        self._restoring_since_s: float | None = None
        self._established = False
        self._waiting: dict[TopicPartition, _Waiting] = {}
        self._in_hand_ms: dict[TopicPartition, int] = {}
        self._sizes: dict[int, TaskSize] = {}
        self._positions: dict[TopicPartition, int] = {}
        self._uncommitted_since_s: float | None = None
        self._ends: Mapping[TopicPartition, int] = {}
        self._behind_since_s: dict[TopicPartition, float] = {}
        self._stuck: tuple[Stuck, ...] = ()
        if self._instruments is not None:
            self._instruments.add_source(self.points)
        telemetry.health.must_be_ready(f"agent {agent.name}", self.reasons)

    @property
    def traces(self) -> bool:
        """Whether spans are wanted."""
        return self._spans is not None

    # What the worker tells

    def assigned(self) -> None:
        """Note an assignment."""
        self._rebalances += 1

    def restoring(self, read_records: Callable[[], int]) -> None:
        """Note that tasks are brought to what is committed; `read_records` counts what restores read, ever more."""
        self._restored, self._restored_before = read_records, read_records()
        self._restoring_since_s = time.monotonic()
        self._established = False

    def restored(self, positions: Mapping[TopicPartition, int], sizes: Mapping[int, TaskSize]) -> None:
        """Note that the tasks are restored, where each input goes on, and what each task holds."""
        if self._restoring_since_s is not None:
            self._record(metrics.RESTORE_DURATION, time.monotonic() - self._restoring_since_s, self._labels)
        self._restoring_since_s = None
        self._positions = dict(positions)
        self._waiting, self._in_hand_ms, self._sizes = {}, {}, dict(sizes)
        self._established = True

    def let_go(self) -> None:
        """Note that the lease has ended: the next assignment says what this worker has."""
        self._established = False
        self._restoring_since_s = self._uncommitted_since_s = None
        self._positions = {}
        self._waiting, self._in_hand_ms, self._sizes = {}, {}, {}

    def began(self, batch: Batch, inboxes: Mapping[TopicPartition, Inbox]) -> None:
        """Note that a batch is run, and what it left waiting."""
        if self._uncommitted_since_s is None:
            self._uncommitted_since_s = time.monotonic()
        self._begun_us = time.time_ns() // 1000
        self._look_at(inboxes)
        self._in_hand_ms = {
            source: chunks[0].records[0].timestamp for source, chunks in _by_source(batch) if chunks[0].records
        }

    def ended(self, batch: Batch, outcome: Outcome, inboxes: Mapping[TopicPartition, Inbox]) -> None:
        """Note how the batch ended: metrics and spans of what has committed."""
        self._outcomes[outcome.kind] += 1
        if outcome.kind != "committed":
            return
        account = batch.account
        self._uncommitted_since_s = None
        self._positions.update(account.offsets)
        self._sizes.update(account.sizes)
        self._in_hand_ms = {}
        self._look_at(inboxes)
        now_us = time.time_ns() // 1000
        records = self._count(batch)
        if self._instruments is not None:
            self._measure(batch, records, now_us)
        if self._spans is not None and account.traced:
            self._spans.emit(account.traced, self._begun_us, now_us, self._commit)

    def _count(self, batch: Batch) -> int:
        """Add up what was consumed and sent; returns the records of the batch."""
        consumed = {
            source: sum(len(chunk.records) for chunk in chunks)
            for source, chunks in _by_source(batch)
            if source[0] != self._held
        }
        if self._held is not None:
            consumed.update({(self._held, partition): count for partition, count in batch.released.items()})
        self._consumed.update(consumed)
        self._letters.update(batch.account.letters)
        self._sent += batch.account.sent
        return sum(consumed.values())

    def _look_at(self, inboxes: Mapping[TopicPartition, Inbox]) -> None:
        self._waiting = {
            source: _Waiting(inbox.records, inbox.first_ms, not inbox.has_room) for source, inbox in inboxes.items()
        }

    # Metrics

    def _measure(self, batch: Batch, records: int, now_us: int) -> None:
        account = batch.account
        assert account.processed_s is not None  # it has committed
        self._record(metrics.BATCH_RECORDS, records, self._labels)
        fetched_s = min((chunk.fetched_s for _, chunks in _by_source(batch) for chunk in chunks), default=None)
        if fetched_s is not None:
            self._record(metrics.QUEUE_TIME, account.begun_s - fetched_s, self._labels)
        self._record(metrics.PROCESS_DURATION, account.processed_s - account.begun_s, self._work)
        self._record(metrics.OPERATION_DURATION, account.ended_s - account.processed_s, self._commit)
        for topic, first_ms in self._first_ms(batch, account).items():
            seconds = max(0.0, now_us / US_PER_S - first_ms / MS_PER_S)
            self._record(metrics.LATENCY, seconds, {**self._labels, TOPIC: topic})
        newest_us = account.newest_us()
        if newest_us is not None:
            ts_event, ts_ingest = newest_us
            if abs(ts_ingest - ts_event) < LIVE_US:
                self._record(metrics.EVENT_LATENCY, max(0.0, (now_us - ts_event) / US_PER_S), self._labels)

    def _first_ms(self, batch: Batch, account: Account) -> dict[str, int]:
        """Return the timestamp of the oldest record that each topic's part of the batch begins with, ms."""
        found: dict[str, int] = {}
        for source, chunks in _by_source(batch):
            if source[0] != self._held and chunks[0].records:
                found[source[0]] = min(found.get(source[0], 1 << 62), chunks[0].records[0].timestamp)
        released = [size.released_ms for size in account.sizes.values() if size.released_ms is not None]
        if self._held is not None and released:
            found[self._held] = min(released)
        return found

    def _record(self, metric: Metric, value: float, labels: Labels) -> None:
        if self._instruments is not None:
            self._instruments.record(metric, value, labels)

    def points(self, metric: Metric) -> Iterable[tuple[float, Labels]]:
        """Return what a counter or gauge is now. For any thread."""
        source = _POINTS.get(metric)
        return () if source is None else source(self)

    def _of(self, source: TopicPartition) -> Labels:
        return {**self._labels, TOPIC: source[0], PARTITION: str(source[1])}

    def _by_partition(self, values: Iterable[tuple[TopicPartition, float]]) -> list[tuple[float, Labels]]:
        return [(value, self._of(source)) for source, value in values]

    def _stuck_points(self) -> list[tuple[float, Labels]]:
        stuck = {of.what for of in self._stuck}
        places: list[tuple[Kind, TopicPartition | None]] = [("position", source) for source in list(self._positions)]
        places += [(kind, None) for kind in KINDS if kind != "position"]
        return [
            (float((kind, source) in stuck), {**(self._labels if source is None else self._of(source)), KIND: kind})
            for kind, source in places
        ]

    # The watch

    def seen(self, at_s: float, ends: Mapping[TopicPartition, int] | None) -> Seen:
        """Return what watchdogs judge by, `ends` being last stable offsets, and keep those for the lag. One thread."""
        positions = dict(self._positions)
        if ends is not None:
            self._ends = {source: ends[source] for source in positions if source in ends}
            behind = {source: self._behind_since_s.get(source, at_s) for source, lag in self.lags().items() if lag}
            self._behind_since_s = behind
        restored = None if self._restoring_since_s is None else self._restored()
        return Seen(at_s, positions, ends, self._uncommitted_since_s, restored)

    def complain(self, stuck: tuple[Stuck, ...]) -> None:
        """Take what the watchdogs say."""
        self._stuck = stuck

    def reasons(self) -> list[str]:
        """Return why the worker is not ready; nothing where it is. For any thread."""
        found = [describe(of, self.group, time.monotonic()) for of in self._stuck]
        if self._restoring_since_s is not None:
            seconds = time.monotonic() - self._restoring_since_s
            found.append(f"{self.group}: its tasks are being restored, for {seconds:.0f} s by now")
        elif not self._established:
            found.append(f"{self.group}: it waits for an assignment of partitions")
        return found

    def lags(self) -> dict[TopicPartition, int]:
        """Return last stable offset - committed position, as of the watch's last look."""
        positions = dict(self._positions)
        return {source: max(0, end - positions[source]) for source, end in self._ends.items() if source in positions}

    def lag_times(self) -> dict[TopicPartition, float]:
        """Return how long ago the first record came in that is not committed, seconds; 0 without lag."""
        now_s, now_ms = time.monotonic(), time.time() * MS_PER_S
        return {
            source: 0.0 if not lag else self._lag_time(source, now_s, now_ms) for source, lag in self.lags().items()
        }

    def _lag_time(self, source: TopicPartition, now_s: float, now_ms: float) -> float:
        waiting, size = self._waiting.get(source), self._sizes.get(source[1])
        held_ms = size.held_ms if size is not None and source[0] == self._held else None
        known = (held_ms, self._in_hand_ms.get(source), None if waiting is None else waiting.first_ms)
        first_ms = min((at for at in known if at is not None), default=None)
        if first_ms is not None:
            return max(0.0, (now_ms - first_ms) / MS_PER_S)
        return now_s - self._behind_since_s.get(source, now_s)


def describe(stuck: Stuck, group: str, now_s: float) -> str:
    """Return a complaint in words."""
    for_s = f"for {now_s - stuck.since_s:.0f} s"
    if stuck.kind == "position":
        assert stuck.source is not None
        topic, partition = stuck.source
        return f"{group}: {topic}, partition {partition}, stands at {stuck.at} {for_s} with {stuck.behind} to read"
    if stuck.kind == "transaction":
        return f"{group}: no transaction has committed {for_s}"
    if stuck.kind == "restore":
        return f"{group}: a restore has read nothing more {for_s}, after {stuck.at} records"
    return f"{group}: the broker has not answered {for_s}"


def _by_source(batch: Batch) -> Iterable[tuple[TopicPartition, list[Chunk]]]:
    """Yield the chunks of each partition, by its name on the cluster."""
    for topics in batch.chunks.values():
        for chunks in topics.values():
            yield chunks[0].source, chunks


_POINTS: dict[Metric, Callable[[Observer], Iterable[tuple[float, Labels]]]] = {
    metrics.CONSUMED: lambda of: of._by_partition(list(of._consumed.items())),
    metrics.SENT: lambda of: [(of._sent, of._labels)],
    metrics.DEAD_LETTERS: lambda of: [(n, {**of._labels, KIND: kind}) for kind, n in list(of._letters.items())],
    metrics.TRANSACTIONS: lambda of: [(n, {**of._labels, OUTCOME: kind}) for kind, n in list(of._outcomes.items())],
    metrics.RESTORED: lambda of: [(of._restored(), of._labels)],
    metrics.REBALANCES: lambda of: [(of._rebalances, of._labels)],
    metrics.STATE_KEYS: lambda of: [
        (size.keys, {**of._labels, PARTITION: str(partition)}) for partition, size in list(of._sizes.items())
    ],
    metrics.WAITING: lambda of: of._by_partition([(at, waiting.records) for at, waiting in list(of._waiting.items())]),
    metrics.HELD: lambda of: (
        []
        if of._held is None
        else of._by_partition([((of._held, at), size.held) for at, size in list(of._sizes.items())])
    ),
    metrics.PAUSED: lambda of: of._by_partition([(at, float(found.paused)) for at, found in list(of._waiting.items())]),
    metrics.LAG: lambda of: of._by_partition(of.lags().items()),
    metrics.LAG_TIME: lambda of: of._by_partition(of.lag_times().items()),
    metrics.STUCK: Observer._stuck_points,
}
"""What each counter and gauge of a worker is read from."""
