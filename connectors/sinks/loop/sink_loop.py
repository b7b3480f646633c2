"""The loop that every sink runs in: takes records from Kafka, hands them to the writer, keeps the positions.

Two threads. This one polls, so that the group never expels a sink whose store is slow; the writer (`writer.py`) decodes
and writes. Between them stand leases, whose records in memory are bounded.

    assigned ── claim (store) or committed (Kafka) ──> opened ── taken ── handed over ── written ── committed
        └── revoked: a write in flight may finish within 3 s, the rest is dropped and read again by whoever comes next

The client is given a partition when its position is known (`reading.py`).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from tradewind.connectors.kafka.client import options
from tradewind.connectors.kafka.offsets import Bounds, Offsets, Place
from tradewind.connectors.settings import Settings
from tradewind.connectors.sinks.loop.causes import no_room, not_read, stands
from tradewind.connectors.sinks.loop.counters import Counters
from tradewind.connectors.sinks.loop.dead_letters import DeadLetters
from tradewind.connectors.sinks.loop.decode import Codec
from tradewind.connectors.sinks.loop.lease import Lease
from tradewind.connectors.sinks.loop.limits import Limits
from tradewind.connectors.sinks.loop.reading import Reading
from tradewind.connectors.sinks.loop.start import start_position
from tradewind.connectors.sinks.loop.writer import Writer
from tradewind.connectors.sinks.sink import KeepsPositions, Sink

log = logging.getLogger(__name__)

QUEUED_KIB = 8 * 1024  # fetched and not yet taken
FETCH_BYTES = 16 * 1024  # less comes ten times a second, not with each commit of who writes: rows wait longer anyway
QUEUED_RECORDS = 20_000  # the same, of each partition; the client's own 100,000 take some 40 MB, whatever their size


class SinkLoop:
    """Runs one sink until it is stopped."""

    def __init__(
        self,
        settings: Settings,
        sink: Sink,
        codec: Codec,
        *,
        limits: Limits | None = None,
        consumer_options: dict[str, Any] | None = None,
    ) -> None:
        """Prepare; `consumer_options` go to librdkafka over ours."""
        self.sink = sink
        self.limits = limits or Limits()
        self.counters = Counters()
        self._topics = {settings.physical(topic): topic for topic in sink.topics}
        self._keeps = isinstance(sink, KeepsPositions)
        letters = DeadLetters(settings, sink.name, codec)
        self._writer = Writer(sink, codec, letters, self.limits, self.counters)
        self._leases: dict[Place, Lease] = {}
        self._reading: Reading | None = None
        self._bounds = Offsets(settings, "read_uncommitted", self.limits.answer_s)
        self._ask_at_s = 0.0
        self._assigned = False
        self._paused = False
        self._stalled_since_s: float | None = None
        self._commit_at_s = 0.0
        self._stopping = False
        self._unanswered = False
        self.group = settings.physical(f"tradewind.{sink.name}")
        self._options = {
            **options(settings),
            "group.id": self.group,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "enable.partition.eof": True,  # tells the position behind the markers of transactions
            "isolation.level": "read_committed",
            "auto.offset.reset": "error",  # expired offsets are counted and said, not skipped
            "partition.assignment.strategy": "cooperative-sticky",
            "session.timeout.ms": round(1000 * self.limits.session_s),
            "heartbeat.interval.ms": round(1000 * self.limits.heartbeat_s),
            "queued.max.messages.kbytes": QUEUED_KIB,
            "queued.min.messages": QUEUED_RECORDS,
            "fetch.wait.max.ms": 100,
            "fetch.min.bytes": FETCH_BYTES,
            "fetch.queue.backoff.ms": 20,  # its default of a second starves a fast sink
            "topic.metadata.refresh.interval.ms": 10_000,  # finds topics that are created later
            "on_commit": self._on_commit,
            **(consumer_options or {}),
        }
        self._incremental = "cooperative" in self._options["partition.assignment.strategy"]

    @property
    def paused(self) -> bool:
        """Whether partitions are paused, since the store is slow or down. For any thread."""
        return self._paused

    @property
    def _taken(self) -> int:
        """Records in memory, those with the writer included. For any thread."""
        return self._writer.load + sum(len(lease.messages) for lease in list(self._leases.values()))

    def positions(self) -> dict[Place, int]:
        """Return how far each partition that is read is written, by (topic on the cluster, number). For any thread."""
        return {key: lease.written for key, lease in list(self._leases.items()) if lease.opened}

    def waits(self) -> dict[Place, str]:
        """Return why the positions of partitions do not move, where they do not. For any thread."""
        now_s, writer = time.monotonic(), self._writer
        return {
            key: stands(lease, writer.doing, writer.trouble, now_s)
            for key, lease in list(self._leases.items())
            if lease.opened
        }

    def unread(self) -> list[str]:
        """Return why the sink reads nothing, or not all that the group gave it. For any thread."""
        found = [] if self._assigned else ["it waits for an assignment of partitions"]
        for (topic, partition), lease in list(self._leases.items()):
            if not lease.opened:
                why = not_read(lease, paused=self._paused, keeps=self._keeps)
                found.append(f"{topic}, partition {partition}, is not read yet: {why}")
        return found

    def not_ready(self) -> list[str]:
        """Return what keeps the sink from writing; nothing where it writes. For any thread."""
        found = [f"{self.group}: {why}" for why in self.unread()]
        if self._paused:
            found.append(f"{self.group}: partitions are paused: {no_room(self._taken, self._writer.load)}")
        troubles = (self._writer.trouble, self._writer.untended)
        return [*found, *(f"{self.group}: {trouble}" for trouble in troubles if trouble is not None)]

    def run(self, stop: threading.Event) -> None:
        """Run until `stop` is set; raises what stopped the sink otherwise. Ends within 5 s of `stop`."""
        consumer = Consumer(self._options)
        reading = self._reading = Reading(consumer, incremental=self._incremental)
        self._writer.start()
        try:
            consumer.subscribe(
                list(self._topics), on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
            )
            while not stop.is_set():
                self._writer.check()
                self._step(consumer, reading)
        finally:
            self._stopping = True
            for lease in self._leases.values():
                self._drop(lease)
            self._writer.stop(self.limits.stop_s)
            try:
                self._commit(consumer, wait_s=1.0)
            finally:
                consumer.close()
                self._bounds.close()
        self._writer.check()
        log.info("sink %s stopped: %s", self.sink.name, self.counters)

    def _step(self, consumer: Consumer, reading: Reading) -> None:
        now = time.monotonic()
        if any(lease.fenced for lease in self._leases.values()):
            self._claim_again()
        if any(not lease.opened for lease in self._leases.values()):
            if wrong := [key for key in reading.partitions if not self._leases[key].opened]:
                reading.leave(self._next(), wrong)
            if not self._paused and now >= self._ask_at_s:
                self._open(consumer, reading)
        self._hand_over(now)
        if now >= self._commit_at_s:
            self._commit(consumer)
            self._commit_at_s = now + self.limits.commit_every_s
        if self._has_room(consumer, now):
            messages = consumer.consume(self.limits.consume_rows, self.limits.poll_s)
            if messages:
                self._take(messages)

    def _take(self, messages: list[Message]) -> None:
        """Take records, then what was said of partitions: an end that is here lies behind the records beside it."""
        now = time.monotonic()
        said = [message for message in messages if message.error() is not None]
        if said:
            messages = [message for message in messages if message.error() is None]
        keys = list(zip(map(Message.topic, messages), map(Message.partition, messages), strict=True))
        at = 0
        for key, same in groupby(keys):
            count = sum(1 for _ in same)
            lease = self._leases.get(key)
            if lease is not None and lease.opened:
                run = messages[at : at + count]
                added = lease.add(run, sum(map(len, run)), now)
                self.counters.taken += added
                self.counters.repeated += count - added
            at += count
        for message in said:
            self._on_event(message, now)

    def _on_event(self, message: Message, now: float) -> None:
        error = message.error()
        lease = self._leases.get((message.topic(), message.partition()))
        if error.code() == KafkaError._PARTITION_EOF:
            if lease is not None and lease.opened:
                lease.note_end(message.offset(), now)
        elif error.code() == KafkaError._AUTO_OFFSET_RESET:
            if lease is not None and lease.opened:
                lease.opened = False  # opened again from the first offset that is left
        elif error.fatal():
            raise KafkaException(error)
        else:
            log.warning("sink %s: %s: %s", self.sink.name, message.topic() or "Kafka", error.str())

    def _has_room(self, consumer: Consumer, now: float) -> bool:
        """Return whether to take more; else wait, and after a while pause the partitions and poll the group."""
        taken = self._taken
        size = self._writer.load_bytes + sum(lease.size for lease in self._leases.values())
        full = taken >= self.limits.taken_rows or size >= self.limits.taken_bytes
        if not full:
            self._stalled_since_s = None
            if self._paused:
                self._resume(consumer)
            return True
        if self._stalled_since_s is None or self._writer.moved:
            self._stalled_since_s, self._writer.moved = now, False
        if not self._paused and now - self._stalled_since_s >= self.limits.stall_s:
            self._paused = True
            self.counters.stalls += 1
            log.error("sink %s: paused: %s", self.sink.name, no_room(taken, self._writer.load))
            consumer.pause(consumer.assignment())
        if not self._paused:
            self._writer.wait(self.limits.poll_s)
            return False
        return True

    def _resume(self, consumer: Consumer) -> None:
        self._paused = False
        consumer.resume([TopicPartition(*key) for key, lease in self._leases.items() if lease.opened])
        log.info("sink %s: resumed", self.sink.name)

    def _hand_over(self, now: float) -> None:
        """Give the writer what is enough for a write, what has waited long enough, and all where memory fills up.

        A writer that is busy is not given small batches: they grow while it works, as the load does.
        """
        limits = self.limits
        idle = self._writer.load < limits.batch_rows
        waiting = sum(len(lease.messages) for lease in self._leases.values())
        for lease in self._leases.values():
            if lease.pending and (
                len(lease.messages) >= limits.batch_rows
                or lease.size >= limits.batch_bytes
                or (idle and now - lease.since_s >= limits.linger_s)
                or waiting >= limits.taken_rows // 2
            ):
                self._writer.submit(lease.hand_over())

    # -- positions ----------------------------------------------------------------------------------------------------

    def _open(self, consumer: Consumer, reading: Reading) -> None:
        """Start reading the partitions whose position is known by now.

        Not while partitions are paused: there is no room for more, and a pause would follow on the assignment.
        """
        keys = [key for key, lease in self._leases.items() if not lease.opened and (lease.claimed or not self._keeps)]
        if not keys:
            return
        try:
            committed = self._committed(consumer, keys)
        except KafkaException as error:
            log.error("sink %s: cannot read positions, trying again: %s", self.sink.name, error)  # noqa: TRY400
            committed = {}
        first = self._bounds.known(committed, "earliest")
        end = self._bounds.known(first, "latest")
        for key in end:
            self._open_one(key, committed[key], (first[key], end[key]))
        if end:
            reading.give(self._next(), end)
        if len(end) < len(keys):
            self._ask_at_s = time.monotonic() + self.limits.ask_again_s
        else:
            self._bounds.close()  # the next question comes with the next assignment

    def _open_one(self, key: Place, known: int | None, bounds: Bounds) -> None:
        lease = self._leases[key]
        # One that was frozen hears that its offset is gone before it hears that another sink has written past it.
        start = start_position(max(lease.next_offset, known or 0) or known, *bounds)
        if start.offset < lease.next_offset:
            raise RuntimeError(f"{key[0]}/{key[1]} {start.problem}: restart the sink, which is safe")
        if start.problem:
            self.counters.lost += start.lost
            log.error("sink %s: %s/%d: %s", self.sink.name, *lease.origin, start.problem)
        lease.open_at(start.offset, time.monotonic())

    def _next(self) -> dict[Place, int]:
        """Return where each partition is read on."""
        return {key: lease.next_offset for key, lease in self._leases.items()}

    def _claim_again(self) -> None:
        """Claim partitions that are ours to the group and not to the store: an earlier owner may have claimed late.

        Where the group is the one to be wrong, it will say so within the session's time-out.
        """
        for key, lease in list(self._leases.items()):
            if lease.fenced:
                self._drop(lease)
                self._leases[key] = Lease(lease.topic, lease.partition)
                self._writer.claim([self._leases[key]])

    def _committed(self, consumer: Consumer, keys: Sequence[Place]) -> dict[Place, int | None]:
        if self._keeps:
            return {key: self._leases[key].start for key in keys}
        places = consumer.committed([TopicPartition(*key) for key in keys], timeout=self.limits.answer_s)
        for place in places:
            if place.error is not None:
                raise KafkaException(place.error)
        return {(place.topic, place.partition): place.offset if place.offset >= 0 else None for place in places}

    def _commit(self, consumer: Consumer, wait_s: float = 0.0) -> None:
        """Tell Kafka how far the leases are written; wait for its answer up to `wait_s`.

        Where the store keeps the positions this only shows the lag to those who ask Kafka.
        """
        places = []
        for key, lease in self._leases.items():
            if lease.opened and lease.written > lease.committed:
                lease.committed = lease.written
                places.append(TopicPartition(*key, lease.written))
        if not places:
            return
        self._unanswered = True
        consumer.commit(offsets=places, asynchronous=True)
        deadline = time.monotonic() + wait_s
        while self._unanswered and time.monotonic() < deadline:
            consumer.consume(1, 0.02)  # serves the answer; what it returns was not taken and is read again

    def _on_commit(self, error: KafkaError | None, places: list[TopicPartition]) -> None:
        self._unanswered = False
        failed = error or next((place.error for place in places if place.error is not None), None)
        if failed is None:
            return
        for place in places:
            if (lease := self._leases.get((place.topic, place.partition))) is not None:
                lease.committed = 0
        log.warning("sink %s: positions were not committed, the next ones will be: %s", self.sink.name, failed.str())

    # -- rebalances ---------------------------------------------------------------------------------------------------

    def _on_assign(self, _consumer: Consumer, places: list[TopicPartition]) -> None:
        """Take partitions; the client is to read none of them before its position is known."""
        assert self._reading is not None
        self._assigned = True
        self._reading.answer_assignment()
        leases = []
        for place in places:
            lease = Lease(self._topics[place.topic], place.partition)
            self._leases[place.topic, place.partition] = lease
            leases.append(lease)
        if self._keeps and leases:
            self._writer.claim(leases)

    def _on_revoke(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        """Give partitions back: let a write in flight finish, commit it, drop the rest."""
        leases = self._revoked(places)
        for lease in leases:
            self._drop(lease)
        if not self._stopping:
            self._writer.wait_for(leases, self.limits.stop_s)
            self._commit(consumer)  # before the partitions are given up below
        self._forget(places)

    def _on_lost(self, _consumer: Consumer, places: list[TopicPartition]) -> None:
        """Drop partitions that already belong to others: nothing of them may be committed."""
        self._assigned = False
        for lease in self._revoked(places):
            self._drop(lease)
        self._forget(places)

    def _revoked(self, places: list[TopicPartition]) -> list[Lease]:
        leases = (self._leases.get((place.topic, place.partition)) for place in places)
        return [lease for lease in leases if lease is not None]

    def _forget(self, places: list[TopicPartition]) -> None:
        assert self._reading is not None
        keys = [(place.topic, place.partition) for place in places]
        for key in keys:
            self._leases.pop(key, None)
        self._reading.answer_revocation(keys)

    def _drop(self, lease: Lease) -> None:
        lease.live = False
        self.counters.dropped += len(lease.messages)
        lease.messages, lease.size = [], 0
