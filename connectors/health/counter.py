"""Counts distinct events by reading every topic once, committed records only, from where the ledger stands."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Protocol, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from tradewind.connectors.health.ledger import NOWHERE, Counted, Ledger, Partition, Pass
from tradewind.connectors.health.names import DENIED, WITHOUT_IDS, Known
from tradewind.connectors.kafka.client import PASSING, reading, taken, until_settled
from tradewind.connectors.kafka.offsets import Bounds, Offsets
from tradewind.connectors.settings import Settings
from tradewind.schemas.codec import Codec, UndecodableRecord
from tradewind.schemas.event import Event
from tradewind.schemas.risk import Decision

BATCH = 5_000
"""Records taken from the client at once."""
PASS_RECORDS = 100_000
"""Records in one transaction of the ledger: some 0.2 s of reading, and the most that a killed process reads again."""
POLL_S = 0.05
ANSWER_S = 5.0
"""How long Kafka may take to tell where partitions begin and end; usual are milliseconds."""
FRAME = 5
"""Bytes of Confluent's frame: a zero, and the schema's id."""
BUFFER_KIB = 8 * 1024
"""Memory for records that were fetched and not yet counted."""


class _Identified(Protocol):
    event_id: str


class Counter:
    """Reads topics into a ledger. Not safe for threads: one reads at a time."""

    def __init__(self, settings: Settings, ledger: Ledger, codec: Codec, known: Known) -> None:
        self._ledger = ledger
        self._codec = codec
        self._models: dict[bytes, type[Event] | None] = {}
        self._names = known.events
        self._consumer = Consumer(reading(settings, "status", BUFFER_KIB))
        self._bounds = Offsets(settings, answer_s=ANSWER_S)
        self._started = ledger.positions()
        self._begins: dict[Partition, int] = {}
        """Where the client begins to read. Records that it delivers from before that are counted already."""
        self._assigned: set[Partition] = set()

    @property
    def positions(self) -> Mapping[Partition, Counted]:
        """How far each partition has been counted."""
        return self._started

    def close(self) -> None:
        """Close the clients."""
        self._consumer.close()
        self._bounds.close()

    def count_to(self, ends: Mapping[Partition, int], timeout_s: float) -> int:
        """Count up to an offset of each partition; return how many offsets are missing when the time is up."""
        deadline = time.monotonic() + timeout_s
        try:
            while (missing := self._missing(ends)) and time.monotonic() < deadline:
                if set(ends) != self._assigned:
                    self._assign(ends)
                done = Pass(self._started)
                self._read(done, ends, deadline)
                self._keep(done)
        except BaseException:
            self._assigned.clear()  # what the client gave and the ledger did not get is read again next time
            raise
        return missing

    def _assign(self, partitions: Iterable[Partition]) -> None:
        """Read these partitions from where the ledger stands; from their beginning where that is gone.

        The client is given numbers. While it looks up a beginning by itself, another assignment can get lost (ADR 16).
        """
        self._started = self._ledger.positions()
        wanted = sorted(set(partitions))
        bounds = until_settled(lambda: self._bounds.bounds(wanted), ANSWER_S)
        self._begins = {of: _begin(self._next(of), bounds[of]) for of in wanted}
        self._consumer.assign([TopicPartition(*of, begin) for of, begin in self._begins.items()])
        self._assigned = set(wanted)

    def _read(self, done: Pass, ends: Mapping[Partition, int], deadline: float) -> None:
        """Read up to `PASS_RECORDS` records, or up to the ends."""
        count = 0
        waiting = {of for of, end in ends.items() if self._next(of) < end}
        while waiting and count < PASS_RECORDS and time.monotonic() < deadline:
            messages = taken(self._consumer, BATCH, POLL_S)
            count += len(messages)
            for message in messages:
                self._take(done, message)
            waiting = {of for of in waiting if done.next.get(of, 0) < ends[of]}

    def _keep(self, done: Pass) -> None:
        """Write a pass; where another process was faster, take up its positions."""
        done.next = {of: next_ for of, next_ in done.next.items() if next_ != self._next(of)}
        if done.empty:
            return
        if self._ledger.add(done):
            self._started = self._ledger.positions()
        else:
            self._assign(self._assigned)

    def _take(self, done: Pass, message: Message) -> None:
        of = (message.topic(), message.partition())
        error = message.error()
        if error is not None:
            if error.code() == KafkaError._PARTITION_EOF:
                done.next[of] = message.offset()  # past the markers at the end
            elif error.code() == KafkaError._AUTO_OFFSET_RESET:
                self._assigned.clear()  # retention was faster, or the topic was created again: begin where it does now
            elif error.code() not in PASSING:
                raise KafkaException(error)
            return
        if message.offset() < done.next.get(of, self._begins[of]):
            return
        done.last[of] = message.offset()
        done.next[of] = message.offset() + 1
        done.records[of] += 1
        value = message.value()
        if value is None or len(value) <= FRAME or value[0] != 0:
            return
        total = self._names.get((of[0], self._model(value[1:FRAME])))
        if total in WITHOUT_IDS:
            done.counted[total] += 1
        elif total is not None:
            self._take_event(done, total, value)

    def _take_event(self, done: Pass, total: str, value: bytes) -> None:
        try:
            event = self._codec.decode(value)
        except UndecodableRecord:
            return  # a record, and no event
        done.ids[total].add(_id(cast("_Identified", event).event_id))
        if isinstance(event, Decision) and event.outcome == "DENIED":
            done.ids[DENIED].add(_id(event.event_id))

    def _model(self, frame: bytes) -> type[Event] | None:
        """Return the model of a schema's id, as a frame carries it; None where it is of no event of ours."""
        if frame not in self._models:
            try:
                self._models[frame] = self._codec.model_of(int.from_bytes(frame, "big"))
            except UndecodableRecord:
                self._models[frame] = None
        return self._models[frame]

    def _next(self, of: Partition) -> int:
        return self._started.get(of, NOWHERE).next

    def missing(self, ends: Mapping[Partition, int]) -> int:
        """Return how many offsets are still to be counted, as the ledger stands now: others may count into it."""
        self._started = self._ledger.positions()
        self._assigned.clear()  # the client stands behind what others have counted: it is placed again before it counts
        return self._missing(ends)

    def _missing(self, ends: Mapping[Partition, int]) -> int:
        return sum(max(0, end - self._next(of)) for of, end in ends.items())


def _begin(next_: int, bounds: Bounds) -> int:
    """Return where to read on: at the next offset, or where the partition begins if that is gone, or never was."""
    first, end = bounds
    return next_ if first <= next_ <= end else first


def _id(text: str) -> bytes:
    """Return an id in its shortest form: ours are hex digits, those of other producers may be anything."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        return text.encode()
