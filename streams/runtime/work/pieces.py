"""Cut a chunk into pieces: consecutive records of one schema, decoded and in range, and the refused ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl

from tradewind.processors.batch import Columns, Micros, Rows, Segment, part, without
from tradewind.schemas.codec import Codec, Joined, MisalignedRecords, UndecodableRecord
from tradewind.schemas.codec.wire import FRAME_BYTES
from tradewind.schemas.codec.words import words_of
from tradewind.schemas.event import US_PER_MS, Event
from tradewind.schemas.flaws import flaws_in, flaws_of
from tradewind.schemas.ranges import TIME_END
from tradewind.streams.runtime.errors import SchemaUnavailable
from tradewind.streams.runtime.read.chunk import Chunk
from tradewind.streams.runtime.read.records import Record, Records
from tradewind.streams.runtime.sizes import AS_USUAL
from tradewind.streams.runtime.work.dead_letters import ErrorKind
from tradewind.topics import Topic

_FIRST_BYTES = np.array([(1 << 8 * size) - 1 for size in range(FRAME_BYTES + 1)], np.uint64)
TIMES_MS = range(TIME_END // US_PER_MS)
"""Valid timestamps of records, ms. Outputs carry them in fields, which have this range."""
_Reasons = dict[int, str]
"""Place in a run -> why the record there is refused."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A record that no processor gets: it is not an event of its topic, or it is out of range."""

    record: Record
    error: ErrorKind
    reason: str


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a chunk: a segment, the refused records among it, and the position after both."""

    segment: Segment | None
    records: Records
    """The segment's records, one for each row. Dead letters quote them."""
    refused: tuple[Refused, ...]
    next: int

    def split(self, row: int) -> tuple[Piece, Piece]:
        """Return the piece up to a row of its segment, and the rest from that row on."""
        assert self.segment is not None
        border = int(self.records.offsets[row])
        before = tuple(bad for bad in self.refused if bad.record.offset < border)
        after = tuple(bad for bad in self.refused if bad.record.offset >= border)
        head = Piece(part(self.segment, 0, row), self.records[:row], before, border)
        return head, Piece(part(self.segment, row, len(self.segment)), self.records[row:], after, self.next)


class Cutter:
    """Cuts chunks of the topics of one agent. Cutting has no side effects, so a chunk may be cut again."""

    def __init__(self, codec: Codec, row_records: int = AS_USUAL.row_records) -> None:
        self._codec = codec
        self._row_records = row_records
        self._models: dict[tuple[bytes, str], type[Event]] = {}

    def cut(self, topic: Topic, chunk: Chunk) -> Iterator[Piece]:
        """Yield the pieces of a chunk in order. A chunk without records gives one piece without a segment."""
        records = chunk.records
        if not len(records):
            yield Piece(None, records, (), chunk.next)
            return
        start = 0
        for prefix, count in _runs(records.values):
            stop = start + count
            follows = chunk.next if stop == len(records) else int(records.offsets[stop])
            yield self._decode(topic, chunk.source[1], prefix, records[start:stop], follows)
            start = stop

    def _decode(self, topic: Topic, partition: int, prefix: bytes | None, run: Records, follows: int) -> Piece:
        model = "it has no value" if prefix is None else self._model(topic, prefix)
        if isinstance(model, str):
            return Piece(None, run[:0], tuple(Refused(record, "UNDECODABLE", model) for record in run), follows)
        segment: Segment | None
        if topic.columnar and len(run) > self._row_records:
            frame, bad = self._columns(model, run)
            good = _without(run, bad)
            segment = None if frame is None else Columns(topic.name, partition, model, frame, *_stamps(good))
        else:
            events, bad = self._rows(run)
            good = _without(run, bad)
            segment = Rows(topic.name, partition, events, *_stamps(good)) if events else None
        refused = [Refused(run[at], "UNDECODABLE", bad[at]) for at in sorted(bad)]
        if segment is not None and (flaws := _flaws(segment, good)):
            refused += [Refused(good[at], "POISON", flaws[at]) for at in sorted(flaws)]
            refused.sort(key=lambda one: one.record.offset)
            segment, good = without(segment, list(flaws)), good.without(list(flaws))
        return Piece(segment, good, tuple(refused), follows)

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
                f"{topic.name}: cannot fetch the schema of frame {prefix.hex()}: {error!r}"
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


def _flaws(segment: Segment, records: Records) -> _Reasons:
    """Return what is out of range in a segment's events, or in its records' timestamps."""
    flaws = flaws_of(segment.events) if isinstance(segment, Rows) else flaws_in(segment.model, segment.frame)
    times = records.timestamps
    if int(times.min()) not in TIMES_MS or int(times.max()) not in TIMES_MS:
        for at in np.flatnonzero((times < TIMES_MS.start) | (times >= TIMES_MS.stop)).tolist():
            flaws.setdefault(at, f"the record's timestamp is {times[at]} ms; its range is from 0 to {TIMES_MS[-1]}")
    return flaws


def _without(run: Records, bad: _Reasons) -> Records:
    return run.without(list(bad)) if bad else run


def _stamps(good: Records) -> tuple[Micros, Micros]:
    """Return the offsets and timestamps, µs, of records."""
    return good.offsets, good.timestamps * US_PER_MS
