"""Read exact ranges of one partition again: committed records only, in no group, and nothing is committed."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as Coordinates

from tradewind.connectors.kafka.client import ANSWER_S, reading, stream_error, taken
from tradewind.connectors.kafka.errors import BrokerUnavailable, OffsetGone, TopicMissing
from tradewind.connectors.kafka.offsets import Offsets, Which
from tradewind.connectors.settings import Settings
from tradewind.streams.runtime.lease import TopicPartition
from tradewind.streams.runtime.read.records import LogRecord

READ_RECORDS = 5_000  # of one call
WAIT_S = 0.05  # for the next record
SILENCE_S = 30.0  # outlasts a broker's restart, and a transaction that is pending before what is asked for
NEW_TOPIC_S = 2.0  # a broker may not know a topic yet that the cluster has just created
ASK_AGAIN_S = 0.2
QUEUED_KIB = 4 * 1024  # read ahead by each reader, of which a task has one for each input and output partition
PASSING = {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN}
NEW = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_PARTITION}
"""What is answered for a topic that the broker does not know yet, or whose partitions the client does not know yet."""
REMOVED = {KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE}


class PartitionReader:
    """Reads one partition forward. Close it, or use it as a context."""

    def __init__(self, settings: Settings, at: TopicPartition, start: int) -> None:
        self.at = at
        self._settings = settings
        self._consumer = Consumer(reading(settings, "replay", QUEUED_KIB))
        self._consumer.assign([Coordinates(*at, start)])
        self._ahead: deque[LogRecord] = deque()
        self._ended_at = start

    def __enter__(self) -> Self:
        """Return the reader."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Let the connections go."""
        self._consumer.close()

    def upto(self, end: int) -> Iterator[LogRecord]:
        """Yield the committed records before an offset, going on after those that were read before.

        Raises `OffsetGone` where retention has removed them, `BrokerUnavailable` where nothing comes for `SILENCE_S`.
        """
        while True:
            while self._ahead:
                if self._ahead[0].offset >= end:
                    return
                yield self._ahead.popleft()
            if self._ended_at >= end:
                return
            self._fetch(end)

    def _fetch(self, end: int) -> None:
        """Read on, until there is a record or the partition's end is known to be at or after an offset."""
        begun = time.monotonic()
        while not self._ahead and self._ended_at < end:
            if time.monotonic() - begun > SILENCE_S:
                topic, partition = self.at
                raise BrokerUnavailable(
                    f"{topic}, partition {partition}: nothing up to offset {end} for {SILENCE_S:.0f} s; is a "
                    "transaction pending before it, or the broker away? Look at `tradewind status`"
                )
            for message in taken(self._consumer, READ_RECORDS, WAIT_S):
                error, offset = message.error(), message.offset() or 0
                if error is None:
                    stamp = message.timestamp()[1]
                    self._ahead.append(
                        LogRecord(offset, stamp, message.key(), message.value(), tuple(message.headers() or ()))
                    )
                elif error.code() == KafkaError._PARTITION_EOF:
                    self._ended_at = max(self._ended_at, offset)
                elif error.code() in REMOVED:
                    raise OffsetGone(f"{self.at[0]}, partition {self.at[1]}: {error.str()}")
                elif error.fatal() or error.code() not in PASSING:
                    raise stream_error(KafkaException(error), f"reading {self.at[0]}/{self.at[1]}", self._settings)


def ends(settings: Settings, at: Iterable[TopicPartition], which: Which) -> dict[TopicPartition, int]:
    """Return the first offset of partitions, or the one after their last record, committed or not."""
    asked = tuple(at)
    offsets = Offsets(settings, "read_uncommitted", ANSWER_S)
    deadline = time.monotonic() + NEW_TOPIC_S
    try:
        while True:
            try:
                return offsets.listed(asked, which)
            except KafkaException as error:
                if error.args[0].code() not in NEW or time.monotonic() > deadline:
                    raise
            time.sleep(ASK_AGAIN_S)
    except (KafkaException, TimeoutError) as error:
        names = ", ".join(sorted({topic for topic, _ in asked}))
        if isinstance(error, KafkaException) and error.args[0].code() in NEW:
            raise TopicMissing(f"the cluster lacks one of {names}: create it with `tradewind prepare`") from error
        raise BrokerUnavailable(f"offsets of {names}: {error!r}; look at `tradewind status`") from error
