"""A topic: what it carries, how it is keyed and kept, and who owns it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Literal, cast

from tradewind.schemas.event import Event

PARTITIONS = 4  # tasks of one agent run in parallel up to this; inputs of one agent must have equal counts
MIB = 1024 * 1024
KEEP_ALL = -1  # bytes: nothing is ever removed
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
    """Returns the record's key. Compaction keeps the last record of each key."""
    owner: str
    """The domain that owns the topic."""
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    also: tuple[type[Event], ...] = ()
    """Other events on the same topic, such as heartbeats."""
    partition_key: Callable[[Event], str] | None = None
    """Returns the text that chooses the partition. None: the key chooses."""
    partitions: int = PARTITIONS
    cleanup: Literal["delete", "compact"] = "delete"
    retention_bytes: int = RETENTION_BYTES
    """Bytes kept per partition; -1 keeps all (compacted topics)."""
    segment_bytes: int = SEGMENT_BYTES
    total: str = ""
    """The total of `status` that counts its events of `model`. Empty: no total."""
    columnar: bool = False
    """Whether agents read it column by column."""
    key_columns: tuple[str, ...] = ()
    """The fields that form the key, joined by dots. Empty: `key` forms it otherwise, and tables cannot be sent."""
    time_carrier: type[Event] | None = None
    """The event that promises, for its key, that later events have a larger `ts_event`, such as `Heartbeat`."""
    traced: bool = True
    """Whether records carry a trace header, if their events have a `correlation_id`."""
    broadcast: bool = False
    """Whether each record goes to every partition, so that each task sees it. Agents read broadcast inputs first."""
    spread: tuple[type[Event], ...] = ()
    """Events that go to every partition of a topic whose other events do not, such as heartbeats of an instrument on a
    topic that is partitioned by account."""
    newest_time: bool = False
    """Whether a transaction sends the newest time carriers only: nobody could see an earlier one before them."""

    def __post_init__(self) -> None:
        if self.time_carrier is not None and self.time_carrier not in self.models:
            raise ValueError(f"topic {self.name}: it does not carry its time carrier, {self.time_carrier.__name__}")
        if self.newest_time and self.time_carrier is None:
            raise ValueError(f"topic {self.name}: it carries no event that tells the time, so none is the newest")
        if lacking := [model.__name__ for model in self.spread if model not in self.models]:
            raise ValueError(f"topic {self.name}: it does not carry {lacking[0]}, which is to go to every partition")
        known = {field.name for field in fields(cast("type", self.model))}
        if lacking := [column for column in self.key_columns if column not in known]:
            raise ValueError(f"topic {self.name}: {self.model.__name__} lacks the key column {lacking[0]}")

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
