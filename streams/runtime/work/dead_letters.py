"""Dead letters: how a record becomes one, and how redriven ones become the records again that they were."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from tradewind.connectors.dead_letters.fit import fitted
from tradewind.connectors.dead_letters.owner import Owner, Returns
from tradewind.processors.identity import derive_id
from tradewind.schemas.event import US_PER_MS
from tradewind.schemas.ranges import TIME_END
from tradewind.schemas.runtime import DeadLetter
from tradewind.streams.runtime.agent import Agent, dead_letter_topic, redrive_topic, redriven_topic, skips_topic
from tradewind.streams.runtime.read.chunk import Chunk
from tradewind.streams.runtime.read.records import Record, Records
from tradewind.topics import Topic

NO_TIMESTAMP = -1
"""ms; what Kafka calls a record without a time. Anything earlier, or too late for 64 bits of µs, is not quoted."""
ErrorKind = Literal["UNDECODABLE", "POISON"]


@dataclass(frozen=True, slots=True)
class RedrivenRecord:
    """A record as it was at its origin, and which attempt at it this is."""

    offset: int
    timestamp: int
    """ms since 1970."""
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    attempt: int
    """2 for a record that failed when it was first read."""


@dataclass(frozen=True, slots=True)
class OriginRun:
    """Redriven records of one input, ascending by offset, as the partition would have given them."""

    topic: Topic
    records: Sequence[RedrivenRecord]


@dataclass(frozen=True, slots=True)
class Misdirected:
    """A letter that this task must not process: another task, or another agent, answers for the record."""

    letter: DeadLetter
    record: RedrivenRecord
    reason: str


def owner_of(agent: Agent) -> Owner:
    """Return who the dead letters of an agent belong to, and how they go back to it."""
    inputs = frozenset(topic.name for topic in agent.inputs)
    return Owner(
        agent.name,
        dead_letter_topic(agent),
        Returns(redrive_topic(agent), redriven_topic(agent), skips_topic(agent), inputs),
    )


def letter_of(agent: str, at: tuple[str, int], record: Record, error: ErrorKind, reason: str) -> DeadLetter:
    """Return the letter of a record of `at`, topic and partition; its id is the same whenever it is made again."""
    attempt = record.attempt if isinstance(record, RedrivenRecord) else 1
    fits = fitted(record.key, record.value, record.headers, reason)
    return DeadLetter(
        event_id=derive_id(agent, *at, record.offset, *((attempt,) if attempt > 1 else ())),
        agent=agent,
        error=error,
        reason=fits.reason,
        topic=at[0],
        partition=at[1],
        offset=record.offset,
        ts_ingest=min(max(record.timestamp, NO_TIMESTAMP), TIME_END // US_PER_MS) * US_PER_MS,
        key=fits.key,
        value=fits.value,
        headers=tuple({"key": key, "value": value} for key, value in fits.headers),
        attempt=attempt,
    )


def record_of(letter: DeadLetter) -> RedrivenRecord:
    """Return the record that a letter quotes, at its next attempt."""
    return RedrivenRecord(
        offset=letter.offset,
        timestamp=letter.ts_ingest // US_PER_MS,
        key=letter.key,
        value=letter.value,
        headers=tuple((str(header["key"]), _bytes(header["value"])) for header in letter.headers),
        attempt=letter.attempt + 1,
    )


def origins(agent: Agent, partition: int, letters: Iterable[DeadLetter]) -> Iterator[OriginRun | Misdirected]:
    """Yield the records of letters in the order of the letters, in runs as long as one read of the origin could be."""
    inputs = {topic.name: topic for topic in agent.inputs}
    topic, records = None, list[RedrivenRecord]()
    for letter in letters:
        record, reason = record_of(letter), _why_misdirected(agent, partition, letter)
        follows = reason is None and topic == inputs[letter.topic] and records[-1].offset < record.offset
        if topic is not None and not follows:
            yield OriginRun(topic, records)
            topic, records = None, []
        if reason is not None:
            yield Misdirected(letter, record, reason)
            continue
        topic = inputs[letter.topic]
        records.append(record)
    if topic is not None:
        yield OriginRun(topic, records)


def as_read(run: OriginRun, redriven: Chunk, name: str) -> Chunk:
    """Return a run as a chunk of its origin, whose name on the cluster is `name`."""
    first, last = run.records[0].offset, run.records[-1].offset
    return Chunk(
        (name, redriven.source[1]), redriven.lease, redriven.epoch, first, Records.of(run.records, keep=True), last + 1
    )


def _why_misdirected(agent: Agent, partition: int, letter: DeadLetter) -> str | None:
    if letter.agent != agent.name:
        return f"it is a letter of {letter.agent}, and was sent to {agent.name}"
    if letter.topic not in {topic.name for topic in agent.inputs}:
        return f"{agent.name} does not read {letter.topic} any more"
    if letter.partition != partition:
        return f"it belongs to partition {letter.partition}, and was sent to partition {partition}"
    return None


def _bytes(value: object) -> bytes | None:
    assert value is None or isinstance(value, bytes)  # the schema says so; the model's type does not
    return value
