"""Hold an input back, record by record, until another input has caught up in event time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt
import polars as pl

from tradewind.processors.batch import Columns, Micros, Rows, Segment
from tradewind.processors.identity import instrument
from tradewind.schemas.market import Heartbeat
from tradewind.streams.runtime.pieces import Piece
from tradewind.streams.runtime.state import RESERVED, TaskState
from tradewind.topics.keys import instrument_keys

REACHED = f"{RESERVED}reached/"
NEVER = np.iinfo(np.int64).min


class _OfInstrument(Protocol):
    symbol: str
    venue: str
    ts_event: int


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A piece with what decides on its rows: computed once, for a piece may be looked at many times before it goes."""

    piece: Piece
    instruments: Sequence[str]
    codes: npt.NDArray[np.int32]
    """(n,) index into `instruments` for each row."""
    ts_event: Micros

    def split(self, row: int) -> tuple[Piece, _Waiting]:
        head, tail = self.piece.split(row)
        return head, _Waiting(tail, self.instruments, self.codes[row:], self.ts_event[row:])


@dataclass(frozen=True, slots=True)
class Wait:
    """What the first held record waits for: heartbeats of its instrument that reach its time, less the lookahead."""

    instrument: str
    ts_event: int
    """Event time of the record, µs."""
    reached: int | None
    """How far the heartbeats of its instrument have reached, µs; None where there was none."""


class Held:
    """Pieces of one partition that wait, first in first out: the first row that must wait blocks all behind it."""

    def __init__(self, lookahead_us: int) -> None:
        self._lookahead_us = lookahead_us
        self._waiting: deque[_Waiting] = deque()
        self.more = False
        """Whether the last release stopped at its limit, and not at a row that must wait."""

    @property
    def records(self) -> int:
        """How many records wait."""
        return sum(len(waiting.codes) for waiting in self._waiting)

    @property
    def first_ms(self) -> int | None:
        """The timestamp of the first record that waits, ms; None where none does."""
        return next(
            (int(waiting.piece.records.timestamps[0]) for waiting in self._waiting if waiting.piece.records), None
        )

    def wait(self, reached: Callable[[str], int | None]) -> Wait | None:
        """Return what the first record waits for that is an event; None where none is held."""
        first = next((waiting for waiting in self._waiting if len(waiting.codes)), None)
        if first is None:
            return None
        name = first.instruments[int(first.codes[0])]
        return Wait(name, int(first.ts_event[0]), reached(name))

    def add(self, piece: Piece) -> None:
        """Queue a piece behind the others."""
        instruments, codes, ts_event = _decisive(piece.segment)
        self._waiting.append(_Waiting(piece, instruments, codes, ts_event))

    def release(self, reached: Callable[[str], int | None], limit: int) -> Iterator[Piece]:
        """Yield what may go until `limit` rows went; `reached` tells an instrument's latest heartbeat, µs.

        The last piece may end above the limit; only one that is longer than the limit itself is cut.
        """
        self.more = False
        longest = max(1, limit)
        while self._waiting:
            if limit <= 0:
                self.more = True
                return
            first = self._waiting[0]
            allowed = self._allowed(first, reached)
            rows = min(allowed, longest)
            if rows == len(first.codes):
                self._waiting.popleft()
                limit -= rows
                yield first.piece
                continue
            if rows:
                head, self._waiting[0] = first.split(rows)
                yield head
            self.more = rows < allowed
            return

    def _allowed(self, waiting: _Waiting, reached: Callable[[str], int | None]) -> int:
        """Return how many leading rows may go."""
        times = [reached(name) for name in waiting.instruments]
        bounds = np.array([NEVER if time is None else time + self._lookahead_us for time in times], np.int64)
        blocked = waiting.ts_event > bounds[waiting.codes]
        return int(blocked.argmax()) if blocked.any() else len(blocked)


def _decisive(segment: Segment | None) -> tuple[Sequence[str], npt.NDArray[np.int32], Micros]:
    """Return the instruments of a segment, and for each row the index of its own and its event time, µs."""
    if segment is None:
        return (), np.empty(0, np.int32), np.empty(0, np.int64)
    if isinstance(segment, Columns):
        names = instrument_keys(segment.frame)
        instruments = names.unique(maintain_order=True)
        codes = names.replace_strict(instruments, range(len(instruments)), return_dtype=pl.Int32).to_numpy()
        return instruments.to_list(), codes, segment.frame["ts_event"].cast(pl.Int64).to_numpy()
    events = [cast("_OfInstrument", event) for event in segment.events]
    found: dict[str, int] = {}
    rows = [found.setdefault(instrument(event.symbol, event.venue), len(found)) for event in events]
    return list(found), np.array(rows, np.int32), np.array([event.ts_event for event in events], np.int64)


def note_heartbeats(segment: Segment, state: TaskState) -> None:
    """Keep how far the heartbeats of a segment reach, per instrument, in the task's state: it survives a restart."""
    for beat in _heartbeats(segment):
        key = REACHED + instrument(beat.symbol, beat.venue)
        known = state.get(key, Heartbeat)
        if known is None or beat.ts_event > known.ts_event:
            state.put_reserved(key, beat)


def reached_by(state: TaskState) -> Callable[[str], int | None]:
    """Return the function that tells how far an instrument's heartbeats have reached, µs; None where there was none."""

    def reached(name: str) -> int | None:
        beat = state.get(REACHED + name, Heartbeat)
        return None if beat is None else beat.ts_event

    return reached


def _heartbeats(segment: Segment) -> Iterator[Heartbeat]:
    if isinstance(segment, Rows):
        return (event for event in segment.events if isinstance(event, Heartbeat))
    if segment.model is not Heartbeat:
        return iter(())
    latest = segment.frame.sort("ts_event").unique(["symbol", "venue"], keep="last", maintain_order=True)
    return chain(map(Heartbeat.from_dict, latest.iter_rows(named=True)))
