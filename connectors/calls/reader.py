"""The consumer of a caller: its assignments with their leases, their marks, and the records after them.

All but the callbacks' facts is for one thread, which the loop gives it. Partitions are read by eager assignment: each
rebalance ends the lease, and the next one covers all that the caller has.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from tradewind.connectors.calls.claims import Mark
from tradewind.connectors.calls.kept import Kept, differing
from tradewind.connectors.calls.lease import Lease, LeaseInvalid, lease_of
from tradewind.connectors.calls.limits import Limits
from tradewind.connectors.calls.marks import Marks, marks_of
from tradewind.connectors.kafka.client import options, taken
from tradewind.connectors.kafka.offsets import Offsets, Place
from tradewind.connectors.settings import Settings

log = logging.getLogger(__name__)
QUEUED_KIB = 16 * 1024
"""Fetched and not yet taken, over all partitions: some of the longest calls (512 KiB), or thousands of others."""


@dataclass(frozen=True, slots=True, eq=False)
class Assignment:
    """What the group gave, and the lease to claim it by."""

    lease: Lease
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Polled:
    """What was read of an assignment; None if it was given up meanwhile, and what was read of it is dropped."""

    assignment: Assignment | None
    records: Sequence[Message] = ()
    ends: Mapping[Place, int] = field(default_factory=dict)
    """Partitions that were read to their ends, and where these are."""


class Reader:
    """Reads the calls of one group."""

    def __init__(
        self,
        settings: Settings,
        group: str,
        topic: str,
        *,
        limits: Limits,
        kept: Kept,
        revoking: Callable[[], None],
        assigned: Callable[[], None],
    ) -> None:
        """Prepare; `revoking` may wait for what is in flight, and `assigned` says that there is an assignment."""
        self.assignment: Assignment | None = None
        """The newest one, until it is revoked. For any thread."""
        self.differs = ""
        """How the group and the topic of claims differ, which keeps the caller from beginning. For any thread."""
        self._differs_since_s: float | None = None
        self._limits, self._kept = limits, kept
        self._revoking, self._told = revoking, assigned
        self._lock = threading.Lock()
        self._begun: Assignment | None = None
        self._paused: set[Place] = set()
        self._bounds = Offsets(settings, "read_uncommitted", limits.answer_s)
        self._consumer = Consumer(
            {
                **options(settings),
                "group.id": group,
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "enable.partition.eof": True,  # tells the position behind the markers of transactions
                "isolation.level": "read_committed",  # a call is one once its agent has committed it
                "auto.offset.reset": "error",
                "partition.assignment.strategy": "range",
                "session.timeout.ms": round(1000 * limits.session_s),
                "heartbeat.interval.ms": round(1000 * limits.heartbeat_s),
                "queued.max.messages.kbytes": QUEUED_KIB,
                "fetch.wait.max.ms": 50,  # what a call waits at most before it is seen
                "topic.metadata.refresh.interval.ms": 10_000,  # finds a topic that is created later
            }
        )
        self._consumer.subscribe([topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost)

    def poll(self, full: Collection[Place]) -> Polled:
        """Return what came in; partitions that are full are not read meanwhile. Raises `KafkaException`."""
        self._pause(full)
        begun = self._begun
        messages = taken(self._consumer, self._limits.poll_records, self._limits.poll_s)
        if begun is None or self._begun is not begun:
            return Polled(None)
        records = [message for message in messages if message.error() is None]
        ends = {}
        for message in messages:
            if (error := message.error()) is None:
                continue
            if error.code() == KafkaError._PARTITION_EOF:
                ends[message.topic(), message.partition()] = message.offset()
            elif error.code() == KafkaError._AUTO_OFFSET_RESET:
                self.again()  # retention has removed what was to be read: begin anew, and say what is gone
            elif error.fatal():
                raise KafkaException(error)
            else:
                log.warning("calls: %s: %s", message.topic() or "Kafka", error.str())
        return Polled(begun, records, ends)

    def marks(self, assignment: Assignment) -> dict[Place, Marks] | None:
        """Return the marks of an assignment; None if Kafka does not tell them yet, or tells two different ones.

        Raises `MarksUnreadable`.
        """
        try:
            asked = [TopicPartition(*place) for place in assignment.places]
            committed = self._consumer.committed(asked, timeout=self._limits.answer_s)
            if error := next((one.error for one in committed if one.error is not None), None):
                raise KafkaException(error)
            kept = self._kept.last([partition for _, partition in assignment.places])
        except KafkaException as error:
            log.info("calls: the positions are not told yet, asking again: %s", error)
            return None
        first = self._bounds.known(assignment.places, "earliest")
        if kept is None or len(first) < len(assignment.places):
            return None
        group = {
            (one.topic, one.partition): None if one.offset < 0 else Mark(one.offset, one.metadata or "")
            for one in committed
        }
        agreed = self._agreed(group, kept)
        if agreed is None:
            return None
        return {
            place: beyond(
                Marks(first[place]) if mark is None else marks_of(mark.offset, mark.metadata), first[place], place
            )
            for place, mark in agreed.items()
        }

    def _agreed(
        self, group: Mapping[Place, Mark | None], kept: Mapping[int, Mark | None]
    ) -> dict[Place, Mark | None] | None:
        """Return the marks that the group and the topic of claims agree about; None where they do not.

        A group that has told no offset for `settle_s` has lost it, as groups do after a week: the topic has the marks.
        """
        now_s = time.monotonic()
        found = {}
        for place, mark in group.items():
            if (why := differing(mark, kept[place[1]])) is not None:
                since_s = self._differs_since_s = self._differs_since_s or now_s
                self.differs = f"{place[0]}/{place[1]}: {why}"
                if mark is not None or now_s - since_s < self._limits.settle_s:
                    log.warning("calls: %s; asking again", self.differs)
                    return None
                log.warning("calls: %s: the group has lost its offset, and the topic of claims counts", self.differs)
            found[place] = kept[place[1]] or mark
        self.differs, self._differs_since_s = "", None
        return found

    def begin(self, assignment: Assignment, positions: Mapping[Place, int]) -> bool:
        """Read an assignment from these offsets on; return False if it was revoked meanwhile."""
        with self._lock:
            if self.assignment is not assignment:
                return False
            self._consumer.assign([TopicPartition(*place, offset) for place, offset in positions.items()])
            self._begun, self._paused = assignment, set()
            return True

    def again(self) -> None:
        """Have the assignment begun again under the same lease, with the positions that the group has by then."""
        with self._lock:
            if self.assignment is not None:
                self._stop_reading()
                self.assignment = Assignment(self.assignment.lease, self.assignment.places)
        self._told()

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()
        self._bounds.close()
        self._kept.close()

    def _pause(self, full: Collection[Place]) -> None:
        if self._begun is None:
            return
        wanted = set(full) & set(self._begun.places)
        if stop := wanted - self._paused:
            self._consumer.pause([TopicPartition(*place) for place in stop])
        if go := self._paused - wanted:
            self._consumer.resume([TopicPartition(*place) for place in go])
        self._paused = wanted

    def _stop_reading(self) -> None:
        if self._paused:  # the client remembers a pause, for whenever it reads the partition again
            self._consumer.resume([TopicPartition(*place) for place in self._paused])
        self._begun, self._paused = None, set()

    def _on_assign(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        """Take the lease of an assignment. Nothing is read before its marks are known."""
        try:
            lease = lease_of(consumer)
        except LeaseInvalid as error:
            log.warning("calls: %s", error)
            lease = None
        with self._lock:
            self._stop_reading()
            consumer.assign([])
            given = tuple((place.topic, place.partition) for place in places)
            self.assignment = None if lease is None else Assignment(lease, given)
        self._told()

    def _on_revoke(self, consumer: Consumer, _places: list[TopicPartition]) -> None:
        """Give partitions up, after what is in flight had some time to end under the lease."""
        self._revoking()
        self._on_lost(consumer, _places)

    def _on_lost(self, consumer: Consumer, _places: list[TopicPartition]) -> None:
        """Give partitions up that others may have by now."""
        with self._lock:
            self._stop_reading()
            self.assignment = None
            consumer.unassign()
        self._told()


def beyond(marks: Marks, first: int, place: Place) -> Marks:
    """Return marks from the first offset that there is on: what retention removed can have no attempt any more."""
    if first <= marks.floor:
        return marks
    gone = [offset for offset in range(marks.floor, min(first, marks.end)) if not marks.is_done(offset)]
    log.error(
        "calls: %s/%d begins at offset %d: retention removed %d offsets without an attempt, %d of them claimed. Keep "
        "more of the topic (`retention.bytes`)",
        *place,
        first,
        len(gone) + max(0, first - marks.end),
        sum(map(marks.is_claimed, gone)),
    )
    marks = marks.finish(range(marks.floor, min(first, marks.end)))
    return Marks(first) if first > marks.floor else marks
