"""Event models of the runtime domain. Generated from the .avsc files beside it by schemas/generate.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from tradewind.schemas.event import Event

__all__ = ["DeadLetter", "Redriven", "TaskPosition"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter(Event):
    """A record that an agent could not process, whole, with the reason."""

    SCHEMA: ClassVar[str] = "tradewind.runtime.DeadLetter"
    VERSION: ClassVar[int] = 2

    event_id: str
    """derived from agent, topic, partition and offset, and after the first attempt from its number"""
    agent: str
    """the agent that failed"""
    error: Literal["UNDECODABLE", "POISON"]
    """kind of error"""
    reason: str
    """what was wrong"""
    topic: str
    """origin"""
    partition: int
    """origin"""
    offset: int
    """origin"""
    ts_ingest: int
    """the record's timestamp"""
    headers: tuple[Mapping[str, bytes | None | str], ...]
    """the record's headers"""
    key: bytes | None = None
    """the record's key"""
    value: bytes | None = None
    """the record's value"""
    attempt: int = 1
    """1 where the record failed when it was first read, 2 where it failed after its first redrive, and so on"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            event_id=record["event_id"],
            agent=record["agent"],
            error=record["error"],
            reason=record["reason"],
            topic=record["topic"],
            partition=record["partition"],
            offset=record["offset"],
            ts_ingest=record["ts_ingest"],
            key=record["key"],
            value=record["value"],
            headers=tuple(record["headers"]),
            attempt=record["attempt"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "event_id": self.event_id,
            "agent": self.agent,
            "error": self.error,
            "reason": self.reason,
            "topic": self.topic,
            "partition": self.partition,
            "offset": self.offset,
            "ts_ingest": self.ts_ingest,
            "key": self.key,
            "value": self.value,
            "headers": list(self.headers),
            "attempt": self.attempt,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Redriven(Event):
    """Says that a dead letter was sent back to its agent; written in the transaction that sent it."""

    SCHEMA: ClassVar[str] = "tradewind.runtime.Redriven"
    VERSION: ClassVar[int] = 1

    event_id: str
    """the letter's event_id"""
    agent: str
    """the agent that it was sent to"""
    times: int
    """how often it has been sent, this time included"""
    ts_redriven: int
    """when it was sent last"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            event_id=record["event_id"],
            agent=record["agent"],
            times=record["times"],
            ts_redriven=record["ts_redriven"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "event_id": self.event_id,
            "agent": self.agent,
            "times": self.times,
            "ts_redriven": self.ts_redriven,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPosition(Event):
    """Where a task goes on reading, written to its changelog in the transaction that moved it there."""

    SCHEMA: ClassVar[str] = "tradewind.runtime.TaskPosition"
    VERSION: ClassVar[int] = 1

    agent: str
    """the agent"""
    partition: int
    """the partition that the task owns of every input"""
    inputs: tuple[Mapping[str, int | str], ...]
    """every input with the offset that is read next"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            agent=record["agent"],
            partition=record["partition"],
            inputs=tuple(record["inputs"]),
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "agent": self.agent,
            "partition": self.partition,
            "inputs": list(self.inputs),
        }
