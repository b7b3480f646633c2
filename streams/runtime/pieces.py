"""Cut a chunk into segments: unbroken runs of one model, decoded, with what cannot be decoded beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import cast

import polars as pl

from tradewind.processors.batch import Columns, Micros, Rows, Segment, part
from tradewind.schemas.codec import Codec, MisalignedRecords, UndecodableRecord
from tradewind.schemas.event import US_PER_MS, Event
from tradewind.streams.runtime.chunk import Chunk, Record, RecordColumns, columns_of
from tradewind.streams.runtime.errors import SchemaUnavailable
from tradewind.topics import Topic

FRAME_BYTES = 5  # magic byte and schema id: records that share them are of one schema


@dataclass(frozen=True, slots=True)
class Undecodable:
    """A record that is no event of its topic."""

    record: Record
    reason: str


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a chunk: a segment, the undecodable records among it, and where the partition goes on after both."""

    segment: Segment | None
    records: Sequence[Record]
    """The segment's records, one for each row; what a dead letter quotes."""
    undecodable: tuple[Undecodable, ...]
    next: int

    def split(self, row: int) -> tuple[Piece, Piece]:
        """Return the piece up to a row of its segment, and the rest from that row on."""
        assert self.segment is not None
        border = self.records[row].offset
        before = tuple(bad for bad in self.undecodable if bad.record.offset < border)
        after = tuple(bad for bad in self.undecodable if bad.record.offset >= border)
        head = Piece(part(self.segment, 0, row), self.records[:row], before, border)
        return head, Piece(part(self.segment, row, len(self.segment)), self.records[row:], after, self.next)


class Cutter:
    """Cuts chunks of the topics of one agent; decoding has no effect on anything else, so it may be done again."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._models: dict[tuple[bytes, str], type[Event] | str] = {}

    def cut(self, topic: Topic, chunk: Chunk, columns: RecordColumns | None = None) -> Iterator[Piece]:
        """Yield the pieces of a chunk in order; one without a segment where the chunk has no records.

        `columns` are those of the chunk's records, for whoever has them already.
        """
        records = chunk.records
        if not records:
            yield Piece(None, (), (), chunk.next)
            return
        columns = columns or columns_of(records)
        start = 0
        for prefix, count in _runs(columns.values):
            stop = start + count
            follows = chunk.next if stop == len(records) else records[stop].offset
            yield self._decoded(topic, chunk.source[1], prefix, columns.part(start, stop), follows)
            start = stop

    def _decoded(self, topic: Topic, partition: int, prefix: bytes | None, run: RecordColumns, follows: int) -> Piece:
        model = "it has no value" if prefix is None else self._model(topic, prefix)
        if isinstance(model, str):
            return Piece(None, (), tuple(Undecodable(record, model) for record in run.records), follows)
        good: Sequence[Record]
        segment: Segment | None
        if topic.columnar:
            frame, good, bad = self._columns(model, run)
            segment = None if frame is None else Columns(topic.name, partition, model, frame, *_stamps(good, run))
        else:
            events, good, bad = self._rows(run.records)
            segment = Rows(topic.name, partition, events, *_stamps(good, run)) if events else None
        return Piece(segment, good, tuple(bad), follows)

    def _rows(self, run: Sequence[Record]) -> tuple[list[Event], Sequence[Record], list[Undecodable]]:
        decode = self._codec.decode
        events: list[Event] = []
        good: list[Record] = []
        bad: list[Undecodable] = []
        for record in run:
            try:
                events.append(decode(_value(record)))
            except UndecodableRecord as error:
                bad.append(Undecodable(record, str(error)))
            else:
                good.append(record)
        return events, good, bad

    def _columns(
        self, model: type[Event], run: RecordColumns
    ) -> tuple[pl.DataFrame | None, Sequence[Record], list[Undecodable]]:
        try:
            return self._codec.decode_columns(model, cast("Sequence[bytes]", run.values)), run.records, []
        except MisalignedRecords:
            _, good, bad = self._rows(run.records)
        try:
            return (self._frame(model, good) if good else None), good, bad
        except MisalignedRecords:  # decodable one by one, such as with bytes left over at the end: find them by halves
            aligned, misaligned = self._halves(model, good)
        bad = sorted([*bad, *misaligned], key=lambda found: found.record.offset)
        return (self._frame(model, aligned) if aligned else None), aligned, bad

    def _halves(self, model: type[Event], run: Sequence[Record]) -> tuple[list[Record], list[Undecodable]]:
        try:
            self._frame(model, run)
        except MisalignedRecords as error:
            if len(run) == 1:
                return [], [Undecodable(run[0], str(error))]
        else:
            return list(run), []
        middle = len(run) // 2
        good, bad = self._halves(model, run[:middle])
        more_good, more_bad = self._halves(model, run[middle:])
        return good + more_good, bad + more_bad

    def _frame(self, model: type[Event], run: Sequence[Record]) -> pl.DataFrame:
        return self._codec.decode_columns(model, [_value(record) for record in run])

    def _model(self, topic: Topic, prefix: bytes) -> type[Event] | str:
        """Return the model of a frame, or why records with it are undecodable."""
        known = self._models.get((prefix, topic.name))
        if known is not None:
            return known
        try:
            model = self._codec.model_of(self._codec.schema_id(prefix))
        except UndecodableRecord as error:
            return str(error)  # not kept: there are as many such frames as senders care to invent
        except Exception as error:
            raise SchemaUnavailable(
                f"{topic.name}: the schema of {prefix.hex()} is not to be had: {error!r}"
            ) from error
        if model not in topic.models:
            carried = ", ".join(known.__name__ for known in topic.models)
            return f"it is a {model.__name__}; {topic.name} carries {carried}"
        self._models[prefix, topic.name] = model
        return model


def _runs(values: Sequence[bytes | None]) -> Iterator[tuple[bytes | None, int]]:
    """Yield (frame, count) of each run of records with one frame; the frame of a record without a value is None."""
    prefixes = [None if value is None else value[:FRAME_BYTES] for value in values]
    if prefixes.count(prefixes[0]) == len(prefixes):
        yield prefixes[0], len(prefixes)
        return
    for prefix, group in groupby(prefixes):
        yield prefix, sum(1 for _ in group)


def _value(record: Record) -> bytes:
    assert record.value is not None  # records without a value are a run of their own
    return record.value


def _stamps(good: Sequence[Record], run: RecordColumns) -> tuple[Micros, Micros]:
    """Return the offsets and timestamps, µs, of the records of a run that could be decoded."""
    of = run if len(good) == len(run) else columns_of(good)
    return of.offsets, of.timestamps * US_PER_MS
