"""A lease: the partitions that a worker may commit for, proved by the group's generation."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from tradewind.streams.runtime.errors import LeaseRefused

TopicPartition = tuple[str, int]
"""Name of a topic on the cluster, partition. Faust's and aiokafka's named tuples are equal to it, hashes included."""


@dataclass(frozen=True, slots=True, eq=False)
class Lease:
    """One assignment by the group. Two leases are never equal, even if all their fields are.

    Every chunk carries the lease under which it was fetched, and the lease fences every transaction. If the worker took
    the generation at commit time instead, it could commit old records under a new generation.
    """

    group: str
    generation: int
    member: str
    partitions: frozenset[TopicPartition]

    def __post_init__(self) -> None:
        if self.generation < 0 or not self.member:
            raise LeaseRefused(
                f"group {self.group}: generation {self.generation} of member {self.member!r} is not valid; the broker "
                "would commit under it unchecked, so the worker stops. Start it again."
            )

    @property
    def tasks(self) -> tuple[int, ...]:
        """The partition numbers, ascending."""
        return tuple(sorted({partition for _, partition in self.partitions}))

    def follows(self, before: Lease) -> bool:
        """Return whether no other member can have had the shared partitions: same lease, or the member's next."""
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
