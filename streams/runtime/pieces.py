"""Cut a chunk into segments: unbroken runs of one model, decoded, with what cannot be decoded beside them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl

from tradewind.processors.batch import Columns, Micros, Rows, Segment, part
from tradewind.schemas.codec import Codec, Joined, MisalignedRecords, UndecodableRecord
from tradewind.schemas.codec.wire import FRAME_BYTES
from tradewind.schemas.codec.words import words_of
from tradewind.schemas.event import US_PER_MS, Event
from tradewind.streams.runtime.chunk import Chunk
from tradewind.streams.runtime.errors import SchemaUnavailable
from tradewind.streams.runtime.records import Record, Records
from tradewind.topics import Topic

FEW_RECORDS = 32
"""Up to here, records of columnar topics are read one by one too: a frame takes 1 ms, whatever is in it. Both ways of
reading take and refuse the same records, and processors give the same for both."""
_FIRST_BYTES = np.array([(1 << 8 * size) - 1 for size in range(FRAME_BYTES + 1)], np.uint64)
_Reasons = dict[int, str]
"""Place in a run -> why the record there cannot be decoded."""


@dataclass(frozen=True, slots=True)
class Undecodable:
    """A record that is no event of its topic."""

    record: Record
    reason: str


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a chunk: a segment, the undecodable records among it, and where the partition goes on after both."""

    segment: Segment | None
    records: Records
    """The segment's records, one for each row; what a dead letter quotes."""
    undecodable: tuple[Undecodable, ...]
    next: int

    def split(self, row: int) -> tuple[Piece, Piece]:
        """Return the piece up to a row of its segment, and the rest from that row on."""
        assert self.segment is not None
        border = int(self.records.offsets[row])
        before = tuple(bad for bad in self.undecodable if bad.record.offset < border)
        after = tuple(bad for bad in self.undecodable if bad.record.offset >= border)
        head = Piece(part(self.segment, 0, row), self.records[:row], before, border)
        return head, Piece(part(self.segment, row, len(self.segment)), self.records[row:], after, self.next)


class Cutter:
    """Cuts chunks of the topics of one agent; decoding has no effect on anything else, so it may be done again."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._models: dict[tuple[bytes, str], type[Event]] = {}

    def cut(self, topic: Topic, chunk: Chunk) -> Iterator[Piece]:
        """Yield the pieces of a chunk in order; one without a segment where the chunk has no records."""
        records = chunk.records
        if not len(records):
            yield Piece(None, records, (), chunk.next)
            return
        start = 0
        for prefix, count in _runs(records.values):
            stop = start + count
            follows = chunk.next if stop == len(records) else int(records.offsets[stop])
            yield self._decoded(topic, chunk.source[1], prefix, records[start:stop], follows)
            start = stop

    def _decoded(self, topic: Topic, partition: int, prefix: bytes | None, run: Records, follows: int) -> Piece:
        model = "it has no value" if prefix is None else self._model(topic, prefix)
        if isinstance(model, str):
            return Piece(None, run[:0], tuple(Undecodable(record, model) for record in run), follows)
        segment: Segment | None
        if topic.columnar and len(run) > FEW_RECORDS:
            frame, bad = self._columns(model, run)
            good = _without(run, bad)
            segment = None if frame is None else Columns(topic.name, partition, model, frame, *_stamps(good))
        else:
            events, bad = self._rows(run)
            good = _without(run, bad)
            segment = Rows(topic.name, partition, events, *_stamps(good)) if events else None
        return Piece(segment, good, tuple(Undecodable(run[at], bad[at]) for at in sorted(bad)), follows)

    def _rows(self, run: Records) -> tuple[list[Event], _Reasons]:
        decode = self._codec.decode
        events: list[Event] = []
        bad: _Reasons = {}
        for at, value in enumerate(run.values):
            assert value is not None  # records without a value are a run of their own
            try:
                events.append(decode(value))
            except UndecodableRecord as error:
                bad[at] = str(error)
        return events, bad

    def _columns(self, model: type[Event], run: Records) -> tuple[pl.DataFrame | None, _Reasons]:
        try:
            return self._codec.decode_columns(model, run.values), {}
        except MisalignedRecords:
            _, bad = self._rows(run)
        places = np.delete(np.arange(len(run)), list(bad))
        good = run.values.take(places)
        try:
            return (self._codec.decode_columns(model, good) if len(places) else None), bad
        except MisalignedRecords:  # decodable one by one, such as with bytes left over at the end: find them by halves
            misaligned = self._halves(model, good)
        bad |= {int(places[at]): reason for at, reason in misaligned.items()}
        aligned = np.delete(np.arange(len(run)), list(bad))
        return (self._codec.decode_columns(model, run.values.take(aligned)) if len(aligned) else None), bad

    def _halves(self, model: type[Event], values: Joined, first: int = 0) -> _Reasons:
        """Return the places of the values that cannot be decoded by columns, counted from `first`."""
        try:
            self._codec.decode_columns(model, values)
        except MisalignedRecords as error:
            if len(values) == 1:
                return {first: str(error)}
        else:
            return {}
        middle = len(values) // 2
        return self._halves(model, values[:middle], first) | self._halves(model, values[middle:], first + middle)

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


def _runs(values: Joined) -> Iterator[tuple[bytes | None, int]]:
    """Yield (frame, count) of each run of records with one frame; the frame of a record without a value is None."""
    sizes = np.minimum(values.sizes, FRAME_BYTES)
    frames = words_of(values.data)[values.starts] & _FIRST_BYTES[np.maximum(sizes, 0)]
    other = (frames[1:] != frames[:-1]) | (sizes[1:] != sizes[:-1])
    borders = [0, *(np.flatnonzero(other) + 1).tolist(), len(values)] if other.any() else [0, len(values)]
    for first, last in pairwise(borders):
        value = values[first]
        yield (None if value is None else value[:FRAME_BYTES]), last - first


def _without(run: Records, bad: _Reasons) -> Records:
    return run.without(list(bad)) if bad else run


def _stamps(good: Records) -> tuple[Micros, Micros]:
    """Return the offsets and timestamps, µs, of records."""
    return good.offsets, good.timestamps * US_PER_MS
