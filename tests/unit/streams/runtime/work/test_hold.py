"""An input is held back, per instrument and in order, until the other has caught up."""

from collections.abc import Mapping, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from runtime.records import CODEC, beat, chunk, tick

from tradewind.processors.batch import rows_of
from tradewind.schemas.event import Event
from tradewind.schemas.market import Tick
from tradewind.streams.runtime.agent import Hold
from tradewind.streams.runtime.work.hold import Held, note_time, reached_by
from tradewind.streams.runtime.work.pieces import Cutter, Piece
from tradewind.streams.runtime.work.state import TaskState
from tradewind.topics import DECISIONS, TICKS

LOOKAHEAD_US = 50
HOLD = Hold(TICKS, DECISIONS, LOOKAHEAD_US)
SYMBOLS = ("EURUSD", "XAUUSD", "BTCUSD")
ALL = 10**9
TICKS_OF = st.lists(
    st.builds(lambda symbol, at: tick(at, symbol=symbol), st.sampled_from(SYMBOLS), st.integers(0, 200))
)
REACHED = st.dictionaries(st.sampled_from(SYMBOLS), st.integers(0, 200))


def held_of(ticks: Sequence[Event], size: int = 7) -> Held:
    """Return what holds ticks, queued in pieces of a size."""
    held = Held(TICKS, LOOKAHEAD_US)
    for at in range(0, len(ticks), size):
        for piece in Cutter(CODEC).cut(TICKS, chunk(TICKS, ticks[at : at + size], at)):
            held.add(piece)
    return held


def released(held: Held, reached: Mapping[str, int], limit: int = ALL) -> list[Event]:
    """Return the events that may go, `reached` being told by symbol."""
    pieces = list(held.release(lambda name: reached.get(name.removesuffix(".OANDA")), limit))
    return [event for piece in pieces if piece.segment is not None for event in rows_of(piece.segment).events]


def may_go(ticks: Sequence[Tick], reached: Mapping[str, int]) -> list[Tick]:
    """Return what the rule lets go, tick by tick: the first that must wait blocks all behind it."""
    for at, one in enumerate(ticks):
        if one.symbol not in reached or reached[one.symbol] < one.ts_event - LOOKAHEAD_US:
            return list(ticks[:at])
    return list(ticks)


@settings(deadline=None)
@given(TICKS_OF, REACHED)
def test_exactly_the_allowed_prefix_goes(ticks: list[Tick], reached: dict[str, int]) -> None:
    """Nothing before its time, nothing out of order, nothing kept that could go."""
    assert released(held_of(ticks), reached) == may_go(ticks, reached)


@settings(deadline=None)
@given(TICKS_OF, REACHED, REACHED)
def test_what_stays_goes_later_and_once(ticks: list[Tick], first: dict[str, int], second: dict[str, int]) -> None:
    """Releases in steps, whatever their limits, add up to one release of all of them."""
    later = {symbol: max(first.get(symbol, -1), second.get(symbol, -1)) for symbol in (*first, *second)}
    held = held_of(ticks)
    got = released(held, first)
    got += released(held, later, limit=3)
    while held.more:
        got += released(held, later, limit=3)
    assert got == may_go(ticks, later)


def test_positions_stop_at_the_first_record_that_waits() -> None:
    """What is held stays uncommitted: after a restart it is read again."""
    held = held_of([tick(10), tick(20), tick(300), tick(310)])
    (piece,) = held.release(lambda name: 100, ALL)
    assert piece.next == 2
    (rest,) = held.release(lambda name: 300, ALL)
    assert [record.offset for record in rest.records] == [2, 3]
    assert rest.next == 4


def test_undecodable_records_and_markers_wait_their_turn_and_then_go() -> None:
    """They have no time of their own: they go when all before them have gone."""
    held = Held(TICKS, LOOKAHEAD_US)
    for piece in Cutter(CODEC).cut(TICKS, chunk(TICKS, [tick(500), b"garbage", tick(510)])):
        held.add(piece)
    held.add(Piece(None, (), (), 9))
    assert list(held.release(lambda name: 0, ALL)) == []
    pieces = list(held.release(lambda name: 500, ALL))
    assert [piece.next for piece in pieces] == [1, 2, 3, 9]
    assert sum(len(piece.refused) for piece in pieces) == 1


def test_heartbeats_reach_as_far_as_the_latest_of_their_instrument() -> None:
    """In rows and in columns alike; the runtime's part of the state keeps them, and so do restarts."""
    for topic in (DECISIONS, TICKS):
        state = TaskState()
        beats = [beat(5), beat(9, symbol="XAUUSD"), beat(7), beat(6)]
        for piece in Cutter(CODEC).cut(topic, chunk(topic, beats)):
            assert piece.segment is not None
            note_time(HOLD, piece.segment, state)
            state.accept_segment()
        reached = reached_by(HOLD, state)
        assert (reached("EURUSD.OANDA"), reached("XAUUSD.OANDA"), reached("BTCUSD.OANDA")) == (7, 9, None)
        assert sorted(state.writes()) == ["@reached/EURUSD.OANDA", "@reached/XAUUSD.OANDA"]
