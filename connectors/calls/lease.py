"""A lease: the group's generation and member at one assignment, which prove that a claim was still allowed."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from confluent_kafka import Consumer

PREFIX = b"CGMDv2:"
"""How librdkafka's serialised group metadata begins: then int32 generation, group, NUL, member, NUL."""
GENERATION = struct.Struct("=i")


class LeaseInvalid(RuntimeError):
    """The client has no generation or no member id: a broker would take a commit with such metadata unchecked."""


@dataclass(frozen=True, slots=True, eq=False)
class Lease:
    """What the group said at one assignment. Two leases are never equal, even if all their fields are."""

    group: str
    generation: int
    member: str
    metadata: bytes
    """What `send_offsets_to_transaction` takes; it stays as it was, whatever the client joins later."""


def lease_of(consumer: Consumer) -> Lease:
    """Return the lease of the assignment that is being delivered; call it in the assignment callback only.

    Raises `LeaseInvalid` if the client is in no generation: it was expelled between the assignment and the callback.
    """
    metadata = consumer.consumer_group_metadata()
    if not isinstance(metadata, bytes) or not metadata.startswith(PREFIX):
        raise LeaseInvalid("librdkafka's group metadata has another format: pin confluent-kafka to a version with v2")
    (generation,) = GENERATION.unpack_from(metadata, len(PREFIX))
    group, member, _ = metadata[len(PREFIX) + GENERATION.size :].split(b"\0", 2)
    if generation < 0 or not member:
        raise LeaseInvalid(
            f"group {group.decode()}: generation {generation} of member {member.decode()!r} allows no claim; "
            "the next assignment gives another lease"
        )
    return Lease(group.decode(), generation, member.decode(), metadata)
