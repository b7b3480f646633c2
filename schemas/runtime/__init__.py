"""Event models of the runtime domain. Generated from the .avsc files beside it by schemas/generate.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from tradewind.schemas.event import Event

__all__ = ["CallMarks", "ClockTick", "DeadLetter", "JournalEntry", "Redriven", "Skip", "StateSnapshot", "TaskPosition"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallMarks(Event):
    """What a caller has claimed of a partition, written in the transaction that commits the same to its group."""

    SCHEMA: ClassVar[str] = "tradewind.runtime.CallMarks"
    VERSION: ClassVar[int] = 1

    caller: str
    """the caller"""
    topic: str
    """the topic of calls, by its name without the namespace"""
    partition: int
    """the partition of calls"""
    offset: int
    """the lowest offset that is not claimed: what the group commits"""
    marks: str
    """what the group commits as metadata: the lowest call without an attempt, and two bitmaps from it on"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            caller=record["caller"],
            topic=record["topic"],
            partition=record["partition"],
            offset=record["offset"],
            marks=record["marks"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "caller": self.caller,
            "topic": self.topic,
            "partition": self.partition,
            "offset": self.offset,
            "marks": self.marks,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockTick(Event):
    """The time by the clock of the one owner of the clock, sent each second. Readers ignore a step back."""

    SCHEMA: ClassVar[str] = "tradewind.runtime.ClockTick"
    VERSION: ClassVar[int] = 1
    RANGES: ClassVar[Mapping[str, str]] = {
        "ts_event": "later",
        "owner": "name",
    }

    ts_event: int
    """the time"""
    owner: str
    """the process that sent the time"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            ts_event=record["ts_event"],
            owner=record["owner"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "ts_event": self.ts_event,
            "owner": self.owner,
        }

    def in_range(self) -> bool:
        return 0 <= self.ts_event <= 253402214400000000 and 1 <= len(self.owner) <= 256


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter(Event):
    """A record that an agent could not process, whole, with the reason."""

    SCHEMA: ClassVar[str] = "tradewind.runtime.DeadLetter"
    VERSION: ClassVar[int] = 1
    RANGES: ClassVar[Mapping[str, str]] = {
        "event_id": "any",
        "agent": "any",
        "reason": "any",
        "topic": "any",
        "partition": "count",
        "offset": "count",
        "ts_ingest": "any",
        "attempt": "count",
    }

    event_id: str
    """derived from agent, topic, partition and offset, and after the first attempt from its number"""
    agent: str
    """the agent that failed"""
    error: Literal["UNKNOWN", "UNDECODABLE", "POISON"]
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
    headers: tuple[Mapping[str, bytes | str | None], ...]
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

    def in_range(self) -> bool:
        return self.partition >= 0 and self.offset >= 0 and self.attempt >= 0


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry(Event):
    """The records that one transaction of a task processed, in order, with the digests of its outputs and of the state."""

    SCHEMA: ClassVar[str] = "tradewind.runtime.JournalEntry"
    VERSION: ClassVar[int] = 1

    agent: str
    """the agent"""
    partition: int
    """the partition that the task owns of every input"""
    sequence: int
    """entries of a task are numbered from 0 without gaps"""
    starts: tuple[Mapping[str, int | str], ...]
    """inputs that start at an offset although the task has not read the records before it, as at a first start"""
    ranges: tuple[Mapping[str, bytes | int | str], ...]
    """what was processed, in that order: committed records of [first, next), their digest (16 bytes), and the sum and the moment of their fingerprints, which tell which single record changed"""
    skipped: tuple[Mapping[str, int | str | tuple[int, ...]], ...]
    """records that became dead letters, by where they were and the kind of error, in the order in which they did"""
    outputs: int
    """number of records sent: outputs and dead letters, to every topic and partition"""
    outputs_digest: bytes
    """16 bytes: digest of those records, in order"""
    state_digest: bytes
    """16 bytes: digest of the task's state after"""
    versions: Mapping[str, str] | None = None
    """what the entries from here on were made by; in the first entry after a task was taken over"""
    migrations: tuple[int, ...] = ()
    """numbers, from 1 on, of the agent's migrations that the entry took the state through, before anything else"""
    format: str = ""
    """format of state that the worker wrote"""
    by_hand: tuple[Mapping[str, int | str], ...] = ()
    """records of the ranges that the agent skipped by order of a person. They became dead letters with this reason; topic and offset are those of the range"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            agent=record["agent"],
            partition=record["partition"],
            sequence=record["sequence"],
            starts=tuple(record["starts"]),
            ranges=tuple(record["ranges"]),
            skipped=tuple(record["skipped"]),
            outputs=record["outputs"],
            outputs_digest=record["outputs_digest"],
            state_digest=record["state_digest"],
            versions=record["versions"],
            migrations=tuple(record["migrations"]),
            format=record["format"],
            by_hand=tuple(record["by_hand"]),
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "agent": self.agent,
            "partition": self.partition,
            "sequence": self.sequence,
            "starts": list(self.starts),
            "ranges": list(self.ranges),
            "skipped": list(self.skipped),
            "outputs": self.outputs,
            "outputs_digest": self.outputs_digest,
            "state_digest": self.state_digest,
            "versions": self.versions,
            "migrations": list(self.migrations),
            "format": self.format,
            "by_hand": list(self.by_hand),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Redriven(Event):
    """A mark that a dead letter was sent back to its agent. It is written in the same transaction as the record that was sent back."""

    SCHEMA: ClassVar[str] = "tradewind.runtime.Redriven"
    VERSION: ClassVar[int] = 1

    event_id: str
    """the letter's event_id"""
    agent: str
    """the agent to which the letter was sent"""
    times: int
    """how often the letter has been sent back, this time included"""
    ts_redriven: int
    """the time at which the letter was last sent back"""

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
class Skip(Event):
    """A record that an agent must skip by order of a person: it becomes a dead letter and is not processed."""

    SCHEMA: ClassVar[str] = "tradewind.runtime.Skip"
    VERSION: ClassVar[int] = 1

    agent: str
    """the agent"""
    topic: str
    """the input, or the agent's redrive topic"""
    partition: int
    """the record's partition"""
    offset: int
    """the offset of the record in its partition"""
    reason: str
    """why, in the words of who said so"""
    said_by: str
    """who said so: user and host"""
    ts_skip: int
    """the time at which the person ordered the skip"""
    digest: bytes
    """16 bytes: of the record's timestamp, key and value; if the topic was recreated, the agent does not skip another record at this offset"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            agent=record["agent"],
            topic=record["topic"],
            partition=record["partition"],
            offset=record["offset"],
            reason=record["reason"],
            said_by=record["said_by"],
            ts_skip=record["ts_skip"],
            digest=record["digest"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "agent": self.agent,
            "topic": self.topic,
            "partition": self.partition,
            "offset": self.offset,
            "reason": self.reason,
            "said_by": self.said_by,
            "ts_skip": self.ts_skip,
            "digest": self.digest,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class StateSnapshot(Event):
    """A part of a task's whole state as it was before an entry of its journal."""

    SCHEMA: ClassVar[str] = "tradewind.runtime.StateSnapshot"
    VERSION: ClassVar[int] = 1

    agent: str
    """the agent"""
    partition: int
    """the partition that the task owns of every input"""
    sequence: int
    """number of the first entry that the state knows nothing of"""
    part: int
    """number of this part, from 0 on"""
    parts: int
    """number of parts"""
    inputs: tuple[Mapping[str, int | str], ...]
    """every input with the offset that was read next"""
    state_digest: bytes
    """16 bytes: digest of the state"""
    data: bytes
    """this part of the state's bytes: each key and value after its length, sorted by key"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            agent=record["agent"],
            partition=record["partition"],
            sequence=record["sequence"],
            part=record["part"],
            parts=record["parts"],
            inputs=tuple(record["inputs"]),
            state_digest=record["state_digest"],
            data=record["data"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "agent": self.agent,
            "partition": self.partition,
            "sequence": self.sequence,
            "part": self.part,
            "parts": self.parts,
            "inputs": list(self.inputs),
            "state_digest": self.state_digest,
            "data": self.data,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPosition(Event):
    """The next offsets of a task. The transaction that moves the offsets writes them to the changelog."""

    SCHEMA: ClassVar[str] = "tradewind.runtime.TaskPosition"
    VERSION: ClassVar[int] = 1

    agent: str
    """the agent"""
    partition: int
    """the partition that the task owns of every input"""
    inputs: tuple[Mapping[str, int | str], ...]
    """each input with the next offset to read"""
    sequence: int = 0
    """number of the next entry of the task's journal"""
    state_digest: bytes = b""
    """16 bytes: digest of the task's state at this position"""
    snapshot: int = -1
    """number of the entry before which the last whole snapshot of the state was taken; -1 where none was"""
    migrations: int = 0
    """how many of the agent's migrations the state has been through"""
    format: str = ""
    """format of state that the worker wrote"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            agent=record["agent"],
            partition=record["partition"],
            inputs=tuple(record["inputs"]),
            sequence=record["sequence"],
            state_digest=record["state_digest"],
            snapshot=record["snapshot"],
            migrations=record["migrations"],
            format=record["format"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "agent": self.agent,
            "partition": self.partition,
            "inputs": list(self.inputs),
            "sequence": self.sequence,
            "state_digest": self.state_digest,
            "snapshot": self.snapshot,
            "migrations": self.migrations,
            "format": self.format,
        }
