"""From a run of records to a batch: by columns where that proves right, one by one where it does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Protocol

import numpy as np
import polars as pl
from confluent_kafka import Message

from tradewind.connectors.sinks.loop.dead_letters import Rejected
from tradewind.connectors.sinks.loop.lease import Run
from tradewind.connectors.sinks.loop.money_columns import frame_of_rows, money_reader
from tradewind.connectors.sinks.sink import Batch, Form
from tradewind.processors.batch import Columns, Micros, Rows, Segment, without
from tradewind.schemas.codec.errors import CodecError, MisalignedRecords, UndecodableRecord
from tradewind.schemas.codec.wire import FRAME_BYTES, framed_id
from tradewind.schemas.event import US_PER_MS, Event
from tradewind.schemas.flaws import flaws_in, flaws_of
from tradewind.topics import Topic

FRAME_OF = itemgetter(slice(FRAME_BYTES))


class Codec(Protocol):
    """What a sink needs of the codec."""

    def model_of(self, schema_id: int) -> type[Event]:
        """Return the model that a schema's records have; raises `UndecodableRecord` for an id that is none of ours."""
        ...

    def decode(self, value: bytes) -> Event:
        """Decode one record; raises `UndecodableRecord`."""
        ...

    def decode_columns(self, model: type[Event], values: Sequence[bytes]) -> pl.DataFrame:
        """Decode records of one model; raises `MisalignedRecords`."""
        ...

    def encode(self, event: Event) -> bytes:
        """Encode one event."""
        ...


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a run holds."""

    batch: Batch
    rejected: tuple[Rejected, ...]


def decode(run: Run, form: Form, codec: Codec) -> Decoded:
    """Decode a run; heartbeats and tombstones are left out, what no schema fits or what is out of range is rejected.

    So a store has what the agents were given, and nothing else. With the form "bytes", nothing is left out.
    """
    topic = run.lease.topic
    if form == "bytes":
        at = (run.next_offset, run.lease.epoch, run.begin)
        return Decoded(Batch(topic, run.lease.partition, None, *at, run.messages), ())
    messages, rejected = _events_of(topic, run.messages, codec)
    segment: Segment | None = None
    if messages and form == "columns":
        segment, messages, bad = _columns(topic, run.lease.partition, messages, codec)
        rejected += bad
    elif messages:
        segment, messages, bad = _rows(topic, run.lease.partition, messages, codec)
        rejected += bad
    if segment is not None:
        segment, bad = _in_range(segment, messages)
        rejected += bad
    batch = Batch(
        topic,
        run.lease.partition,
        segment if segment is not None and len(segment) else None,
        run.next_offset,
        run.lease.epoch,
        run.begin,
    )
    return Decoded(batch, tuple(rejected))


def _events_of(topic: Topic, messages: list[Message], codec: Codec) -> tuple[list[Message], list[Rejected]]:
    """Return the records of the topic's model, judged by their schema's id alone."""
    frames = [None if value is None else value[:FRAME_BYTES] for value in map(Message.value, messages)]
    kinds = {frame: _kind(topic, frame, codec) for frame in set(frames)}
    if all(kind is topic.model for kind in kinds.values()):
        return messages, []
    events, rejected = [], []
    for message, frame in zip(messages, frames, strict=True):
        kind = kinds[frame]
        if kind is topic.model:
            events.append(message)
        elif isinstance(kind, str):
            rejected.append(Rejected(message, "UNDECODABLE", kind))
    return events, rejected


def _kind(topic: Topic, frame: bytes | None, codec: Codec) -> type[Event] | str | None:
    """Return the model that a frame stands for, why it stands for none of the topic's, or None for a tombstone."""
    if frame is None:
        return None
    try:
        model = codec.model_of(framed_id(frame))
    except UndecodableRecord as error:
        return error.reason
    return model if model in topic.models else f"{model.SCHEMA} does not belong on {topic.name}"


def _in_range(segment: Segment, messages: list[Message]) -> tuple[Segment | None, list[Rejected]]:
    """Return what of a segment is in range, and the records that are not; there is a record for each row."""
    flaws = flaws_of(segment.events) if isinstance(segment, Rows) else flaws_in(segment.model, segment.frame)
    if not flaws:
        return segment, []
    return without(segment, list(flaws)), [Rejected(messages[at], "POISON", flaw) for at, flaw in flaws.items()]


def _rows(
    topic: Topic, partition: int, messages: list[Message], codec: Codec
) -> tuple[Rows, list[Message], list[Rejected]]:
    events, good, rejected = _decode_each(messages, codec)
    return Rows(topic.name, partition, events, _offsets(good), _ingested(good)), good, rejected


def _columns(
    topic: Topic, partition: int, messages: list[Message], codec: Codec
) -> tuple[Columns, list[Message], list[Rejected]]:
    rejected: list[Rejected] = []
    try:
        parts = (list(values) for _, values in groupby(map(Message.value, messages), FRAME_OF))
        frame = pl.concat(_frame(topic.model, values, codec) for values in parts)
    except MisalignedRecords:  # one is bad, or they cannot be read by columns
        events, messages, rejected = _decode_each(messages, codec)
        frame = frame_of_rows(topic.model, events)
    found = Columns(topic.name, partition, topic.model, frame, _offsets(messages), _ingested(messages))
    return found, messages, rejected


def _frame(model: type[Event], values: Sequence[bytes], codec: Codec) -> pl.DataFrame:
    """Decode records of one schema; raises `MisalignedRecords`."""
    try:
        return codec.decode_columns(model, values)
    except TypeError:  # not flat
        reader, frame = money_reader(model), FRAME_OF(values[0])
        if reader is None or not _is_newest(frame, values[0], codec):
            raise MisalignedRecords(f"{model.__name__} of this schema is read row by row") from None
        return reader.decode(values, framed_id(frame))


def _is_newest(frame: bytes, value: bytes, codec: Codec) -> bool:
    """Whether a record was written with the newest schema: the one that the codec encodes with."""
    try:
        return codec.encode(codec.decode(value))[:FRAME_BYTES] == frame
    except CodecError:  # it is no record, or one with a symbol that nobody of ours writes
        return False


def _decode_each(messages: list[Message], codec: Codec) -> tuple[list[Event], list[Message], list[Rejected]]:
    events, good, rejected = [], [], []
    for message in messages:
        try:
            events.append(codec.decode(message.value()))
        except UndecodableRecord as error:
            rejected.append(Rejected(message, "UNDECODABLE", error.reason))
        else:
            good.append(message)
    return events, good, rejected


def _offsets(messages: list[Message]) -> Micros:
    return np.fromiter(map(Message.offset, messages), np.int64, len(messages))


def _ingested(messages: list[Message]) -> Micros:
    times = np.fromiter((time for _, time in map(Message.timestamp, messages)), np.int64, len(messages))
    return times * US_PER_MS
