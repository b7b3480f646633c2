"""Event models of the notifications domain. Generated from the .avsc files beside it by schemas/generate.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from tradewind.schemas.event import Event

__all__ = ["Alert"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert(Event):
    """Something that a person should know of."""

    SCHEMA: ClassVar[str] = "tradewind.notifications.Alert"
    VERSION: ClassVar[int] = 1
    RANGES: ClassVar[Mapping[str, str]] = {
        "event_id": "name",
        "tenant_id": "name",
        "ts_event": "any",
        "ts_ingest": "any",
        "correlation_id": "label",
        "causation_id": "label",
        "source": "words",
        "code": "words",
        "message": "words",
        "group": "words",
        "topic": "words",
        "partition": "count",
        "since": "any",
    }

    event_id: str
    """32 hex digits; derived from what caused the event, so that processing again gives the same id"""
    ts_event: int
    """event time: the time at the source of the event"""
    ts_ingest: int
    """when the record at the origin of the chain entered Tradewind"""
    correlation_id: str
    """the first event of the chain"""
    causation_id: str
    """the event that caused this one directly"""
    severity: Literal["UNKNOWN", "INFO", "WARNING", "CRITICAL"]
    """how urgent"""
    source: str
    """agent, feed, sink, strategy or consumer group"""
    code: str
    """a stable name, such as STRATEGY_QUARANTINED or WATCHDOG_POSITION"""
    message: str
    """what happened and what to do"""
    tenant_id: str | None = None
    """the tenant that the event belongs to; null for market data, which all tenants share"""
    group: str | None = None
    """the consumer group that the alert is about; null for an alert about no group"""
    topic: str | None = None
    """the topic that the alert is about, by its name on the cluster; null for an alert about no topic"""
    partition: int | None = None
    """the partition that the alert is about; null for an alert about no partition"""
    since: int | None = None
    """the time since which the alert holds; null for an event of one moment"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            event_id=record["event_id"],
            tenant_id=record["tenant_id"],
            ts_event=record["ts_event"],
            ts_ingest=record["ts_ingest"],
            correlation_id=record["correlation_id"],
            causation_id=record["causation_id"],
            severity=record["severity"],
            source=record["source"],
            code=record["code"],
            message=record["message"],
            group=record["group"],
            topic=record["topic"],
            partition=record["partition"],
            since=record["since"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "event_id": self.event_id,
            "tenant_id": self.tenant_id,
            "ts_event": self.ts_event,
            "ts_ingest": self.ts_ingest,
            "correlation_id": self.correlation_id,
            "causation_id": self.causation_id,
            "severity": self.severity,
            "source": self.source,
            "code": self.code,
            "message": self.message,
            "group": self.group,
            "topic": self.topic,
            "partition": self.partition,
            "since": self.since,
        }

    def in_range(self) -> bool:
        return (
            1 <= len(self.event_id) <= 256
            and (self.tenant_id is None or 1 <= len(self.tenant_id) <= 256)
            and len(self.correlation_id) <= 256
            and len(self.causation_id) <= 256
            and len(self.source) <= 65536
            and len(self.code) <= 65536
            and len(self.message) <= 65536
            and (self.group is None or len(self.group) <= 65536)
            and (self.topic is None or len(self.topic) <= 65536)
            and (self.partition is None or self.partition >= 0)
        )
