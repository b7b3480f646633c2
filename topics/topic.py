"""A topic: what it carries, how it is keyed and kept, and who owns it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tradewind.schemas.event import Event

PARTITIONS = 4  # tasks of one agent run in parallel up to this; inputs of one agent must have equal counts
MIB = 1024 * 1024
RETENTION_BYTES = 64 * MIB  # per partition, so that a week of a running feed does not fill a disk
SEGMENT_BYTES = 16 * MIB  # retention removes whole segments only, so a segment is a fraction of what is kept


@dataclass(frozen=True, slots=True)
class Topic:
    """A Kafka topic.

    Records are partitioned by `partition_key` (Java's murmur2, as Faust and the Java clients do) and carry `key`.
    """

    name: str
    model: type[Event]
    """The event that it carries."""
    key: Callable[[Event], str]
    """The record's key, which compaction keeps the last of."""
    owner: str
    """The domain that answers for it."""
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    also: tuple[type[Event], ...] = ()
    """Other events on the same topic, such as heartbeats."""
    partition_key: Callable[[Event], str] | None = None
    """What chooses the partition; the key where None."""
    partitions: int = PARTITIONS
    cleanup: Literal["delete", "compact"] = "delete"
    retention_bytes: int = RETENTION_BYTES
    """Bytes kept per partition; -1 keeps all (compacted topics)."""
    segment_bytes: int = SEGMENT_BYTES
    columnar: bool = False
    """Whether agents read it column by column."""
    broadcast: bool = False
    """Whether each record goes to every partition, for each task to see it."""

    @property
    def models(self) -> tuple[type[Event], ...]:
        """Every event that may be on the topic."""
        return (self.model, *self.also)

    def config(self) -> dict[str, str]:
        """Return the configuration as Kafka names it; time never deletes: replayed records are years old."""
        return {
            "cleanup.policy": self.cleanup,
            "retention.bytes": str(self.retention_bytes if self.cleanup == "delete" else -1),
            "retention.ms": "-1",
            "segment.bytes": str(self.segment_bytes),
            "message.timestamp.type": "CreateTime",
        }
