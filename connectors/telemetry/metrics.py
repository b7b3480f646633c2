"""Every metric that there is: name, kind, unit, what it says, and by which attributes.

Names and attributes are OpenTelemetry's for messaging where it has them, and begin with `tradewind.` elsewhere. Values
of attributes are names that are declared (groups, topics, partitions, kinds), never ids, symbols or tenants: so the
number of series is bounded by what is declared. In Prometheus dots become `_`, seconds end in `_seconds`, and counters
in `_total`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

SYSTEM = "messaging.system"
GROUP = "messaging.consumer.group.name"
TOPIC = "messaging.destination.name"
PARTITION = "messaging.destination.partition.id"
OPERATION = "messaging.operation.name"
KIND = "tradewind.kind"
OUTCOME = "tradewind.outcome"
FEED = "tradewind.feed"

SECONDS, RECORDS, MESSAGES, KEYS = "s", "{record}", "{message}", "{key}"
OF_WORK_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Seconds. A transaction takes 5-20 ms, and one that takes 30 s is about to fail."""
OF_LATENCY_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 3600.0)
"""Seconds. An event takes 30-300 ms from end to end; a backlog may wait for hours."""
OF_RECORDS = (1.0, 10.0, 100.0, 500.0, 1_000.0, 2_500.0, 5_000.0, 10_000.0, 20_000.0)
"""Records. A batch takes no more than 20,000 or some more."""


class Instrument(Enum):
    """How a metric is recorded."""

    HISTOGRAM = "histogram"
    """A distribution; a value is recorded once per batch."""
    COUNTER = "counter"
    """A sum that only grows; read from a plain number when somebody looks."""
    GAUGE = "gauge"
    """A value as it is now; read when somebody looks."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric."""

    name: str
    kind: Instrument
    unit: str
    description: str
    attributes: tuple[str, ...]
    bounds: tuple[float, ...] = ()
    """Upper bounds of a histogram's buckets."""


BATCH_RECORDS = Metric(
    "tradewind.batch.records",
    Instrument.HISTOGRAM,
    RECORDS,
    "Records of one transaction.",
    (SYSTEM, GROUP),
    OF_RECORDS,
)
QUEUE_TIME = Metric(
    "tradewind.batch.queue_time",
    Instrument.HISTOGRAM,
    SECONDS,
    "From a fetch to the begin of the batch that takes it; the oldest fetch of each batch.",
    (SYSTEM, GROUP),
    OF_WORK_S,
)
PROCESS_DURATION = Metric(
    "messaging.process.duration",
    Instrument.HISTOGRAM,
    SECONDS,
    "Decoding and processing one batch.",
    (SYSTEM, GROUP, OPERATION),
    OF_WORK_S,
)
OPERATION_DURATION = Metric(
    "messaging.client.operation.duration",
    Instrument.HISTOGRAM,
    SECONDS,
    "Sending one batch's records and offsets, and committing its transaction.",
    (SYSTEM, GROUP, OPERATION),
    OF_WORK_S,
)
LATENCY = Metric(
    "tradewind.latency",
    Instrument.HISTOGRAM,
    SECONDS,
    "From the origin of a record's chain (its timestamp) to the commit of what came of it; the oldest record of each "
    "batch and topic.",
    (SYSTEM, GROUP, TOPIC),
    OF_LATENCY_S,
)
EVENT_LATENCY = Metric(
    "tradewind.latency.event_time",
    Instrument.HISTOGRAM,
    SECONDS,
    "From an event's own time to the commit of what came of it, for live events; the newest of each batch and task.",
    (SYSTEM, GROUP),
    OF_LATENCY_S,
)
RESTORE_DURATION = Metric(
    "tradewind.restore.duration",
    Instrument.HISTOGRAM,
    SECONDS,
    "From an assignment, or a failure, until the tasks are as they were committed.",
    (SYSTEM, GROUP),
    OF_LATENCY_S,
)
CONSUMED = Metric(
    "messaging.client.consumed.messages",
    Instrument.COUNTER,
    MESSAGES,
    "Records whose transaction committed; a sink's records that were taken.",
    (SYSTEM, GROUP, TOPIC, PARTITION),
)
SENT = Metric(
    "messaging.client.sent.messages",
    Instrument.COUNTER,
    MESSAGES,
    "Records sent in transactions that committed: outputs, changelog, dead letters.",
    (SYSTEM, GROUP),
)
DEAD_LETTERS = Metric(
    "tradewind.dead_letters",
    Instrument.COUNTER,
    RECORDS,
    "Records that were set aside: UNDECODABLE or POISON.",
    (SYSTEM, GROUP, KIND),
)
TRANSACTIONS = Metric(
    "tradewind.transactions",
    Instrument.COUNTER,
    "{transaction}",
    "Transactions by outcome: committed, aborted, lease ended, in doubt.",
    (SYSTEM, GROUP, OUTCOME),
)
RESTORED = Metric(
    "tradewind.restore.records",
    Instrument.COUNTER,
    RECORDS,
    "Records of the changelog read by restores.",
    (SYSTEM, GROUP),
)
REBALANCES = Metric(
    "tradewind.rebalances",
    Instrument.COUNTER,
    "{rebalance}",
    "Assignments of partitions to this process.",
    (SYSTEM, GROUP),
)
STATE_KEYS = Metric(
    "tradewind.state.keys",
    Instrument.GAUGE,
    KEYS,
    "Values in the committed state of a task.",
    (SYSTEM, GROUP, PARTITION),
)
WAITING = Metric(
    "tradewind.waiting.records",
    Instrument.GAUGE,
    RECORDS,
    "Records that were fetched and wait for a transaction.",
    (SYSTEM, GROUP, TOPIC, PARTITION),
)
HELD = Metric(
    "tradewind.held.records",
    Instrument.GAUGE,
    RECORDS,
    "Records that are held until another input has caught up.",
    (SYSTEM, GROUP, TOPIC, PARTITION),
)
PAUSED = Metric(
    "tradewind.paused",
    Instrument.GAUGE,
    "1",
    "1 where a partition is not fetched, since there is no room for more of it; a sink's that its store holds up.",
    (SYSTEM, GROUP, TOPIC, PARTITION),
)
LAG = Metric(
    "tradewind.consumer.lag",
    Instrument.GAUGE,
    RECORDS,
    "Last stable offset less committed position. Markers of transactions count until they are passed.",
    (SYSTEM, GROUP, TOPIC, PARTITION),
)
LAG_TIME = Metric(
    "tradewind.consumer.lag_time",
    Instrument.GAUGE,
    SECONDS,
    "How long ago the first record that is not committed came in; where it has not been fetched, since when lag is "
    "known. 0 without lag.",
    (SYSTEM, GROUP, TOPIC, PARTITION),
)
STUCK = Metric(
    "tradewind.watchdog.stuck",
    Instrument.GAUGE,
    "1",
    "1 where a watchdog complains: position (with topic and partition), transaction, restore, broker; of a transaction "
    "and a restore also for each partition in hand.",
    (SYSTEM, GROUP, KIND, TOPIC, PARTITION),
)
READY = Metric(
    "tradewind.ready",
    Instrument.GAUGE,
    "1",
    "1 while `/ready` answers 200.",
    (),
)
SINK_WRITTEN = Metric(
    "tradewind.sink.written",
    Instrument.COUNTER,
    RECORDS,
    "Events that the store has confirmed.",
    (SYSTEM, GROUP),
)
SINK_BATCHES = Metric(
    "tradewind.sink.batches",
    Instrument.COUNTER,
    "{batch}",
    "Writes that the store has confirmed.",
    (SYSTEM, GROUP),
)
SINK_RETRIES = Metric(
    "tradewind.sink.retries",
    Instrument.COUNTER,
    "{attempt}",
    "Attempts that failed and were repeated, as where the store is away.",
    (SYSTEM, GROUP),
)
SINK_STALLS = Metric(
    "tradewind.sink.stalls",
    Instrument.COUNTER,
    "{stall}",
    "Times that partitions were paused because the store was slow.",
    (SYSTEM, GROUP),
)
SINK_LOST = Metric(
    "tradewind.sink.lost",
    Instrument.COUNTER,
    RECORDS,
    "Offsets that retention removed before they were taken.",
    (SYSTEM, GROUP),
)
FEED_PUBLISHED = Metric(
    "tradewind.feed.published",
    Instrument.COUNTER,
    RECORDS,
    "Ticks and trades published.",
    (FEED,),
)
FEED_REJECTED = Metric(
    "tradewind.feed.rejected",
    Instrument.COUNTER,
    RECORDS,
    "Records of the source that are not sound.",
    (FEED,),
)
FEED_EVENT_TIME = Metric(
    "tradewind.feed.event_time",
    Instrument.GAUGE,
    SECONDS,
    "Event time reached, seconds since 1970.",
    (FEED,),
)

METRICS: tuple[Metric, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Metric))
"""All of them, in the order of this module."""
