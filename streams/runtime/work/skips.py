"""The records that an agent must pass over, and how a chunk is cut around them."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as Coordinates

from tradewind.connectors.dead_letters.skips import digest_of_record, key_of_skip, reason_of_letter
from tradewind.connectors.kafka.client import PASSING, UNREACHABLE, reading, taken
from tradewind.connectors.settings import Settings
from tradewind.schemas.codec import Codec, UndecodableRecord
from tradewind.schemas.runtime import Skip
from tradewind.streams.runtime.agent import Agent, skips_topic
from tradewind.streams.runtime.cluster import Positions
from tradewind.streams.runtime.errors import StateUnavailable, Superseded
from tradewind.streams.runtime.read.chunk import Chunk
from tradewind.streams.runtime.read.positions import Superseding
from tradewind.streams.runtime.read.records import Record
from tradewind.streams.runtime.timings import USUAL, Timings
from tradewind.streams.runtime.work.pieces import Piece

READ_RECORDS = 1_000  # of one call; there are a handful
BUFFER_KIB = 1024
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A record to pass over."""

    reason: str
    """Of its dead letter."""
    digest: bytes | None = None
    """Of the record that is meant; None where it was passed over before, and is again."""

    def is_of(self, record: Record) -> bool:
        """Whether a record at the place is the one that is meant."""
        return self.digest in (None, digest_of_record(record.timestamp, record.key, record.value))


@dataclass(frozen=True, slots=True)
class Skipped(Piece):
    """A piece without a segment: one record that is passed over when its turn comes."""

    record: Record
    told: PassedOver


ByOffset = Mapping[int, PassedOver]
ByInput = Mapping[str, ByOffset]
"""What a task passes over, by the name of the input."""


class Skips:
    """Reads `<agent>.skips`."""

    def __init__(self, agent: Agent, settings: Settings, codec: Codec, timings: Timings = USUAL) -> None:
        self._codec = codec
        self._timings = timings
        self.topic = settings.physical(skips_topic(agent))
        self._options = reading(settings, "skips", BUFFER_KIB)

    def read(self, positions: Positions, superseded: Superseding) -> dict[int, ByInput]:
        """Return what each task must pass over, by the topic's present end; raises as `Changelog.restore` does."""
        at = (self.topic, 0)
        first, end = positions.bounds([at], superseded)[at]
        found: dict[str, Skip] = {}
        for key, value in self._records(first, end, superseded) if end > first else ():
            name = (key or b"").decode("utf-8", "replace")
            try:
                event = None if value is None else self._codec.decode(value)
            except UndecodableRecord as error:
                log.warning("%s: %s is no skip: %s", self.topic, name, error)
                continue
            if isinstance(event, Skip):
                found[name] = event
            else:
                found.pop(name, None)
        by_task: dict[int, dict[str, dict[int, PassedOver]]] = {}
        for skip in found.values():
            told = PassedOver(reason_of_letter(skip), skip.digest)
            by_task.setdefault(skip.partition, {}).setdefault(skip.topic, {})[skip.offset] = told
        return dict(by_task)

    def _records(self, first: int, end: int, superseded: Superseding) -> Iterator[tuple[bytes | None, bytes | None]]:
        """Yield (key, value) of the committed records of [first, end)."""
        consumer, silent_s, reached = Consumer(self._options), 0.0, first
        timings = self._timings
        try:
            consumer.assign([Coordinates(self.topic, 0, first)])
            while reached < end:
                if superseded():
                    raise Superseded
                looked_s, before = time.monotonic(), reached
                for message in taken(consumer, READ_RECORDS, timings.read_s):
                    error = message.error()
                    if error is None and (message.offset() or 0) < end:
                        yield message.key(), message.value()
                    elif error is not None and error.code() not in {KafkaError._PARTITION_EOF, *PASSING, *UNREACHABLE}:
                        raise KafkaException(error)
                    if error is None or error.code() == KafkaError._PARTITION_EOF:
                        reached = max(reached, (message.offset() or 0) + (error is None))
                spent_s = min(timings.read_s, time.monotonic() - looked_s)
                silent_s = 0.0 if reached > before else silent_s + spent_s
                if silent_s > timings.silence_s:
                    raise StateUnavailable(
                        f"{self.topic}: nothing after offset {reached} for {timings.silence_s:.0f} s, and it ends "
                        f"at {end}. Check that its leader answers and that no transaction stays pending; then start "
                        "the worker again."
                    )
        finally:
            consumer.close()


def skipped(chunk: Chunk, told: PassedOver) -> Skipped:
    """Return the piece of a chunk of one record that is passed over."""
    return Skipped(None, chunk.records[:0], (), chunk.next, chunk.records[0], told)


def tombstone_key(topic: str, partition: int, offset: int) -> bytes:
    """Return the key that is deleted when a record was passed over."""
    return key_of_skip(topic, partition, offset).encode()


def cut_around(chunk: Chunk, places: ByOffset) -> Iterator[tuple[Chunk, PassedOver | None]]:
    """Yield the parts of a chunk: those to process, and each record to pass over as a chunk of its own."""
    for offset in sorted(places):
        at = int(chunk.records.offsets.searchsorted(offset))
        if at == len(chunk.records) or int(chunk.records.offsets[at]) != offset:
            continue
        told = places[offset]
        if not told.is_of(chunk.records[at]):
            log.warning(
                "%s, partition %d, offset %d: another record than the one to skip is there", *chunk.source, offset
            )
            continue
        if at:
            yield replace(chunk, records=chunk.records[:at], next=offset), None
        yield replace(chunk, start=offset, records=chunk.records[at : at + 1], next=offset + 1), told
        chunk = replace(chunk, start=offset + 1, records=chunk.records[at + 1 :])
    if chunk.records or chunk.next > chunk.start:
        yield chunk, None
