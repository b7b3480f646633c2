"""A lease: which partitions a worker may commit for, proved by the group's generation."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from tradewind.streams.runtime.errors import LeaseRefused

TopicPartition = tuple[str, int]
"""Name of a topic on the cluster, partition. Faust's and aiokafka's named tuples are equal to it, hashes included."""


def named(partitions: Iterable[TopicPartition]) -> str:
    """Return partitions in words, topic by topic."""
    by_topic: dict[str, list[int]] = {}
    for topic, partition in sorted(partitions):
        by_topic.setdefault(topic, []).append(partition)
    return "; ".join(
        f"{topic}, partition{'s' * (len(of) > 1)} {', '.join(map(str, of))}" for topic, of in by_topic.items()
    )


@dataclass(frozen=True, slots=True, eq=False)
class Lease:
    """An assignment, as it was when the group made it. Two leases are never equal, even where all their fields are.

    Every chunk carries the lease it was fetched under, and every transaction is fenced by it: reading the coordinator
    at commit time instead would pass old records under a new generation.
    """

    group: str
    generation: int
    member: str
    partitions: frozenset[TopicPartition]

    def __post_init__(self) -> None:
        if self.generation < 0 or not self.member:
            raise LeaseRefused(
                f"group {self.group}: generation {self.generation} of member {self.member!r} is none; the broker would "
                "commit it unchecked, so the worker stops. Start it again."
            )

    @property
    def tasks(self) -> tuple[int, ...]:
        """The partition numbers, ascending."""
        return tuple(sorted({partition for _, partition in self.partitions}))

    def follows(self, before: Lease) -> bool:
        """Return whether nobody else can have had what both leases give: it is the same one, or the member's next."""
        return self is before or (self.member == before.member and self.generation == before.generation + 1)

    def metadata(self) -> bytes:
        """Return what librdkafka's `send_offsets_to_transaction` takes as group metadata.

        `Consumer.consumer_group_metadata()` of confluent-kafka is this serialised form; a test compares ours with a
        real consumer's. The last byte says that there is no static instance id.
        """
        return b"".join(
            (
                b"CGMDv2:",
                struct.pack("=i", self.generation),
                self.group.encode(),
                b"\0",
                self.member.encode(),
                b"\0\x01",
            )
        )
