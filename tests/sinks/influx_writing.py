"""What tests of the InfluxDB sink share: batches of events, and a writer that hands them to the sink without Kafka."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from confluent_kafka import Message
from influx_double import Double

from tradewind.connectors.settings import InfluxSettings, Settings
from tradewind.connectors.sinks.influxdb import InfluxDbSink
from tradewind.connectors.sinks.loop.counters import Counters
from tradewind.connectors.sinks.loop.dead_letters import Rejected
from tradewind.connectors.sinks.loop.lease import Lease, Run
from tradewind.connectors.sinks.loop.limits import Limits
from tradewind.connectors.sinks.loop.money_columns import frame_of_rows
from tradewind.connectors.sinks.loop.writer import Writer
from tradewind.connectors.sinks.sink import Batch
from tradewind.processors.batch import Columns
from tradewind.schemas.codec import MODELS, Codec
from tradewind.schemas.event import Event
from tradewind.topics import TICKS, Topic

FAST = Limits(retry_first_s=0.001, retry_most_s=0.002, stop_s=2.0)
WRITTEN_S = 20.0
INGESTED_US = 1_398_902_400_000_000


def _unknown(schema_id: int) -> str:
    raise LookupError(schema_id)


CODEC = Codec({name: number for number, name in enumerate(MODELS, 1)}, _unknown)


def settings_for(double: Double, **changes: object) -> Settings:
    """Return settings that write to a double."""
    influx = {"url": double.url, "token": double.token, "org": double.org} | changes
    return Settings(_env_file=None, influx=InfluxSettings(**influx))


def batch_of(events: Sequence[Event], topic: Topic = TICKS, first: int = 0) -> Batch:
    """Return events as a batch of partition 0, from an offset on."""
    count = len(events)
    offsets = np.arange(first, first + count)
    frame = frame_of_rows(topic.model, events)
    columns = Columns(topic.name, 0, topic.model, frame, offsets, np.full(count, INGESTED_US))
    return Batch(topic, 0, columns, first + count)


@dataclass
class Letters:
    """Dead letters, in memory."""

    got: list[Rejected] = field(default_factory=list)

    def send(self, _topic: Topic, rejected: Sequence[Rejected]) -> None:
        """Keep what was rejected."""
        self.got += rejected

    @property
    def offsets(self) -> list[int]:
        """Of the records that were rejected, in order."""
        return [one.message.offset() for one in self.got]


@dataclass
class Written:
    """A sink that writes, and what came of it."""

    sink: InfluxDbSink
    writer: Writer
    letters: Letters
    counters: Counters
    leases: dict[str, Lease] = field(default_factory=dict)

    def write(self, events: Sequence[Event], topic: Topic = TICKS) -> Lease:
        """Write events at the next offsets, and return when that is done or has failed."""
        lease = self.leases.setdefault(topic.name, Lease(topic, 0))
        begin = lease.handed
        messages = [
            Message(
                topic=topic.name,
                partition=0,
                offset=begin + at,
                key=b"k",
                value=CODEC.encode(event),
                timestamp=(1, 0),
                headers=None,
            )
            for at, event in enumerate(events)
        ]
        lease.handed = begin + len(messages)
        self.writer.submit(Run(lease, messages, 1, lease.handed))
        deadline = time.monotonic() + WRITTEN_S
        while self.writer.load and time.monotonic() < deadline:
            self.writer.wait(0.02)
            self.writer.check()
        assert not self.writer.load, self.writer.trouble
        return lease


@contextmanager
def writing(settings: Settings, limits: Limits = FAST) -> Iterator[Written]:
    """Run the writer of an InfluxDB sink while the block runs."""
    sink, letters, counters = InfluxDbSink(settings), Letters(), Counters()
    writer = Writer(sink, CODEC, letters, limits, counters)
    writer.start()
    try:
        yield Written(sink, writer, letters, counters)
    finally:
        writer.stop(2)
