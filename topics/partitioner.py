"""Which partition a key belongs to: Java's murmur2, as the Java clients and Faust use; librdkafka differs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from tradewind.schemas.event import Event
from tradewind.topics.topic import Topic

SEED = 0x9747B28C
MULTIPLIER = 0x5BD1E995
SHIFT = 24
MASK_32 = 0xFFFFFFFF
POSITIVE = 0x7FFFFFFF  # Java's Utils.toPositive: drop the sign bit rather than take the absolute value
CACHED_KEYS = 16_384  # instruments, accounts and feeds of a large deployment; about 3 MB when full


def murmur2(data: bytes) -> int:
    """Return Java's 32-bit murmur2 of the bytes, as an unsigned number."""
    length = len(data)
    hashed = SEED ^ length
    whole = length & ~3
    for at in range(0, whole, 4):
        word = int.from_bytes(data[at : at + 4], "little") * MULTIPLIER & MASK_32
        word = (word ^ word >> SHIFT) * MULTIPLIER & MASK_32
        hashed = hashed * MULTIPLIER & MASK_32 ^ word
    if whole < length:
        hashed = (hashed ^ int.from_bytes(data[whole:], "little")) * MULTIPLIER & MASK_32
    hashed = (hashed ^ hashed >> 13) * MULTIPLIER & MASK_32
    return hashed ^ hashed >> 15


@lru_cache(maxsize=CACHED_KEYS)
def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of a key among `partitions`; raises `ValueError` where there is none."""
    if partitions < 1:
        raise ValueError(f"a topic has at least one partition, not {partitions}")
    return (murmur2(key) & POSITIVE) % partitions


def partitions_for(topic: Topic, event: Event, key: str, partitions: int | None = None) -> Sequence[int]:
    """Return the partitions that an event goes to: one, or all where the topic is, or spreads such events.

    `partitions` is how many there are, by the declaration unless given.
    """
    count = topic.partitions if partitions is None else partitions
    if topic.broadcast or (topic.spread and isinstance(event, topic.spread)):
        return range(count)
    chosen = key if topic.partition_key is None else topic.partition_key(event)
    return (partition_of(chosen.encode(), count),)
