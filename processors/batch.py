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

from tradewind.schemas.event import UNKNOWN, Event
from tradewind.schemas.flaws import flaw_of

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
        return self.events[0].__class__ if self.events else Event

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
"""Runs of `columnar` topics are `Columns`, except runs of few records. All other runs are `Rows`."""


def rows_of(segment: Segment) -> Rows:
    """Return the segment as rows. For few records, rows are faster than columns."""
    if isinstance(segment, Rows):
        return segment
    events = [segment.model.from_dict(record) for record in segment.frame.iter_rows(named=True)]
    return Rows(segment.topic, segment.partition, events, segment.offsets, segment.ts_ingest)


def part(segment: Segment, start: int, stop: int) -> Segment:
    """Return rows [start, stop) of a segment."""
    offsets, ts_ingest = segment.offsets[start:stop], segment.ts_ingest[start:stop]
    if isinstance(segment, Rows):
        return replace(segment, events=segment.events[start:stop], offsets=offsets, ts_ingest=ts_ingest)
    frame = segment.frame.slice(start, stop - start)
    return Columns(segment.topic, segment.partition, segment.model, frame, offsets, ts_ingest)


def without(segment: Segment, rows: Sequence[int]) -> Segment | None:
    """Return a segment without some of its rows; None if no row is left."""
    kept = np.delete(np.arange(len(segment)), rows)
    if not len(kept):
        return None
    offsets, ts_ingest = segment.offsets[kept], segment.ts_ingest[kept]
    if isinstance(segment, Rows):
        events = [segment.events[at] for at in kept.tolist()]
        return replace(segment, events=events, offsets=offsets, ts_ingest=ts_ingest)
    return Columns(segment.topic, segment.partition, segment.model, segment.frame[kept], offsets, ts_ingest)


class State(Protocol):
    """The state of one task: frozen values by key. Writes are visible at once, and kept if the batch commits."""

    def get(self, key: str, model: type[E]) -> E | None:
        """Return the value, or None if there is none."""
        ...

    def put(self, key: str, value: Event) -> None:
        """Set a value."""
        ...

    def delete(self, key: str) -> None:
        """Remove a value. If there is none, do nothing."""
        ...

    def keys(self, prefix: str) -> Iterator[str]:
        """Iterate over the keys with a prefix, sorted."""
        ...


@dataclass(frozen=True, slots=True)
class Table:
    """Events of one flat model that a processor sends, column by column, in the order of the rows.

    The model must name an instrument and carry `ts_ingest`, and its topic must be keyed by instrument. Tables are for
    many events at once, such as bars, which would cost more as objects than all other work on them.
    """

    model: type[Event]
    frame: pl.DataFrame
    """n rows, one column for each field of the model; times are Int64 µs."""

    def events(self) -> list[Event]:
        """Return the rows as events."""
        return [self.model.from_dict(record) for record in self.frame.iter_rows(named=True)]


@dataclass(frozen=True, slots=True)
class Merged:
    """The rows of a table with a few events among them, such as bars with heartbeats.

    Each of their models must have one output of the agent.
    """

    table: Table
    others: Sequence[Event]
    order: Sequence[bool]
    """n + m times whether the next of the m other events comes, and not the next of the n rows."""

    def events(self) -> list[Event]:
        """Return all of them as events."""
        rows, others = iter(self.table.events()), iter(self.others)
        return [next(others if other else rows) for other in self.order]


Output = Event | Table | Merged


def events_of(outputs: Iterable[Output]) -> list[Event]:
    """Return all events that a processor sends, including those of tables."""
    found: list[Event] = []
    for output in outputs:
        found += output.events() if isinstance(output, Table | Merged) else [output]
    return found


Processor = Callable[[State, Segment], Sequence[Output]]
Migration = Callable[[State], None]
"""Converts the state of a task for a newer processor. Pure, as processors are, and run once for each task."""


class PoisonRecord(ValueError):
    """A record that can never be processed. The runtime makes a dead letter of it and continues with the others."""

    def __init__(self, index: int, reason: str) -> None:
        super().__init__(f"record {index} of the segment: {reason}")
        self.index = index
        self.reason = reason


class UnknownSymbol(PoisonRecord):
    """A record with a symbol that this version does not know, in a field that decides what becomes of the record.

    The runtime adds the symbol and the schema that the record was written with.
    """

    def __init__(self, index: int, event: Event, field: str) -> None:
        super().__init__(
            index, f"{field} decides here, and version {event.VERSION} of {event.SCHEMA} does not know its symbol"
        )
        self.field = field


def require_known(event: Event, index: int, *fields: str) -> None:
    """Raise `UnknownSymbol` for the first field whose symbol this version does not know.

    A field decides if the processor chooses by it, or copies it into an event. `UNKNOWN` cannot be written
    (docs/adr/0025-unknown-symbols.md).
    """
    for field in fields:
        if getattr(event, field) == UNKNOWN:
            raise UnknownSymbol(index, event, field)


def checked(made: E, index: int) -> E:
    """Return an event or state value that a record leads to. Raises `PoisonRecord` if it is out of range.

    Two values in range may lead to one that is not: 10^15 units at 10^12 of profit each.
    """
    flaw = flaw_of(made)
    if flaw is not None:
        raise PoisonRecord(index, f"it leads to a {type(made).__name__} that is out of range: {flaw}")
    return made
