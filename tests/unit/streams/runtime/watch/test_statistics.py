"""An statistics tells what a transaction did, and which event of it is the newest."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from runtime.records import CODEC, INGEST_MS, beat, chunk, tick

from tradewind.processors.batch import Columns, Rows, Segment
from tradewind.schemas.event import Event
from tradewind.schemas.market import Tick
from tradewind.schemas.runtime import DeadLetter
from tradewind.streams.runtime.commit.outbox import Draft, Outgoing
from tradewind.streams.runtime.sizes import AS_USUAL
from tradewind.streams.runtime.watch.statistics import BatchStatistics
from tradewind.streams.runtime.work.pieces import Cutter
from tradewind.topics import DECISIONS, TICKS, Topic


def segment_of(topic: Topic, values: list[Event], later_ms: int) -> Segment:
    """Return a segment whose records came in 1 ms apart, from a moment on."""
    (piece,) = Cutter(CODEC).cut(topic, chunk(topic, values, later_ms))
    assert piece.segment is not None
    return replace(piece.segment, ts_ingest=piece.segment.ts_ingest + later_ms * 1000)


def newest(*segments: Segment | None) -> tuple[int, int] | None:
    """Return what an statistics of tasks with these segments tells."""
    return BatchStatistics(latest=segments).newest_us()


COLUMNS = segment_of(
    TICKS, [*(tick(at) for at in range(AS_USUAL.row_records)), tick(7), tick(8), tick(5)], -AS_USUAL.row_records
)
ROWS = segment_of(DECISIONS, [beat(3), beat(9), beat(4)], 100)


def test_the_newest_event_is_the_last_of_the_segment_that_came_in_last() -> None:
    """Whatever its time says, in rows and in columns, and whichever task had it."""
    assert isinstance(COLUMNS, Columns)
    assert isinstance(ROWS, Rows)
    assert newest(COLUMNS) == (5, (INGEST_MS + 2) * 1000)
    assert newest(COLUMNS, ROWS, None) == newest(None, ROWS, COLUMNS) == (4, (INGEST_MS + 102) * 1000)


def test_segments_are_compared_by_their_last_records() -> None:
    """One that began earlier may have ended later."""
    long = segment_of(TICKS, [tick(at) for at in range(50)], 0)
    short = segment_of(DECISIONS, [beat(1)], 10)
    assert newest(long, short) == newest(short, long) == (49, (INGEST_MS + 49) * 1000)


def test_nothing_processed_and_events_without_time_are_no_newest() -> None:
    """Letters and the like have no event time, in rows or in columns."""
    nothing = np.empty(0, np.int64)
    one = np.array([1], np.int64)
    letter = DeadLetter(
        event_id="1", agent="a", error="POISON", reason="", topic="t", partition=0, offset=0, ts_ingest=1, key=None,
        value=None, headers=(),
    )  # fmt: skip
    assert newest() is None
    assert newest(None) is None
    assert newest(Rows("t", 0, (), nothing, nothing)) is None
    assert newest(Rows("t", 0, (letter,), one, one)) is None
    assert newest(Columns("t", 0, Tick, pl.DataFrame({"symbol": ["EURUSD"]}), one, one)) is None


class Done:
    """What an statistics asks of a task."""

    partition = 3
    latest = ROWS

    def size(self) -> str:
        return "its size"


@pytest.mark.parametrize("traces", [True, False])
def test_what_has_committed_is_taken_over_whole(traces: bool) -> None:
    """Records, letters, offsets, sizes, and, where they are asked for, the traces of those records that have one."""
    traced = object()
    draft = Draft([Outgoing("t", 0, None, b"1", 0), Outgoing("t", 0, None, b"2", 0, traced)], {("t", 0): 7})  # type: ignore[arg-type]
    draft.letters["POISON"] += 1
    statistics = BatchStatistics()
    assert (statistics.sent, statistics.processed_s, statistics.ended_s) == (0, None, 0.0)
    statistics.note_commit(iter([Done()]), draft, traces=traces)  # type: ignore[arg-type, list-item]
    assert (statistics.sent, statistics.letters, statistics.offsets) == (2, {"POISON": 1}, {("t", 0): 7})
    assert (statistics.sizes, statistics.latest) == ({3: "its size"}, (ROWS,))
    assert statistics.traced == ((traced,) if traces else ())


def test_times_are_taken_when_they_are_noted() -> None:
    """On the monotonic clock."""
    before = time.monotonic()
    statistics = BatchStatistics()
    statistics.note_processed()
    statistics.note_end()
    assert statistics.processed_s is not None
    assert before <= statistics.begun_s <= statistics.processed_s <= statistics.ended_s <= time.monotonic()
