"""What a copy has written: records and the position after them, in one transaction each.

The positions are offsets of the source, committed for the partitions of the target by the group `tradewind.replay` of
its namespace. Their metadata says of which slice they are. So a copy that was killed goes on after its last block.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import polars as pl
from confluent_kafka import Consumer, KafkaException, TopicPartition

from tradewind.connectors.archive.records import headers_of
from tradewind.connectors.copying.merging import Block
from tradewind.connectors.copying.source import Origin
from tradewind.connectors.kafka.client import ANSWER_S, options, stream_error, until_settled
from tradewind.connectors.kafka.producer import Transactions
from tradewind.connectors.settings import Settings

GROUP = "tradewind.replay"
POLL_EVERY = 1_000


@dataclass(frozen=True, slots=True)
class Position:
    """How far a partition was copied."""

    next: int
    """The next offset of the source."""
    identity: str
    """Of the slice."""


class CopyLog(Transactions):
    """Writes the blocks of a slice into a namespace. Opening it ends what a killed copy left, and shuts others out."""

    def __init__(self, into: Settings, identity: str, name: str = GROUP) -> None:
        self._into = into
        self._identity = identity
        group = into.physical(name)
        super().__init__(into, group)
        self._consumer = Consumer({**options(into), "group.id": group, "enable.auto.commit": False})
        self.written: dict[Origin, int] = {}
        """Records of this run, by partition."""

    def __enter__(self) -> Self:
        super().__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self._consumer.close()

    def positions(self, origins: Iterable[Origin]) -> Mapping[Origin, Position]:
        """Return how far partitions were copied by earlier runs; those that were not are left out."""
        places = {(self._into.physical(topic), number): (topic, number) for topic, number in origins}
        asked = [TopicPartition(*at) for at in places]
        try:
            answers = until_settled(lambda: self._consumer.committed(asked, ANSWER_S))
        except KafkaException as error:
            raise stream_error(error, f"reading the positions of {self.id}", self._into) from error
        return {
            places[one.topic, one.partition]: Position(one.offset, one.metadata or "")
            for one in answers
            if one.offset >= 0
        }

    def write_block(self, block: Block) -> None:
        """Write the records of a block and the positions after them, once. Raises as `transact` does."""
        after = [
            TopicPartition(self._into.physical(topic), number, int(rows["offset"][-1]) + 1, self._identity)
            for (topic, number), rows in block.parts.items()
        ]

        def produce() -> None:
            for (topic, number), rows in block.parts.items():
                self._put_rows(self._into.physical(topic), number, rows)
            self.add_offsets(after, self._consumer.consumer_group_metadata())

        self.transact(produce)
        for origin, rows in block.parts.items():
            self.written[origin] = self.written.get(origin, 0) + rows.height

    def _put_rows(self, topic: str, partition: int, rows: pl.DataFrame) -> None:
        columns = rows.select(pl.col("time").to_physical(), "key", "value", "headers")
        for at, (ms, key, value, headers) in enumerate(columns.iter_rows()):
            self.put(topic, value, key, partition, timestamp=ms, headers=headers_of(headers) or None)
            if at % POLL_EVERY == 0:
                self.client.poll(0)
