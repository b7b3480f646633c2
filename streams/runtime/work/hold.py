"""Hold the records of one input until another input has reached their event time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt
import polars as pl

from tradewind.processors.batch import Columns, Micros, PoisonRecord, Rows, Segment, rows_of
from tradewind.schemas.event import Event
from tradewind.streams.runtime.agent import Hold
from tradewind.streams.runtime.sizes import AS_USUAL
from tradewind.streams.runtime.work.newest import time_of
from tradewind.streams.runtime.work.pieces import Piece
from tradewind.streams.runtime.work.state import RESERVED, TaskState
from tradewind.topics import Topic
from tradewind.topics.keys import keys_of

REACHED = f"{RESERVED}reached/"
NEVER = np.iinfo(np.int64).min


class _Passed(Protocol):
    passed_by: int | None


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A piece with what decides on its rows: computed once, for a piece may be looked at many times before it goes."""

    piece: Piece
    keys: Sequence[str]
    codes: npt.NDArray[np.int32]
    """(n,) index into `keys` for each row."""
    ts_event: Micros

    def split(self, row: int) -> tuple[Piece, _Waiting]:
        head, tail = self.piece.split(row)
        return head, _Waiting(tail, self.keys, self.codes[row:], self.ts_event[row:])


@dataclass(frozen=True, slots=True)
class Wait:
    """What the first held record waits for: time carriers of its key that reach its time, less the lookahead."""

    key: str
    ts_event: int
    """Event time of the record, µs."""
    reached: int | None
    """The time that carriers of its key have reached, µs; None if there was none."""
    behind: tuple[int, ...] = ()
    """The partitions of the stage before that have not passed on what it waits for; empty where there is one way."""


class Held:
    """Waiting pieces of one partition, first in, first out. The first row that must wait blocks all rows behind it."""

    def __init__(self, topic: Topic, lookahead_us: int, released_pieces: int = AS_USUAL.released_pieces) -> None:
        self._topic, self._lookahead_us, self._released_pieces = topic, lookahead_us, released_pieces
        self._waiting: deque[_Waiting] = deque()
        self.more = False
        """Whether the last release stopped at its limit, and not at a row that must wait."""

    def copy(self) -> Held:
        """Return the same pieces, to go back to; nothing that is done to one changes the other."""
        found = Held(self._topic, self._lookahead_us, self._released_pieces)
        found._waiting, found.more = self._waiting.copy(), self.more
        return found

    @property
    def records(self) -> int:
        """How many records wait."""
        return sum(len(waiting.codes) for waiting in self._waiting)

    @property
    def first_ms(self) -> int | None:
        """The timestamp of the first waiting record, ms; None if no record waits."""
        return next(
            (int(waiting.piece.records.timestamps[0]) for waiting in self._waiting if waiting.piece.records), None
        )

    def wait(self, reached: Callable[[str], int | None]) -> Wait | None:
        """Return what the first waiting event waits for; None if no event waits."""
        first = next((waiting for waiting in self._waiting if len(waiting.codes)), None)
        if first is None:
            return None
        name = first.keys[int(first.codes[0])]
        return Wait(name, int(first.ts_event[0]), reached(name))

    def add(self, piece: Piece) -> None:
        """Queue a piece behind the others."""
        keys, codes, ts_event = _decisive(self._topic, piece.segment)
        self._waiting.append(_Waiting(piece, keys, codes, ts_event))

    def release(self, reached: Callable[[str], int | None], limit: int) -> Iterator[Piece]:
        """Yield what may go until `limit` rows or `released_pieces` pieces went.

        `reached` tells how far the time of a key has come, µs. The last piece may end above the limit; only one that is
        longer than the limit itself is cut.
        """
        self.more = False
        longest, pieces = max(1, limit), self._released_pieces
        while self._waiting:
            if limit <= 0 or pieces <= 0:
                self.more = True
                return
            first = self._waiting[0]
            allowed = self._count_allowed(first, reached)
            rows = min(allowed, longest)
            if rows == len(first.codes):
                self._waiting.popleft()
                limit, pieces = limit - rows, pieces - 1
                yield first.piece
                continue
            if rows:
                head, self._waiting[0] = first.split(rows)
                yield head
            self.more = rows < allowed
            return

    def _count_allowed(self, waiting: _Waiting, reached: Callable[[str], int | None]) -> int:
        """Return how many leading rows need not wait."""
        times = [reached(name) for name in waiting.keys]
        bounds = np.array([NEVER if time is None else time + self._lookahead_us for time in times], np.int64)
        blocked = waiting.ts_event > bounds[waiting.codes]
        return int(blocked.argmax()) if blocked.any() else len(blocked)


def _decisive(topic: Topic, segment: Segment | None) -> tuple[Sequence[str], npt.NDArray[np.int32], Micros]:
    """Return the keys of a segment, and for each row the index of its key and its event time, µs."""
    if segment is None:
        return (), np.empty(0, np.int32), np.empty(0, np.int64)
    if isinstance(segment, Columns):
        names = keys_of(segment.frame, topic.key_columns)
        keys = names.unique(maintain_order=True)
        codes = names.replace_strict(keys, range(len(keys)), return_dtype=pl.Int32).to_numpy()
        return keys.to_list(), codes, segment.frame["ts_event"].cast(pl.Int64).to_numpy()
    found: dict[str, int] = {}
    rows = [found.setdefault(topic.key(event), len(found)) for event in segment.events]
    times = [time_of(event) for event in segment.events]
    return list(found), np.array(rows, np.int32), np.array(times, np.int64)


def note_time(hold: Hold, segment: Segment, state: TaskState) -> None:
    """Store the time that a segment's carriers reach, for each key, in the task's state, which survives a restart.

    Raises `PoisonRecord` for a carrier that must name the partition of `hold.through` that passed it on, and does not.
    """
    until = hold.until
    for carrier, place in _placed(hold, segment):
        key = f"{REACHED}{place}{until.key(carrier)}"
        known = state.get(key, type(carrier))
        if known is None or time_of(carrier) > time_of(known):
            state.put_reserved(key, carrier)


class Reached:
    """How far the carriers of each key have come, by the task's state."""

    def __init__(self, hold: Hold, state: TaskState) -> None:
        assert hold.until.time_carrier is not None  # the agent's declaration was checked
        self._model: type[Event] = hold.until.time_carrier
        self._places = [""] if hold.through is None else [_place(lane) for lane in range(hold.through.partitions)]
        self._through = hold.through is not None
        self._state = state

    def __call__(self, name: str) -> int | None:
        """Return the time that the carriers of a key have reached, µs, over all partitions; None if one has none."""
        least: int | None = None
        for place in self._places:
            reached = self._at(place, name)
            if reached is None:
                return None
            least = reached if least is None else min(least, reached)
        return least

    def behind(self, name: str, ts_event: int) -> tuple[int, ...]:
        """Return the partitions of `hold.through` whose carriers of a key have not reached a time, µs."""
        if not self._through:
            return ()
        times = [self._at(place, name) for place in self._places]
        return tuple(lane for lane, time in enumerate(times) if time is None or time < ts_event)

    def _at(self, place: str, name: str) -> int | None:
        carrier = self._state.get(f"{REACHED}{place}{name}", self._model)
        return None if carrier is None else time_of(carrier)


def reached_by(hold: Hold, state: TaskState) -> Reached:
    """Return what tells how far the time of each key has come."""
    return Reached(hold, state)


def _placed(hold: Hold, segment: Segment) -> Iterator[tuple[Event, str]]:
    """Yield each carrier, and where in the state its time is."""
    if hold.through is None:
        yield from ((carrier, "") for carrier in _carriers(hold.until, segment))
        return
    for index, event in enumerate(rows_of(segment).events):
        if isinstance(event, cast("type[Event]", hold.until.time_carrier)):
            lane = cast("_Passed", event).passed_by
            if lane is None or not 0 <= lane < hold.through.partitions:
                raise PoisonRecord(
                    index,
                    f"a {type(event).__name__} names partition {lane} as the one that passed it on, and "
                    f"{hold.through.name} has the partitions 0 to {hold.through.partitions - 1}",
                )
            yield event, _place(lane)


def _place(lane: int) -> str:
    return f"{lane}/"


def _carriers(until: Topic, segment: Segment) -> Iterator[Event]:
    model = until.time_carrier
    assert model is not None  # the agent's declaration was checked
    if isinstance(segment, Rows):
        return (event for event in segment.events if isinstance(event, model))
    if segment.model is not model:
        return iter(())
    latest = segment.frame.sort("ts_event").unique(list(until.key_columns), keep="last", maintain_order=True)
    return map(model.from_dict, latest.iter_rows(named=True))
