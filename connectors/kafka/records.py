"""Read a topic's records as bytes, from any start, without a group: nothing is committed, and nobody disturbed."""

from __future__ import annotations

import time
from collections.abc import Collection, Generator, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal

from confluent_kafka import OFFSET_END, Consumer, KafkaError, KafkaException, Message, TopicPartition

from tradewind.connectors.kafka.client import ANSWER_S, reading, stream_error, taken, until_settled
from tradewind.connectors.kafka.errors import BrokerUnavailable, OffsetGone, StreamError
from tradewind.connectors.settings import Settings

Start = Literal["earliest", "latest"] | int | datetime
"""Where to begin in each partition: its ends, an offset, or the first record that came in at a time or later."""
Starts = Start | Mapping[int, int]
"""The same for all partitions, or an offset for each."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
BATCH_RECORDS = 5_000  # handed on at once: 355k records/s, and a few hundred KiB
WAIT_S = 0.1  # for the next record: how soon a reader that is stopped notices
SILENCE_S = 30.0  # outlasts a broker's restart; a partition that is read to its end answers within one fetch
QUEUED_KIB = 32 * 1024  # read ahead, over all partitions


def raw_records(
    settings: Settings, topic: str, partitions: Collection[int], start: Starts, *, follow: bool = False
) -> Generator[list[Message], None, None]:
    """Yield committed records of a topic (its name on the cluster) in batches, each partition in order.

    Ends where the partitions ended when they were reached; with `follow` it never does, and yields an empty batch when
    there is nothing new. Raises `StreamError`.
    """
    consumer = Consumer(reading(settings, "reader", QUEUED_KIB))
    try:
        begins = {
            partition: _begin(consumer, topic, partition, start[partition] if isinstance(start, Mapping) else start)
            for partition in sorted(partitions)
        }
        consumer.assign([TopicPartition(topic, partition, max(begin, 0)) for partition, begin in begins.items()])
        yield from _batches(consumer, settings, set(begins), _Before(start), follow=follow)
    except KafkaException as error:
        raise stream_error(error, f"reading {topic}", settings) from error
    finally:
        consumer.close()


class _Before:
    """Tells which records lie before a start that was beyond a partition's end when it was looked for."""

    def __init__(self, start: Starts) -> None:
        self._offsets = start if isinstance(start, Mapping) else {}
        self._offset = start if isinstance(start, int) else 0
        self._ms = _ms_of(start) if isinstance(start, datetime) else 0
        self._begun: set[int] = set()

    def __contains__(self, message: Message) -> bool:
        partition = message.partition()
        if message.offset() < self._offsets.get(partition, self._offset):
            return True
        if self._ms and partition not in self._begun:
            if message.timestamp()[1] < self._ms:
                return True
            self._begun.add(partition)
        return False


def _batches(
    consumer: Consumer, settings: Settings, unfinished: set[int], before: _Before, *, follow: bool
) -> Iterator[list[Message]]:
    heard = time.monotonic()
    while unfinished or follow:
        batch: list[Message] = []
        answers = taken(consumer, BATCH_RECORDS, WAIT_S)
        if any(answer.error() is None or answer.error().code() == KafkaError._PARTITION_EOF for answer in answers):
            heard = time.monotonic()
        elif not follow and time.monotonic() - heard > SILENCE_S:
            raise BrokerUnavailable(
                f"Kafka at {settings.bootstrap} did not answer for {SILENCE_S:.0f} s; look at `tradewind status`"
            )
        for message in answers:
            error = message.error()
            if error is None:
                if message not in before:
                    batch.append(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                unfinished.discard(message.partition())
            elif error.fatal() or error.code() not in {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN}:
                raise stream_error(KafkaException(error), f"reading {message.topic()}/{message.partition()}", settings)
        if batch or follow:
            yield batch


def _begin(consumer: Consumer, topic: str, partition: int, start: Start) -> int:
    """Return the offset to begin at; a start beyond the end begins at the end, and earlier records are dropped."""
    ends = until_settled(lambda: consumer.get_watermark_offsets(TopicPartition(topic, partition), ANSWER_S), SILENCE_S)
    if ends is None:
        raise BrokerUnavailable(f"{topic}/{partition}: Kafka did not report its offsets within {ANSWER_S:.0f} s")
    first, end = int(ends[0]), int(ends[1])
    if start == "earliest":
        return first
    if start == "latest":
        return end
    if isinstance(start, datetime):
        if start.tzinfo is None:
            raise StreamError(f"start {start.isoformat()} has no time zone: give one, such as {start.isoformat()}Z")
        if start <= EPOCH:
            return first  # librdkafka takes negative times for signs of its own, and every record came in later
        at = TopicPartition(topic, partition, _ms_of(start))
        (found,) = until_settled(lambda: consumer.offsets_for_times([at], ANSWER_S), SILENCE_S)
        if found.error is not None:
            raise KafkaException(found.error)
        return end if found.offset in {OFFSET_END, -1} else int(found.offset)
    if not isinstance(start, int) or start < 0:
        raise StreamError(f"start {start!r}: give 'earliest', 'latest', an offset from 0 on, or a datetime")
    if start < first:
        raise OffsetGone(
            f"{topic}/{partition} begins at offset {first}: {start} was removed by retention. "
            f"Begin at {first}, or at 'earliest'"
        )
    return min(start, end)


def _ms_of(start: datetime) -> int:
    """Return the first whole millisecond at or after a time: records have whole ones."""
    return max(0, -((EPOCH - start) // MILLISECOND))
