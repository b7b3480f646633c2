"""Copy the quotes of a range from Kafka's topic of ticks.

The whole topic is read. A record's time says when it came in, which may be long after its event time, or before it when
a simulated feed runs faster than time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

import polars as pl
from confluent_kafka import Message

from tradewind.connectors.feeds.feed import TICK_COLUMNS
from tradewind.connectors.feeds.files.spool import Spool
from tradewind.connectors.kafka.admin import require
from tradewind.connectors.kafka.json_events import time_to_json
from tradewind.connectors.kafka.offsets import Offsets
from tradewind.connectors.kafka.records import raw_records
from tradewind.connectors.registry import open_codec
from tradewind.connectors.settings import Settings
from tradewind.processors.batch import Columns
from tradewind.schemas.codec import Codec
from tradewind.schemas.codec.wire import FRAME_BYTES
from tradewind.schemas.market import Heartbeat, Tick
from tradewind.streams.backtest.errors import Gone
from tradewind.streams.backtest.ticks import Range
from tradewind.streams.runtime.lease import Lease
from tradewind.streams.runtime.read.chunk import Chunk
from tradewind.streams.runtime.read.records import LogRecord, Records
from tradewind.streams.runtime.work.pieces import Cutter
from tradewind.topics import TICKS

NO_GROUP: Final = Lease("backtest", 0, "backtest", frozenset())
NAMED: Final = 5  # partitions that a note names


@dataclass(slots=True)
class Read:
    """What was read of a topic of ticks, by partition."""

    earliest: dict[int, int] = field(default_factory=dict)
    """Event time of the earliest quote of a wanted symbol that is left, µs."""
    symbols: set[str] = field(default_factory=set)
    refused: int = 0
    first_refused: str = ""


def copy_kafka(settings: Settings, within: Range, spool: Spool) -> list[str]:
    """Copy the quotes of a range to a spool; return what a reader of the result must know of the topic.

    Raises `Gone` if retention has removed the beginning of the range, and `StreamError`.
    """
    partitions = range(require(settings, TICKS))
    topic = settings.physical(TICKS)
    offsets = Offsets(settings)
    try:
        bounds = {at: found for (_, at), found in offsets.bounds((topic, at) for at in partitions).items()}
    finally:
        offsets.close()
    firsts = {partition: first for partition, (first, _) in bounds.items()}
    batches = raw_records(settings, topic, partitions, "earliest")
    return copy_records(topic, firsts, batches, open_codec(settings), within, spool)


def copy_records(  # noqa: PLR0917 - as `copy_kafka`, and what it reads
    topic: str,
    firsts: Mapping[int, int],
    batches: Iterable[Sequence[Message]],
    codec: Codec,
    within: Range,
    spool: Spool,
) -> list[str]:
    """Copy the quotes of a range among records to a spool; return what a reader of the result must know of them.

    `firsts` has the first offset that is left of each partition. Raises `Gone`.
    """
    read = Read()
    decoder = Decoder(codec, topic, within.symbols)
    for batch in batches:
        for partition, ticks in decoder.ticks(batch, read):
            earliest = int(ticks["ts_event"].min())  # type: ignore[arg-type]  # times are whole numbers
            read.earliest[partition] = min(earliest, read.earliest.get(partition, earliest))
            kept = within.of(ticks)
            if kept.height:
                read.symbols.update(kept["symbol"].unique())
                spool.add(kept)
    _refuse_what_is_gone(topic, firsts, within, read)
    return _notes(topic, firsts, within, read)


class Decoder:
    """Decodes batches of messages, as agents do."""

    def __init__(self, codec: Codec, topic: str, symbols: Iterable[str]) -> None:
        self._codec = codec
        self._cutter = Cutter(codec)
        self._topic = topic
        self._beats: dict[bytes, bool] = {}
        self._keys = tuple(f"{symbol}.".encode() for symbol in symbols)

    def ticks(self, batch: Sequence[Message], read: Read) -> Iterator[tuple[int, pl.DataFrame]]:
        """Yield (partition, quotes) of a batch; counts what is no event, or out of range."""
        wanted = (message for message in batch if self._wanted(message))
        by_partition = sorted(wanted, key=lambda message: message.partition())  # stable: offsets stay in order
        for partition, own in groupby(by_partition, lambda message: message.partition()):
            records = [
                LogRecord(message.offset(), message.timestamp()[1], message.key(), message.value()) for message in own
            ]
            start, stop = records[0].offset, records[-1].offset + 1
            chunk = Chunk((self._topic, partition), NO_GROUP, 0, start, Records.of(records), stop)
            for piece in self._cutter.cut(TICKS, chunk):
                if piece.refused and not read.refused:
                    first = piece.refused[0]
                    read.first_refused = f"partition {partition}, offset {first.record.offset}: {first.reason}"
                read.refused += len(piece.refused)
                segment = piece.segment
                if segment is None or segment.model is not Tick:
                    continue
                if isinstance(segment, Columns):
                    yield partition, segment.frame.select(*TICK_COLUMNS)
                else:
                    yield partition, pl.DataFrame([tick.to_dict() for tick in segment.events], schema=TICK_COLUMNS)

    def _wanted(self, message: Message) -> bool:
        if self._keys and not (message.key() or b"").startswith(self._keys):
            return False
        prefix = (message.value() or b"")[:FRAME_BYTES]
        beat = self._beats.get(prefix)
        if beat is None:
            beat = self._beats[prefix] = self._is_beat(prefix)
        return not beat

    def _is_beat(self, prefix: bytes) -> bool:
        if len(prefix) < FRAME_BYTES:
            return False
        schema_id = self._codec.schema_id(prefix)
        return self._codec.knows(schema_id) and self._codec.model_of(schema_id) is Heartbeat


def _refuse_what_is_gone(topic: str, firsts: Mapping[int, int], within: Range, read: Read) -> None:
    start = within.start
    for partition, first in sorted(firsts.items()):
        earliest = read.earliest.get(partition)
        if first > 0 and start is not None and earliest is not None and earliest > start:
            raise Gone(
                f"the range begins at {time_to_json(start)}, and retention has removed its beginning: {topic}, "
                f"partition {partition}, begins at offset {first:,}, and its earliest quote is of "
                f"{time_to_json(earliest)}. Give a later --from, or another --source"
            )


def _notes(topic: str, firsts: Mapping[int, int], within: Range, read: Read) -> list[str]:
    notes = []
    missing = within.symbols - read.symbols if within.symbols else not read.symbols
    gone = [
        f"partition {partition} begins at offset {first:,}"
        for partition, first in sorted(firsts.items())
        if first > 0 and (within.start is None or (missing and partition not in read.earliest))
    ]
    if gone:
        more = f", and {len(gone) - NAMED} more" if len(gone) > NAMED else ""
        notes.append(f"retention has removed earlier records of {topic}: {'; '.join(gone[:NAMED])}{more}")
    if read.refused:
        notes.append(f"{read.refused:,} records of {topic} are no quotes in range, the first: {read.first_refused}")
    return notes
