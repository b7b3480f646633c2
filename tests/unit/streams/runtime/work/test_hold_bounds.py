"""What a hold lets go at once, tells of itself, and writes of heartbeats."""

from __future__ import annotations

import pytest
from runtime.records import CODEC, INGEST_MS, beat, chunk, tick

from tradewind.streams.runtime.agent import Hold
from tradewind.streams.runtime.sizes import AS_USUAL
from tradewind.streams.runtime.work.hold import Held, Wait, note_time
from tradewind.streams.runtime.work.pieces import Cutter
from tradewind.streams.runtime.work.state import TaskState
from tradewind.topics import DECISIONS, TICKS

HOLD = Hold(TICKS, DECISIONS, 0)


def held_of(count: int, size: int, pieces: int = AS_USUAL.released_pieces) -> Held:
    """Return what holds ticks at 0, 1, ..., queued in pieces of a size."""
    held = Held(TICKS, 0, pieces)
    for at in range(0, count, size):
        ticks = [tick(each) for each in range(at, min(count, at + size))]
        for piece in Cutter(CODEC).cut(TICKS, chunk(TICKS, ticks, at)):
            held.add(piece)
    return held


@pytest.mark.parametrize(
    ("size", "limit", "goes"), [(1, 3, 3), (2, 3, 4), (2, 4, 4), (3, 4, 6), (1, 1, 1), (7, 1, 1), (7, 3, 3), (1, 7, 7)]
)
def test_pieces_go_whole_until_the_limit_is_reached(size: int, limit: int, goes: int) -> None:
    """It may end somewhat above it, never by another piece; one longer than the limit is cut. More is told."""
    held = held_of(7, size)
    assert not held.more
    gone = list(held.release(lambda name: 100, limit))
    assert sum(len(piece.records) for piece in gone) == goes
    assert (held.records, held.more) == (7 - goes, goes < 7)
    assert sum(len(piece.records) for piece in held.release(lambda name: 100, 100)) == 7 - goes
    assert not held.more


def test_no_more_pieces_go_at_once_than_a_journal_entry_has_room_for() -> None:
    """Many small chunks may have waited for long."""
    held, gone = held_of(7, 1, pieces=3), []
    while not gone or held.more:
        gone.append([record.offset for piece in held.release(lambda name: 100, 100) for record in piece.records])
    assert gone == [[0, 1, 2], [3, 4, 5], [6]]


def test_what_must_wait_is_no_more_that_could_go() -> None:
    """The task would be run again and again."""
    held = held_of(3, 1)
    assert len(list(held.release(lambda name: 0, 100))) == 1
    assert not held.more


def test_a_cut_piece_stops_at_what_must_wait() -> None:
    """Three may go, two at once: then one, and nothing that could go is left."""
    held = held_of(7, 7)
    gone = [[record.offset for piece in held.release(lambda name: 2, 2) for record in piece.records] for _ in range(3)]
    assert gone == [[0, 1], [2], []]
    assert not held.more


def test_the_first_record_that_waits_is_told_by_its_timestamp() -> None:
    """Of several in a piece the first, also of a piece that has gone in part; none where none waits."""
    held = held_of(5, 5)
    assert held.first_ms == INGEST_MS
    list(held.release(lambda name: 1, 100))
    assert (held.first_ms, held.records) == (INGEST_MS + 2, 3)
    list(held.release(lambda name: 100, 100))
    assert held.first_ms is None


def test_what_the_first_record_waits_for_is_told() -> None:
    """Its instrument, its time, and how far the heartbeats of that instrument are; of garbage nothing is known."""
    held = held_of(5, 5)
    assert held.wait(lambda name: 1) == Wait("EURUSD.OANDA", 0, 1)
    list(held.release(lambda name: 1, 100))
    assert held.wait(lambda name: None) == Wait("EURUSD.OANDA", 2, None)
    list(held.release(lambda name: 100, 100))
    assert held.wait(lambda name: 100) is None
    for piece in Cutter(CODEC).cut(TICKS, chunk(TICKS, [b"garbage"], 5)):
        held.add(piece)
    assert held.wait(lambda name: 100) is None


def test_a_heartbeat_that_reaches_no_further_is_not_written() -> None:
    """Neither again, nor instead of the one that came first."""
    state = TaskState()
    for beats, written in (([beat(5)], 1), ([beat(5)], 0), ([beat(4)], 0), ([beat(6)], 1)):
        (piece,) = Cutter(CODEC).cut(DECISIONS, chunk(DECISIONS, list(beats)))
        assert piece.segment is not None
        note_time(HOLD, piece.segment, state)
        state.accept_segment()
        assert len(state.writes()) == written
        state.keep()
