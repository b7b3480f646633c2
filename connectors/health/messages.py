"""Search a topic: newest first over all partitions, or from a place on. In steps, each of which has a budget.

Nothing is committed, and no group is joined. A step says where the next one goes on, so that whoever searches shows how
far it is and stops when a person does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from tradewind.connectors.kafka.client import PASSING, reading, stream_error, taken, until_settled
from tradewind.connectors.kafka.errors import BrokerUnavailable
from tradewind.connectors.kafka.offsets import Bounds
from tradewind.connectors.settings import Settings

STEP_S: Final = 1.5
"""Of one step: whoever waits sees how far it is."""
STEP_BYTES: Final = 32 * 1024 * 1024
FIRST_BLOCK: Final = 200
"""Records of a partition that are read first: most searches want the newest page."""
LARGEST_BLOCK: Final = 20_000
QUEUED_KIB: Final = 16 * 1024
ANSWER_S: Final = 5.0
POLL_S: Final = 0.05
BATCH: Final = 5_000
T = TypeVar("T")
Takes = Callable[[Message], bool]
"""Whether a record is wanted."""
Reached = Mapping[int, int]
"""Partition -> where a search goes on: backwards before this offset, forwards from it on."""


@dataclass(slots=True)
class Step:
    """What one step of a search has found."""

    hits: list[Message]
    """Newest first."""
    reached: dict[int, int]
    left: int
    """Offsets that are still to be searched; 0 at the end."""
    records: int = 0
    bytes: int = 0


@dataclass(slots=True)
class _Part:
    """How far a partition has been searched backwards."""

    first: int
    low: int
    """What is before this offset has not been read."""
    floor_ms: int
    """Timestamp of the oldest record that was read: what is before came in no later."""
    block: int = FIRST_BLOCK
    hits: list[Message] = field(default_factory=list)
    """Wanted records that were not handed on, newest first."""

    @property
    def done(self) -> bool:
        return self.low <= self.first


class Searcher:
    """One connection; for one thread at a time. Methods raise `StreamError`."""

    def __init__(self, settings: Settings, topic: str, step_s: float = STEP_S) -> None:
        """Take the topic's name on the cluster."""
        self._settings, self._topic, self._step_s = settings, topic, step_s
        self._consumer = Consumer(reading(settings, "search", QUEUED_KIB))

    def close(self) -> None:
        """Close the connection."""
        self._consumer.close()

    def bounds(self, partitions: range | list[int]) -> dict[int, Bounds]:
        """Return the first offset of each partition and the last stable one."""
        found = {}
        for number in partitions:
            at = TopicPartition(self._topic, number)
            ends = self._asked(lambda at=at: self._consumer.get_watermark_offsets(at, ANSWER_S))  # type: ignore[misc]
            found[number] = (int(ends[0]), int(ends[1]))
        return found

    def at_time(self, partitions: range | list[int], moment_ms: int, bounds: Mapping[int, Bounds]) -> dict[int, int]:
        """Return the first offset of each partition that came in at a time or later; its end where there is none."""
        asked = [TopicPartition(self._topic, number, moment_ms) for number in partitions]
        found = self._asked(lambda: self._consumer.offsets_for_times(asked, ANSWER_S))
        return {one.partition: one.offset if one.offset >= 0 else bounds[one.partition][1] for one in found}

    def backwards(self, reached: Reached, bounds: Mapping[int, Bounds], takes: Takes, limit: int) -> Step:
        """Search from `reached` back to the first offsets in `bounds`; up to `limit` hits, newest first."""
        newest = 2**62
        parts = {number: _Part(bounds[number][0], at, newest) for number, at in reached.items()}
        step = Step([], {}, 0)
        deadline = time.monotonic() + self._step_s
        while len(step.hits) < limit:
            open_ = [number for number, part in parts.items() if not part.done]
            horizon = max((parts[number].floor_ms for number in open_), default=-1)
            best = max(
                (part for part in parts.values() if part.hits),
                key=lambda part: part.hits[0].timestamp()[1],
                default=None,
            )
            if best is not None and best.hits[0].timestamp()[1] >= horizon:
                step.hits.append(best.hits.pop(0))
            elif not open_ or (horizon < newest and (time.monotonic() > deadline or step.bytes > STEP_BYTES)):
                break  # each partition was read at least once, or the next step would begin as this one
            else:
                number = max(open_, key=lambda one: (parts[one].floor_ms, parts[one].low - parts[one].first))
                self._read_block(number, parts[number], takes, step)
        for number, part in parts.items():
            step.reached[number] = part.hits[0].offset() + 1 if part.hits else part.low
            step.left += max(0, step.reached[number] - part.first)
        return step

    def forwards(self, reached: Reached, bounds: Mapping[int, Bounds], takes: Takes, limit: int) -> Step:
        """Search from `reached` on to the ends in `bounds`; up to `limit` hits, in the order of each partition."""
        step = Step([], dict(reached), 0)
        deadline = time.monotonic() + self._step_s
        while len(step.hits) < limit and time.monotonic() < deadline and step.bytes <= STEP_BYTES:
            open_ = [number for number, at in step.reached.items() if at < bounds[number][1]]
            if not open_:
                break
            for number in open_:
                begin = step.reached[number]
                end = min(bounds[number][1], begin + LARGEST_BLOCK)
                for message in self._records(number, begin, end):
                    step.records += 1
                    step.bytes += len(message.value() or b"")
                    if takes(message):
                        step.hits.append(message)
                        if len(step.hits) == limit:
                            end = message.offset() + 1
                            break
                step.reached[number] = end
                if len(step.hits) == limit:
                    break
        step.left = sum(max(0, bounds[number][1] - at) for number, at in step.reached.items())
        return step

    def _read_block(self, number: int, part: _Part, takes: Takes, step: Step) -> None:
        begin = max(part.first, part.low - part.block)
        found = self._records(number, begin, part.low)
        step.records += len(found)
        step.bytes += sum(len(message.value() or b"") for message in found)
        if found:
            part.floor_ms = min(part.floor_ms, found[0].timestamp()[1])
        part.hits += [message for message in reversed(found) if takes(message)]
        part.low = begin
        part.block = min(LARGEST_BLOCK, part.block * 4)

    def _records(self, number: int, begin: int, end: int) -> list[Message]:
        """Return the committed records of a stretch; markers and what was aborted leave gaps."""
        self._consumer.assign([TopicPartition(self._topic, number, begin)])
        found: list[Message] = []
        deadline = time.monotonic() + ANSWER_S
        while time.monotonic() < deadline:
            messages = [one for one in taken(self._consumer, BATCH, POLL_S) if one.partition() == number]
            for message in messages:
                if self._is_end(message) or message.offset() >= end:
                    return found
                if message.error() is None and message.offset() >= begin:
                    found.append(message)
                    if message.offset() == end - 1:
                        return found
            if messages:
                deadline = time.monotonic() + ANSWER_S
        raise BrokerUnavailable(
            f"Kafka at {self._settings.bootstrap} did not answer for {ANSWER_S:.0f} s; see ./dev status"
        )

    def _is_end(self, message: Message) -> bool:
        """Return whether there is nothing more; raises `StreamError` for an error that does not pass."""
        error = message.error()
        if error is None or error.code() in PASSING:
            return False
        if error.code() in {KafkaError._PARTITION_EOF, KafkaError._AUTO_OFFSET_RESET}:
            return True  # at the end, or retention was faster
        raise stream_error(KafkaException(error), f"searching {self._topic}", self._settings)

    def _asked(self, question: Callable[[], T]) -> T:
        try:
            return until_settled(question, ANSWER_S)
        except KafkaException as error:
            raise stream_error(error, f"searching {self._topic}", self._settings) from error
