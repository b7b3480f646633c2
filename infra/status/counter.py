"""Counts distinct events by reading every topic once, committed records only, from where the ledger stands."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Protocol, cast

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from tradewind.connectors.kafka.client import PASSING, reading, taken
from tradewind.connectors.settings import Settings
from tradewind.infra.status.ledger import NOWHERE, Ledger, Partition, Pass, Position
from tradewind.infra.status.names import events_of
from tradewind.schemas.codec import Codec, UndecodableRecord
from tradewind.schemas.event import Event
from tradewind.schemas.risk import Decision

BATCH = 5_000
"""Records taken from the client at once."""
PASS_RECORDS = 100_000
"""Records in one transaction of the ledger: some 0.2 s of reading, and the most that a killed process reads again."""
POLL_S = 0.05
FRAME = 5
"""Bytes of Confluent's frame: a zero, and the schema's id."""
BUFFER_KIB = 8 * 1024
"""Memory for records that were fetched and not yet counted."""


class _Identified(Protocol):
    event_id: str


class Counter:
    """Reads topics into a ledger. Not safe for threads: one reads at a time."""

    def __init__(self, settings: Settings, ledger: Ledger, codec: Codec) -> None:
        self._ledger = ledger
        self._codec = codec
        self._models: dict[bytes, type[Event] | None] = {}
        self._names = events_of(settings)
        self._consumer = Consumer({**reading(settings, "status", BUFFER_KIB), "auto.offset.reset": "earliest"})
        self._started = ledger.positions()
        self._assigned: set[Partition] = set()

    @property
    def positions(self) -> Mapping[Partition, Position]:
        """How far each partition has been counted."""
        return self._started

    def close(self) -> None:
        """Close the client."""
        self._consumer.close()

    def count_to(self, ends: Mapping[Partition, int], timeout_s: float) -> int:
        """Count up to an offset of each partition; return how many offsets are missing when the time is up."""
        deadline = time.monotonic() + timeout_s
        if set(ends) != self._assigned:
            self._assign(ends)
        try:
            while (missing := self._missing(ends)) and time.monotonic() < deadline:
                done = Pass(self._started)
                self._read(done, ends, deadline)
                self._keep(done)
        except BaseException:
            self._assigned.clear()  # what the client gave and the ledger did not get is read again next time
            raise
        return missing

    def _assign(self, partitions: Iterable[Partition]) -> None:
        """Read these partitions from where the ledger stands."""
        self._started = self._ledger.positions()
        self._assigned = set(partitions)
        starts = [(of, self._started.get(of)) for of in sorted(self._assigned)]
        self._consumer.assign(
            [TopicPartition(*of, OFFSET_BEGINNING if start is None else start.next) for of, start in starts]
        )

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
            elif error.code() not in PASSING:
                raise KafkaException(error)
            return
        done.last[of] = message.offset()
        done.next[of] = message.offset() + 1
        done.records[of] += 1
        value = message.value()
        if value is None or len(value) <= FRAME or value[0] != 0:
            return
        total = self._names.get((of[0], self._model(value[1:FRAME])))
        if total == "ticks":
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
            done.ids["denied"].add(_id(event.event_id))

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

    def _missing(self, ends: Mapping[Partition, int]) -> int:
        return sum(max(0, end - self._next(of)) for of, end in ends.items())


def _id(text: str) -> bytes:
    """Return an id in its shortest form: ours are hex digits, those of other producers may be anything."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        return text.encode()
