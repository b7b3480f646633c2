"""What a processor is given and what it may keep: segments of input, and state.

A processor is a pure function `(state, segment) -> outputs`: events, and tables of many of them. A segment is an
unbroken run of records of one model from one partition of one topic. The law that every processor keeps: processing a
segment cut in two, one part after the other, gives the same events and the same state as processing it whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from tradewind.schemas.event import Event

E = TypeVar("E", bound=Event)
Micros = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Rows:
    """A run of records, decoded one by one."""

    topic: str
    partition: int
    events: Sequence[Event]
    """n events of one model, in the order of the partition."""
    offsets: Micros
    """(n,) offsets of the records."""
    ts_ingest: Micros
    """(n,) record timestamps, µs: when the record at the origin of the chain entered Tradewind."""

    @property
    def model(self) -> type[Event]:
        """The model of the events; `Event` where there are none."""
        return type(self.events[0]) if self.events else Event

    def __len__(self) -> int:
        return len(self.events)


@dataclass(frozen=True, slots=True)
class Columns:
    """A run of records, decoded column by column."""

    topic: str
    partition: int
    model: type[Event]
    frame: pl.DataFrame
    """n rows, one column for each field of the model; times are Int64 µs."""
    offsets: Micros
    """(n,) offsets of the records."""
    ts_ingest: Micros
    """(n,) record timestamps, µs."""

    def __len__(self) -> int:
        return self.frame.height


Segment = Rows | Columns
"""Topics that are `columnar` come as columns, and as rows where a run is of few records; others come as rows."""


def rows_of(segment: Segment) -> Rows:
    """Return the segment as rows, for records that are too few for columns to pay."""
    if isinstance(segment, Rows):
        return segment
    events = [segment.model.from_dict(record) for record in segment.frame.iter_rows(named=True)]
    return Rows(segment.topic, segment.partition, events, segment.offsets, segment.ts_ingest)


def part(segment: Segment, start: int, stop: int) -> Segment:
    """Return rows [start, stop) of a segment."""
    offsets, ts_ingest = segment.offsets[start:stop], segment.ts_ingest[start:stop]
    if isinstance(segment, Rows):
        return replace(segment, events=segment.events[start:stop], offsets=offsets, ts_ingest=ts_ingest)
    return replace(segment, frame=segment.frame.slice(start, stop - start), offsets=offsets, ts_ingest=ts_ingest)


class State(Protocol):
    """The state of one task: frozen values by key. Writes are seen at once and kept only if the batch commits."""

    def get(self, key: str, model: type[E]) -> E | None:
        """Return the value, or None where there is none."""
        ...

    def put(self, key: str, value: Event) -> None:
        """Set a value."""
        ...

    def delete(self, key: str) -> None:
        """Remove a value; does nothing where there is none."""
        ...

    def keys(self, prefix: str) -> Iterator[str]:
        """Iterate over the keys with a prefix, sorted."""
        ...


@dataclass(frozen=True, slots=True)
class Table:
    """Events of one flat model that a processor sends, column by column, in the order of the rows.

    For models that name an instrument and carry `ts_ingest`, to topics keyed by instrument: bars, of which a quiet
    market makes one for every second tick, and which cost more as objects than all else that is done for them.
    """

    model: type[Event]
    frame: pl.DataFrame
    """n rows, one column for each field of the model; times are Int64 µs."""

    def events(self) -> list[Event]:
        """Return the rows as events."""
        return [self.model.from_dict(record) for record in self.frame.iter_rows(named=True)]


Output = Event | Table


def events_of(outputs: Iterable[Output]) -> list[Event]:
    """Return what a processor sends as events, those of tables too."""
    found: list[Event] = []
    for output in outputs:
        found += output.events() if isinstance(output, Table) else [output]
    return found


Processor = Callable[[State, Segment], Sequence[Output]]
Migration = Callable[[State], None]
"""Makes a task's state what a newer processor takes it for: pure, as processors are, and run once for each state."""


class PoisonRecord(ValueError):
    """A record that can never be processed: the runtime sets it aside as a dead letter and goes on with the others."""

    def __init__(self, index: int, reason: str) -> None:
        super().__init__(f"record {index} of the segment: {reason}")
        self.index = index
        self.reason = reason
