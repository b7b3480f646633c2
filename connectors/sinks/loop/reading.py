"""What the client of a sink reads: partitions that the group gave, each from an offset that is known.

The sink never calls `seek()`: the client loses a seek while it still looks up an earlier offset (ADR 16). To read a
partition from elsewhere, the sink unassigns it and assigns it again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from confluent_kafka import Consumer, TopicPartition

from tradewind.connectors.kafka.offsets import Place


class Reading:
    """Used by the consumer's thread, the callbacks of the group included."""

    def __init__(self, consumer: Consumer, *, incremental: bool) -> None:
        """Read nothing yet; `incremental` says whether the group's strategy is cooperative."""
        self._consumer = consumer
        self._incremental = incremental
        self._read: set[Place] = set()

    @property
    def partitions(self) -> frozenset[Place]:
        """The partitions that the client reads."""
        return frozenset(self._read)

    def answer_assignment(self) -> None:
        """Answer an assignment by the group: none of it is read before its position is known.

        The group counts what it gave, and not what the client reads.
        """
        if self._incremental:
            self._consumer.incremental_assign([])
        else:
            self._read.clear()
            self._consumer.assign([])

    def give(self, positions: Mapping[Place, int], new: Collection[Place]) -> None:
        """Read `new` partitions, too; `positions` has theirs, and those of the partitions that are read already."""
        self._read.update(new)
        if self._incremental:
            self._consumer.incremental_assign([TopicPartition(*at, positions[at]) for at in new])
        else:
            self._assign(positions)

    def leave(self, positions: Mapping[Place, int], wrong: Collection[Place]) -> None:
        """Read some partitions no more; what was fetched of them is dropped, and a pause of them is over."""
        left = [TopicPartition(*at) for at in wrong]
        self._read.difference_update(wrong)
        if self._incremental:
            self._consumer.incremental_unassign(left)
        else:
            self._assign(positions)
        self._consumer.resume(left)  # the client remembers a pause, for whenever it reads the partition again

    def answer_revocation(self, places: Collection[Place]) -> None:
        """Answer a revocation by the group, also where none of its partitions was read."""
        read = self._read.intersection(places)
        if self._incremental:
            self.leave({}, read)
            return
        self._read.clear()
        self._consumer.unassign()
        self._consumer.resume([TopicPartition(*at) for at in read])

    def _assign(self, positions: Mapping[Place, int]) -> None:
        """Assign all partitions again: without incremental assignments there is no other way."""
        self._consumer.assign([TopicPartition(*at, positions[at]) for at in self._read])
