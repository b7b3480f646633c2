"""Read exact ranges of one partition again: committed records only, in no group, and nothing is committed."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException
from confluent_kafka import TopicPartition as Coordinates
from confluent_kafka.admin import AdminClient, OffsetSpec

from tradewind.connectors.kafka.client import ANSWER_S, options, told
from tradewind.connectors.kafka.errors import BrokerUnavailable, OffsetGone, TopicMissing
from tradewind.connectors.settings import Settings
from tradewind.streams.runtime.lease import TopicPartition

READ_RECORDS = 5_000  # of one call
WAIT_S = 0.05  # of one call, which waits for as many records as it may return, or else for this long
SILENCE_S = 30.0  # outlasts a broker's restart, and a transaction that is pending before what is asked for
QUEUED_KIB = 4 * 1024  # read ahead by each reader, of which a task has one for each input and output partition
PASSING = {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN}
REMOVED = {KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE}


@dataclass(frozen=True, slots=True)
class Read:
    """A record as it is on the log: what the runtime's own records are to it."""

    offset: int
    timestamp: int
    """ms since 1970."""
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = ()


class PartitionReader:
    """Reads one partition forward. Close it, or use it as a context."""

    def __init__(self, settings: Settings, at: TopicPartition, start: int) -> None:
        self.at = at
        self._settings = settings
        self._consumer = Consumer(
            {
                **options(settings),
                "group.id": settings.physical("tradewind.replay"),  # required by the client, and not used
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "isolation.level": "read_committed",
                "auto.offset.reset": "error",
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 50,
                "queued.max.messages.kbytes": QUEUED_KIB,
            }
        )
        self._consumer.assign([Coordinates(*at, start)])
        self._ahead: deque[Read] = deque()
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

    def upto(self, end: int) -> Iterator[Read]:
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
            for message in self._consumer.consume(READ_RECORDS, WAIT_S):
                error, offset = message.error(), message.offset() or 0
                if error is None:
                    stamp = message.timestamp()[1]
                    self._ahead.append(
                        Read(offset, stamp, message.key(), message.value(), tuple(message.headers() or ()))
                    )
                elif error.code() == KafkaError._PARTITION_EOF:
                    self._ended_at = max(self._ended_at, offset)
                elif error.code() in REMOVED:
                    raise OffsetGone(f"{self.at[0]}, partition {self.at[1]}: {error.str()}")
                elif error.fatal() or error.code() not in PASSING:
                    raise told(KafkaException(error), f"reading {self.at[0]}/{self.at[1]}", self._settings)


def ends(
    settings: Settings, at: Iterable[TopicPartition], which: Literal["earliest", "latest"]
) -> dict[TopicPartition, int]:
    """Return the first offset of partitions, or the one after their last record, committed or not."""
    spec = OffsetSpec.earliest() if which == "earliest" else OffsetSpec.latest()
    asked = {Coordinates(topic, partition): spec for topic, partition in at}
    if not asked:
        return {}
    admin = AdminClient(options(settings))
    answers = admin.list_offsets(asked, isolation_level=IsolationLevel.READ_UNCOMMITTED, request_timeout=ANSWER_S)
    try:
        return {(found.topic, found.partition): answer.result(ANSWER_S).offset for found, answer in answers.items()}
    except (KafkaException, TimeoutError) as error:
        names = ", ".join(sorted({coordinates.topic for coordinates in asked}))
        if isinstance(error, KafkaException) and error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise TopicMissing(f"the cluster lacks one of {names}: create it with `tradewind prepare`") from error
        raise BrokerUnavailable(f"offsets of {names}: {error!r}; look at `tradewind status`") from error
