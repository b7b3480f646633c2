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
    "Time from a fetch to the start of the batch that takes it, for the oldest fetch of each batch.",
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
    "Time from a record's timestamp (its `ts_ingest`) to the commit of its outputs, for the oldest record of "
    "each batch and topic.",
    (SYSTEM, GROUP, TOPIC),
    OF_LATENCY_S,
)
EVENT_LATENCY = Metric(
    "tradewind.latency.event_time",
    Instrument.HISTOGRAM,
    SECONDS,
    "Time from a live event's own time to the commit of its outputs, for the newest of each batch and task.",
    (SYSTEM, GROUP),
    OF_LATENCY_S,
)
RESTORE_DURATION = Metric(
    "tradewind.restore.duration",
    Instrument.HISTOGRAM,
    SECONDS,
    "Time from an assignment or a failure until the tasks have their committed state again.",
    (SYSTEM, GROUP),
    OF_LATENCY_S,
)
CONSUMED = Metric(
    "messaging.client.consumed.messages",
    Instrument.COUNTER,
    MESSAGES,
    "Records whose transaction has committed. For a sink: records that it has accepted.",
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
    "Records that became dead letters: UNDECODABLE or POISON.",
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
    "Changelog records that restores have read.",
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
    "1 while a partition is not fetched, because its inbox is full or, for a sink, because the store is slow.",
    (SYSTEM, GROUP, TOPIC, PARTITION),
)
LAG = Metric(
    "tradewind.consumer.lag",
    Instrument.GAUGE,
    RECORDS,
    "Last stable offset minus committed position. Transaction markers count until they are passed.",
    (SYSTEM, GROUP, TOPIC, PARTITION),
)
LAG_TIME = Metric(
    "tradewind.consumer.lag_time",
    Instrument.GAUGE,
    SECONDS,
    "Age of the first uncommitted record. Before that record is fetched: time since the lag was first seen. 0 without "
    "lag.",
    (SYSTEM, GROUP, TOPIC, PARTITION),
)
STUCK = Metric(
    "tradewind.watchdog.stuck",
    Instrument.GAUGE,
    "1",
    "1 while a watchdog complains about a position, assignment, transaction, restore or broker. A transaction and a "
    "restore also have one series for each of their partitions.",
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
    "Failed writes that were repeated, for example because the store was unavailable.",
    (SYSTEM, GROUP),
)
SINK_STALLS = Metric(
    "tradewind.sink.stalls",
    Instrument.COUNTER,
    "{stall}",
    "How often partitions were paused because the store was slow.",
    (SYSTEM, GROUP),
)
SINK_LOST = Metric(
    "tradewind.sink.lost",
    Instrument.COUNTER,
    RECORDS,
    "Offsets that retention removed before the sink read them.",
    (SYSTEM, GROUP),
)
SINK_OUTSIDE = Metric(
    "tradewind.sink.outside",
    Instrument.COUNTER,
    RECORDS,
    "Events that are older than what the store keeps, and that the sink left out.",
    (SYSTEM, GROUP),
)
SINK_REPEATED = Metric(
    "tradewind.sink.repeated",
    Instrument.COUNTER,
    RECORDS,
    "Records before the position that the client delivered again and the sink ignored.",
    (SYSTEM, GROUP),
)
CALLS_WAITING = Metric(
    "tradewind.calls.waiting",
    Instrument.GAUGE,
    "{call}",
    "Calls that were read and not claimed: they wait for their time or for a slot.",
    (SYSTEM, GROUP),
)
CALLS_IN_FLIGHT = Metric(
    "tradewind.calls.in_flight",
    Instrument.GAUGE,
    "{call}",
    "Calls that were sent and have no attempt yet.",
    (SYSTEM, GROUP),
)
CALLS_ATTEMPTS = Metric(
    "tradewind.calls.attempts",
    Instrument.COUNTER,
    "{call}",
    "Attempts published, by outcome.",
    (SYSTEM, GROUP, OUTCOME),
)
CALLS_REFUSED = Metric(
    "tradewind.calls.refused",
    Instrument.COUNTER,
    "{transaction}",
    "Claims that the broker refused because the lease of the caller had ended. Nothing of them was sent.",
    (SYSTEM, GROUP),
)
AI_CACHE_ANSWERS = Metric(
    "tradewind.ai.cache.answers",
    Instrument.COUNTER,
    "{call}",
    "Calls to AI providers that may have a kept answer, by where it was: memory, shared (Valkey), semantic (other "
    "words of the same meaning), coalesced (an equal call in flight), or missed.",
    (KIND,),
)
AI_CACHE_SIZE = Metric(
    "tradewind.ai.cache.size",
    Instrument.GAUGE,
    "By",
    "Bytes of the answers that the process keeps.",
    (),
)
AI_CACHE_ENTRIES = Metric(
    "tradewind.ai.cache.entries",
    Instrument.GAUGE,
    "{answer}",
    "Answers that the process keeps.",
    (),
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
    "Records of the source that the feed refused.",
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
