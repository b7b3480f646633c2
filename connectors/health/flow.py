"""Where topics end and where consumer groups stand, for read_committed consumers: lag in records and seconds."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    TopicPartition,
)

from tradewind.connectors.health.groups import Groups
from tradewind.connectors.health.ledger import Counted, Partition
from tradewind.connectors.health.names import Known
from tradewind.connectors.kafka.client import PASSING, reading, until_settled
from tradewind.connectors.kafka.offsets import Offsets
from tradewind.connectors.settings import Settings
from tradewind.processors.health.lag_time import Sample, seconds_behind
from tradewind.topics import DOMAIN_TOPICS

TIMEOUT_S = 5.0
"""How long one answer of Kafka may take; usual are milliseconds."""
POLL_S = 0.05
PEEKED_KIB = 1024
PEEK_S = 2.0
"""How long to look for the first unread record of a partition."""
SAMPLES = 600
"""Looks that are remembered of a partition, whatever the time between them."""
Place = tuple[Partition, int]
"""A partition, and an offset in it."""


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a group is behind on one partition."""

    group: str
    topic: str
    partition: int
    lag: int
    """Last stable offset - position; 0 where nothing but markers of transactions lies between."""
    lag_seconds: float | None
    """Age of the first record that was not read: since it was written, as far as this process has seen the partition
    grow, or else by the record's timestamp, which is when the origin of its chain came in.
    None where that was not asked, or Kafka did not show the record in time."""
    position: int
    """Where the group will read on."""
    end: int
    """The last stable offset."""


class Flow:
    """Reads offsets of topics and groups. Keeps its connections, so that `up` can ask once a second."""

    def __init__(self, settings: Settings, known: Known, remember_s: float = 0.0) -> None:
        """Connect. With `remember_s`, looks of the last seconds tell ages, so that no records have to be fetched."""
        self._remember_s = remember_s
        self._grown: dict[Partition, deque[Sample]] = {}
        """How the end of each partition has moved."""
        self._peeked: dict[Place, int] = {}
        """Timestamps (ms) of records that a group stands before."""
        self._topics = frozenset(known.topics)
        self._inputs = known.inputs
        self._unused = known.unused
        self._broadcast = {settings.physical(topic) for topic in DOMAIN_TOPICS if topic.broadcast}
        """A group reads as many of their partitions as it has tasks, and has positions in these."""
        self._groups = Groups(settings, TIMEOUT_S)
        self._offsets = Offsets(settings, answer_s=TIMEOUT_S)
        self._peeker = Consumer(
            {
                **reading(settings, "status", PEEKED_KIB),
                "queued.min.messages": 1,
                "fetch.message.max.bytes": 1024,  # Kafka answers with one whole batch where that is larger
            }
        )

    def close(self) -> None:
        """Close the clients."""
        self._peeker.close()
        self._offsets.close()
        self._groups.close()

    def partitions(self) -> list[Partition]:
        """Return the partitions of our topics that exist; raises `KafkaException` where Kafka does not answer."""
        found = self._peeker.list_topics(timeout=TIMEOUT_S).topics
        return [
            (name, number) for name in sorted(self._topics & found.keys()) for number in sorted(found[name].partitions)
        ]

    def ends(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """Return the last stable offset of each partition: where a read_committed consumer comes to its end."""
        asked = tuple(partitions)
        ends = until_settled(lambda: self._offsets.listed(asked, "latest"), TIMEOUT_S)
        if self._remember_s:
            self._remember(ends, time.time())
        return ends

    def groups(self) -> list[str]:
        """Return the consumer groups of ours that exist."""
        return sorted((self._inputs.keys() - self._unused) & until_settled(self._groups.listed, TIMEOUT_S))

    def lags(
        self, groups: Iterable[str], ends: Mapping[Partition, int], counted: Mapping[Partition, Counted], *, ages: bool
    ) -> list[Lag]:
        """Return how far each group is behind on each partition that it reads; `ages` tells the seconds, too.

        `counted` says where each partition's last record is: whoever is past it has only markers left to read.
        """
        groups = tuple(groups)
        positions = until_settled(lambda: self._groups.committed(groups), TIMEOUT_S)
        elsewhere = {(group, topic) for group, (topic, _) in positions}
        inputs = [
            (group, of)
            for group in groups
            for of in ends
            if of[0] in self._inputs[group] and not (of[0] in self._broadcast and (group, of[0]) in elsewhere)
        ]
        new = {of for group, of in inputs if (group, of) not in positions}
        starts = until_settled(lambda: self._offsets.listed(new, "earliest"), TIMEOUT_S)
        where = {key: positions.get(key, starts.get(key[1], 0)) for key in (*inputs, *positions) if key[1] in ends}
        behind = {(of, at) for (_, of), at in where.items() if at < ends[of] and _unread(at, ends[of], counted.get(of))}
        now = time.time()
        known = self._ages(behind, now) if ages else {}
        return [
            Lag(group, *of, ends[of] - position, known.get((of, position)), position, ends[of])
            if (of, position) in behind
            else Lag(group, *of, 0, 0.0, position, ends[of])
            for (group, of), position in sorted(where.items())
        ]

    def _remember(self, ends: Mapping[Partition, int], now: float) -> None:
        for of, end in ends.items():
            grown = self._grown.setdefault(of, deque(maxlen=SAMPLES))
            if grown and (end < grown[-1][1] or now < grown[-1][0]):
                grown.clear()  # the topic was recreated, or the clock was set back
            grown.append((now, end))
            while grown[0][0] < now - self._remember_s:
                grown.popleft()

    def _ages(self, behind: set[Place], now: float) -> dict[Place, float]:
        """Return the age of the first unread record of each place, s, where it is known or Kafka shows it in time."""
        grown = {
            (of, at): age for of, at in behind if (age := seconds_behind(self._grown.get(of, ()), at, now)) is not None
        }
        self._peeked = {place: stamp for place, stamp in self._peeked.items() if place in behind}
        unknown = behind - grown.keys() - self._peeked.keys()
        self._peeked |= self._first_unread(unknown)
        peeked = {place: max(0.0, now - stamp / 1000) for place, stamp in self._peeked.items()}
        return {place: round(age, 3) for place, age in (peeked | grown).items()}

    def _first_unread(self, behind: set[Place]) -> dict[Place, int]:
        """Return the timestamp (ms) of the first record at or after each place, where Kafka shows it in time."""
        found: dict[Place, int] = {}
        deadline = time.monotonic() + PEEK_S
        while behind and time.monotonic() < deadline:
            one_each = dict(sorted(behind, reverse=True))  # groups that stand apart on a partition take turns
            found.update(self._peek(one_each, deadline))
            behind = behind - set(one_each.items())
        return found

    def _peek(self, places: Mapping[Partition, int], deadline: float) -> dict[Place, int]:
        found: dict[Place, int] = {}
        waiting = set(places)
        # Numbers, also where retention was faster than a group: while the client looks up a beginning by itself, the
        # next assignment can get lost (ADR 16).
        first = until_settled(lambda: self._offsets.listed(places, "earliest"), TIMEOUT_S)
        begins = {of: max(position, first[of]) for of, position in places.items()}
        self._peeker.assign([TopicPartition(*of, begin) for of, begin in begins.items()])
        while waiting and time.monotonic() < deadline:
            for message in self._peeker.consume(len(waiting), POLL_S):
                error, of = message.error(), (message.topic(), message.partition())
                if error is not None and error.code() not in {
                    KafkaError._PARTITION_EOF,
                    KafkaError._AUTO_OFFSET_RESET,
                    *PASSING,
                }:
                    raise KafkaException(error)
                if error is None and message.offset() < begins.get(of, 0):
                    continue  # of an earlier look
                if of in waiting and error is None:
                    found[of, places[of]] = message.timestamp()[1]
                waiting.discard(of)
        self._peeker.unassign()
        return found


def _unread(position: int, end: int, counted: Counted | None) -> bool:
    """Whether a record may be between a position and the end, and not only markers."""
    return counted is None or position <= counted.last or counted.next < end
